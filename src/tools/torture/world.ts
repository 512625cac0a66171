// SPDX-License-Identifier: GPL-2.0-only
/** What the contexts of a run share: the machine, its devices with what they must be, the accounts of frames. */
import { LOOPBACK } from '../../drivers/net/loopback.js';
import { NIC_QUEUE, nicQueueAt, SIM_NIC } from '../../drivers/net/sim_nic.js';
import type { Machine, NetDevice, Socket, Xsk } from '../../index.js';
import type { Loopback } from '../../loopback.js';
import { ringLength } from '../../mm/ring.js';
import { NET_DEVICE } from '../../net/core/net_device.js';
import { type DeviceModel, Register } from './expected.js';
import type { Gate } from './gate.js';
import { type Answer, type Operations, USUAL, WITHOUT_THREADS } from './operations.js';
import type { Profile } from './profiles.js';
import type { Random } from './random.js';
import { APP_WORD, FIRST_PORT, LAST_PORT, PORT_STEADY, PORT_STEP, PORT_TIMED } from './reader_words.js';

/** A place for a device; which one there is changes. */
export interface Slot {
  readonly index: number;
  device: NetDevice | null;
  model: DeviceModel;
  /** Nobody changes its channels and its steering: its flows stay in order. */
  steady: boolean;
  napi: boolean;
  poolSize: number;
  maxQueues: number;
  ringMax: number;
  /** Its name, or that of the latest. */
  label: string;
  /** Destination ports that its wire has now. */
  ports: number[];
  /** Its device makes frames up: it is not taken away before that has ended, so that they are accounted for. */
  makingUp: Promise<unknown> | null;
}

/** Frames, wrapping at 2^32 as the counters do. */
export class Accounts {
  readonly sockets = new Set<Socket>();
  readonly xsks = new Set<Xsk>();
  /** Frames that devices which are gone had got. */
  arrivedBefore = 0;
  /** Frames that sockets which are gone had delivered. */
  deliveredBefore = 0;
  /** Frames that were dropped, once the machine has ended. */
  lastDropped: number | null = null;

  /** A socket is gone for good. */
  close(socket: Socket | Xsk, delivered: number): void {
    this.sockets.delete(socket as Socket);
    this.xsks.delete(socket as Xsk);
    this.deliveredBefore = (this.deliveredBefore + delivered) >>> 0;
  }
}

export class World {
  readonly machine: Machine;
  readonly ops: Operations;
  readonly gate: Gate;
  readonly profile: Profile;
  readonly slots: Slot[] = [];
  readonly accounts = new Accounts();
  readonly backlogThreaded = new Register<boolean>(false);
  readonly cpuOnline: Register<boolean>[];
  readonly sysctls = new Map<string, Register<number>>();
  /** Buffers of the applications that run. */
  readonly apps = new Map<string, Int32Array>();
  lo: Loopback | null = null;
  /** Whose instance polls without end now: one at a time, the host has few cores. */
  busySlot: Slot | null = null;
  /** Requests for threads are being refused. */
  armed = false;
  armings = 0;
  readonly persist: 'off' | 'fixed';
  readonly seed: number;
  /** Waits for what must come (Watchdog.until). */
  until: Until = async () => {};
  private nextPort = FIRST_PORT;
  private epoch = 0;
  private appsMade = 0;

  constructor(
    machine: Machine,
    o: { ops: Operations; gate: Gate; profile: Profile; persist: 'off' | 'fixed'; seed: number },
  ) {
    this.machine = machine;
    this.ops = o.ops;
    this.gate = o.gate;
    this.profile = o.profile;
    this.persist = o.persist;
    this.seed = o.seed;
    this.cpuOnline = Array.from({ length: machine.cpus }, () => new Register<boolean>(true));
  }

  /** @returns a destination port that no other wire has had since everything last rested */
  port(steady: boolean, timed = false): number {
    const port = this.nextPort;
    this.nextPort += PORT_STEP;
    if (this.nextPort + PORT_STEP > LAST_PORT) this.nextPort = FIRST_PORT;
    return port | (steady ? PORT_STEADY : 0) | (timed ? PORT_TIMED : 0);
  }

  /** A name for an application that no other has had, and the buffer that it has in common with the run. */
  newApp(kind: string): { name: string; words: SharedArrayBuffer } {
    const name = `${kind}${++this.appsMade}`;
    const sab = new SharedArrayBuffer(APP_WORD.WORDS * 4);
    const words = new Int32Array(sab);
    words[APP_WORD.epoch] = this.epoch;
    this.apps.set(name, words);
    return { name, words: sab };
  }

  /** From here on: which refusals may come, and whether requests for threads have been refused on purpose. */
  faulty(): { wasHit: () => boolean; allowed: () => readonly string[] } {
    const { armings, armed } = this;
    const wasHit = (): boolean => armed || this.armings !== armings;
    return { wasHit, allowed: () => (wasHit() ? WITHOUT_THREADS : USUAL) };
  }

  /** Everything rests: applications forget what they remember of flows. */
  nextEpoch(): void {
    this.epoch++;
    for (const words of this.apps.values()) Atomics.store(words, APP_WORD.epoch, this.epoch);
  }

  /** Carries an operation on a device out and has `apply` note what it implies. */
  async device(
    context: string,
    slot: Slot,
    kind: string,
    what: string,
    fn: (device: NetDevice) => Promise<unknown>,
    apply: (a: Answer<unknown>) => void = () => {},
  ): Promise<Answer<unknown>> {
    const { device, model } = slot;
    const { wasHit, allowed } = this.faulty();
    const run = async (): Promise<unknown> => {
      if (device === null) throw new Error('the device was removed');
      return fn(device);
    };
    const text = `${slot.label} ${what}`;
    const a = await this.ops.run(context, kind, text, run, allowed);
    if (slot.model !== model) return a;
    if (a.code === 'OK') apply(a);
    if (!wasHit()) return a;
    model.forgetModes(a);
    if (a.code === 'ENOMEM') {
      // The operation was given up half-way.
      model.forget(a);
      model.up.write(null, a);
      model.channels.write(null, a);
      model.rx.write(null, a);
    }
    return a;
  }

  /** Frames that came by a wire or a cable, were sent by loopback, or could not be sent, so far. */
  arrived(): number {
    let sum = this.accounts.arrivedBefore;
    for (const s of this.slots) if (s.device !== null) sum += accountableAt(this.machine, s.device);
    if (this.lo !== null) {
      const { m } = this.machine.arena;
      const priv = m[this.lo.at + NET_DEVICE.priv];
      sum += Atomics.load(m, priv + LOOPBACK.packets) + Atomics.load(m, priv + LOOPBACK.dropped);
    }
    return sum >>> 0;
  }

  /** The machine ends: its counters go. */
  closeAccounts(): void {
    this.accounts.arrivedBefore = this.arrived();
    this.accounts.lastDropped = this.dropped();
    this.lo = null;
  }

  /** Frames that applications have read, or that AF_XDP sockets were handed and gave back. */
  delivered(): number {
    let sum = this.accounts.deliveredBefore;
    for (const s of this.accounts.sockets) sum += s.delivered;
    for (const x of this.accounts.xsks) sum += x.statistics.delivered;
    return sum >>> 0;
  }

  /** Frames that were dropped, by all reasons. */
  dropped(): number {
    if (this.accounts.lastDropped !== null) return this.accounts.lastDropped;
    return Object.values(this.machine.drops()).reduce((a, b) => a + b, 0) >>> 0;
  }
}

/** @returns the frames that a device has to account for: those that came or were made up, and those it could not send */
export function accountableAt(machine: Machine, device: NetDevice): number {
  return cameAt(machine, device) + device.txStats().dropped;
}

/** @returns the frames that came to a device, or were made up */
export function cameAt(machine: Machine, device: NetDevice): number {
  const madeUp = device.queueStats().reduce((n, q) => n + q.madeUpDescs, 0);
  return arrivedAt(machine, device) + madeUp;
}

/** @returns the frames that came to a device so far (wraps): put into rings, missed, or dropped at the wire */
export function arrivedAt(machine: Machine, device: NetDevice): number {
  const { m } = machine.arena;
  const nic = m[device.at + NET_DEVICE.priv];
  let sum = Atomics.load(m, nic + SIM_NIC.rxDropped);
  for (let i = 0; i < device.maxQueues; i++) {
    const q = nicQueueAt(m, nic, i);
    sum = (sum + m[q + NIC_QUEUE.rxFramesTotal] + m[q + NIC_QUEUE.rxMissed]) | 0;
  }
  return sum >>> 0;
}

/** Waits for a condition that must come; rejects without progress towards it. */
export type Until = (what: string, condition: () => boolean, progress: () => string) => Promise<void>;

/** @returns frames in the rings of a device whose link is up; 0 while it is down */
export function waitingAt(machine: Machine, device: NetDevice): number {
  const { m } = machine.arena;
  const nic = m[device.at + NET_DEVICE.priv];
  let frames = 0;
  for (let i = 0; i < device.maxQueues; i++) {
    const q = nicQueueAt(m, nic, i);
    const served = Atomics.load(m, q + NIC_QUEUE.napi) !== 0 || Atomics.load(m, q + NIC_QUEUE.service) !== 0;
    if (served) frames += ringLength(m, m[q + NIC_QUEUE.rxRing]);
  }
  return frames;
}

/** What a context is given. */
export interface Context {
  readonly world: World;
  readonly name: string;
  readonly random: Random;
}
