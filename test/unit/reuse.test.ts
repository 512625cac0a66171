// SPDX-License-Identifier: GPL-2.0-only
/** Memory that is freed and used again: no thread goes on with what it knew of it before. */
import { beforeEach, describe, expect, it } from 'vitest';
import { writeUdp4 } from '../../dist/drivers/net/frame_builder.js';
import { KERNEL, KERNEL_AT } from '../../dist/kernel/current.js';
import { allocTask, taskListAdd } from '../../dist/kernel/kthread.js';
import { rcuReadLock } from '../../dist/kernel/rcu.js';
import { TASK, TASK_INTERRUPTIBLE } from '../../dist/kernel/task.js';
import { TASK_KIND_APP } from '../../dist/net/core/ids.js';
import { NAPIF_STATE_SCHED, NAPIF_STATE_SCHED_THREADED } from '../../dist/net/core/napi.js';
import { napiEnable, netifNapiAdd } from '../../dist/net/core/napi_control.js';
import { napiThreadedPollLoop } from '../../dist/net/core/napi_poll.js';
import { napiCompleteDone } from '../../dist/net/core/napi_schedule.js';
import { groNormalOne } from '../../dist/net/core/rx.js';
import { SKB } from '../../dist/net/core/skbuff.js';
import { AF_INET, SOCK } from '../../dist/net/core/sock_queue.js';
import { netdevParams } from '../../dist/net_device_options.js';
import type { ThreadContext } from '../../dist/threads/context.js';
import { addNetdev, delNetdev } from '../../dist/threads/control_netdev.js';
import { freeSock, openSock, shutdownSock } from '../../dist/threads/control_sock.js';
import { BareMachine } from '../helpers/bare_machine.js';
import { BareApp, BareNic } from '../helpers/bare_nic.js';
import { built, counting, FROM_4 } from '../helpers/frames.js';

const FRAMES = 12;
let bm: BareMachine;
/** The CPU, and a control thread. */
let ctx: ThreadContext;
let control: ThreadContext;

const frame = built((b) => writeUdp4(b, 0, { ...FROM_4, srcPort: 1, dstPort: 9, payload: counting(30) }));

/** Sends frames through the device, and answers how many the application gets. */
function deliver(nic: BareNic, app: BareApp): number {
  const wire = nic.wire('drop');
  for (let i = 0; i < FRAMES; i++) nic.send(wire, frame);
  wire.finish();
  nic.settle();
  return app.drain().length;
}

beforeEach(() => {
  bm = new BareMachine({ cpus: 1 });
  ctx = bm.thread(0);
  control = bm.thread(0);
});

/** Opens a UDP socket as a control thread does. */
function open(capacity: number, rcvbuf = capacity): number {
  const { err, value } = openSock(control, {
    name: 'sock-open',
    family: AF_INET,
    port: 9,
    dev: 0,
    capacity,
    rcvbuf,
  });
  expect(err).toBe(0);
  return value as number;
}

function close(sock: number): void {
  shutdownSock(control, sock, 0);
  freeSock(control, sock);
}

describe('a socket in the place of another', () => {
  it.each([
    [64, 4096],
    [4096, 64],
    [64, 128],
  ])('with room for %i, then %i frames, gets its frames', (first, second) => {
    const nic = new BareNic(bm, ctx);
    nic.up();
    for (const capacity of [first, second]) {
      const sock = open(capacity);
      const app = new BareApp(bm, [sock]);
      expect(deliver(nic, app)).toBe(FRAMES);
      app.app.end();
      close(sock);
    }
    expect(nic.buffersAtRest()).toBe(nic.poolSize);
    expect(bm.drops()).toEqual({});
  });

  it('drops by its own limit', () => {
    const nic = new BareNic(bm, ctx);
    nic.up();
    for (const [rcvbuf, expected] of [
      [5, 5],
      [64, FRAMES],
    ]) {
      const sock = open(64, rcvbuf);
      const app = new BareApp(bm, [sock]);
      expect(deliver(nic, app)).toBe(expected);
      app.app.end();
      close(sock);
    }
  });

  it('does not get what nobody read before: that is counted, and the buffers come back', () => {
    const nic = new BareNic(bm, ctx);
    nic.up();
    const first = open(64);
    const wire = nic.wire('drop');
    for (let i = 0; i < FRAMES; i++) nic.send(wire, frame);
    wire.finish();
    nic.settle();
    close(first);
    nic.settle();
    expect(bm.drops()).toEqual({ socket_close: FRAMES });
    expect(nic.buffersAtRest()).toBe(nic.poolSize);
    const app = new BareApp(bm, [open(64)]);
    expect(app.drain()).toEqual([]);
    expect(deliver(nic, app)).toBe(FRAMES);
  });
});

describe('a device in the place of another', () => {
  it.each([
    [64, 256, 16, 32],
    [16, 32, 64, 256],
  ])('with rings of %i and pools of %i, then %i and %i, delivers', (ring1, pool1, ring2, pool2) => {
    const app = new BareApp(bm, [open(64)]);
    for (const [ringSize, poolSize] of [
      [ring1, pool1],
      [ring2, pool2],
    ]) {
      const params = netdevParams({ name: 'eth0', ringSize, poolSize });
      const { err, value } = addNetdev(control, params);
      expect(err).toBe(0);
      const nic = new BareNic(bm, ctx, { poolSize }, value as number);
      nic.settle();
      expect(deliver(nic, app)).toBe(FRAMES);
      expect(nic.buffersAtRest()).toBe(poolSize);
      delNetdev(control, nic.dev);
    }
    expect(bm.drops()).toEqual({});
  });
});

describe('a thread that polls without end', () => {
  it('does not touch a socket after the grace period that began when the socket was closed', () => {
    const { m } = bm;
    const poller = bm.thread(0);
    const nic = new BareNic(bm, ctx);
    const sock = open(64);
    // The poller is a kernel thread: inside a read section for as long as it reports nothing.
    taskListAdd(m, poller.cur.task.at);
    rcuReadLock(poller.cur);
    let stranger = 0;
    let polls = 0;
    poller.net.napiPollFns[1] = (net, n, budget) => {
      polls++;
      if (polls === 1) {
        // Frames for the socket; meanwhile it is closed, and a grace period begins.
        const pool = net.pool(nic.queues[0].pool);
        pool.take(1);
        const skb = m[pool.taken];
        m[skb + SKB.fragList] = 0;
        net.sockLookups.unshift(() => net.sock(sock));
        groNormalOne(net, n, skb, 1);
        Atomics.add(m, KERNEL_AT + KERNEL.rcuGp, 1);
        return budget;
      }
      net.sockLookups.length = 0;
      if (stranger === 0 && m[poller.cur.task.at + TASK.rcuCtr] === m[KERNEL_AT + KERNEL.rcuGp]) {
        // The grace period is over: the socket's memory is free, and may hold anything.
        stranger = allocTask(m, 0, 0, 0, TASK_KIND_APP, 'stranger');
        m[stranger + TASK.state] = TASK_INTERRUPTIBLE;
        m.fill(stranger, sock, sock + SOCK.SIZE);
      }
      if (polls < 20) return budget;
      napiCompleteDone(net, n, 0);
      return 0;
    };
    const n = ctx.net.napi(netifNapiAdd(ctx.net, nic.dev, 1, nic.queues[0].at, 64, 0));
    napiEnable(ctx.net, n);
    Atomics.or(m, n.state, NAPIF_STATE_SCHED | NAPIF_STATE_SCHED_THREADED);
    napiThreadedPollLoop(poller.net, poller.net.napi(n.at));
    expect(stranger).not.toBe(0);
    expect(m[stranger + TASK.state]).toBe(TASK_INTERRUPTIBLE);
  });
});
