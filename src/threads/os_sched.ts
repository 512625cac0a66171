// SPDX-License-Identifier: GPL-2.0-only
/**
 * What a user may set of a thread from outside: affinity and scheduling policy. A worker that goes back to the pool
 * must not hand them on to the thread it becomes next. Linux only; elsewhere there is nothing to look at.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Affinity as a list, policy and priority, as /proc shows them. */
export interface SchedAttributes {
  readonly cpus: string;
  /** SCHED_*: 0 other, 1 fifo, 2 round robin, 3 batch, 5 idle. */
  readonly policy: number;
  readonly priority: number;
}

/** Options of chrt by policy. */
const POLICY_OPTIONS: { readonly [policy: number]: string } = { 0: '-o', 1: '-f', 2: '-r', 3: '-b', 5: '-i' };
/** Fields of /proc/PID/stat behind the name, which may hold spaces: state is the first of them (number 3). */
const PRIORITY_FIELD = 40 - 3;
const POLICY_FIELD = 41 - 3;

/** @returns what a thread of this process is set to, or null where it cannot be told */
export function readSchedAttributes(tid: number): SchedAttributes | null {
  if (tid === 0) return null;
  try {
    const status = readFileSync(`/proc/self/task/${tid}/status`, 'latin1');
    const stat = readFileSync(`/proc/self/task/${tid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const cpus = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1];
    if (cpus === undefined) return null;
    return { cpus, policy: Number(fields[POLICY_FIELD]), priority: Number(fields[PRIORITY_FIELD]) };
  } catch {
    return null;
  }
}

/**
 * Gives a thread back what it was set to, with the host's tools, if somebody has changed it.
 * @returns true if it had been changed
 */
export function restoreSchedAttributes(tid: number, was: SchedAttributes | null): boolean {
  if (was === null) return false;
  const now = readSchedAttributes(tid);
  if (now === null) return false;
  const moved = now.cpus !== was.cpus;
  const reclassed = now.policy !== was.policy || now.priority !== was.priority;
  if (moved) run('taskset', ['-pc', was.cpus, String(tid)]);
  const option = POLICY_OPTIONS[was.policy];
  if (reclassed && option !== undefined) run('chrt', [option, '-p', String(was.priority), String(tid)]);
  return moved || reclassed;
}

/** Runs a tool of the host's, which is there if somebody has used it before. */
function run(tool: string, args: readonly string[]): void {
  // Loaded when it is needed: it takes memory in every worker.
  const { spawnSync } = createRequire(import.meta.url)(
    'node:child_process',
  ) as typeof import('node:child_process');
  spawnSync(tool, args, { stdio: 'ignore' });
}
