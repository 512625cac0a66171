// SPDX-License-Identifier: GPL-2.0-only
/**
 * Waiting for one of several sockets, busy polling first (Linux: ep_poll and ep_busy_loop in fs/eventpoll.c).
 *
 * States: harvesting (events are with the application; with preferBusyPoll and irq-suspend-timeout interrupts are
 * suspended) → busy polling → asleep (interrupts are on).
 *
 * Owner: all of it belongs to the thread that waits. Which sockets are ready is read off their queues.
 *
 * Invariants
 *   - It sleeps only after it has seen every queue empty behind its sleeping state, and with interrupts resumed.
 *   - Suspended interrupts are resumed by a loop that found nothing, by the end of the instance, or by the watchdog.
 *
 * Ordering
 *   Y2 reader: store its sleeping state, then load each queue's index   pairs with  Y1 (sock_queue.ts)
 */
import { schedule, scheduleTimeout } from '../../kernel/sched.js';
import { setCurrentState, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../../kernel/task.js';
import {
  BUSY_POLL_BUDGET,
  NAPI_F_PREFER_BUSY_POLL,
  napiBusyLoop,
  napiResumeIrqs,
  napiSuspendIrqs,
} from './busy_poll.js';
import type { NetContext } from './net_context.js';
import { SOCK, type SockReader } from './sock_queue.js';
import { NET } from './softnet_data.js';

/** Values of an instance (Linux: struct epoll_params, EPIOCSPARAMS). */
export interface EpollParams {
  /** How long a wait busy polls, us; 0: as long as net.core.busy_poll says. */
  readonly busyPollUsecs: number;
  /** Most packets of one poll; 0: BUSY_POLL_BUDGET. */
  readonly busyPollBudget: number;
  /** Interrupts stay deferred between two waits, and suspended while events are worked on. */
  readonly preferBusyPoll: boolean;
}

/** A thread's epoll instance over sockets that it reads. Make once, keep. */
export class EventPoll {
  /** Indices of the sockets that are ready, the first `count` of the latest wait. */
  readonly ready: Int32Array;
  private readonly net: NetContext;
  private readonly readers: readonly SockReader[];
  private readonly params: EpollParams;
  /** Instance to busy poll: the one that the latest ready socket receives from. */
  private napiId = 0;
  private limitUs = 0;
  private readonly loopEnd = (startUs: number): boolean => this.loopEnds(startUs);

  constructor(net: NetContext, readers: readonly SockReader[], params: EpollParams) {
    this.net = net;
    this.readers = readers;
    this.params = params;
    this.ready = new Int32Array(readers.length);
  }

  /**
   * Waits until a socket has frames or is closed (Linux: epoll_wait, level-triggered).
   * @param timeoutUs most microseconds to wait; 0: not at all; negative: without end
   * @returns how many sockets are ready; 0: the time was up
   */
  wait(timeoutUs: number): number {
    const { cur } = this.net;
    const startUs = cur.platform.nowUs();
    for (;;) {
      let count = this.harvest();
      if (count > 0 || timeoutUs === 0) return count;
      if (this.busyLoop()) continue;
      setCurrentState(cur.task, TASK_INTERRUPTIBLE); // Y2
      if (!this.available()) {
        const leftUs = (timeoutUs - ((cur.platform.nowUs() - startUs) | 0)) | 0;
        if (timeoutUs < 0) schedule(cur);
        else if (leftUs <= 0 || !scheduleTimeout(cur, leftUs)) {
          setCurrentState(cur.task, TASK_RUNNING);
          count = this.harvest();
          return count;
        }
      }
      setCurrentState(cur.task, TASK_RUNNING);
    }
  }

  /** The instance is closed: interrupts come again (Linux: ep_clear_and_put). */
  close(): void {
    if (this.napiId !== 0 && this.params.preferBusyPoll) napiResumeIrqs(this.net, this.napiId);
    this.napiId = 0;
  }

  /** Looks for ready sockets; if there are some, interrupts are suspended while they are worked on. */
  private harvest(): number {
    const { readers, ready, net } = this;
    let count = 0;
    for (let i = 0; i < readers.length; i++) {
      if (!isReady(readers[i])) continue;
      ready[count++] = i;
      const id = this.on() ? Atomics.load(net.m, readers[i].at + SOCK.napiId) : 0;
      if (id !== 0) this.napiId = id;
    }
    if (count > 0 && this.napiId !== 0 && this.params.preferBusyPoll) napiSuspendIrqs(net, this.napiId);
    return count;
  }

  private available(): boolean {
    for (const r of this.readers) if (isReady(r)) return true;
    return false;
  }

  /** @returns true if waits busy poll at all (Linux: ep_busy_loop_on) */
  private on(): boolean {
    const { params, net } = this;
    return (
      params.busyPollUsecs > 0 || params.preferBusyPoll || Atomics.load(net.m, net.at + NET.busyPoll) > 0
    );
  }

  /** @returns true if sockets became ready while it polled */
  private busyLoop(): boolean {
    const { net, params, napiId } = this;
    if (napiId === 0 || !this.on()) return false;
    this.limitUs =
      params.busyPollUsecs > 0 ? params.busyPollUsecs : Atomics.load(net.m, net.at + NET.busyPoll);
    const flags = params.preferBusyPoll ? NAPI_F_PREFER_BUSY_POLL : 0;
    const budget = params.busyPollBudget > 0 ? params.busyPollBudget : BUSY_POLL_BUDGET;
    napiBusyLoop(net, napiId, this.loopEnd, flags, budget);
    if (this.available()) return true;
    // Until a socket is ready again nobody knows which instance to poll.
    if (params.preferBusyPoll) napiResumeIrqs(net, napiId);
    this.napiId = 0;
    return false;
  }

  private loopEnds(startUs: number): boolean {
    return this.available() || ((this.net.cur.platform.nowUs() - startUs) | 0) > this.limitUs;
  }
}

function isReady(r: SockReader): boolean {
  return r.consumer.available(1) > 0 || r.closed();
}
