// SPDX-License-Identifier: GPL-2.0-only
/** Threads on cores of the host, with the host's own tool. */
import { spawnSync } from 'node:child_process';
import { readSchedAttributes } from '../../threads/os_sched.js';

/**
 * @param wanted two cores: for who polls and for the application; 'auto': the first two that this process may use
 * @returns the cores, or why it cannot be done
 */
export function pinCores(wanted: 'auto' | readonly number[]): readonly number[] | string {
  const probe = spawnSync('taskset', ['--version'], { stdio: 'ignore' });
  if (probe.error !== undefined) {
    return 'this host has no taskset; install util-linux, or leave --pin out';
  }
  const allowed = coresOf(readSchedAttributes(process.pid)?.cpus ?? '');
  const cores = wanted === 'auto' ? allowed.slice(0, 2) : wanted;
  if (cores.length < 2 || cores.some((c) => !allowed.includes(c))) {
    return `this process may use cores ${allowed.join(', ')}: --pin needs two of these`;
  }
  return cores;
}

/** Reads a list as /proc shows it: 0-2,5. */
export function coresOf(list: string): number[] {
  if (list === '') return [];
  return list.split(',').flatMap((part) => {
    const [from, to = from] = part.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

/** Pins a thread. @returns false if the host would not have it */
export function pinThread(tid: number, core: number): boolean {
  if (tid === 0) return false;
  return spawnSync('taskset', ['-pc', String(core), String(tid)], { stdio: 'ignore' }).status === 0;
}
