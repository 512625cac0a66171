// SPDX-License-Identifier: GPL-2.0-only
/**
 * What the kernel's own selftests assert of threaded NAPI (drivers/net/napi_threaded.py, the threaded cases of
 * drivers/net/nl_netdev.py, netdevsim's queue reset), on every way of changing channels that drivers with persistent config
 * have, at rest and under traffic.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boot, type Machine, type NetDevice, type NetDeviceOptions } from '../../dist/index.js';
import { TASK_KIND_NAPI } from '../../dist/net/core/ids.js';
import type { UapiRequest } from '../../dist/uapi/request.js';
import { seeded, until } from '../helpers/traffic.js';

const QUEUES = 4;
const RECONFIGS = ['rebuild', 'delta', 'safe-switch'] as const;
const PROC = process.platform === 'linux';

interface Napi {
  readonly id: number;
  readonly threaded: string;
  readonly pid?: number;
}

/** One device, in the words of ynl, sysfs, ethtool and ip. Every request must succeed. */
class Rig {
  readonly machine: Machine;
  readonly eth0: NetDevice;
  private readonly feed: Promise<unknown> | null;

  private constructor(machine: Machine, eth0: NetDevice, traffic: boolean) {
    this.machine = machine;
    this.eth0 = eth0;
    // There is no socket: every frame ends behind the stack.
    this.feed = traffic ? eth0.generate({ count: Number.MAX_SAFE_INTEGER, flows: 64 }) : null;
    this.feed?.catch(() => {});
  }

  static async start(device: Partial<NetDeviceOptions>, traffic: boolean): Promise<Rig> {
    const machine = await boot({ maxThreads: 96 });
    const eth0 = await machine.addDevice({ name: 'eth0', queues: QUEUES, config: 'persistent', ...device });
    const rig = new Rig(machine, eth0, traffic);
    if (traffic) await until(() => eth0.progress > 0);
    return rig;
  }

  async stop(): Promise<void> {
    await this.eth0.stopWire();
    await this.feed;
    await this.machine.shutdown();
  }

  async ask(request: UapiRequest): Promise<unknown> {
    const reply = await this.machine.uapi(request);
    expect(reply).toMatchObject({ err: 0 });
    return reply.value;
  }

  async threaded(value: 0 | 1): Promise<void> {
    await this.ask({ kind: 'write', path: '/sys/class/net/eth0/threaded', text: String(value) });
  }

  async channels(n: number): Promise<void> {
    await this.ask({ kind: 'ethtool', op: 'channels-set', dev: 'eth0', values: { 'combined-count': n } });
  }

  async set(id: number, threaded: 'enabled' | 'disabled'): Promise<void> {
    await this.ask({ kind: 'netlink', op: 'napi-set', dump: false, attrs: { id, threaded } });
  }

  async link(up: boolean): Promise<void> {
    await this.ask({ kind: 'link-set', dev: 'eth0', up });
  }

  /** The instances, by ascending id. */
  async napis(): Promise<Napi[]> {
    const dump = (await this.ask({
      kind: 'netlink',
      op: 'napi-get',
      dump: true,
      attrs: { ifindex: 1 },
    })) as Napi[];
    expect(dump.map((n) => n.id)).toEqual(dump.map((n) => n.id).sort((a, b) => b - a));
    return dump.reverse();
  }

  /** NAPI threads that have not returned. */
  get threads(): number {
    return this.machine.threadsOfKind(TASK_KIND_NAPI).alive;
  }
}

const disabled = expect.not.objectContaining({ pid: expect.anything() });

function expectDisabled(napis: readonly Napi[]): void {
  for (const n of napis) {
    expect(n.threaded).toBe('disabled');
    expect(n).toEqual(disabled);
  }
}

function expectEnabled(napis: readonly Napi[]): void {
  for (const n of napis) {
    expect(n.threaded).toBe('enabled');
    expect(n.pid).toBeTypeOf('number');
  }
  // Each has a thread of its own.
  if (PROC) expect(new Set(napis.map((n) => n.pid)).size).toBe(napis.length);
}

describe.each(RECONFIGS)('config=persistent,reconfig=%s', (reconfig) => {
  describe.each([
    ['at rest', false],
    ['under traffic', true],
  ] as const)('%s', (_name, traffic) => {
    let rig: Rig;
    beforeEach(async () => {
      rig = await Rig.start({ reconfig }, traffic);
    });
    afterEach(() => rig.stop());

    it('threaded=1, one channel, threaded=0, all channels: all are disabled, none has a pid', async () => {
      await rig.threaded(1);
      await rig.channels(1);
      await rig.threaded(0);
      await rig.channels(QUEUES);
      const napis = await rig.napis();
      expect(napis).toHaveLength(QUEUES);
      expectDisabled(napis);
      expect(rig.threads).toBe(0);
    });

    it('one channel, threaded=1, all channels: all are enabled, each with a pid', async () => {
      await rig.channels(1);
      await rig.threaded(1);
      await rig.channels(QUEUES);
      const napis = await rig.napis();
      expect(napis).toHaveLength(QUEUES);
      expectEnabled(napis);
      expect(rig.threads).toBe(QUEUES);
    });

    it('threaded=1, one channel, all channels: the same ids are enabled', async () => {
      await rig.threaded(1);
      const before = await rig.napis();
      await rig.channels(1);
      await rig.channels(QUEUES);
      const after = await rig.napis();
      expectEnabled(after);
      // Ids, and with fixed threads too.
      expect(after).toEqual(before);
      expect(rig.threads).toBe(QUEUES);
    });

    it('threaded=1, the second disabled by netlink, one channel, all channels: so they stay', async () => {
      await rig.threaded(1);
      const [first, second] = await rig.napis();
      await rig.set(second.id, 'disabled');
      await rig.channels(1);
      await rig.channels(QUEUES);
      const napis = await rig.napis();
      expect(napis.map((n) => n.id)).toContain(second.id);
      for (const n of napis) {
        if (n.id === second.id) expectDisabled([n]);
        else expectEnabled([n]);
      }
      expect(napis[0]).toEqual(first);
      expect(rig.threads).toBe(QUEUES - 1);
    });

    it('one enabled by netlink, link down and up: both states are kept', async () => {
      const [first, second] = await rig.napis();
      await rig.set(first.id, 'enabled');
      const before = await rig.napis();
      expectEnabled(before.slice(0, 1));
      await rig.link(false);
      expect(await rig.napis()).toEqual([]);
      await rig.link(true);
      const after = await rig.napis();
      expect(after).toEqual(before);
      expectDisabled(after.filter((n) => n.id === second.id));
      expect(rig.threads).toBe(1);
    });

    it('the device 1, then 0: it applies to all, whatever each was', async () => {
      const [first] = await rig.napis();
      await rig.set(first.id, 'enabled');
      await rig.threaded(1);
      expectEnabled(await rig.napis());
      await rig.threaded(0);
      expectDisabled(await rig.napis());
      expect(rig.threads).toBe(0);
    });
  });
});

describe.each(RECONFIGS)('100 instances, reconfig=%s', (reconfig) => {
  const INSTANCES = 100;
  const small = {
    queues: INSTANCES,
    maxQueues: INSTANCES,
    ringSize: 16,
    ringMax: 32,
    poolSize: 64,
    reconfig,
  };

  it.each([
    ['at rest', false],
    ['under traffic', true],
  ] as const)('survive queue resets %s', async (_name, traffic) => {
    const rig = await Rig.start(small, traffic);
    const next = seeded(5);
    const before = await rig.napis();
    expect(before).toHaveLength(INSTANCES);
    // Some have threads, the others are in softirq.
    for (let i = 0; i < INSTANCES; i += 10) await rig.set(before[i].id, 'enabled');
    const mixed = await rig.napis();
    const threads = INSTANCES / 10;
    expect(rig.threads).toBe(threads);
    for (let i = 0; i < 10; i++) {
      // Another ring resets every queue in the driver's own order; other channels add and delete some.
      await rig.ask({ kind: 'ethtool', op: 'rings-set', dev: 'eth0', values: { rx: i % 2 === 0 ? 32 : 16 } });
      if (i % 3 === 0) {
        await rig.channels(1 + next(INSTANCES - 1));
        await rig.channels(INSTANCES);
      }
      if (i % 4 === 0) {
        await rig.link(false);
        await rig.link(true);
      }
      expect(await rig.napis()).toEqual(mixed);
      expect(rig.threads).toBe(threads);
    }
    await rig.threaded(0);
    expectDisabled(await rig.napis());
    expect(rig.threads).toBe(0);
    await rig.stop();
  });
});
