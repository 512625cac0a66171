// SPDX-License-Identifier: GPL-2.0-only
/** Faults of the hardware and of clocks, injected into running machines: they happen, and what becomes of them. */
import { afterEach, describe, expect, it } from 'vitest';
import { NIC_QUEUE, nicQueueAt } from '../../dist/drivers/net/sim_nic.js';
import { boot, type Machine, type NetDevice, type Socket } from '../../dist/index.js';
import { IRQ_DEPTH, IRQ_DESC } from '../../dist/kernel/irq.js';
import { NET_DEVICE } from '../../dist/net/core/net_device.js';
import type { SinkResult } from '../../dist/threads/sink.js';
import { SINK, until } from '../helpers/traffic.js';

const POOL = 256;
const APPS = new URL('../../dist/tools/torture/apps.js', import.meta.url);

let machine: Machine;
afterEach(async () => {
  await machine.shutdown().catch(() => {});
});

async function device(o: object = {}): Promise<NetDevice> {
  return machine.addDevice({
    name: 'eth0',
    queues: 1,
    maxQueues: 1,
    ringSize: 64,
    poolSize: POOL,
    rxUsecs: 0,
    ...o,
  });
}

/** The interrupt of queue 0 is disabled. */
function disabled(eth0: NetDevice): boolean {
  const { m } = machine.arena;
  const irq = m[nicQueueAt(m, m[eth0.at + NET_DEVICE.priv], 0) + NIC_QUEUE.irq];
  return Atomics.load(m, irq + IRQ_DESC.istate) >= IRQ_DEPTH;
}

/** A frame comes. */
async function one(eth0: NetDevice): Promise<void> {
  await eth0.generate({ count: 1, port: 9 });
}

/** A reader that takes all frames of port 9 until its socket is closed. */
async function sink(): Promise<{ socket: Socket; done: () => Promise<SinkResult> }> {
  const socket = await machine.openUdp({ port: 9 });
  const app = await machine.runApp<SinkResult>(SINK, { name: 'sink', sockets: [socket], args: {} });
  return {
    socket,
    done: async () => {
      await socket.close();
      return app.result;
    },
  };
}

describe('an interrupt that is lost', () => {
  it.each([false, true])(
    'is made good by the next frame, or by software (threaded: %s)',
    async (threaded) => {
      machine = await boot({ cpus: 1, controlWorkers: 2 });
      const eth0 = await device({ threaded });
      const socket = await machine.openUdp({ port: 9 });
      for (const next of [() => one(eth0), () => eth0.faultIrq(0, 0, 1)]) {
        const before = socket.queued;
        const { lostInterrupts } = eth0.queueStats()[0];
        const losing = eth0.faultIrq(0, 1_000_000, 0, true);
        await until(() => disabled(eth0));
        await one(eth0);
        await losing;
        expect(eth0.queueStats()[0].lostInterrupts).toBe(lostInterrupts + 1);
        // The frame is in the ring, and nobody has been told.
        expect(socket.queued).toBe(before);
        await next();
        await eth0.drained();
        expect(socket.queued).toBeGreaterThan(before);
      }
      expect(socket.queued).toBe(3);
      await socket.close();
    },
  );
});

describe('a device that reports what is not so', () => {
  const KINDS = [
    [{ receive: 'napi', threaded: false }],
    [{ receive: 'napi', threaded: true }],
    [{ receive: 'netif_rx' }],
  ] as const;

  it.each(KINDS)('is not believed: %j', async (kind) => {
    machine = await boot({ cpus: 1, guardWords: 16 });
    const eth0 = await device(kind);
    const reader = await sink();
    const [before] = eth0.queueStats();
    for (const what of ['length', 'id', 'twice', 'rx-index', 'fill-index'] as const) {
      await eth0.faultRing(0, what, what.endsWith('index') ? 4 : 48);
      await eth0.generate({ count: 500, flows: 4, port: 9, whenFull: 'wait' });
      await eth0.drained();
    }
    const [q] = eth0.queueStats();
    // Of those reported twice every other one is a frame, and nobody’s.
    expect(q.madeUpDescs).toBe(3 * 48);
    expect(q.badDescs).toBe(2 * 48 + 24);
    expect(q.badIndices).toBeGreaterThan(before.badIndices);
    const { frames } = await reader.done();
    expect(frames).toBe(5 * 500);
    const drops = machine.drops();
    expect(drops.rx_bad_desc).toBe(q.badDescs);
    expect(drops.no_socket).toBe(24);
    await until(() => eth0.queueStats()[0].buffersFree === POOL);
    await eth0.remove();
  });

  it('is not believed by the driver of a queue with an AF_XDP socket either', async () => {
    machine = await boot({ cpus: 1 });
    const eth0 = await device();
    const xsk = await machine.openXsk(eth0, { frames: 128, txFrames: 0 });
    const words = new SharedArrayBuffer(64);
    const args = { words, max: 16, timeoutMs: 20, sendEvery: 0 };
    const app = await machine.runApp<number>(APPS, { name: 'x', exportName: 'xskUser', args, xsks: [xsk] });
    // More than there are frames: had one of them been lost for good each time, the wire would wait for ever.
    for (let i = 0; i < 10; i++) {
      for (const what of ['length', 'id', 'twice', 'rx-index'] as const) await eth0.faultRing(0, what, 16);
      await eth0.generate({ count: 100, port: 9, whenFull: 'wait' });
    }
    await eth0.drained();
    const [q] = eth0.queueStats();
    expect(q.badDescs).toBeGreaterThan(128);
    expect(q.madeUpDescs - q.badDescs).toBeGreaterThan(0);
    await xsk.close();
    expect(await app.result).toBe(1000 + q.madeUpDescs - q.badDescs);
  });

  it('costs no buffer if the link goes down, or the device away, before anybody has looked', async () => {
    machine = await boot({ cpus: 1, controlWorkers: 2 });
    const eth0 = await device();
    await eth0.down();
    await expect(eth0.faultRing(0, 'id', 8)).rejects.toThrow(/ENOENT/);
    await eth0.up();
    await eth0.faultRing(0, 'id', 40);
    await eth0.down();
    await eth0.up();
    await eth0.drained();
    expect(eth0.queueStats()[0].buffersFree).toBe(POOL);
    await eth0.faultRing(0, 'twice', 40);
    await eth0.remove();
    expect(machine.drops().rx_bad_desc).toBe(60);
  });
});

describe('clocks that jump', () => {
  it('are refused where the machine was not booted for it', async () => {
    machine = await boot({ cpus: 1 });
    expect(() => machine.jumpClocks(1)).toThrow(/clockFaults/);
  });

  it('forwards by minutes, all or one: timers end, deferred interrupts come back, everything arrives', async () => {
    machine = await boot({ cpus: 2, clockFaults: true });
    const eth0 = await device({ deferHardIrqs: 2, groFlushTimeoutNs: 2_000_000, rxUsecs: 50 });
    const reader = await sink();
    const run = eth0.generate({ count: 3000, flows: 8, port: 9, pace: 10_000, whenFull: 'wait' });
    const wired = until(() => eth0.queueStats()[0].frames >= 3000);
    let over = false;
    void wired.then(() => {
      over = true;
    });
    for (let i = 0; !over; i++) {
      const threads = machine.threads().filter((t) => t.running);
      const { serial } = threads[i % threads.length];
      if (i % 2 === 0) machine.jumpClocks(5e6);
      else if (machine.jumpClocks(2e6, serial)) machine.jumpClocks(0);
      await new Promise(setImmediate);
    }
    await run;
    await eth0.drained();
    for (let i = 0; i < 6; i++) machine.jumpClocks(60e9);
    await eth0.generate({ count: 1000, flows: 8, port: 9, whenFull: 'wait' });
    await eth0.drained();
    expect((await reader.done()).frames).toBe(4000);
  });

  it('make a timed wire bring at once what has become due', async () => {
    machine = await boot({ cpus: 1, clockFaults: true });
    const eth0 = await device();
    const reader = await sink();
    // The first one is due in a second, the last in two minutes.
    const wire = await eth0.startTimed({ periodNs: 2e9, count: 60, port: 9 });
    machine.jumpClocks(60e9);
    machine.jumpClocks(60e9);
    machine.jumpClocks(10e9);
    const { arrived, missed } = await wire.done;
    expect([arrived, missed]).toEqual([60, 0]);
    expect((await reader.done()).frames).toBe(60);
  });
});

describe('an application that wants more memory than it may have', () => {
  it('ends the machine with one error, which names it and says so', async () => {
    machine = await boot({ cpus: 1, workerHeapMib: 32 });
    const args = { diedMs: new SharedArrayBuffer(8) };
    const app = await machine.runApp(APPS, { name: 'greedy', exportName: 'hoards', args });
    const said = /^thread app\/greedy died: [^\n]*out of memory$/;
    await expect(app.result).rejects.toThrow(said);
    await expect(machine.panic).rejects.toThrow(said);
    await expect(machine.openUdp({ port: 9 })).rejects.toThrow(said);
    await expect(machine.shutdown()).rejects.toThrow(said);
    expect(machine.workers).toBe(0);
  });

  it('is nobody else: threads with enough of it go on', async () => {
    machine = await boot({ cpus: 1, workerHeapMib: 32 });
    const eth0 = await device();
    const reader = await sink();
    await eth0.generate({ count: 5000, port: 9, whenFull: 'wait' });
    await eth0.drained();
    expect((await reader.done()).frames).toBe(5000);
  });
});

describe('a thread that cannot be had for an instance whose queue gets an AF_XDP socket', () => {
  it('turns the mode of a device without napi_config off, as it does when a link comes up', async () => {
    machine = await boot({ cpus: 1 });
    const eth0 = await device({ config: 'none', threaded: true });
    const threaded = async (): Promise<string> =>
      String((await machine.uapi({ kind: 'read', path: '/sys/class/net/eth0/threaded' })).value).trim();
    await eth0.setNapi(0, { threaded: false });
    expect(await threaded()).toBe('1');
    machine.failKthread(1);
    const xsk = await machine.openXsk(eth0, { queue: 0 });
    expect(await threaded()).toBe('0');
    expect((await eth0.napis()).map((n) => n.mode)).toEqual(['disabled']);
    await xsk.close();
  });

  it('is not missed by one that has a thread: that sleeps while the mode is off', async () => {
    machine = await boot({ cpus: 1 });
    const eth0 = await device({ config: 'none', threaded: false });
    await eth0.setNapi(0, { threaded: true });
    const [{ tid }] = await eth0.napis();
    const xsk = await machine.openXsk(eth0, { queue: 0 });
    expect((await eth0.napis()).map((n) => [n.mode, n.tid])).toEqual([['disabled', tid]]);
    await xsk.close();
    await eth0.setThreaded(true);
    expect((await eth0.napis()).map((n) => [n.mode, n.tid])).toEqual([['enabled', tid]]);
  });
});
