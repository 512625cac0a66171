// SPDX-License-Identifier: GPL-2.0-only
/** Datagrams longer than the MTU on a real machine: they come whole, or every fragment is accounted for. */
import { describe, expect, it } from 'vitest';
import {
  type BootOptions,
  boot,
  datagramFrames,
  type Machine,
  type NetDevice,
  type NetDeviceOptions,
  type Socket,
} from '../../dist/index.js';

const APP = new URL('../helpers/fragment_apps.mjs', import.meta.url);
const PORT = 9;

interface Datagram {
  readonly number: number;
  readonly seq: number;
  readonly frames: number;
  readonly length: number;
  readonly bytes: number;
}

interface Seen {
  readonly seen: Datagram[];
  readonly wrong: number;
}

/** A machine with a device and a reader. */
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

  static async start(device: Partial<NetDeviceOptions> = {}, options: BootOptions = {}): Promise<Rig> {
    const machine = await boot({ cpus: 2, ipDefrag: true, ...options });
    const eth0 = await machine.addDevice({ name: 'eth0', queues: 1, ringSize: 1024, ...device });
    const socket = await machine.openUdp({ port: PORT, capacity: 4096 });
    const app = await machine.runApp<Seen>(APP, { name: 'reader', sockets: [socket] });
    return new Rig(machine, eth0, socket, app.result);
  }

  /** What was read; the socket is closed. */
  async read(): Promise<Seen> {
    await this.eth0.drained();
    await this.socket.close();
    return this.result;
  }

  /** Returns when no fragment waits for others. */
  async nothingWaits(): Promise<void> {
    while (this.machine.reassembly()?.queues !== 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);

for (const threaded of [false, true]) {
  describe(threaded ? 'threads' : 'softirq', () => {
    it.each([
      [4096, 300],
      [64_000, 22],
    ])('put datagrams of %i bytes together, each whole and in order', async (bytes, count) => {
      const rig = await Rig.start({ threaded });
      const train = datagramFrames(bytes);
      // No more frames than the ring holds: a host that is held up misses none.
      const wire = await rig.eth0.startTimed({
        periodNs: 50_000,
        count: count * train,
        port: PORT,
        flows: 3,
        datagramBytes: bytes,
      });
      expect(await wire.done).toMatchObject({ arrived: count * train, missed: 0, dropped: 0 });
      const { seen, wrong } = await rig.read();
      expect(wrong).toBe(0);
      const numbers = Array.from({ length: count }, (_, i) => i * train);
      expect(seen.map((d) => d.number)).toEqual(numbers);
      for (const d of seen)
        expect(d).toEqual({ number: d.seq, seq: d.seq, frames: train, length: bytes, bytes });
      expect(rig.machine.reassembly()).toEqual({
        reasmReqds: count * train,
        reasmOKs: count,
        reasmFails: 0,
        reasmTimeout: 0,
        reasmOverlaps: 0,
        queues: 0,
        memBytes: 0,
      });
      expect(rig.machine.drops()).toEqual({});
      await rig.machine.shutdown();
    });

    it('that lose fragments to a ring that is too short account for every frame', async () => {
      const rig = await Rig.start({ threaded, ringSize: 8, poolSize: 4096 });
      await rig.machine.setSysctl('net.ipv4.ipfrag_time', 1);
      // Three datagrams of three frames at a time: at least the last frame finds no buffer.
      const bursts = 60;
      const timesNs = Float64Array.from({ length: bursts * 9 }, (_, i) => Math.floor(i / 9) * 2e6);
      const wire = await rig.eth0.startTimed({ timesNs, port: PORT, flows: 3, datagramBytes: 4096 });
      const { arrived, missed } = await wire.done;
      expect(missed).toBeGreaterThanOrEqual(bursts);
      expect(arrived + missed).toBe(timesNs.length);
      await rig.eth0.drained();
      await rig.nothingWaits();
      const { seen, wrong } = await rig.read();
      expect(wrong).toBe(0);
      const reassembly = rig.machine.reassembly();
      const drops = rig.machine.drops();
      expect(seen.length).toBeGreaterThan(0);
      expect(seen.every((d) => d.frames === 3 && d.number === d.seq && d.bytes === 4096)).toBe(true);
      expect(drops.rx_missed).toBe(missed);
      expect(drops.frag_reasm_timeout).toBeGreaterThan(0);
      // Frames in = frames delivered + frames dropped.
      expect(sum(seen.map((d) => d.frames)) + sum(Object.values(drops))).toBe(timesNs.length);
      expect(reassembly).toMatchObject({ reasmReqds: arrived, reasmOKs: seen.length, memBytes: 0 });
      expect(reassembly?.reasmFails).toBe(reassembly?.reasmTimeout);
      await rig.machine.shutdown();
    });
  });
}

/** Brings two of three fragments. */
async function bringTwoOfThree(rig: Rig): Promise<void> {
  const wire = await rig.eth0.startTimed({ periodNs: 1000, count: 2, port: PORT, datagramBytes: 4096 });
  await wire.done;
  await rig.eth0.drained();
}

describe('a machine', () => {
  it('that ends, or loses a device, gives up what waits and counts it', async () => {
    const rig = await Rig.start();
    await bringTwoOfThree(rig);
    expect(rig.machine.reassembly()).toMatchObject({ queues: 1, reasmReqds: 2 });
    await rig.eth0.remove();
    expect(rig.machine.drops()).toEqual({ dev_ready: 2 });
    expect(rig.machine.reassembly()).toMatchObject({ queues: 0, memBytes: 0, reasmFails: 1 });
    await rig.machine.shutdown();

    const other = await Rig.start();
    await bringTwoOfThree(other);
    await other.machine.shutdown();
    expect(sum(Object.values(other.machine.drops()))).toBe(2);
    expect(other.machine.reassembly()).toMatchObject({ queues: 0, memBytes: 0, reasmFails: 1 });
  });

  it('drops what is above the limit it was given', async () => {
    const rig = await Rig.start();
    await rig.machine.setSysctl('net.ipv4.ipfrag_high_thresh', 0);
    const wire = await rig.eth0.startTimed({ periodNs: 1000, count: 30, port: PORT, datagramBytes: 4096 });
    await wire.done;
    expect((await rig.read()).seen).toEqual([]);
    expect(rig.machine.drops()).toEqual({ ip_reasm_nomem: 30 });
    await rig.machine.shutdown();
  });

  it('that was not told to put fragments together does not', async () => {
    const rig = await Rig.start({}, { ipDefrag: false });
    expect(rig.machine.reassembly()).toBeNull();
    const wire = await rig.eth0.startTimed({ periodNs: 1000, count: 30, port: PORT, datagramBytes: 4096 });
    await wire.done;
    expect((await rig.read()).seen).toEqual([]);
    expect(rig.machine.drops()).toEqual({ no_socket: 30 });
    await rig.machine.shutdown();
  });

  it('refuses wires that cannot be, each in a line', async () => {
    const rig = await Rig.start();
    const start = async (options: object): Promise<string> => {
      const wire = rig.eth0.startTimed({ periodNs: 1000, count: 1, ...options });
      return wire.then(
        () => 'it was taken',
        (error: Error) => error.message,
      );
    };
    expect(await start({ datagramBytes: 4096, frameBytes: 64 })).toBe(
      'frameBytes: 64 is not possible; give either it or datagramBytes',
    );
    expect(await start({ datagramBytes: 65_508 })).toBe(
      'datagramBytes: 65508 is not possible; give a whole number from 1 to 65507',
    );
    expect(await start({ datagramBytes: 4096, mtu: 67 })).toBe(
      'mtu: 67 is not possible; give a whole number from 68 to 2034',
    );
    expect(await start({ mtu: 1500 })).toBe('mtu: 1500 is not possible; give it together with datagramBytes');
    await rig.machine.shutdown();
  });

  it('takes datagrams that fit a frame as they are, padded where they are short', async () => {
    const rig = await Rig.start();
    for (const bytes of [1, 4, 1472]) {
      expect(datagramFrames(bytes)).toBe(1);
      const wire = await rig.eth0.startTimed({
        periodNs: 1000,
        count: 20,
        port: PORT,
        flows: 2,
        datagramBytes: bytes,
      });
      await wire.done;
    }
    const { seen, wrong } = await rig.read();
    expect(wrong).toBe(0);
    expect(seen.map((d) => d.length)).toEqual([
      ...Array(20).fill(1),
      ...Array(20).fill(4),
      ...Array(20).fill(1472),
    ]);
    expect(seen.slice(20).map((d) => d.number)).toEqual(Array.from({ length: 40 }, (_, i) => 20 + i));
    expect(rig.machine.reassembly()?.reasmReqds).toBe(0);
    await rig.machine.shutdown();
  });
});
