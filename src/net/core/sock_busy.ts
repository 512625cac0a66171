// SPDX-License-Identifier: GPL-2.0-only
/**
 * A reader of sockets that busy polls before it sleeps (Linux: sk_busy_loop, sk_busy_loop_end in net/core/sock.c).
 *
 * Owner: the reading thread. The options it goes by are words of the socket, read anew for each loop.
 */
import { BUSY_POLL_BUDGET, type BusyLoopEnd, NAPI_F_PREFER_BUSY_POLL, napiBusyLoop } from './busy_poll.js';
import type { NetContext } from './net_context.js';
import { SOCK, type SockReader } from './sock_queue.js';

/** Values of SO_BUSY_POLL, SO_PREFER_BUSY_POLL and SO_BUSY_POLL_BUDGET. */
export interface BusyPollOptions {
  /** How long a reader busy polls before it sleeps, us; 0: not. */
  readonly busyPollUs?: number;
  /** Interrupts stay deferred between two loops. */
  readonly preferBusyPoll?: boolean;
  /** Most packets of one poll; 0: BUSY_POLL_BUDGET. */
  readonly busyPollBudget?: number;
}

/** Sets those that are given. Any thread. */
export function setSockBusyPoll(m: Int32Array, sock: number, o: BusyPollOptions): void {
  if (o.busyPollUs !== undefined) Atomics.store(m, sock + SOCK.llUsec, o.busyPollUs);
  if (o.preferBusyPoll !== undefined) Atomics.store(m, sock + SOCK.preferBusyPoll, o.preferBusyPoll ? 1 : 0);
  if (o.busyPollBudget !== undefined) Atomics.store(m, sock + SOCK.busyPollBudget, o.busyPollBudget);
}

/** A thread's busy loop over the sockets it reads. Make once, keep. */
export class SockBusyLoop {
  private readonly net: NetContext;
  private readonly readers: readonly SockReader[];
  private limitUs = 0;
  private readonly loopEnd: BusyLoopEnd;

  constructor(net: NetContext, readers: readonly SockReader[]) {
    this.net = net;
    this.readers = readers;
    this.loopEnd = (startUs) => this.loopEnds(startUs);
  }

  /**
   * Polls the instance of the first open socket that has busy polling on and has received before, until one of the sockets
   * has frames, or all are closed, or its time is up.
   * @param nonblock polls once
   * @returns false if no socket is to busy poll (Linux: sk_can_busy_loop)
   */
  run(nonblock: boolean): boolean {
    const { net, readers } = this;
    const { m } = net;
    for (let i = 0; i < readers.length; i++) {
      if (readers[i].closed()) continue;
      const { at } = readers[i];
      const us = Atomics.load(m, at + SOCK.llUsec);
      const napiId = us > 0 ? Atomics.load(m, at + SOCK.napiId) : 0;
      if (napiId === 0) continue;
      this.limitUs = us;
      const flags = Atomics.load(m, at + SOCK.preferBusyPoll) !== 0 ? NAPI_F_PREFER_BUSY_POLL : 0;
      const budget = Atomics.load(m, at + SOCK.busyPollBudget) || BUSY_POLL_BUDGET;
      napiBusyLoop(net, napiId, nonblock ? null : this.loopEnd, flags, budget);
      return true;
    }
    return false;
  }

  private loopEnds(startUs: number): boolean {
    const { readers } = this;
    let open = false;
    for (let i = 0; i < readers.length; i++) {
      if (readers[i].consumer.available(1) > 0) return true;
      if (!readers[i].closed()) open = true;
    }
    return !open || ((this.net.cur.platform.nowUs() - startUs) | 0) > this.limitUs;
  }
}
