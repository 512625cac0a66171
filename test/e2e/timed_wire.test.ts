// SPDX-License-Identifier: GPL-2.0-only
/** The timed wire on a real machine: frames that arrive by the clock, and no thread that sends them. */
import { describe, expect, it } from 'vitest';
import { boot, type Machine, type NetDevice, type NetDeviceOptions, type Socket } from '../../dist/index.js';

const APPS = new URL('../helpers/apps.mjs', import.meta.url);
/** Below the ring's size: a host that is held up misses none. */
const COUNT = 900;
const RING = 1024;
const PORT = 9;

interface Seen {
  readonly numbers: number[];
  readonly lateNs: [stampNs: number, lateNs: number][];
}

/** A machine with a device and a reader of what the wire brings. */
class Rig {
  readonly machine: Machine;
  readonly eth0: NetDevice;
  private readonly socket: Socket;
  private readonly result: Promise<Seen>;

  private constructor(machine: Machine, eth0: NetDevice, socket: Socket, result: Promise<Seen>) {
    this.machine = machine;
    this.eth0 = eth0;
    this.socket = socket;
    this.result = result;
  }

  static async start(options: Partial<NetDeviceOptions> = {}): Promise<Rig> {
    const machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({ name: 'eth0', queues: 1, ringSize: RING, ...options });
    const socket = await machine.openUdp({ port: PORT, capacity: 8192 });
    const app = await machine.runApp<Seen>(APPS, {
      name: 'reader',
      exportName: 'timedReader',
      sockets: [socket],
    });
    return new Rig(machine, eth0, socket, app.result);
  }

  /** Everything that was read; the machine is shut down. */
  async finish(): Promise<Seen> {
    await this.eth0.drained();
    await this.socket.close();
    const seen = await this.result;
    await this.machine.shutdown();
    return seen;
  }
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

for (const threaded of [false, true]) {
  describe(threaded ? 'threads' : 'softirq', () => {
    it('gets every arrival, in order, with the time it was meant for, and polls for nothing else', async () => {
      const rig = await Rig.start({ threaded });
      const periodNs = 200_000;
      const wire = await rig.eth0.startTimed({ periodNs, count: COUNT, port: PORT, flows: 3 });
      const result = await wire.done;
      expect(result).toMatchObject({ arrived: COUNT, missed: 0, dropped: 0, stopped: false });
      expect(result.startNs).toBe(wire.startNs);
      expect(wire.progress).toBe(COUNT);
      expect(rig.machine.threads().map((t) => t.name)).not.toContain('nic/eth0');
      await rig.eth0.drained();
      const [napi] = await rig.eth0.napis();
      const { numbers, lateNs } = await rig.finish();
      expect(numbers).toEqual(upTo(COUNT));
      for (let i = 0; i < COUNT; i++) {
        expect(lateNs[i][0]).toBe(wire.startNs + i * periodNs);
        expect(lateNs[i][1]).toBeGreaterThan(0);
      }
      // One for each arrival at most, and few others: that of the link, that of the wire.
      expect(napi.completions).toBeLessThanOrEqual(COUNT + 10);
    });
  });
}

describe('a schedule of its own times', () => {
  it('is kept', async () => {
    const rig = await Rig.start();
    const timesNs = Float64Array.from({ length: 50 }, (_, i) => Math.floor(i / 5) * 1e6 + i);
    const wire = await rig.eth0.startTimed({ timesNs, port: PORT });
    await expect(wire.done).resolves.toMatchObject({ arrived: 50, missed: 0 });
    const { numbers, lateNs } = await rig.finish();
    expect(numbers).toEqual(upTo(50));
    expect(lateNs.map(([stampNs]) => stampNs)).toEqual(Array.from(timesNs, (t) => wire.startNs + t));
  });
});

describe('changes of the device', () => {
  it('lose nothing but what a link that is down drops: in = delivered + missed + dropped', async () => {
    for (const reconfig of ['rebuild', 'delta', 'safe-switch'] as const) {
      const rig = await Rig.start({ queues: 2, reconfig, threaded: reconfig === 'delta' });
      const { eth0, machine } = rig;
      const wire = await eth0.startTimed({ periodNs: 250_000, count: 6000, port: PORT });
      for (let i = 0; wire.progress < 4500; i++) {
        await eth0.setChannels(1 + (i % 2));
        await eth0.setRing(i % 2 === 0 ? RING / 2 : RING);
        await eth0.setThreaded(i % 2 === 0);
        await eth0.setIrqAffinity(0, i % 2);
        await eth0.setCoalesce(i % 3 === 0 ? 100 : 0, 1);
        if (i % 4 === 0) {
          await eth0.down();
          await eth0.up();
        }
        await machine.setCpuOnline(i % 2, false);
        await machine.setCpuOnline(i % 2, true);
      }
      const { arrived, missed, dropped, stopped } = await wire.done;
      expect(arrived + missed + dropped).toBe(6000);
      expect(stopped).toBe(false);
      await eth0.drained();
      const drops = machine.drops();
      expect([drops.rx_missed ?? 0, drops.dev_ready ?? 0]).toEqual([missed, dropped]);
      const { numbers } = await rig.finish();
      expect(numbers.length).toBe(arrived);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
  });

  it('end with the schedule while the link is down', async () => {
    const rig = await Rig.start();
    await rig.eth0.down();
    const wire = await rig.eth0.startTimed({ periodNs: 100_000, count: 200, port: PORT });
    await expect(wire.done).resolves.toMatchObject({ arrived: 0, dropped: 200 });
    expect(rig.machine.drops()).toEqual({ dev_ready: 200 });
    await rig.eth0.up();
    const again = await rig.eth0.startTimed({ periodNs: 100_000, count: 3, port: PORT });
    await again.done;
    expect((await rig.finish()).numbers).toEqual([200, 201, 202]);
  });

  it('that would take its queue away are refused', async () => {
    const rig = await Rig.start({ queues: 2 });
    const wire = await rig.eth0.startTimed({ periodNs: 1e6, count: 1e6, port: PORT, queue: 1 });
    await expect(rig.eth0.setChannels(1)).rejects.toThrow(/EBUSY/);
    await expect(wire.stop()).resolves.toMatchObject({ stopped: true });
    await rig.eth0.setChannels(1);
    await rig.finish();
  });
});

describe('a device', () => {
  it('is fed by one wire at a time', async () => {
    const rig = await Rig.start();
    const { eth0 } = rig;
    const schedule = { periodNs: 1e6, count: 1e6, port: PORT };
    const wire = await eth0.startTimed(schedule);
    await expect(eth0.startTimed(schedule)).rejects.toThrow(/EBUSY/);
    await expect(eth0.generate({ count: 1 })).rejects.toThrow(/EBUSY/);
    const [stopped, again] = await Promise.all([wire.stop(), wire.stop()]);
    expect(again).toBe(stopped);
    await expect(eth0.generate({ count: 10, port: PORT })).resolves.toMatchObject({ frames: 10 });
    const next = await eth0.startTimed({ ...schedule, periodNs: 1000, count: 5 });
    expect((await next.done).arrived).toBe(5);
    await rig.finish();
  });

  it('goes away under a timed wire, and so does the machine', async () => {
    for (const how of ['remove', 'shutdown', 'nothing'] as const) {
      const machine = await boot({ cpus: 2 });
      const eth0 = await machine.addDevice({ name: 'eth0', queues: 1 });
      const wire = await eth0.startTimed({ periodNs: 20_000, count: 1e9 });
      while (wire.progress < 10) await new Promise((resolve) => setTimeout(resolve, 1));
      if (how === 'remove') await eth0.remove();
      if (how === 'shutdown') await machine.shutdown();
      else if (how === 'nothing') await eth0.stopWire();
      const result = await wire.done;
      expect(result.stopped).toBe(true);
      expect(result.arrived).toBeGreaterThanOrEqual(10);
      expect(wire.progress).toBe(result.arrived + result.missed);
      await machine.shutdown();
    }
  });

  it('says in one line what it does not take', async () => {
    const rig = await Rig.start();
    const { eth0 } = rig;
    await expect(eth0.startTimed({ periodNs: 0, count: 1 })).rejects.toThrow(/periodNs/);
    await expect(eth0.startTimed({ periodNs: 1, count: 0 })).rejects.toThrow(/count/);
    await expect(eth0.startTimed({ timesNs: Float64Array.of(2, 1) })).rejects.toThrow(/timesNs\[1\]/);
    await expect(eth0.startTimed({ timesNs: new Float64Array(0) })).rejects.toThrow(/timesNs/);
    await expect(eth0.startTimed({ periodNs: 1, count: 1, queue: 1 })).rejects.toThrow(/queue/);
    await expect(eth0.startTimed({ periodNs: 1, count: 1, frameBytes: 2049 })).rejects.toThrow(/frameBytes/);
    await expect(eth0.startTimed({} as never)).rejects.toThrow(/schedule/);
    const bare = await rig.machine.addDevice({ name: 'eth1', queues: 1, receive: 'netif_rx' });
    await expect(bare.startTimed({ periodNs: 1, count: 1 })).rejects.toThrow(/EOPNOTSUPP/);
    await rig.finish();
  });
});

describe('an echo', () => {
  it('without anything sent brings nothing, and ends when it is stopped', async () => {
    const rig = await Rig.start();
    const wire = await rig.eth0.startTimed({ echo: { turnaroundNs: 1000 }, port: PORT });
    await expect(wire.stop()).resolves.toMatchObject({ arrived: 0, stopped: true });
    expect((await rig.finish()).numbers).toEqual([]);
  });
});
