// SPDX-License-Identifier: GPL-2.0-only
/**
 * The machines of one setting of `softnet stream`, booted once and used for every row: a guest of one virtual CPU, with a
 * NIC, and what brings its frames. For each cell there are new sockets and new tasks, nothing of the cell before is left.
 */
import { boot } from '../../index.js';
import type { Machine } from '../../machine.js';
import type { NetDevice } from '../../net_device.js';
import type { Socket } from '../../socket.js';
import { STREAM_SHOWN, type StreamTasksArgs } from '../../threads/stream_tasks.js';
import { type Front, HypervisorFront, type Load, PORT, pause, WireFront } from './front.js';
import { type Cores, pinGuest } from './pin.js';
import { rcvbufOf, type Setting, topologyOf, type Front as Where } from './plan.js';

/** How the machines are made. */
export interface StandOptions {
  readonly softirqAtExit: 'leave' | 'inline';
  readonly front: Where;
  readonly cores: Cores | null;
}

const MIB = 1 << 20;
const TASKS = new URL('../../threads/stream_tasks.js', import.meta.url);
const RING = 512;
/** All sockets full, a datagram of the largest size more each, and what waits for fragments. */
const BUFFERS = 32_768;
const MEMORY = 192 * MIB;
const CAPACITY = 128;
/**
 * With the usual limits (4 MiB, 30 s) an overload that breaks every tenth datagram ends reassembly altogether within a tenth
 * of a second, for half a minute. These let what is whole through.
 */
const FRAG_BYTES = 16 * MIB;
const FRAG_SECONDS = 1;

/** Frames of all cells of a setting, warming up included. */
export interface Balance {
  readonly offered: number;
  /** By the tasks. */
  readonly received: number;
  readonly dropped: number;
  /** What is left: 0. */
  readonly unaccounted: number;
}

/** The receiving tasks of a cell. */
export interface Tasks {
  readonly sockets: readonly Socket[];
  readonly shown: Float64Array;
  /** Closes them; resolves when they have ended. */
  end(): Promise<void>;
}

export class Stand {
  readonly setting: Setting;
  readonly guest: Machine;
  readonly front: Front;
  readonly cores: Cores | null;
  /** false: the host would not pin its threads. */
  pinned = true;
  /** Frames offered, and those that tasks received: since the boot. */
  offered = 0;
  received = 0;
  private readonly pinnedTids = new Set<number>();

  private constructor(setting: Setting, guest: Machine, front: Front, cores: Cores | null) {
    this.setting = setting;
    this.guest = guest;
    this.front = front;
    this.cores = cores;
  }

  /** @throws SoftnetError if the host cannot give the threads or the memory */
  static async boot(setting: Setting, o: StandOptions): Promise<Stand> {
    const { guestThreaded, hypervisor } = topologyOf(setting, o.front);
    const guest = await boot({
      cpus: 1,
      softirqAtExit: o.softirqAtExit,
      ipDefrag: true,
      memoryBytes: MEMORY,
      // The tasks, and the thread of the instance.
      warmThreads: guestThreaded ? 2 : 1,
    });
    try {
      await guest.setSysctl('net.ipv4.ipfrag_high_thresh', FRAG_BYTES);
      await guest.setSysctl('net.ipv4.ipfrag_time', FRAG_SECONDS);
      const nic: NetDevice = await guest.addDevice({
        name: 'eth0',
        threaded: guestThreaded,
        ringSize: RING,
        poolSize: BUFFERS,
      });
      const front =
        hypervisor === null
          ? new WireFront(nic)
          : await HypervisorFront.boot(nic, { ...o, threaded: hypervisor.threaded });
      return new Stand(setting, guest, front, o.cores);
    } catch (error) {
      await guest.shutdown().catch(() => {});
      throw error;
    }
  }

  /** Opens a socket for each flow and starts their tasks. */
  async begin(size: number, flows: number): Promise<Tasks> {
    const { guest } = this;
    const options = { capacity: CAPACITY, rcvbuf: Math.min(CAPACITY, rcvbufOf(size)) };
    const sockets = await Promise.all(
      Array.from({ length: flows }, (_, i) => guest.openUdp({ port: PORT + i, ...options })),
    );
    const args: StreamTasksArgs = { shown: new SharedArrayBuffer(8 * STREAM_SHOWN.count) };
    const shown = new Float64Array(args.shown);
    const app = await guest.runApp(TASKS, { name: 'tasks', sockets, cpu: 0, args });
    if (this.cores !== null) {
      this.pinned = pinGuest(guest.threads(), this.cores, this.pinnedTids) && this.pinned;
    }
    return {
      sockets,
      shown,
      end: async () => {
        await Promise.all(sockets.map((s) => s.close()));
        await app.result;
        this.received += shown[STREAM_SHOWN.frames];
      },
    };
  }

  /** @returns the cores its threads run on; none where they are not pinned */
  usedCores(): readonly number[] {
    if (this.cores === null) return [];
    const { vcpu, hypervisor } = this.cores;
    return this.front.machine === null ? [vcpu] : [...new Set([vcpu, ...hypervisor])];
  }

  /** Begins to offer a load. */
  async offer(load: Load): Promise<void> {
    await this.front.start(load);
  }

  /** Ends it; resolves when all of it was received or dropped, and nothing waits for fragments. */
  async rest(tasks: Tasks): Promise<void> {
    this.offered += await this.front.stop();
    if (this.guest.reassembly()?.queues !== 0) await this.guest.flushFragments();
    while (tasks.sockets.some((s) => s.queued > 0)) await pause(this.guest);
  }

  /** Shuts the machines down. @returns what became of the frames of all cells */
  async shutdown(): Promise<Balance> {
    // First what is in front: it has a thread in the guest.
    await this.front.shutdown();
    await this.guest.shutdown();
    const dropped = sum(Object.values(this.guest.drops())) + sum(Object.values(this.front.drops()));
    const { offered, received } = this;
    return { offered, received, dropped, unaccounted: offered - received - dropped };
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
