// SPDX-License-Identifier: GPL-2.0-only
/** An application's epoll instance, and the checks of the options of busy polling. */
import { checkGivenInt, checkInt, OptionError } from '../errors.js';
import { EventPoll } from '../net/core/eventpoll.js';
import type { BusyPollOptions } from '../net/core/sock_busy.js';
import type { SockReader } from '../net/core/sock_queue.js';
import type { ThreadContext } from './context.js';
import { chargeSyscall } from './syscall_charge.js';

/** How an epoll instance waits (Linux: struct epoll_params); all zero: as net.core.busy_poll says. */
export interface EpollOptions {
  /** How long a wait busy polls, us. */
  readonly busyPollUs?: number;
  /** Most packets of one poll; 8. */
  readonly busyPollBudget?: number;
  /** Interrupts stay deferred between two waits, and suspended (irq-suspend-timeout) while events are worked on. */
  readonly preferBusyPoll?: boolean;
}

const INT_MAX = 0x7fffffff;
/** Longest wait, ms: the range of the clock that it is measured by. */
const MAX_WAIT_MS = 1_800_000;
/** A budget is a word of 16 bits. */
const MAX_BUDGET = 0xffff;

function checkFlag(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw new OptionError(name, value, 'true or false');
  return value;
}

/** Checks the options of a socket. @throws OptionError */
export function checkBusyPoll(o: BusyPollOptions): BusyPollOptions {
  if (o.busyPollUs !== undefined) checkGivenInt('busyPollUs', o.busyPollUs, 0, INT_MAX);
  if (o.preferBusyPoll !== undefined) checkFlag('preferBusyPoll', o.preferBusyPoll);
  if (o.busyPollBudget !== undefined) checkGivenInt('busyPollBudget', o.busyPollBudget, 0, MAX_BUDGET);
  return o;
}

export class Epoll {
  private readonly ctx: ThreadContext;
  private readonly events: EventPoll;

  constructor(ctx: ThreadContext, readers: readonly SockReader[], o: EpollOptions) {
    this.ctx = ctx;
    this.events = new EventPoll(ctx.net, readers, {
      busyPollUsecs: checkInt('busyPollUs', o.busyPollUs, 0, 0, INT_MAX),
      busyPollBudget: checkInt('busyPollBudget', o.busyPollBudget, 0, 0, MAX_BUDGET),
      preferBusyPoll: checkFlag('preferBusyPoll', o.preferBusyPoll ?? false),
    });
  }

  /** The sockets that are ready, by their places among those given to runApp: the first `wait()` of them. */
  get ready(): Int32Array {
    return this.events.ready;
  }

  /**
   * Waits until a socket has frames or is closed (level-triggered: one that is closed is ready for good).
   * @param timeoutMs most milliseconds to wait; 0: not at all; negative: without end
   * @returns how many are ready; 0: the time was up
   */
  wait(timeoutMs = -1): number {
    chargeSyscall(this.ctx);
    return this.events.wait(timeoutMs < 0 ? -1 : Math.ceil(Math.min(timeoutMs, MAX_WAIT_MS) * 1000));
  }

  /** Lets it go: interrupts come again. An application that ends does so. */
  close(): void {
    this.events.close();
  }
}
