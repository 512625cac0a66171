// SPDX-License-Identifier: GPL-2.0-only
/** A socket, as the main thread sees it. Reading is done by application threads. */
import { checkInt, checkPowerOfTwo, OptionError, SoftnetError } from './errors.js';
import { EBUSY } from './kernel/errno.js';
import type { Machine } from './machine.js';
import { type BusyPollOptions, setSockBusyPoll } from './net/core/sock_busy.js';
import { SOCK, sockQueueLength } from './net/core/sock_queue.js';
import { checkBusyPoll } from './threads/app_epoll.js';

/** Size of a socket's queue. */
export interface SocketOptions {
  /** Slots of the queue, a power of two; 16384. */
  readonly capacity?: number;
  /** Most frames queued: what comes on top is dropped and counted (socket_rcvbuff); `capacity`. */
  readonly rcvbuf?: number;
}

/** Checks the options. */
export function socketParams(options: SocketOptions): { capacity: number; rcvbuf: number } {
  const capacity = checkPowerOfTwo('capacity', options.capacity, 16384, 2, 1 << 20);
  return { capacity, rcvbuf: checkInt('rcvbuf', options.rcvbuf, capacity, 1, capacity) };
}

export class Socket {
  /** Word index of its struct. */
  readonly at: number;
  private readonly machine: Machine;
  private readonly dev: number;
  private readers = 0;
  private closing: Promise<void> | null = null;
  private freeing: Promise<void> | null = null;
  private freed = false;
  private lastDelivered = 0;
  private lastDrops = 0;

  constructor(machine: Machine, at: number, dev: number) {
    this.machine = machine;
    this.at = at;
    this.dev = dev;
  }

  /** Frames that applications have read so far (wraps at 2^32). */
  get delivered(): number {
    if (this.freed) return this.lastDelivered;
    return Atomics.load(this.machine.arena.m, this.at + SOCK.delivered) >>> 0;
  }

  /** Frames dropped because the queue was full. */
  get drops(): number {
    if (this.freed) return this.lastDrops;
    return Atomics.load(this.machine.arena.m, this.at + SOCK.drops) >>> 0;
  }

  /** SO_INCOMING_NAPI_ID: the instance that received its latest frame; 0: none yet. */
  get incomingNapiId(): number {
    return this.freed ? 0 : Atomics.load(this.machine.arena.m, this.at + SOCK.napiId);
  }

  /** Sets SO_BUSY_POLL, SO_PREFER_BUSY_POLL, SO_BUSY_POLL_BUDGET: from the reader's next wait on. */
  setBusyPoll(options: BusyPollOptions): void {
    checkBusyPoll(options);
    if (!this.freed) setSockBusyPoll(this.machine.arena.m, this.at, options);
  }

  /** Frames queued and not yet read; racy unless traffic rests. */
  get queued(): number {
    if (this.freed) return 0;
    return sockQueueLength(this.machine.arena.m, this.at);
  }

  /**
   * Closes it: nothing more is queued; its reader gets what is there, then the end (null). Resolves when no frame can
   * reach it any more. An application that ends closes its sockets, as a process does.
   */
  close(): Promise<void> {
    this.closing ??= this.machine.control(
      { name: 'sock-shutdown', sock: this.at, dev: this.dev },
      'closing a socket',
    ) as Promise<void>;
    // Freeing is nobody's to wait for; if it fails the machine has died, which every other operation tells.
    this.closing.then(() => this.freeIfUnused()).catch(() => {});
    return this.closing;
  }

  /** Throws if an application of `machine` cannot read from it. For Machine. */
  checkFreeFor(machine: Machine, again: boolean): void {
    if (machine !== this.machine) {
      throw new OptionError('sockets', 'a socket of another machine', 'sockets that this machine opened');
    }
    if (this.closing !== null) throw new OptionError('sockets', 'a closed socket', 'open ones');
    if (this.readers > 0 || again) {
      throw new SoftnetError(
        'giving a socket to an application',
        EBUSY,
        'a socket has one reader: open another',
      );
    }
  }

  /** An application starts to read from it. For Machine. */
  addReader(): void {
    this.readers++;
  }

  /** That application has ended. For Machine. */
  async readerGone(): Promise<void> {
    this.readers--;
    await this.close();
    await this.freeIfUnused();
  }

  /** Frees its memory once it is closed and nobody reads; frames nobody read are counted as dropped (socket_close). */
  private freeIfUnused(): Promise<void> {
    if (this.readers > 0) return Promise.resolve();
    this.freeing ??= this.free();
    return this.freeing;
  }

  private async free(): Promise<void> {
    this.lastDelivered = this.delivered;
    this.lastDrops = this.drops;
    this.freed = true;
    await this.machine.control({ name: 'sock-free', sock: this.at }, 'freeing a socket');
    this.machine.forgetSocket(this);
  }

  /** Resolves when its memory is free again. For Machine. */
  async released(): Promise<void> {
    await this.freeing;
  }
}
