// SPDX-License-Identifier: GPL-2.0-only
/** Backlogs on real threads: what comes in goes out in order or is counted, whatever is switched meanwhile. */
import { expect, it } from 'vitest';
import { boot, type Machine, type NetDevice, type NetDeviceOptions } from '../../dist/index.js';
import type { SinkResult } from '../../dist/threads/sink.js';
import { replayed, SINK, until } from '../helpers/traffic.js';

const APPS = new URL('../helpers/apps.mjs', import.meta.url);

type Mode = 'ipi' | 'threaded' | 'smpboot' | 'no-bypass';
const MODES: readonly Mode[] = ['ipi', 'threaded', 'smpboot', 'no-bypass'];

async function bootMode(mode: Mode, cpus = 3): Promise<Machine> {
  const bootTime = mode === 'smpboot' ? 'on' : mode === 'no-bypass' ? 'no-bypass' : 'off';
  const machine = await boot({ cpus, threadBacklogNapi: bootTime, maxThreads: 64 });
  if (mode === 'threaded') await machine.setBacklogThreaded(true);
  return machine;
}

function sum(drops: { [reason: string]: number }): number {
  return Object.values(drops).reduce((a, b) => a + b, 0);
}

async function steer(dev: NetDevice, cpus: readonly number[], flowCnt = 0): Promise<void> {
  for (let i = 0; i < dev.queues; i++) {
    await dev.setRpsCpus(i, cpus);
    if (flowCnt > 0) await dev.setRpsFlowCnt(i, flowCnt);
  }
}

interface Run {
  readonly mode: Mode;
  readonly options?: Partial<NetDeviceOptions>;
  /** RFS, too. */
  readonly rfs?: boolean;
  readonly count?: number;
  /** Done again and again while frames come. */
  readonly meanwhile?: (machine: Machine, turn: number) => Promise<void>;
}

/** Sends frames of 32 flows to two readers while something is switched. @returns turns of `meanwhile` */
async function run({ mode, options = {}, rfs = false, count = 60_000, meanwhile }: Run): Promise<number> {
  const machine = await bootMode(mode);
  const dev = await machine.addDevice({ name: 'eth0', queues: 2, ...options });
  await steer(dev, [0, 1, 2], rfs ? 256 : 0);
  if (rfs) await machine.setRpsSockFlowEntries(1024);
  const readers = await Promise.all(
    [9, 10].map(async (port) => {
      const socket = await machine.openUdp({ port });
      const app = await machine.runApp<SinkResult>(SINK, {
        name: `sink-${port}`,
        sockets: [socket],
        args: { order: true },
      });
      return { socket, app };
    }),
  );
  let sending = true;
  const fed = dev.generate({ count, flows: 32, ports: 2 }).finally(() => {
    sending = false;
  });
  let turns = 0;
  while (sending && meanwhile !== undefined) await meanwhile(machine, turns++);
  const { frames } = await fed;
  await dev.drained();
  let out = 0;
  for (const { socket, app } of readers) {
    await socket.close();
    const result = await app.result;
    expect(result.reordered).toBe(0);
    out += result.frames;
  }
  expect(out + sum(machine.drops())).toBe(frames);
  expect(out).toBeGreaterThan(0);
  // Run-time threads are bound to no CPU: those of a busy host may all count as running on one.
  if (mode !== 'threaded') {
    for (const sd of machine.softnetStat()) expect(sd.processed).toBeGreaterThan(0);
  }
  await machine.shutdown();
  return turns;
}

/** Takes one CPU after the other offline and brings it back. */
async function hotplug(machine: Machine, turn: number): Promise<void> {
  const cpu = turn % machine.cpus;
  await machine.setCpuOnline(cpu, false);
  await machine.setCpuOnline(cpu, true);
}

it.each(MODES)('%s: every frame of every flow comes in order, or is counted', async (mode) => {
  await run({ mode });
});

it.each(MODES)('%s: so it is when readers move flows (RFS)', async (mode) => {
  await run({ mode, rfs: true, options: { threaded: true } });
});

it.each(MODES)('%s: so it is with a driver without NAPI', async (mode) => {
  await run({ mode, options: { receive: 'netif_rx' } });
});

it.each(MODES)('%s: so it is while CPUs go and come', async (mode) => {
  expect(await run({ mode, meanwhile: hotplug })).toBeGreaterThan(0);
  await run({ mode, rfs: true, meanwhile: hotplug, options: { receive: 'netif_rx' } });
});

it('so it is while threads for backlogs are switched on and off, and none is leaked', async () => {
  await run({
    mode: 'ipi',
    meanwhile: async (machine, turn) => {
      await machine.setBacklogThreaded(turn % 2 === 0);
      const threads = machine.threads().filter(({ name }) => name.startsWith('napi/backlog-'));
      expect(threads.length).toBe(machine.cpus);
    },
  });
});

it('what excludes each other is refused: EBUSY', async () => {
  const machine = await bootMode('smpboot');
  await expect(machine.setBacklogThreaded(true)).rejects.toThrow(/EBUSY/);
  expect(machine.threads().filter(({ name }) => /^backlog_napi\/\d$/.test(name)).length).toBe(3);
  await machine.setCpuOnline(0, false);
  await machine.setCpuOnline(2, false);
  await expect(machine.setCpuOnline(1, false)).rejects.toThrow(/EBUSY/);
  await machine.setCpuOnline(0, false);
  await machine.setCpuOnline(2, true);
  await machine.setCpuOnline(1, false);
  await machine.shutdown();
});

it.each(MODES)('%s: a device is removed while its frames are in backlogs and sockets', async (mode) => {
  const machine = await bootMode(mode);
  const socket = await machine.openUdp({ port: 9 });
  const app = await machine.runApp<SinkResult>(SINK, {
    name: 'sink',
    sockets: [socket],
    args: { order: false },
  });
  let frames = 0;
  for (let turn = 0; turn < 4; turn++) {
    const dev = await machine.addDevice({ name: 'eth0', queues: 2, threaded: turn % 2 === 1 });
    await steer(dev, [0, 1, 2]);
    const fed = dev.generate({ count: 1e6, flows: 16 });
    await until(() => dev.progress >= 1000);
    await dev.remove();
    frames += (await fed).frames;
    expect(() => dev.name).toThrow(/removed/);
  }
  await until(() => machine.backlogsIdle());
  await socket.close();
  expect((await app.result).frames + sum(machine.drops())).toBe(frames);
  await machine.shutdown();
});

it.each(MODES)('%s: what is sent by loopback is received, in order', async (mode) => {
  const machine = await bootMode(mode, 2);
  const lo = await machine.addLoopback();
  const socket = await machine.openUdp({ port: 9 });
  const reader = await machine.runApp<SinkResult>(SINK, {
    name: 'rx',
    sockets: [socket],
    args: { order: true },
  });
  const sender = await machine.openSender(lo, { buffers: 256 });
  const app = await machine.runApp<number>(APPS, {
    name: 'tx',
    exportName: 'sendDatagrams',
    senders: [sender],
    args: { count: 5000, flows: 4, port: 9, bytes: 100, batch: 3 },
  });
  const sent = await app.result;
  await until(() => machine.backlogsIdle());
  await socket.close();
  const { frames, reordered } = await reader.result;
  expect([sent, lo.packets, frames + sum(machine.drops()), reordered]).toEqual([5000, 5000, 5000, 0]);
  // Within the call that sends: nothing was ever queued behind anything else.
  if (mode === 'ipi' || mode === 'smpboot') expect(machine.drops()).toEqual({});
  await machine.shutdown();
});

it('a sender whose datagrams nobody reads waits, and returns when the machine ends', async () => {
  const machine = await boot({ cpus: 2 });
  const lo = await machine.addLoopback();
  const socket = await machine.openUdp({ port: 9 });
  const sender = await machine.openSender(lo, { buffers: 16 });
  const app = await machine.runApp<number>(APPS, {
    name: 'tx',
    exportName: 'sendDatagrams',
    senders: [sender],
    args: { count: 1000, flows: 1, port: 9, bytes: 10, batch: 1 },
  });
  await until(() => socket.queued === 16);
  await machine.shutdown();
  expect(await app.result).toBe(16);
});

it('counts what the loopback device drops while it is down', async () => {
  const machine = await boot({ cpus: 1 });
  const lo = await machine.addLoopback();
  await lo.down();
  const sender = await machine.openSender(lo);
  const app = await machine.runApp<number>(APPS, {
    name: 'tx',
    exportName: 'sendDatagrams',
    senders: [sender],
    args: { count: 3000, flows: 1, port: 9, bytes: 10, batch: 2 },
  });
  expect(await app.result).toBe(3000);
  expect([machine.drops(), lo.packets]).toEqual([{ dev_ready: 3000 }, 0]);
  await machine.shutdown();
});

it('a whole capture goes through backlogs', async () => {
  const machine = await bootMode('ipi');
  const dev = await machine.addDevice({ name: 'eth0', queues: 2 });
  await steer(dev, [1, 2]);
  const socket = await machine.openPacket(dev);
  const app = await machine.runApp<SinkResult>(SINK, {
    name: 'sink',
    sockets: [socket],
    args: { order: true },
  });
  const { frames } = await replayed(dev);
  await dev.drained();
  await socket.close();
  const result = await app.result;
  expect([result.frames + sum(machine.drops()), result.reordered]).toEqual([frames, 0]);
  await machine.shutdown();
});

it('a device that is being removed takes no new run, and is removed once', async () => {
  const machine = await boot({ cpus: 1 });
  const dev = await machine.addDevice({ name: 'eth0' });
  const fed = dev.generate({ count: 1e6 });
  await until(() => dev.progress > 0);
  const removed = dev.remove();
  expect(dev.remove()).toBe(removed);
  await expect(dev.generate({ count: 1 })).rejects.toThrow(/removed/);
  await fed;
  await expect(dev.generate({ count: 1 })).rejects.toThrow(/removed/);
  await removed;
  // Its memory is another's now, whose frames come from its own wire only.
  const other = await machine.addDevice({ name: 'eth1' });
  expect((await other.generate({ count: 10 })).frames).toBe(10);
  expect(other.queueStats()[0].frames).toBe(10);
  await machine.shutdown();
});

it('what is asked for behind a shutdown is refused, and the shutdown ends well', async () => {
  const machine = await boot({ cpus: 2 });
  const dev = await machine.addDevice({ name: 'eth0', maxQueues: 2 });
  const down = machine.shutdown();
  const late = await Promise.allSettled([
    machine.setCpuOnline(1, false),
    machine.setBacklogThreaded(true),
    machine.setSysctl('net.core.netdev_max_backlog', 1),
    dev.setChannels(2),
    dev.down(),
    dev.remove(),
  ]);
  for (const outcome of late) {
    expect(outcome.status === 'rejected' ? String(outcome.reason) : 'done').toMatch(/is shut down/);
  }
  await down;
  expect(machine.threads().filter(({ running }) => running)).toEqual([]);
});

it('says what is wrong with what it is given', async () => {
  const machine = await boot({ cpus: 2 });
  const lo = await machine.addLoopback();
  const other = await boot({ cpus: 1 });
  const theirs = await other.addLoopback();
  const sender = await machine.openSender(lo);
  const refused = async (what: Promise<unknown>, why: RegExp) => expect(what).rejects.toThrow(why);
  await refused(machine.openSender(theirs), /addLoopback/);
  await refused(machine.runApp(APPS, { name: 'x', senders: [sender, sender] }), /EBUSY/);
  await refused(machine.setCpuOnline(undefined as unknown as number, false), /cpu: undefined/);
  await refused(lo.setRpsCpus([2]), /cpus: 2/);
  await refused(machine.addLoopback('a:b'), /name: a:b/);
  await refused(machine.addLoopback(), /EBUSY/);
  await refused(machine.setSysctl('net.core', 1), /EISDIR/);
  await refused(machine.addDevice({ name: 'e', receive: 'netif_rx', threaded: true }), /threaded/);
  const old = await machine.addDevice({ name: 'old0', receive: 'netif_rx', maxQueues: 2 });
  await refused(old.setChannels(2), /EOPNOTSUPP.*no NAPI/);
  await refused(old.setThreaded(true), /EOPNOTSUPP.*no NAPI/);
  const app = await machine.runApp<string[]>(APPS, {
    name: 'bad',
    exportName: 'sendBadly',
    senders: [sender],
  });
  expect(await app.result).toEqual(['0', '0', '0', '2', 'srcPort', 'dstPort', 'payload', 'payload']);
  await other.shutdown();
  await machine.shutdown();
});
