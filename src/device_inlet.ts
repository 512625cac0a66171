// SPDX-License-Identifier: GPL-2.0-only
/** Where a device's frames come from: a NIC thread that plays a capture or makes frames up, a timed wire, another machine, a cable. */
import type { Cable } from './cable.js';
import { CaptureError } from './drivers/net/capture/capture_error.js';
import { NIC_STOP, SIM_NIC } from './drivers/net/sim_nic.js';
import type { TimedParams } from './drivers/net/sim_nic_timed_make.js';
import { SoftnetError } from './errors.js';
import { EBUSY, ENOMEM } from './kernel/errno.js';
import { putTaskStruct } from './kernel/kthread.js';
import type { Machine } from './machine.js';
import { TASK_KIND_NIC } from './net/core/ids.js';
import { NET_DEVICE } from './net/core/net_device.js';
import type { NetDevice } from './net_device.js';
import type { NicResult, NicSource } from './threads/feeds.js';
import { newRecord } from './threads/kthreadd.js';
import { TimedWire } from './timed_wire.js';
import { Vhost, type VhostOptions } from './vhost.js';

/** What feeding a device came to. */
export interface WireResult {
  /** Frames that came over the wire. */
  readonly frames: number;
  readonly bytes: number;
  readonly durationNs: number;
  readonly startNs: number;
  readonly endNs: number;
  readonly stopped: boolean;
  readonly warnings: readonly string[];
}

export const DEVICE_REMOVED = 'the device was removed; add another one';

/** Of one device: one thing at a time. */
export class Inlet {
  cable: Cable | null = null;
  private readonly device: NetDevice;
  private readonly machine: Machine;
  private feeding: Promise<unknown> | null = null;
  /** The timed wire that is plugged in or about to be. */
  private timed: Promise<TimedWire> | null = null;
  /** The machine in front, if it has one or is about to. */
  private vhost: Promise<Vhost> | null = null;

  constructor(device: NetDevice, machine: Machine) {
    this.device = device;
    this.machine = machine;
  }

  private get nic(): number {
    return this.machine.arena.m[this.device.at + NET_DEVICE.priv];
  }

  /** See NetDevice.startTimed. */
  async startTimed(params: TimedParams, remedy: string): Promise<TimedWire> {
    this.throwIfFed();
    const timed = this.plugIn(params, remedy);
    this.timed = timed;
    this.feeding = timed.then((wire) => wire.done);
    this.feeding.catch(() => {});
    return timed;
  }

  private async plugIn(params: TimedParams, remedy: string): Promise<TimedWire> {
    const ended = (): void => {
      this.timed = null;
      this.feeding = null;
    };
    const { name, at } = this.device;
    try {
      const begun = (await this.machine.control(
        { name: 'wire-attach', dev: at, params },
        `plugging a timed wire into ${name}`,
        remedy,
      )) as { at: number; startNs: number };
      return new TimedWire(this.machine, at, name, begun.at, begun.startNs, ended);
    } catch (error) {
      ended();
      throw error;
    }
  }

  /** See NetDevice.attachVhost. */
  async attachVhost(options: VhostOptions): Promise<Vhost> {
    this.throwIfFed();
    const taskAt = this.beginRun();
    const vhost = Vhost.run(this.machine, this.device, taskAt, options);
    const ended = vhost
      .then((v) => v.done)
      .finally(() => {
        putTaskStruct(this.machine.arena.m, taskAt);
        this.feeding = null;
        this.vhost = null;
      });
    ended.catch(() => {});
    this.feeding = ended;
    this.vhost = vhost;
    return vhost;
  }

  /** Runs a NIC's hardware thread until its source ends. Rejects with CaptureError on bad input. */
  async feed(source: NicSource, whenFull: 'wait' | 'drop'): Promise<WireResult> {
    this.throwIfFed();
    const { machine, device } = this;
    if (!machine.hasRoom()) {
      throw new SoftnetError(`feeding ${device.name}`, ENOMEM, 'allow more threads (maxThreads)');
    }
    const taskAt = this.beginRun();
    const record = newRecord(`nic/${device.name}`, TASK_KIND_NIC, taskAt);
    const { sab } = machine.arena;
    this.feeding = machine.runNic(record, { kind: 'nic', sab, taskAt, dev: device.at, source, whenFull });
    try {
      const r = (await this.feeding) as NicResult;
      if (r.error !== null) throw rebuilt(r.error);
      return { ...r, durationNs: r.endNs - r.startNs };
    } finally {
      this.feeding = null;
    }
  }

  /** @returns the task_struct of a thread that is about to feed the device */
  private beginRun(): number {
    const { m } = this.machine.arena;
    const { nic } = this;
    Atomics.and(m, nic + SIM_NIC.doorbell, ~NIC_STOP);
    Atomics.store(m, nic + SIM_NIC.frames, 0);
    return this.machine.newTask(TASK_KIND_NIC, `nic/${this.device.name}`, 0);
  }

  /** See NetDevice.progress. */
  get progress(): number {
    return Atomics.load(this.machine.arena.m, this.nic + SIM_NIC.frames) >>> 0;
  }

  /** See NetDevice.stopWire. */
  async stop(): Promise<void> {
    if (this.feeding === null) return;
    if (this.timed !== null) {
      await this.timed.then((wire) => wire.stop()).catch(() => {});
      return;
    }
    const { m } = this.machine.arena;
    const word = this.nic + SIM_NIC.doorbell;
    Atomics.or(m, word, NIC_STOP);
    Atomics.notify(m, word);
    await this.vhost?.then((v) => v.stop()).catch(() => {});
    await this.feeding?.catch(() => {});
  }

  /** See NetDevice.plug. */
  plug(cable: Cable, what: string): void {
    this.checkFree(what);
    this.cable = cable;
  }

  /** Throws why nothing can be plugged in. */
  private throwIfFed(): void {
    this.machine.throwIfEnding();
    this.checkFree(`feeding ${this.device.name}`);
  }

  /** Throws if the device is being removed, or something feeds it. */
  private checkFree(what: string): void {
    const { device, cable } = this;
    if (device.isGoing()) throw new Error(DEVICE_REMOVED);
    if (this.feeding !== null) {
      throw new SoftnetError(what, EBUSY, 'wait for the run under way, or stop it (stopWire)');
    }
    if (cable !== null) {
      const [a, b] = cable.ends;
      const other = a === device ? b : a;
      throw new SoftnetError(
        what,
        EBUSY,
        `${device.name} has a cable to ${other.name}: take it out (disconnect)`,
      );
    }
  }
}

/** A CaptureError that came from another thread as plain data. */
function rebuilt(error: { fileName: string; message: string; offset: number }): CaptureError {
  const e = new CaptureError(error.fileName, '', error.offset);
  e.message = error.message;
  return e;
}
