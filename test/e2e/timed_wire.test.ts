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
    const socket = await machine.openUdp({ port: PORT, capacity: 4096 });
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
