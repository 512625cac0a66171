// SPDX-License-Identifier: GPL-2.0-only
/** Which wake-up made a thread run. */
import { TP_SCHED_SWITCH_IN, TP_SCHED_SWITCH_OUT, TP_SCHED_WAKEUP } from '../../kernel/trace.js';
import type { Trace } from '../../trace.js';

/**
 * Joins each switch-in with the wake-up that ended the sleep, while the events of a trace are gone through in order. A
 * wake-up of a thread that runs ends none: it came before the thread slept at all, or its waker was held up.
 */
export class Wakes {
  private readonly t: Trace;
  /** Threads that sleep. */
  private readonly asleep = new Set<number>();
  /** Of threads that sleep: the event that woke them. */
  private readonly woken = new Map<number, number>();

  constructor(t: Trace) {
    this.t = t;
    const heard = new Set<number>();
    for (let i = 0; i < t.count && heard.size < t.threads.length; i++) {
      const thread = t.thread[i];
      // Who first says that it runs again has slept before.
      if (!heard.has(thread) && t.tp[i] === TP_SCHED_SWITCH_IN) this.asleep.add(thread);
      heard.add(thread);
    }
  }

  /** Looks at event `i`, after all those before it. @returns the wake-up that it ends, where it is a switch-in; or -1 */
  see(i: number): number {
    const { t, asleep, woken } = this;
    switch (t.tp[i]) {
      case TP_SCHED_SWITCH_OUT:
        asleep.add(t.thread[i]);
        return -1;
      case TP_SCHED_WAKEUP: {
        const thread = t.object[i];
        if (asleep.has(thread) && !woken.has(thread)) woken.set(thread, i);
        return -1;
      }
      case TP_SCHED_SWITCH_IN: {
        const by = woken.get(t.thread[i]) ?? -1;
        woken.delete(t.thread[i]);
        asleep.delete(t.thread[i]);
        return by;
      }
      default:
        return -1;
    }
  }
}
