// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of AF_XDP sockets: who waits for whom at the four rings; binding and releasing a queue under traffic. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import {
  NIC_QUEUE,
  type NicQueue,
  nicQueueAt,
  RX_DESC,
  SIM_NIC,
  simNicCreate,
} from '../drivers/net/sim_nic.js';
import { SimNicDriver, simNicInterrupt, simNicPoll } from '../drivers/net/sim_nic_driver.js';
import { simNicOpen, simNicOps, simNicProbe, simNicStop } from '../drivers/net/sim_nic_main.js';
import { xskPoll, xskWait, xskWakeup } from '../drivers/net/sim_nic_xsk.js';
import { xskBind, xskUnbind } from '../drivers/net/sim_nic_xsk_bind.js';
import { IRQ_DESC, raiseIrq } from '../kernel/irq.js';
import { rcuReadLock } from '../kernel/rcu.js';
import { cpuIdleLoop, doSoftirq, NET_RX_SOFTIRQ } from '../kernel/softirq.js';
import { Arena } from '../mm/arena.js';
import { RING, ringLength } from '../mm/ring.js';
import { NAPI } from '../net/core/napi.js';
import { netRxAction } from '../net/core/napi_poll.js';
import { netContext } from '../net/core/net_context.js';
import { allocNetdev, NET_DEVICE } from '../net/core/net_device.js';
import { PAGE_POOL, pagePoolInside } from '../net/core/page_pool.js';
import { DROP_NO_SOCKET, NET } from '../net/core/softnet_data.js';
import { XDP_SOCK, XDP_WAKEUP_RX, XDP_WAKEUP_TX, xskClosed, xskCreate } from '../net/xdp/xsk.js';
import { type XskRings, xskRings } from '../net/xdp/xsk_user.js';
import { listTasks, type NetTasks, netBoot } from './net_world.js';
import { ARENA_WORDS, addRunningTask, currentOf } from './world.js';

const RING_SIZE = 1;
const POOL = 2;
const FRAME_BYTES = 60;

/** The UMEM takes more memory than the other tests have. */
function memory(): Arena {
  return new Arena(new SharedArrayBuffer((ARENA_WORDS + (1 << 13)) * 4));
}

interface XskSetup extends NetTasks {
  readonly dev: number;
  readonly nic: number;
  readonly queue: number;
  readonly pool: number;
  readonly xs: number;
  readonly app: number;
  /** Root of the network layer. */
  readonly net: number;
}

/** The driver's part of a thread, with the tables that lead to it. */
function driverFor(arena: Arena, task: number): SimNicDriver {
  const net = netContext(currentOf(arena.m, task), arena);
  const driver = new SimNicDriver(net);
  driver.xskPoll = xskPoll;
  net.netDevOps.push(simNicOps(driver));
  net.cur.irqHandlers.push((cur, queueAt) => simNicInterrupt(driver, cur, queueAt));
  net.napiPollFns.push((c, n, budget) => simNicPoll(driver, c, n, budget));
  net.cur.softirqVec[NET_RX_SOFTIRQ] = () => netRxAction(net);
  return driver;
}

/**
 * A device with one queue, up and at rest, and a socket.
 * @param frames of the UMEM, and how many of them the application begins with
 * @param bound the socket is at the queue
 */
function setup(arena: Arena, label: Label, frames: number, txFrames: number, bound: boolean): XskSetup {
  const { m } = arena;
  const tasks = netBoot(arena, label);
  const app = addRunningTask(m, label, 'app');
  const dev = allocNetdev(m, 'eth0', 0, 1);
  label(m, dev, NET_DEVICE, 'dev');
  const nic = simNicCreate(m, dev, 1, RING_SIZE, POOL);
  must(nic !== 0, 'the arena of the test is too small');
  m[dev + NET_DEVICE.priv] = nic;
  m[dev + NET_DEVICE.queues] = 1;
  m[dev + NET_DEVICE.rxPending] = RING_SIZE;
  const queue = nicQueueAt(m, nic, 0);
  const pool = m[queue + NIC_QUEUE.pool];
  label(m, nic, SIM_NIC, 'nic');
  label(m, queue, NIC_QUEUE, 'queue');
  label(m, m[queue + NIC_QUEUE.irq], IRQ_DESC, 'irq');
  label(m, pool, PAGE_POOL, 'pool');
  const driver = driverFor(arena, tasks.control);
  simNicProbe(driver, nic, 0, 1);
  must(simNicOpen(driver, dev) === 0, 'the link cannot be brought up');
  label(m, m[queue + NIC_QUEUE.napi], NAPI, 'napi');
  doSoftirq(driver.net.cur); // the poll that open asks for
  const slots = { fillSize: 2, rxSize: 2, txSize: 2, compSize: 2, steerPort: 0 };
  const xs = xskCreate(m, { frames, txFrames, ...slots });
  must(xs !== 0, 'the arena of the test is too small');
  label(m, xs, XDP_SOCK, 'xsk');
  label(m, m[xs + XDP_SOCK.fillRing], RING, 'fill');
  label(m, m[xs + XDP_SOCK.rxRing], RING, 'rx');
  label(m, m[xs + XDP_SOCK.txRing], RING, 'tx');
  label(m, m[xs + XDP_SOCK.compRing], RING, 'completion');
  if (bound) {
    must(xskBind(driver, dev, 0, xs) === 0, 'the socket cannot be bound');
    doSoftirq(driver.net.cur);
  }
  listTasks(m, [tasks.cpu, tasks.irqA, tasks.control, app]);
  return { ...tasks, dev, nic, queue, pool, xs, app, net: driver.net.at };
}

/** A frame comes: it is written into a posted buffer and reported, without an interrupt as yet. The caller has the hardware's ends of the rings. */
function putFrame(driver: SimNicDriver, q: NicQueue, seq: number): void {
  const { m } = driver.net;
  must(q.rxProducer.reserve(1) === 1, 'there is a buffer, but no room to report the frame');
  const desc = q.rxProducer.slot(0);
  const skb = m[q.fillConsumer.slot(0)];
  m[desc + RX_DESC.skb] = skb;
  m[desc + RX_DESC.len] = FRAME_BYTES;
  m[desc + RX_DESC.seq] = seq;
  q.rxProducer.publish(1); // D1, D5
  q.fillConsumer.release(1);
}

/** The hardware: one frame, as soon as there is a buffer. */
function wire(seq: number): (arena: Arena, s: XskSetup) => void {
  return (arena, s) => {
    const driver = driverFor(arena, s.irqA);
    const q = driver.queue(s.queue);
    q.fillConsumer.begin();
    q.rxProducer.begin();
    while (q.fillConsumer.available(1) === 0);
    putFrame(driver, q, seq);
    raiseIrq(driver.net.cur, q.irq);
  };
}

/** The same hardware, which keeps off the rings when it is told to. */
function wireThatLooks(arena: Arena, s: XskSetup): void {
  const { m } = arena;
  const driver = driverFor(arena, s.irqA);
  const q = driver.queue(s.queue);
  let bell = -1;
  let away = true;
  Atomics.store(m, s.nic + SIM_NIC.running, 1); // D10
  for (;;) {
    const rung = Atomics.load(m, s.nic + SIM_NIC.doorbell); // D10
    if (rung !== bell) {
      bell = rung;
      const was = away;
      away = Atomics.load(m, s.queue + NIC_QUEUE.away) !== 0;
      if (was && !away) {
        q.fillConsumer.begin();
        q.rxProducer.begin();
      }
      Atomics.store(m, s.nic + SIM_NIC.seen, bell); // D10
    } else if (!away && q.fillConsumer.available(1) > 0) break;
  }
  putFrame(driver, q, 1);
  raiseIrq(driver.net.cur, q.irq);
  Atomics.store(m, s.nic + SIM_NIC.running, 0);
}

/** A frame came before the test begins: it is in the NIC's receive ring, its interrupt held back by moderation. */
function received(arena: Arena, s: XskSetup): SimNicDriver {
  const driver = driverFor(arena, s.control);
  const q = driver.queue(s.queue);
  q.fillConsumer.begin();
  q.rxProducer.begin();
  must(q.fillConsumer.available(1) === 1, 'nothing is posted');
  putFrame(driver, q, 1);
  return driver;
}

function idleCpu(arena: Arena, s: XskSetup): void {
  const { cur } = driverFor(arena, s.cpu).net;
  rcuReadLock(cur);
  cpuIdleLoop(cur);
}

/** The application's ends, registered. */
function openRings({ m }: Arena, s: XskSetup, rings: XskRings): void {
  rings.begin();
  Atomics.store(m, s.xs + XDP_SOCK.waiter, s.app);
}

/** Reads `count` frames, gives each back at once, and sleeps in between. */
function reader(count: number): (arena: Arena, s: XskSetup) => void {
  return (arena, s) => {
    const driver = driverFor(arena, s.app);
    const rings = xskRings(arena, s.xs);
    openRings(arena, s, rings);
    for (let got = 0; got < count; ) {
      const n = rings.rxPeek(1);
      if (n === 0) {
        xskWait(driver, s.xs, rings, 0, -1);
        continue;
      }
      got++;
      must(rings.rxSeq(0) === got, 'a frame was lost, or came twice');
      rings.rxRelease();
    }
    Atomics.store(arena.m, s.xs + XDP_SOCK.waiter, 0);
  };
}

/** As if the poll before had used up its budget: the driver has promised to look again, and is about to. */
function promised(arena: Arena, s: XskSetup): void {
  const { m } = arena;
  m[s.xs + XDP_SOCK.needWakeup] = 0;
  raiseIrq(driverFor(arena, s.control).net.cur, driverFor(arena, s.control).queue(s.queue).irq);
}

export const xskRxWake: Litmus = litmus({
  name: 'xsk-rx-wake',
  memory,
  setup: (arena, label) => setup(arena, label, 2, 0, true),
  threads: { wire: wire(1), cpu: idleCpu, app: reader(1) },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.xs + XDP_SOCK.rxFrames] === 1, 'not every frame came');
    must(ringLength(m, m[s.xs + XDP_SOCK.rxRing]) === 0, 'a frame is left in the rx ring');
  },
  forbids: 'an application asleep with a frame in its rx ring',
  why: 'frames are published before the sleeper’s state is looked at (Y1, Y2)',
});

export const xskFillWake: Litmus = litmus({
  name: 'xsk-fill-wake',
  memory,
  // One frame in all, with a packet in the rx ring: the second one needs it back.
  setup(arena, label) {
    const s = setup(arena, label, 1, 0, true);
    const driver = received(arena, s);
    raiseIrq(driver.net.cur, driver.queue(s.queue).irq);
    doSoftirq(driver.net.cur);
    return s;
  },
  threads: { wire: wire(2), cpu: idleCpu, app: reader(2) },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.xs + XDP_SOCK.rxFrames] === 2, 'not every frame came');
  },
  forbids: 'a frame that was given back and is never posted, with the application asleep',
  why: 'the driver says that it needs a wake-up before it looks at the fill ring for the last time (W1, W2)',
});

/** An application that makes no call while the driver is going to look by itself. */
function promise(
  name: string,
  how: {
    readonly frames: number;
    readonly ring: number;
    readonly give: (rings: XskRings) => boolean;
    readonly after: (rings: XskRings) => void;
    readonly done: (m: Int32Array, s: XskSetup) => boolean;
  },
  forbids: string,
  why: string,
): Litmus {
  return litmus({
    name,
    memory,
    setup(arena, label) {
      const s = setup(arena, label, how.frames, 1, true);
      promised(arena, s);
      return s;
    },
    threads: {
      cpu: idleCpu,
      app(arena, s) {
        const driver = driverFor(arena, s.app);
        const rings = xskRings(arena, s.xs);
        rings.begin();
        must(how.give(rings), 'no room in the ring');
        if ((rings.needWakeup() & how.ring) !== 0) xskWakeup(driver, driver.net.cur, s.xs);
        how.after(rings);
      },
    },
    daemons: ['cpu'],
    final({ m }, s) {
      must(how.done(m, s), 'the driver did not look');
    },
    forbids,
    why,
  });
}

export const xskPromises: readonly Litmus[] = Object.freeze([
  promise(
    'xsk-fill-promised',
    {
      frames: 1,
      ring: XDP_WAKEUP_RX,
      give: (rings) => rings.fillFrame(rings.txFrame()),
      after() {},
      done: (m, s) => ringLength(m, m[s.queue + NIC_QUEUE.fillRing]) === 1,
    },
    'a frame in the fill ring, no wake-up asked for, and a driver that does not look',
    'between the last look at the fill ring and the sleep stands the store of needWakeup (W1, W2)',
  ),
  promise(
    'xsk-tx-promised',
    {
      frames: 2,
      ring: XDP_WAKEUP_TX,
      give: (rings) => rings.txSend(rings.txFrame(), FRAME_BYTES),
      after(rings) {
        while (rings.txComplete() === 0);
        must(rings.txFrame() >= 0, 'the frame did not come back');
      },
      done: (m, s) => m[s.xs + XDP_SOCK.txSent] === 1,
    },
    'a descriptor in the tx ring, no wake-up asked for, and a driver that does not look',
    'between the last look at the tx ring and completion stands the store of needWakeup (W1, W2)',
  ),
]);

export const xskClose: Litmus = litmus({
  name: 'xsk-close',
  memory,
  setup: (arena, label) => setup(arena, label, 1, 0, true),
  threads: {
    control(arena, s) {
      xskUnbind(driverFor(arena, s.control), s.xs);
    },
    cpu: idleCpu,
    app(arena, s) {
      const driver = driverFor(arena, s.app);
      const rings = xskRings(arena, s.xs);
      openRings(arena, s, rings);
      while (!xskClosed(arena.m, s.xs)) xskWait(driver, s.xs, rings, 0, -1);
      Atomics.store(arena.m, s.xs + XDP_SOCK.waiter, 0);
    },
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.xs + XDP_SOCK.queue] === 0 && m[s.queue + NIC_QUEUE.xsk] === 0, 'still bound');
    must(
      pagePoolInside(m, s.pool) + ringLength(m, m[s.queue + NIC_QUEUE.fillRing]) === POOL,
      'a buffer is gone',
    );
  },
  forbids:
    'an application that sleeps on a closed socket, or calls into a queue that is somebody else’s by then',
  why: 'the flag is set before the sleeper is woken; callers find the queue under RCU (V1, V2)',
});

/** Frames that reached somebody: the stack (no socket is there for them), or the AF_XDP socket. */
function arrived(m: Int32Array, s: XskSetup): number {
  return m[s.net + NET.drops + DROP_NO_SOCKET] + m[s.xs + XDP_SOCK.rxFrames];
}

export const xskBinds: Litmus = litmus({
  name: 'xsk-bind',
  memory,
  setup: (arena, label) => setup(arena, label, 1, 0, false),
  threads: {
    wire: wireThatLooks,
    control(arena, s) {
      const driver = driverFor(arena, s.control);
      must(xskBind(driver, s.dev, 0, s.xs) === 0, 'the socket cannot be bound');
    },
    cpu: idleCpu,
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(arrived(m, s) === 1, `${arrived(m, s)} frames of 1 arrived`);
    must(pagePoolInside(m, s.pool) === POOL, 'a buffer of the page pool is not in it');
  },
  forbids: 'a frame lost while a queue changes what it receives into, or a buffer with the wrong owner',
  why: 'the NIC has kept off and the instance is disabled before anybody else touches their ends of the rings',
});

export const xskUnbinds: Litmus = litmus({
  name: 'xsk-unbind',
  memory,
  setup(arena, label) {
    // Polled, the frame makes room for the other one of the UMEM.
    const s = setup(arena, label, 2, 0, true);
    received(arena, s);
    return s;
  },
  threads: {
    control(arena, s) {
      xskUnbind(driverFor(arena, s.control), s.xs);
    },
    cpu: idleCpu,
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(arrived(m, s) === 1, `${arrived(m, s)} frames of 1 arrived`);
    const { fillRing } = NIC_QUEUE;
    must(pagePoolInside(m, s.pool) + ringLength(m, m[s.queue + fillRing]) === POOL, 'a buffer is gone');
  },
  forbids: 'a frame of the UMEM left with the NIC, or a frame that is not delivered',
  why: 'as for xsk-bind; frames that were received are polled while the socket is still there',
});

export const xskKicks: Litmus = litmus({
  name: 'xsk-kick-gone',
  memory,
  setup: (arena, label) => setup(arena, label, 1, 0, true),
  threads: {
    control(arena, s) {
      const driver = driverFor(arena, s.control);
      simNicStop(driver, s.dev);
    },
    app(arena, s) {
      const driver = driverFor(arena, s.app);
      xskWakeup(driver, driver.net.cur, s.xs);
    },
    cpu: idleCpu,
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.queue + NIC_QUEUE.napi] === 0, 'the instance is still there');
  },
  forbids: 'a call that schedules an instance which is freed',
  why: 'the caller finds it in a read section of RCU, and it is freed a grace period after nobody can',
});
