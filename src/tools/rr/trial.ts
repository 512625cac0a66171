// SPDX-License-Identifier: GPL-2.0-only
/** One trial of `softnet rr`: a machine, a way of polling, a schedule of packets; what came of it. */
import { boot } from '../../index.js';
import type { Machine } from '../../machine.js';
import { costBetween } from './cost.js';
import { disturbance } from './disturbed.js';
import { runHandover } from './handover_trial.js';
import { type Ended, Lane } from './lane.js';
import { pinThread } from './pin.js';
import { utilisation } from './plan.js';
import { samplesOf, scheduleOf, type TrialOptions, threadNames } from './schedule.js';
import type { Trial } from './summary.js';

const MIB = 1 << 20;
/**
 * Runs one trial on a machine of its own.
 * @param signal ends it early: what there was is reported
 * @returns null if it ended before anything was measured
 * @throws SoftnetError if the host cannot give the threads or the memory
 */
export async function rrTrial(o: TrialOptions, signal: AbortSignal): Promise<Trial | null> {
  const machine = await boot({
    cpus: 2,
    memoryBytes: 128 * MIB,
    warmThreads: 3,
    maxThreads: 24,
    syscallNs: o.cell.syscallNs,
  });
  try {
    const trial = await (o.cell.mode === 'handover' ? runHandover : runLanes)(machine, o, signal);
    await machine.shutdown();
    return trial;
  } catch (error) {
    // The first error is the one to tell.
    await machine.shutdown().catch(() => {});
    throw error;
  }
}

async function runLanes(machine: Machine, o: TrialOptions, signal: AbortSignal): Promise<Trial | null> {
  const { cell } = o;
  const periodNs = o.row.periodUs * 1e3 * cell.apps;
  const schedule = scheduleOf(periodNs, o.seconds);
  const lanes: Lane[] = [];
  for (let i = 0; i < cell.apps; i++) lanes.push(await Lane.open(machine, o, i, periodNs, schedule));
  const names = threadNames(machine, (name) => isBusy(name, o));
  if (o.pin !== null) pinAll(names, o.pin);
  const ended = await Promise.all(lanes.map((lane) => lane.run([...names.keys()], signal)));
  for (const lane of lanes) await lane.close();
  const failures = [...ended.flatMap((e) => e.failures), ...unaccounted(machine, ended)];
  const { before, after } = ended[0].client;
  if (before === null && signal.aborted) return null;
  const cost = before === null ? null : costBetween(before, after, names);
  const busy = (name: string): boolean => isBusy(name, o);
  return {
    cell,
    ...samplesOf(lanes.map((l, i) => ({ shared: l.shared, measured: ended[i].client.measured }))),
    missed: sum(ended.map((e) => e.missed)),
    spanNs: Math.max(...ended.map((e) => (e.client.measured + e.missed) * periodNs)),
    cost,
    socketCalls: sum(ended.map((e) => e.calls)),
    emptyPolls: sum(ended.map((e) => e.emptyPolls)),
    log2: ended.find((e) => e.log2 !== null)?.log2 ?? null,
    disturbed:
      cost === null
        ? 'the client got no packet before the last one'
        : disturbance(cost, busy, utilisation(o.row) / cell.apps),
    failures,
  };
}

/** Tells whether a thread never sleeps in this trial. */
function isBusy(name: string, o: TrialOptions): boolean {
  if (name.startsWith('app/poll')) return true;
  if (name.startsWith('napi/')) return o.cell.mode === 'threaded';
  return name.startsWith('app/') && (o.wait === 'spin' || o.cell.mode === 'busypoll');
}

/** Who polls to the first core, the client to the second; a second client polls for itself. */
function pinAll(names: ReadonlyMap<number, string>, [pollCore, clientCore]: readonly number[]): void {
  for (const [tid, name] of names) {
    if (name === 'app/rr0') pinThread(tid, clientCore);
    else if (/^(app|napi|cpu)\//.test(name)) pinThread(tid, pollCore);
  }
}

/** Every packet was received or counted where it was dropped. */
function unaccounted(machine: Machine, ended: readonly Ended[]): string[] {
  const came = sum(ended.map((e) => e.sent));
  const received = sum(ended.map((e) => e.client.received));
  const drops = sum(Object.values(machine.drops()));
  const missing = came - received - drops;
  return missing === 0
    ? []
    : [
        `${came} packets came, but ${received} were received and ${drops} dropped: ${missing} are not accounted for`,
      ];
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
