// SPDX-License-Identifier: GPL-2.0-only
/** Cables between two NICs as a program uses them: traffic by real threads, and control at both ends under it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type App,
  boot,
  type Cable,
  type Machine,
  type NetDevice,
  type NetDeviceOptions,
  type Socket,
} from '../../dist/index.js';
import type { SinkResult } from '../../dist/threads/sink.js';
import { SINK, seeded, until } from '../helpers/traffic.js';

const APPS = new URL('../helpers/apps.mjs', import.meta.url);
const QUEUES = 4;
const ENDLESS = 1e12;

let machine: Machine;
let a: NetDevice;
let b: NetDevice;
let cable: Cable;
let socket: Socket;
let sink: App<SinkResult>;
let floods: App<number>[];

async function plug(options: Partial<NetDeviceOptions> = {}): Promise<void> {
  a = await machine.addDevice({ name: 'eth0', queues: 2 });
  b = await machine.addDevice({ name: 'eth1', queues: QUEUES, ...options });
  cable = await machine.connect(a, b);
  socket = await machine.openUdp({ port: 9, capacity: 16_384 });
  sink = await machine.runApp<SinkResult>(SINK, {
    name: 'sink',
    sockets: [socket],
    args: { latency: false, order: true },
  });
}

/** Has applications send by a device, `n` threads at once. */
async function flood(n: number, count = ENDLESS): Promise<void> {
  floods = [];
  for (let i = 0; i < n; i++) {
    floods.push(
      await machine.runApp<number>(APPS, {
        name: `flood${i}`,
        exportName: 'sendDatagrams',
        senders: [await machine.openSender(a)],
        args: { count, flows: 16, port: 9, bytes: 100, batch: 8 },
      }),
    );
  }
}

function sum(counts: { [name: string]: number }): number {
  return Object.values(counts).reduce((all, n) => all + n, 0);
}

/** Waits until frames have come through. */
async function some(): Promise<void> {
  const from = socket.delivered;
  await until(() => socket.delivered - from > 200);
}

async function ended(): Promise<SinkResult> {
  await b.drained();
  await socket.close();
  return sink.result;
}

beforeEach(async () => {
  machine = await boot({ cpus: 2, maxThreads: 64 });
});

afterEach(() => machine.shutdown());

describe('a cable', () => {
  it('carries what several threads send at once: all of it arrives or is counted, each flow in order', async () => {
    await plug();
    await flood(3, 20_000);
    expect(await Promise.all(floods.map((f) => f.result))).toEqual([20_000, 20_000, 20_000]);
    const { frames, reordered } = await ended();
    expect(frames).toBeGreaterThan(0);
    expect(frames + sum(machine.drops())).toBe(60_000);
    expect(reordered).toBe(0);
    expect(a.txStats()).toEqual({ frames: 60_000, bytes: 60_000 * 142, dropped: 0 });
    await until(() => b.queueStats().every((q) => q.buffersFree === 4096));
  });

  it('is refused where something else is plugged in, and the other way round', async () => {
    await plug();
    const other = await machine.addDevice({ name: 'eth2' });
    const feed = other.generate({ count: Number.MAX_SAFE_INTEGER, port: 10 });
    await expect(machine.connect(other, a)).rejects.toThrow(/connecting eth2 and eth0: EBUSY.*stopWire/);
    await other.stopWire();
    await feed;
    await other.drained();
    await expect(machine.connect(other, a)).rejects.toThrow(/EBUSY; eth0 has a cable to eth1: take it out/);
    await expect(b.generate({ count: 1 })).rejects.toThrow(/feeding eth1: EBUSY; eth1 has a cable to eth0/);
    await expect(machine.connect(other, other)).rejects.toThrow(/eth2 twice/);
    const lo = await machine.addLoopback();
    // @ts-expect-error: a loopback device has no plug
    await expect(machine.connect(other, lo)).rejects.toThrow(/two devices of this machine/);
    // Nothing of that has changed what there was.
    await flood(1, 1000);
    await floods[0].result;
    const { frames } = await ended();
    const { no_socket: _, ...drops } = machine.drops();
    expect(frames + sum(drops)).toBe(1000);
    await cable.disconnect();
    await cable.disconnect();
    await (await machine.connect(other, a)).disconnect();
    await b.generate({ count: 10 });
  });

  it('what is sent shows where a kernel shows it', async () => {
    await plug();
    await a.down();
    await flood(1, 10);
    await floods[0].result;
    await a.up();
    await flood(1, 100);
    await floods[0].result;
    const read = async (path: string): Promise<string> =>
      (await machine.uapi({ kind: 'read', path })).value as string;
    const statistic = (name: string) => read(`/sys/class/net/eth0/statistics/${name}`);
    expect(await Promise.all(['tx_packets', 'tx_bytes', 'tx_dropped'].map(statistic))).toEqual([
      '100\n',
      '14200\n',
      '10\n',
    ]);
    const line = (await read('/proc/net/dev')).split('\n').find((l) => l.includes('eth0'));
    expect(line?.trim().split(/\s+/).slice(9)).toEqual(['14200', '100', '0', '10', '0', '0', '0', '0']);
    const stats = await machine.uapi({ kind: 'ethtool', op: 'stats-get', dev: 'eth0', values: {} });
    expect(stats.value).toMatchObject({ tx_packets: 100, tx_bytes: 14_200, tx_dropped: 10 });
  });
});

describe.each([
  ['softirq', { reconfig: 'delta' }, false],
  ['threads', { reconfig: 'rebuild', threaded: true }, false],
  ['busy polling threads', { reconfig: 'safe-switch', threaded: true }, true],
  ['netif_rx', { receive: 'netif_rx' }, false],
] as const)('under traffic, the other end with %s', (name, options, busy) => {
  it('both ends are changed, the cable is taken out and put in, and every frame is somewhere', async () => {
    await plug({ ringSize: 64, ringMax: 128, poolSize: 1024, ...options });
    const keeps = async (): Promise<void> => {
      if (busy) await b.setNapi(0, { threaded: 'busy-poll' });
    };
    await keeps();
    await flood(2);
    const random = seeded(6);
    let isOut = 0;
    const napi = name !== 'netif_rx';
    const changes: (() => Promise<unknown>)[] = [
      async () => {
        await b.down();
        await b.up();
        await keeps();
      },
      async () => {
        await a.down();
        await a.up();
      },
      async () => {
        if (napi) await b.setChannels(1 + random(QUEUES));
        await keeps();
      },
      () => a.setChannels(1 + random(2)),
      async () => {
        if (napi) await b.setRing(8 << random(5));
        await keeps();
      },
      async () => {
        if (napi && !busy) await b.setThreaded(random(2) === 1);
      },
      async () => {
        isOut++;
        await cable.disconnect();
        const from = a.txStats().frames;
        await until(() => a.txStats().frames !== from); // and nothing comes through
        cable = await (random(2) === 1 ? machine.connect(a, b) : machine.connect(b, a));
      },
    ];
    for (let i = 0; i < 40; i++) {
      await changes[random(changes.length)]();
      await some();
    }
    for (const change of changes) await change();
    await some();
    await machine.closeSenders(a.at);
    const sent = (await Promise.all(floods.map((f) => f.result))).reduce((all, n) => all + n, 0);
    const { frames } = await ended();
    const { frames: left, dropped } = a.txStats();
    expect(left + dropped).toBe(sent);
    const { dev_ready = 0, rx_missed = 0, ...others } = machine.drops();
    expect(Object.keys(others).filter((r) => r !== 'socket_rcvbuff' && r !== 'cpu_backlog')).toEqual([]);
    const read = await machine.uapi({ kind: 'read', path: '/sys/class/net/eth1/statistics/rx_dropped' });
    const atLinkDown = Number(read.value);
    const arrived = b.queueStats().reduce((all, q) => all + q.frames, 0);
    expect(frames + sum(others) + (dev_ready - dropped - atLinkDown)).toBe(arrived);
    // What left while the cable was out is gone; all else came to the other end.
    expect(isOut).toBeGreaterThan(0);
    expect(arrived + rx_missed + atLinkDown).toBeLessThanOrEqual(left);
    await until(() => b.queueStats().every((q) => q.buffersFree === 1024));
  });
});

describe('under traffic', () => {
  it.each([
    ['sending', 0],
    ['receiving', 1],
  ])('the %s end is removed, and the other one gets another cable', async (_name, end) => {
    await plug();
    for (let i = 0; i < 5; i++) {
      await flood(2);
      await some();
      const gone = cable.ends[end];
      await gone.remove();
      if (gone === a) {
        // Who sends by it is told.
        await Promise.all(floods.map((f) => f.result));
        a = await machine.addDevice({ name: 'eth0', queues: 2 });
      } else {
        await machine.closeSenders(a.at);
        await Promise.all(floods.map((f) => f.result));
        b = await machine.addDevice({ name: 'eth1', queues: QUEUES });
      }
      cable = await machine.connect(a, b);
    }
    await flood(1, 100);
    await floods[0].result;
    await ended();
    await expect(machine.openSender(a)).resolves.toBeDefined();
  });

  it('the machine is shut down', async () => {
    await plug();
    await flood(3);
    await some();
    await machine.shutdown();
    // One of them may not have begun to send.
    const sent = (await Promise.all(floods.map((f) => f.result))).reduce((a, b) => a + b, 0);
    const { frames } = await sink.result;
    expect(frames).toBeGreaterThan(200);
    expect(sent).toBeGreaterThanOrEqual(frames);
  });
});
