// SPDX-License-Identifier: GPL-2.0-only
import { isOfInstance } from '../../threads/trace_ring.js';
import type { Trace } from '../../trace.js';

/** @returns what the first argument of an event is called: a task, or an instance; its address, if nobody knows */
export function objectName(t: Trace, i: number): string {
  const name = isOfInstance(t.tp[i]) ? t.instances[t.object[i]] : t.threads[t.object[i]]?.name;
  return name ?? `@0x${(t.a[i] >>> 0).toString(16)}`;
}
