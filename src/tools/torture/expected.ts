// SPDX-License-Identifier: GPL-2.0-only
/**
 * What the configuration must be, as the operations that were answered imply. Several operations at a time may have
 * written the same value: any of those that no other one followed for sure may stand.
 */
import type { Answer } from './operations.js';

/** Stands for a value that cannot be told: a fault was injected, or a driver without napi_config began afresh. */
export const UNKNOWN = null;

/** A value that operations write. */
export class Register<T extends string | number | boolean> {
  private writes: { readonly value: T | typeof UNKNOWN; readonly answered: number }[];

  constructor(first: T | typeof UNKNOWN) {
    this.writes = [{ value: first, answered: 0 }];
  }

  /** An operation has written it: whatever was answered before that one was asked is gone. */
  write(value: T | typeof UNKNOWN, { asked, answered }: Pick<Answer<unknown>, 'asked' | 'answered'>): void {
    this.writes = this.writes.filter((w) => w.answered > asked);
    this.writes.push({ value, answered });
  }

  /** @returns true if it may be what was seen */
  allows(seen: T): boolean {
    return this.writes.some((w) => w.value === UNKNOWN || w.value === seen);
  }

  /** @returns true if it can only be this */
  isSurely(value: T): boolean {
    return this.writes.every((w) => w.value === value);
  }

  get text(): string {
    return [...new Set(this.writes.map((w) => (w.value === UNKNOWN ? 'anything' : String(w.value))))].join(
      ' or ',
    );
  }
}

/** NETDEV_NAPI_THREADED_* by their netlink names. */
export type Mode = 'disabled' | 'enabled' | 'busy-poll';

/** One queue index: what its NAPI instance is set to, or will be when there is one again. */
export interface QueueModel {
  readonly mode: Register<Mode>;
  readonly defer: Register<number>;
  readonly gro: Register<number>;
  readonly suspend: Register<number>;
}

export class DeviceModel {
  readonly up: Register<boolean>;
  readonly channels: Register<number>;
  readonly rx: Register<number>;
  readonly threaded: Register<boolean>;
  readonly queues: readonly QueueModel[];
  private readonly persistent: boolean;
  /** Indices without a napi_config whose instance may be in softirq mode and have a thread all the same. */
  private readonly stranded = new Set<number>();

  constructor(o: {
    persistent: boolean;
    queues: number;
    maxQueues: number;
    ringSize: number;
    threaded: boolean;
  }) {
    this.persistent = o.persistent;
    this.up = new Register(true);
    this.channels = new Register(o.queues);
    this.rx = new Register(o.ringSize);
    this.threaded = new Register(o.threaded);
    this.queues = Array.from({ length: o.maxQueues }, () => ({
      mode: new Register<Mode>(o.threaded ? 'enabled' : 'disabled'),
      defer: new Register(0),
      gro: new Register(0),
      suspend: new Register(0),
    }));
  }

  /** The device's own mode was set: every queue index has it. */
  setThreaded(threaded: boolean, a: Answer<unknown>): void {
    this.threaded.write(threaded, a);
    for (const q of this.queues) q.mode.write(threaded ? 'enabled' : 'disabled', a);
  }

  /** Instances were or will be added anew: a driver without napi_config has forgotten what they were set to. */
  readded(a: Answer<unknown>): void {
    if (!this.persistent) this.forget(a);
  }

  /**
   * An AF_XDP socket came to a queue, or left it: its instance was disabled and enabled again. One without a napi_config
   * has its device's mode then, as in Linux, and a thread of its own that it had stays with it. If the device is threaded
   * and the instance has none, it asks for one: refused, the device's own mode is off.
   * @param hit requests for threads may have been refused meanwhile
   */
  rebound(index: number, hit: boolean, a: Answer<unknown>): void {
    if (this.persistent) return;
    this.queues[index].mode.write(UNKNOWN, a);
    this.stranded.add(index);
    if (hit) this.threaded.write(UNKNOWN, a);
  }

  /** @returns true if an instance in softirq mode may have a thread: it sleeps until the mode is set again */
  mayStrandThread(index: number): boolean {
    return this.stranded.has(index);
  }

  /** What the queues are set to cannot be told any more. */
  forget(a: Answer<unknown>): void {
    for (const q of this.queues) {
      for (const r of [q.mode, q.defer, q.gro, q.suspend]) r.write(UNKNOWN, a);
    }
  }

  /** Threads could not be had: which mode the device went to cannot be told either. */
  forgetModes(a: Answer<unknown>): void {
    this.threaded.write(UNKNOWN, a);
    for (const [i, q] of this.queues.entries()) {
      q.mode.write(UNKNOWN, a);
      // The first instances of a device got theirs, a later one did not: the device is not threaded then.
      if (!this.persistent) this.stranded.add(i);
    }
  }
}
