// SPDX-License-Identifier: GPL-2.0-only
/** A socket, as the main thread sees it. Reading is done by application threads. */
import { checkInt, checkPowerOfTwo } from './errors.js';
import type { Machine } from './machine.js';
import { SOCK, sockQueueLength } from './net/core/sock_queue.js';

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
  private closing: Promise<void> | null = null;

  constructor(machine: Machine, at: number, dev: number) {
    this.machine = machine;
    this.at = at;
    this.dev = dev;
  }

  /** Frames that applications have read so far (wraps at 2^32). */
  get delivered(): number {
    return Atomics.load(this.machine.arena.m, this.at + SOCK.delivered) >>> 0;
  }

  /** Frames dropped because the queue was full. */
  get drops(): number {
    return Atomics.load(this.machine.arena.m, this.at + SOCK.drops) >>> 0;
  }

  /** Frames queued and not yet read; racy unless traffic rests. */
  get queued(): number {
    return sockQueueLength(this.machine.arena.m, this.at);
  }

  /** Closes it: nothing more is queued; its reader gets what is there, then the end (null). */
  close(): Promise<void> {
    this.closing ??= this.machine
      .control({ name: 'sock-shutdown', sock: this.at, dev: this.dev }, 'closing a socket')
      .then(() => this.machine.forgetSocket(this));
    return this.closing;
  }
}
