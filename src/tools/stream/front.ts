// SPDX-License-Identifier: GPL-2.0-only
/**
 * What brings a guest its frames. The wire: a timed wire that ends in the guest's NIC. Or a second machine in front: a NIC for
 * each of its CPUs, fed by a timed wire each; what they receive is queued for a tun device each, and a thread carries that
 * into the guest's NIC (threads/vhost.ts).
 */
import { boot } from '../../index.js';
import type { Machine } from '../../machine.js';
import type { NetDevice } from '../../net_device.js';
import type { Socket } from '../../socket.js';
import type { TimedWire } from '../../timed_wire.js';
import { type Cores, pinHypervisor } from './pin.js';

/** What is offered. */
export interface Load {
  readonly kpps: number;
  readonly size: number;
  readonly flows: number;
  /** Frames of a datagram. */
  readonly frames: number;
  /** Datagrams; without it, until it is stopped. */
  readonly count?: number;
}

/** Frames that were dropped before the guest's NIC, so far. */
export interface FrontDrops {
  readonly hypervisor_ring: number;
  readonly tun: number;
  /** What else it dropped. */
  readonly hypervisor_other: number;
}

export interface Front {
  /** The machine in front, if there is one. */
  readonly machine: Machine | null;
  /** Begins to offer a load. One at a time. */
  start(load: Load): Promise<void>;
  /** Ends it; resolves when all of it is in the guest's hands or dropped. @returns the frames it came to */
  stop(): Promise<number>;
  drops(): FrontDrops;
  shutdown(): Promise<void>;
}

/** The first port; flow i goes to the port i behind it. */
export const PORT = 9000;
/** Arrivals of a wire that is stopped long before. */
const ENDLESS = 2 ** 30;
const NS_PER_MS = 1e6;
const MIB = 1 << 20;
const RING = 512;
const BUFFERS = 4096;
/** Frames that a tun device's queue holds (its tx_queue_len). */
const TUN_QUEUE = 512;
const START_IN_NS = 1e6;

function wireOptions(
  load: Load,
  flows: number,
  first: number,
  queue: number,
): Parameters<NetDevice['startTimed']>[0] {
  const share = flows / load.flows;
  return {
    periodNs: NS_PER_MS / (load.kpps * share * load.frames),
    count: load.count === undefined ? ENDLESS : Math.ceil(load.count * share) * load.frames,
    datagramBytes: load.size,
    flows,
    port: PORT + first,
    ports: flows,
    queue,
    startInNs: START_IN_NS,
  };
}

async function ended(wires: readonly TimedWire[], stop: boolean): Promise<number> {
  let frames = 0;
  for (const w of wires) {
    const r = await (stop ? w.stop() : w.done);
    frames += r.arrived + r.missed + r.dropped;
  }
  return frames;
}

/** The wire ends in the guest. */
export class WireFront implements Front {
  readonly machine = null;
  private readonly nic: NetDevice;
  private wires: TimedWire[] = [];
  private bounded = false;

  constructor(nic: NetDevice) {
    this.nic = nic;
  }

  async start(load: Load): Promise<void> {
    this.bounded = load.count !== undefined;
    this.wires = [await this.nic.startTimed(wireOptions(load, load.flows, 0, 0))];
  }

  async stop(): Promise<number> {
    const frames = await ended(this.wires, !this.bounded);
    await this.nic.drained();
    return frames;
  }

  drops(): FrontDrops {
    return { hypervisor_ring: 0, tun: 0, hypervisor_other: 0 };
  }

  async shutdown(): Promise<void> {}
}

/** A second machine in front. */
export class HypervisorFront implements Front {
  readonly machine: Machine;
  private readonly guestNic: NetDevice;
  private readonly nics: readonly NetDevice[];
  private readonly tuns: readonly Socket[];
  private wires: TimedWire[] = [];
  private bounded = false;

  private constructor(
    machine: Machine,
    guestNic: NetDevice,
    nics: readonly NetDevice[],
    tuns: readonly Socket[],
  ) {
    this.machine = machine;
    this.guestNic = guestNic;
    this.nics = nics;
    this.tuns = tuns;
  }

  /** Boots it and connects it to the guest's NIC. */
  static async boot(
    guestNic: NetDevice,
    o: {
      readonly threaded: boolean;
      readonly softirqAtExit: 'leave' | 'inline';
      readonly cores: Cores | null;
    },
  ): Promise<HypervisorFront> {
    const cpus = o.cores?.hypervisor.length ?? 1;
    const machine = await boot({
      cpus,
      softirqAtExit: o.softirqAtExit,
      memoryBytes: (32 + 64 * cpus) * MIB,
      // The one that carries, and the threads of the instances.
      warmThreads: 1 + (o.threaded ? (cpus * (cpus + 1)) / 2 : 0),
    });
    try {
      const nics: NetDevice[] = [];
      const tuns: Socket[] = [];
      for (let i = 0; i < cpus; i++) {
        // The interrupt of queue i is CPU i's.
        const nic = await machine.addDevice({
          name: `eth${i}`,
          queues: i + 1,
          threaded: o.threaded,
          ringSize: RING,
          poolSize: BUFFERS,
        });
        nics.push(nic);
        tuns.push(await machine.openPacket(nic, { capacity: TUN_QUEUE }));
      }
      await guestNic.attachVhost({ hypervisor: machine, tuns });
      if (o.cores !== null) pinHypervisor(machine.threads(), o.cores);
      return new HypervisorFront(machine, guestNic, nics, tuns);
    } catch (error) {
      await machine.shutdown().catch(() => {});
      throw error;
    }
  }

  async start(load: Load): Promise<void> {
    this.bounded = load.count !== undefined;
    this.wires = [];
    let first = 0;
    for (const [i, nic] of this.nics.entries()) {
      // Flow by flow to the CPUs in turn, as their hashes would spread them.
      const flows = Math.floor((load.flows + this.nics.length - 1 - i) / this.nics.length);
      if (flows > 0) this.wires.push(await nic.startTimed(wireOptions(load, flows, first, i)));
      first += flows;
    }
  }

  async stop(): Promise<number> {
    const frames = await ended(this.wires, !this.bounded);
    for (const nic of this.nics) await nic.drained();
    while (!this.carried()) await pause(this.machine);
    await this.guestNic.drained();
    return frames;
  }

  /** @returns true if all that was queued for the tun devices is in the guest's ring */
  private carried(): boolean {
    const read = this.tuns.reduce((sum, t) => sum + t.delivered, 0);
    return this.tuns.every((t) => t.queued === 0) && read % 2 ** 32 === this.guestNic.progress;
  }

  drops(): FrontDrops {
    const { rx_missed = 0, socket_rcvbuff = 0, ...other } = this.machine.drops();
    return {
      hypervisor_ring: rx_missed,
      tun: socket_rcvbuff,
      hypervisor_other: Object.values(other).reduce((a, b) => a + b, 0),
    };
  }

  async shutdown(): Promise<void> {
    await this.machine.shutdown();
  }
}

/** Lets others go on while something is waited for. */
export async function pause(machine: Machine): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1));
  machine.throwIfDown();
}
