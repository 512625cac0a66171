// SPDX-License-Identifier: GPL-2.0-only
/** An AF_XDP socket, as the main thread sees it. Application threads use it: `app.xsks`. */
import { checkGivenInt, checkInt, checkPowerOfTwo, OptionError, SoftnetError } from './errors.js';
import { EBUSY } from './kernel/errno.js';
import type { Machine } from './machine.js';
import { ringLength } from './mm/ring.js';
import type { BusyPollOptions } from './net/core/sock_busy.js';
import { setXskBusyPoll, XDP_SOCK } from './net/xdp/xsk.js';
import { checkBusyPoll } from './threads/app_epoll.js';
import type { XskParams } from './threads/control_ops.js';

/** How an AF_XDP socket is made. With `busyPollUs` above 0 each of its calls polls the queue's NAPI instance, once. */
export interface XskOptions extends BusyPollOptions {
  /** Queue of the device it is bound to; 0. */
  readonly queue?: number;
  /** Which frames it takes: every one of the queue ('all'), or those for one UDP port. The others go up the stack. 'all'. */
  readonly steer?: 'all' | number;
  /** Frames of the UMEM, 2048 bytes each; 4096. */
  readonly frames?: number;
  /** How many of them the application begins with, to send from; the driver gets the others. A quarter. */
  readonly txFrames?: number;
  /** Slots of the fill ring, a power of two; as many as there are frames. */
  readonly fillSize?: number;
  /** Slots of the rx ring, a power of two; as many as there are frames. */
  readonly rxSize?: number;
  /** Slots of the tx ring, a power of two; as many as there are frames. */
  readonly txSize?: number;
  /** Slots of the completion ring, a power of two; as many as there are frames. */
  readonly completionSize?: number;
}

/** Counters (Linux: struct xdp_statistics, and what the rings show); they wrap at 2^32. */
export interface XskStatistics {
  /** Frames put into the rx ring. */
  readonly rxFrames: number;
  /** Frames of the queue that went up the stack, because they were for others. */
  readonly rxPassed: number;
  /** Frames handed to the device. */
  readonly txSent: number;
  /** Frames dropped because they were longer than 2048 bytes. */
  readonly rxDropped: number;
  readonly rxInvalidDescs: number;
  readonly txInvalidDescs: number;
  /** Frames dropped because the rx ring was full. */
  readonly rxRingFull: number;
  readonly rxFillRingEmptyDescs: number;
  readonly txRingEmptyDescs: number;
  /** Frames that the application has given back or taken over. */
  readonly delivered: number;
  /** Completions that it has collected. */
  readonly completed: number;
  /** Frames in the rx ring: racy unless traffic rests. */
  readonly rxQueued: number;
}

const MAX_FRAMES = 1 << 17;

/** Smallest power of two that is not below `n`. */
function powerOfTwo(n: number): number {
  return n <= 2 ? 2 : 1 << (32 - Math.clz32(n - 1));
}

/** Checks the options and fills the defaults in. */
export function xskParams(o: XskOptions): XskParams {
  checkBusyPoll(o);
  const frames = checkInt('frames', o.frames, 4096, 2, MAX_FRAMES);
  const slots = powerOfTwo(frames);
  if (o.steer !== undefined && o.steer !== 'all' && typeof o.steer !== 'number') {
    throw new OptionError('steer', o.steer, "'all' or a UDP port");
  }
  return {
    frames,
    txFrames: checkInt('txFrames', o.txFrames, frames >> 2, 0, frames),
    fillSize: checkPowerOfTwo('fillSize', o.fillSize, slots, 2, MAX_FRAMES),
    rxSize: checkPowerOfTwo('rxSize', o.rxSize, slots, 2, MAX_FRAMES),
    txSize: checkPowerOfTwo('txSize', o.txSize, slots, 2, MAX_FRAMES),
    compSize: checkPowerOfTwo('completionSize', o.completionSize, slots, 2, MAX_FRAMES),
    steerPort: typeof o.steer === 'number' ? checkGivenInt('steer', o.steer, 1, 65535) : 0,
    busyPollUs: o.busyPollUs ?? 0,
    preferBusyPoll: o.preferBusyPoll ?? false,
    busyPollBudget: o.busyPollBudget ?? 0,
  };
}

export class Xsk {
  /** Word index of its struct. */
  readonly at: number;
  private readonly machine: Machine;
  private users = 0;
  private hasRings = false;
  private closing: Promise<void> | null = null;
  private freeing: Promise<void> | null = null;
  private last: XskStatistics | null = null;

  constructor(machine: Machine, at: number) {
    this.machine = machine;
    this.at = at;
  }

  get statistics(): XskStatistics {
    if (this.last !== null) return this.last;
    const { m } = this.machine.arena;
    const { at } = this;
    const count = (field: number) => m[at + field] >>> 0;
    return {
      rxFrames: count(XDP_SOCK.rxFrames),
      rxPassed: count(XDP_SOCK.rxPassed),
      txSent: count(XDP_SOCK.txSent),
      rxDropped: count(XDP_SOCK.rxDropped),
      rxInvalidDescs: count(XDP_SOCK.rxInvalidDescs),
      txInvalidDescs: count(XDP_SOCK.txInvalidDescs),
      rxRingFull: count(XDP_SOCK.rxRingFull),
      rxFillRingEmptyDescs: count(XDP_SOCK.rxFillRingEmptyDescs),
      txRingEmptyDescs: count(XDP_SOCK.txRingEmptyDescs),
      delivered: count(XDP_SOCK.delivered),
      completed: count(XDP_SOCK.completed),
      rxQueued: ringLength(m, m[at + XDP_SOCK.rxRing]),
    };
  }

  /** Sets SO_BUSY_POLL, SO_PREFER_BUSY_POLL, SO_BUSY_POLL_BUDGET, from its next call on; what is left out stays as it is. */
  setBusyPoll(options: BusyPollOptions): void {
    checkBusyPoll(options);
    if (this.last === null) setXskBusyPoll(this.machine.arena.m, this.at, options);
  }

  /**
   * Closes it: the queue receives for the stack again; the application can read what it was handed before. Resolves when
   * no frame can reach it any more. An application that ends closes its sockets, as a process does.
   */
  close(): Promise<void> {
    this.closing ??= this.machine.control(
      { name: 'xsk-shutdown', xsk: this.at },
      'closing an AF_XDP socket',
    ) as Promise<void>;
    this.closing.then(() => this.freeIfUnused()).catch(() => {});
    return this.closing;
  }

  /** Throws if an application of `machine` cannot use it. `rings`: it wants the rings, which one thread has. For Machine. */
  checkFreeFor(machine: Machine, rings: boolean, again: boolean): void {
    if (machine !== this.machine) {
      throw new OptionError('xsks', 'a socket of another machine', 'sockets that this machine opened');
    }
    if (this.closing !== null) throw new OptionError('xsks', 'a closed socket', 'open ones');
    if (rings && (this.hasRings || again)) {
      throw new SoftnetError(
        'giving an AF_XDP socket to an application',
        EBUSY,
        'its rings are one thread’s; give it to others as xskPollers',
      );
    }
  }

  /** An application starts to use it. For Machine. */
  addUser(rings: boolean): void {
    this.users++;
    if (rings) this.hasRings = true;
  }

  /** That application has ended: the one with the rings closes it. For Machine. */
  async userGone(rings: boolean): Promise<void> {
    this.users--;
    if (rings) await this.close();
    await this.freeIfUnused();
  }

  /** Frees its memory once it is closed and no thread uses it; frames nobody read are gone with it. */
  private freeIfUnused(): Promise<void> {
    if (this.users > 0 || this.closing === null) return Promise.resolve();
    this.freeing ??= this.free();
    return this.freeing;
  }

  private async free(): Promise<void> {
    await this.closing;
    this.last = this.statistics;
    await this.machine.control({ name: 'xsk-free', xsk: this.at }, 'freeing an AF_XDP socket');
    this.machine.forgetXsk(this);
  }
}
