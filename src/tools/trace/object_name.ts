// SPDX-License-Identifier: GPL-2.0-only
import { TP_NAPI_POLL, TP_NAPI_POLL_BEGIN, TP_NAPI_STATE } from '../../kernel/trace.js';
import type { Trace } from '../../trace.js';

/** @returns what the first argument of an event is called: a task, or an instance; its address, if nobody knows */
export function objectName(t: Trace, i: number): string {
  const tp = t.tp[i];
  const instance = tp === TP_NAPI_POLL || tp === TP_NAPI_POLL_BEGIN || tp === TP_NAPI_STATE;
  const name = instance ? t.instances[t.object[i]] : t.threads[t.object[i]]?.name;
  return name ?? `@0x${(t.a[i] >>> 0).toString(16)}`;
}
