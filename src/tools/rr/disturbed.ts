// SPDX-License-Identifier: GPL-2.0-only
/**
 * Whether the host disturbed a trial. The rule: a trial is disturbed when what was taken from it may have touched more
 * than half a percent of its packets, because its p99 is then the host's and not the program's.
 *
 * - Threads that never sleep (the application that spins, the poller) wait for a core only when something else has it.
 *   For what a queue at utilisation u falls behind in a time D, it needs D / (1 - u) to catch up: so much of the run was
 *   touched.
 * - With no core to spare, threads of the machine itself that wake up take theirs from those that never sleep: what they
 *   ran is taken off, it belongs to what is measured.
 * - What the hypervisor took from all cores counts in the same way (its clock ticks every 10 ms).
 * - A thread that sleeps is not judged: the time between its wake-up and its running is part of what is measured.
 */
import { availableParallelism } from 'node:os';
import type { Cost } from './cost.js';

/** Part of the packets that may be touched. */
const TOUCHED = 0.005;
/** A load of 1 and above never catches up: the rule still needs a figure. */
const LEAST_IDLE = 0.02;

/**
 * @param busy tells by its name whether a thread never sleeps in this mode
 * @param utilisation part of the time for which the application is busy with packets
 * @param cores of the host
 * @returns why the trial is disturbed, or null
 */
export function disturbance(
  cost: Cost,
  busy: (name: string) => boolean,
  utilisation: number,
  cores: number = availableParallelism(),
): string | null {
  const idle = Math.max(LEAST_IDLE, 1 - utilisation);
  const limitNs = TOUCHED * idle * cost.wallNs;
  let delayNs = 0;
  let ownNs = 0;
  let spinning = 0;
  let most = { name: '', ns: 0 };
  for (const t of cost.threads) {
    if (!busy(t.name)) {
      ownNs += t.cpuNs ?? 0;
      continue;
    }
    spinning++;
    delayNs += t.runDelayNs ?? 0;
    if (t.runDelayNs !== null && t.runDelayNs > most.ns) most = { name: t.name, ns: t.runDelayNs };
  }
  if (spinning >= cores) delayNs -= ownNs;
  if (delayNs > limitNs) {
    return `its busy threads waited ${us(delayNs)} µs for a core, ${most.name} most of it; ${us(limitNs)} µs are let pass`;
  }
  if (cost.stealNs !== null && cost.stealNs > limitNs) {
    return `the hypervisor took ${us(cost.stealNs)} µs from the host; ${us(limitNs)} µs are let pass`;
  }
  return null;
}

function us(ns: number): string {
  return Math.round(ns / 1e3).toLocaleString('en');
}
