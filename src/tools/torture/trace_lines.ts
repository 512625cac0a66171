// SPDX-License-Identifier: GPL-2.0-only
/** The latest trace events of a machine as lines, for the report of a failure. */
import type { Machine } from '../../index.js';
import * as TP from '../../kernel/trace.js';
import { NAPI_STATE_NAMES } from '../../net/core/napi.js';
import type { Trace } from '../../trace.js';
import { objectName } from '../trace/object_name.js';

/** @returns the bits of a state word that changed: `+SCHED -MISSED` */
function changed(before: number, after: number): string {
  const bits = NAPI_STATE_NAMES.flatMap((name, i) => {
    const bit = 1 << i;
    if (((before ^ after) & bit) === 0) return [];
    return [(after & bit) === 0 ? `-${name}` : `+${name}`];
  });
  return bits.join(' ') || 'as it was';
}

/** @returns what an event says, named as the kernel names it */
function eventText(t: Trace, i: number): string {
  const [a, b, c] = [t.a[i], t.b[i], t.c[i]];
  const name = objectName(t, i);
  switch (t.tp[i]) {
    case TP.TP_SCHED_WAKEUP:
      return `sched:sched_wakeup ${name}`;
    case TP.TP_SCHED_SWITCH_OUT:
      return 'sched:sched_switch goes to sleep';
    case TP.TP_SCHED_SWITCH_IN:
      return 'sched:sched_switch runs';
    case TP.TP_SOFTIRQ_RAISE:
      return `irq:softirq_raise ${a} on CPU ${b}`;
    case TP.TP_SOFTIRQ_ENTRY:
      return `irq:softirq_entry pending 0x${a.toString(16)}`;
    case TP.TP_SOFTIRQ_EXIT:
      return `irq:softirq_exit pending 0x${a.toString(16)}`;
    case TP.TP_NAPI_POLL_BEGIN:
      return `napi:napi_poll ${name} begins, budget ${b}`;
    case TP.TP_NAPI_POLL:
      return `napi:napi_poll ${name} took ${b} of ${c}`;
    case TP.TP_NETIF_RECEIVE_SKB:
      return `net:netif_receive_skb ${a}`;
    case TP.TP_KTHREAD_PARK:
      return `kthread_park ${name}`;
    case TP.TP_KTHREAD_UNPARK:
      return `kthread_unpark ${name}`;
    case TP.TP_NAPI_STATE:
      return `napi_state ${name} ${changed(b, c)}`;
    case TP.TP_SCHED_PROCESS_EXIT:
      return 'sched:sched_process_exit';
    case TP.TP_TRACE_LOST:
      return `${a} events lost`;
    default:
      return `event ${t.tp[i]}`;
  }
}

/** @returns the latest `count` events of all threads, a line each, oldest first; the times are those before the last one */
export function traceLines(machine: Machine, count: number): string[] {
  if (count === 0) return [];
  const t = machine.latestEvents(count);
  const lines = Array.from({ length: t.count }, (_, i) => {
    const us = (t.ns[i] - t.ns[t.count - 1]) / 1e3;
    const { name } = t.threads[t.thread[i]];
    return `  ${us.toFixed(1).padStart(12)} us  ${name.padEnd(16)} CPU ${t.cpu[i]}  ${eventText(t, i)}`;
  });
  return [`latest trace events: ${t.count}`, ...lines];
}
