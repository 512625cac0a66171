// SPDX-License-Identifier: GPL-2.0-only
/** A trial of the bare hand-over between two cores (threads/rr_handover.ts). */
import type { Machine } from '../../machine.js';
import type { HandoverArgs, HandoverResult } from '../../threads/rr_handover.js';
import { RR, rrGo, rrShared } from '../../threads/rr_shared.js';
import { costBetween } from './cost.js';
import { disturbance } from './disturbed.js';
import { pinThread } from './pin.js';
import { samplesOf, scheduleOf, type TrialOptions, threadNames } from './schedule.js';
import type { Trial } from './summary.js';

const MODULE = new URL('../../threads/rr_handover.js', import.meta.url);

/** Runs it with the row's period. @returns null if it ended before anything was measured */
export async function runHandover(
  machine: Machine,
  o: TrialOptions,
  signal: AbortSignal,
): Promise<Trial | null> {
  const periodNs = o.row.periodUs * 1e3;
  const schedule = scheduleOf(periodNs, o.seconds);
  const shared = rrShared(schedule.last - schedule.first + 1);
  const args: HandoverArgs = { shared, schedule, periodNs };
  const consumer = await machine.runApp<HandoverResult>(MODULE, {
    name: 'rr0',
    exportName: 'consumer',
    cpu: 1,
    args,
  });
  const producer = await machine.runApp<void>(MODULE, { name: 'poll', exportName: 'producer', cpu: 0, args });
  const busy = (name: string): boolean => name.startsWith('app/');
  const names = threadNames(machine, busy);
  const { pin } = o;
  if (pin !== null) {
    for (const [tid, name] of names) if (busy(name)) pinThread(tid, name === 'app/rr0' ? pin[1] : pin[0]);
  }
  const stop = (): number => Atomics.store(new Int32Array(shared.control), RR.stop, 1);
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  rrGo(shared, [...names.keys()]);
  const [result] = await Promise.all([consumer.result, producer.result]);
  signal.removeEventListener('abort', stop);
  if (result.before === null) return null;
  const cost = costBetween(result.before, result.after, names);
  return {
    cell: o.cell,
    ...samplesOf([{ shared, measured: result.measured }]),
    missed: 0,
    spanNs: result.measured * periodNs,
    cost,
    socketCalls: 0,
    emptyPolls: null,
    log2: null,
    disturbed: disturbance(cost, busy, 0),
    failures: [],
  };
}
