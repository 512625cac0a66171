// SPDX-License-Identifier: GPL-2.0-only
/** AF_XDP sockets as a program uses them. */
import { describe, expect, it } from 'vitest';
import { type App, boot, type Machine, type NetDevice, type Xsk } from '../../dist/index.js';
import type { SinkResult } from '../../dist/threads/sink.js';
import { SINK, until } from '../helpers/traffic.js';

const APPS = new URL('../helpers/xsk_apps.mjs', import.meta.url);
const POOL = 4096;

interface ReaderResult {
  readonly frames: number;
  readonly misplaced: number;
  readonly late: number;
}

function run<T>(machine: Machine, exportName: string, xsk: Xsk, args: unknown = null): Promise<App<T>> {
  return machine.runApp<T>(APPS, { name: exportName, exportName, xsks: [xsk], args });
}

function dropped(machine: Machine): number {
  return Object.values(machine.drops()).reduce((sum, n) => sum + n, 0);
}

/** All buffers of the page pools are where they belong. */
async function allBack(eth0: NetDevice): Promise<void> {
  await until(() => eth0.queueStats().every((q) => q.buffersFree === POOL));
}

describe('an AF_XDP socket', () => {
  it.each([
    ['softirq', false],
    ['a thread', true],
    ['a thread that never rests', 'busy-poll'],
  ] as const)('gets every frame of its queue, in order, with %s', async (_mode, threaded) => {
    await using machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    await eth0.setNapi(0, { threaded });
    const xsk = await machine.openXsk(eth0);
    const app = await run<ReaderResult>(machine, 'reader', xsk);
    const count = 50_000;
    await eth0.generate({ count, flows: 16 });
    await until(() => xsk.statistics.delivered === count);
    expect(xsk.statistics).toMatchObject({ rxFrames: count, rxDropped: 0, rxInvalidDescs: 0, rxQueued: 0 });
    await xsk.close();
    expect(await app.result).toMatchObject({ frames: count, misplaced: 0, late: 0 });
    expect(machine.drops()).toEqual({});
    // The queue receives for the stack again, with all its buffers.
    await allBack(eth0);
  });

  it('takes the frames of one port; the others go up the stack', async () => {
    await using machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const socket = await machine.openUdp({ port: 10 });
    const sink = await machine.runApp<SinkResult>(SINK, {
      name: 'sink',
      sockets: [socket],
      args: { order: true },
    });
    const xsk = await machine.openXsk(eth0, { steer: 9 });
    const app = await run<ReaderResult>(machine, 'reader', xsk);
    await eth0.generate({ count: 30_000, flows: 6, port: 9, ports: 3 });
    await eth0.drained();
    await until(() => xsk.statistics.delivered === 10_000);
    expect(xsk.statistics).toMatchObject({ rxFrames: 10_000, rxPassed: 20_000 });
    await socket.close();
    expect((await sink.result).frames).toBe(10_000);
    await xsk.close();
    expect((await app.result).frames).toBe(10_000);
    expect(machine.drops()).toEqual({ no_socket: 10_000 });
    await allBack(eth0);
  });

  it('sends by a cable, and what comes back is as it was sent', async () => {
    await using machine = await boot({ cpus: 2 });
    const a = await machine.addDevice({ name: 'a' });
    const b = await machine.addDevice({ name: 'b' });
    await machine.connect(a, b);
    const near = await machine.openXsk(a, { frames: 256, txFrames: 128 });
    const far = await machine.openXsk(b, { frames: 256, txFrames: 0 });
    const echo = await run<{ sent: number; full: number }>(machine, 'echo', far);
    const app = await run<{ sent: number; completed: number; received: number; wrong: number }>(
      machine,
      'pingPong',
      near,
      {
        count: 5000,
        window: 32,
      },
    );
    expect(await app.result).toEqual({ sent: 5000, completed: 5000, received: 5000, wrong: 0 });
    await far.close();
    expect(await echo.result).toEqual({ sent: 5000, full: 0 });
    expect(far.statistics).toMatchObject({
      rxFrames: 5000,
      txSent: 5000,
      completed: 5000,
      txInvalidDescs: 0,
    });
    expect(machine.drops()).toEqual({});
  });

  it('counts what finds no room: frames missed at the wire, frames that its rx ring is too small for', async () => {
    await using machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    // Nobody reads: 32 frames fit into the ring, the others are dropped behind it.
    const small = await machine.openXsk(eth0, { frames: 128, txFrames: 0, rxSize: 32 });
    const idle = await run<number>(machine, 'idler', small);
    await eth0.generate({ count: 1000, whenFull: 'drop' });
    await eth0.drained();
    const { rxFrames, rxRingFull } = small.statistics;
    expect([rxFrames, rxRingFull]).toEqual([32, 1000 - 32 - (machine.drops().rx_missed ?? 0)]);
    expect(machine.drops().xsk_rx_full).toBe(rxRingFull);
    await small.close();
    expect(await idle.result).toBe(32);
    // All frames of the UMEM are in the rx ring: the NIC has none left.
    const before = dropped(machine);
    const few = await machine.openXsk(eth0, { frames: 64, txFrames: 0 });
    await eth0.generate({ count: 1000, whenFull: 'drop' });
    await eth0.drained();
    expect(few.statistics).toMatchObject({ rxFrames: 64, rxRingFull: 0, rxQueued: 64 });
    expect(dropped(machine) - before).toBe(1000 - 64);
    await few.close();
    await until(() => machine.drops().socket_close === 64);
    await allBack(eth0);
  });

  it('counts frames longer than a frame of its UMEM', async () => {
    await using machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const xsk = await machine.openXsk(eth0);
    await eth0.generate({ count: 500, frameBytes: 3000 });
    await eth0.drained();
    expect(xsk.statistics).toMatchObject({ rxFrames: 0, rxDropped: 500 });
    expect(machine.drops()).toEqual({ pkt_too_big: 500 });
    // Their buffers were not lost.
    await eth0.generate({ count: 3072 });
    await eth0.drained();
    expect(xsk.statistics.rxFrames).toBe(3072);
  });

  it('passes frames longer than a buffer to the stack whole', async () => {
    await using machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const xsk = await machine.openXsk(eth0, { steer: 7 });
    const socket = await machine.openUdp({ port: 9 });
    const sink = await machine.runApp<SinkResult>(SINK, {
      name: 'sink',
      sockets: [socket],
      args: { order: true },
    });
    await eth0.generate({ count: 2000, frameBytes: 5000 });
    await eth0.drained();
    await socket.close();
    const { frames, bytes } = await sink.result;
    expect([frames, bytes]).toEqual([2000, 2000 * 5000]);
    expect(xsk.statistics.rxPassed).toBe(2000);
    await xsk.close();
    await allBack(eth0);
  });

  it('gets what a timed wire brings, with the time of arrival', async () => {
    await using machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const xsk = await machine.openXsk(eth0);
    const app = await run<ReaderResult>(machine, 'reader', xsk);
    const wire = await eth0.startTimed({ periodNs: 50_000, count: 2000 });
    const { arrived, missed } = await wire.done;
    await until(() => xsk.statistics.delivered === arrived);
    await xsk.close();
    expect(await app.result).toMatchObject({ frames: arrived, late: 0 });
    expect(arrived + missed).toBe(2000);
  });

  it('says that its link is down, or that it is at no queue, whatever the driver wants', async () => {
    await using machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const xsk = await machine.openXsk(eth0);
    const steps = new Int32Array(new SharedArrayBuffer(8));
    const app = await run<number[][]>(machine, 'caller', xsk, { steps: steps.buffer, count: 3 });
    const step = async (k: number) => {
      Atomics.store(steps, 0, k);
      Atomics.notify(steps, 0);
      await until(() => Atomics.load(steps, 1) === k);
    };
    await step(1);
    await eth0.down();
    await step(2);
    await eth0.up();
    await xsk.close();
    await step(3);
    // 0, ENETDOWN, ENXIO
    expect(await app.result).toEqual([
      [0, 0],
      [-100, -100],
      [-6, -6],
    ]);
  });

  it('sends what poll was called for, though there is something to read', async () => {
    await using machine = await boot({ cpus: 1 });
    const a = await machine.addDevice({ name: 'a' });
    const b = await machine.addDevice({ name: 'b' });
    await machine.connect(a, b);
    const xsk = await machine.openXsk(a);
    const other = await machine.openXsk(b);
    const app = await run<number>(machine, 'pollSender', xsk);
    const first = await run<number>(machine, 'sender', other, { count: 1, bytes: 64 });
    expect(await app.result).toBe(1);
    await first.result;
    expect(xsk.statistics).toMatchObject({ txSent: 1, rxQueued: 1 });
  });

  it('makes nobody wait for a frame that its whole UMEM cannot hold', async () => {
    await using machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const xsk = await machine.openXsk(eth0, { frames: 2, txFrames: 0 });
    await eth0.generate({ count: 3, frameBytes: 9000, whenFull: 'wait' });
    expect(machine.drops()).toEqual({ pkt_too_big: 3 });
    expect(xsk.statistics.rxFrames).toBe(0);
  });

  it('polls for at most as long as it is told', async () => {
    await using machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const xsk = await machine.openXsk(eth0);
    const app = await run<{ readable: boolean; waitedMs: number; now: boolean }>(machine, 'timeouts', xsk);
    const { readable, waitedMs, now } = await app.result;
    expect([readable, now]).toEqual([false, false]);
    expect(waitedMs).toBeGreaterThanOrEqual(20);
  });
});

describe('busy polling of AF_XDP sockets', () => {
  /** As the experiment has it: interrupts stay off while somebody polls. */
  const DEFERRED = { deferHardIrqs: 100, groFlushTimeoutNs: 10_000_000 };
  const BUSY = { busyPollUs: 400, preferBusyPoll: true, busyPollBudget: 8 };

  it.each([
    ['in the thread that reads', false],
    ['in a thread of its own', true],
  ])('%s brings every frame', async (_where, separate) => {
    await using machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({ name: 'eth0', ...DEFERRED });
    const xsk = await machine.openXsk(eth0, BUSY);
    const app = await run<ReaderResult>(machine, 'spinner', xsk, { calls: !separate });
    const poller = separate
      ? await machine.runApp<number>(APPS, { name: 'poller', exportName: 'poller', xskPollers: [xsk] })
      : null;
    const count = 20_000;
    await eth0.generate({ count });
    await until(() => xsk.statistics.delivered === count);
    await xsk.close();
    expect(await app.result).toEqual({ frames: count, misplaced: 0 });
    if (poller !== null) expect(await poller.result).toBeGreaterThan(0);
    expect(machine.drops()).toEqual({});
  });

  it('can be set later', async () => {
    await using machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({ name: 'eth0', ...DEFERRED });
    const xsk = await machine.openXsk(eth0);
    const app = await run<ReaderResult>(machine, 'spinner', xsk, { calls: true });
    const polls = async () => (await eth0.napis())[0].polls;
    await eth0.generate({ count: 100 });
    await until(() => xsk.statistics.delivered === 100);
    const before = await polls();
    xsk.setBusyPoll(BUSY);
    await until(async () => (await polls()) > before + 1000);
    xsk.setBusyPoll({ busyPollUs: 0 });
    expect(() => xsk.setBusyPoll({ busyPollUs: -1 })).toThrow(/^busyPollUs: -1 is not possible; /);
    await xsk.close();
    expect((await app.result).frames).toBe(100);
  });
});

describe('control operations with AF_XDP sockets', () => {
  it.each([
    ['softirq', false],
    ['threads', true],
    ['threads that never rest', 'busy-poll'],
  ] as const)('under traffic lose nothing uncounted, with %s', async (_mode, threaded) => {
    await using machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({
      name: 'eth0',
      queues: 2,
      maxQueues: 4,
      ringSize: 256,
      ringMax: 1024,
    });
    for (const index of [0, 1]) await eth0.setNapi(index, { threaded });
    let sent = 0;
    let isOver = false;
    const traffic = (async () => {
      do sent += (await eth0.generate({ count: 5000, flows: 32, port: 9, ports: 4 })).frames;
      while (!isOver);
    })();
    traffic.catch(() => {});
    let got = 0;
    let passed = 0;
    for (let round = 0; round < 12; round++) {
      const xsk = await machine.openXsk(eth0, {
        queue: round & 1,
        steer: round % 3 === 0 ? 'all' : 9 + (round & 3),
        frames: 512,
        rxSize: 64 << (round % 4),
      });
      const app = await run<ReaderResult>(machine, 'reader', xsk, { hold: round });
      await until(() => xsk.statistics.delivered > 0);
      switch (round % 6) {
        case 0:
          await eth0.setChannels(4);
          await eth0.setChannels(2);
          break;
        case 1:
          await eth0.setRing(1024);
          break;
        case 2:
          await eth0.down();
          await eth0.up();
          break;
        case 3:
          await eth0.setRing(64);
          break;
        case 4:
          await eth0.setNapi(0, { threaded: threaded === false });
          break;
        default:
          await eth0.setNapi(0, { threaded });
          await eth0.setCoalesce(round * 10, 0);
      }
      const before = xsk.statistics.delivered;
      await until(() => xsk.statistics.delivered > before);
      await xsk.close();
      const { frames, late } = await app.result;
      expect(late).toBe(0);
      got += frames;
      expect(xsk.statistics).toMatchObject({
        rxFrames: frames,
        rxQueued: 0,
        rxInvalidDescs: 0,
        txInvalidDescs: 0,
      });
      passed += xsk.statistics.rxPassed;
    }
    isOver = true;
    await traffic;
    await eth0.drained();
    await allBack(eth0);
    const { no_socket = 0, ...others } = machine.drops();
    expect(
      Object.keys(others).every((reason) => ['xsk_rx_full', 'dev_ready', 'nomem'].includes(reason)),
    ).toBe(true);
    // Nobody reads what goes up the stack.
    expect(passed).toBeLessThanOrEqual(no_socket + (others.nomem ?? 0));
    expect(got + dropped(machine)).toBe(sent);
  });

  it.each([
    ['delta', 'persistent'],
    ['rebuild', 'none'],
    ['safe-switch', 'persistent'],
  ] as const)('in the manner of drivers that %s, with config %s', async (reconfig, config) => {
    await using machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({
      name: 'eth0',
      maxQueues: 2,
      reconfig,
      config,
      ringMax: 2048,
      threaded: true,
    });
    const xsk = await machine.openXsk(eth0, { preferBusyPoll: true });
    const app = await run<ReaderResult>(machine, 'reader', xsk);
    let sent = 0;
    for (const change of [
      () => eth0.setChannels(2),
      () => eth0.setRing(2048),
      () => eth0.setChannels(1),
      () => eth0.down().then(() => eth0.up()),
    ]) {
      await change();
      sent += (await eth0.generate({ count: 1000 })).frames;
      await until(() => xsk.statistics.delivered + dropped(machine) === sent);
    }
    expect(xsk.statistics.delivered).toBeGreaterThanOrEqual(2000);
    await xsk.close();
    expect((await app.result).misplaced).toBeLessThan(1000);
    await allBack(eth0);
  });

  it('a device goes with its socket bound: the application learns of it', async () => {
    await using machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const xsk = await machine.openXsk(eth0);
    const app = await run<ReaderResult>(machine, 'reader', xsk);
    await eth0.generate({ count: 1000 });
    await eth0.remove();
    expect((await app.result).frames + dropped(machine)).toBe(1000);
    await xsk.close();
    await machine.addDevice({ name: 'eth0' });
  });

  it('a machine shuts down with sockets bound and applications asleep', async () => {
    const machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({ name: 'eth0', queues: 2 });
    const sockets = [await machine.openXsk(eth0), await machine.openXsk(eth0, { queue: 1 })];
    const app = await run<ReaderResult>(machine, 'reader', sockets[0]);
    await machine.shutdown();
    expect((await app.result).frames).toBe(0);
  });

  it('a socket opened while the link is down receives when it is up', async () => {
    await using machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    await eth0.down();
    const xsk = await machine.openXsk(eth0);
    await eth0.up();
    await eth0.generate({ count: 100 });
    await until(() => xsk.statistics.rxFrames === 100);
    await eth0.down();
    await xsk.close();
    await eth0.up();
    const socket = await machine.openUdp({ port: 9 });
    await eth0.generate({ count: 100 });
    await until(() => socket.queued === 100);
  });
});

describe('what is refused, in one line', () => {
  it('says what to do', async () => {
    await using machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0', queues: 2 });
    const old = await machine.addDevice({ name: 'old', receive: 'netif_rx' });
    const xsk = await machine.openXsk(eth0, { queue: 1 });
    const line = (start: string) => new RegExp(`^${start}[^\\n]+$`);
    const what = 'opening an AF_XDP socket at queue 1 of eth0';
    await expect(machine.openXsk(eth0, { queue: 1 })).rejects.toThrow(line(`${what}: EBUSY; `));
    await expect(machine.openXsk(old)).rejects.toThrow(
      line('opening an AF_XDP socket at queue 0 of old: EOPNOTSUPP; '),
    );
    await expect(machine.openXsk(eth0, { queue: 2 })).rejects.toThrow(line('queue: 2 is not possible; '));
    await expect(machine.openXsk(eth0, { frames: 1 })).rejects.toThrow(line('frames: 1 is not possible; '));
    await expect(machine.openXsk(eth0, { steer: 0 })).rejects.toThrow(line('steer: 0 is not possible; '));
    await expect(machine.openXsk(eth0, { rxSize: 3 })).rejects.toThrow(line('rxSize: 3 is not possible; '));
    await expect(machine.openXsk(eth0, { frames: 1 << 17 })).rejects.toThrow(line('.*ENOMEM; '));
    await expect(eth0.setChannels(1)).rejects.toThrow(line('changing the channels of eth0: EINVAL; '));
    await run(machine, 'reader', xsk);
    await expect(run(machine, 'reader', xsk)).rejects.toThrow(
      line('giving an AF_XDP socket to an application: EBUSY; '),
    );
    await xsk.close();
    await expect(run(machine, 'reader', xsk)).rejects.toThrow(
      line('xsks: a closed socket is not possible; '),
    );
    await eth0.setChannels(1);
  });
});
