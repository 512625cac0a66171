// SPDX-License-Identifier: GPL-2.0-only
/**
 * What the operating system knows of a thread: its id, name, times. Linux only, through /proc; elsewhere every
 * function answers "not available" and nothing else changes.
 */
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';

/** CPU time and time spent waiting for a CPU, in nanoseconds (schedstat). */
export interface SchedStat {
  readonly cpuNs: number;
  readonly runDelayNs: number;
}

/** @returns the kernel's id of the running thread, or 0 where it is not available */
export function readTid(): number {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').pop()) || 0;
  } catch {
    return 0;
  }
}

/** Names a thread of this process, as `ps -T` and `top -H` show it: cut to 15 characters. */
export function setComm(tid: number, name: string): void {
  if (tid === 0) return;
  try {
    writeFileSync(`/proc/self/task/${tid}/comm`, name.slice(0, 15));
  } catch {
    // A name is a convenience: without the right to set it the thread works all the same.
  }
}

/** Lets the running thread's sleeps end on time (1 ns of slack): for threads whose sleep stands for hardware. */
export function setTimerSlack(tid: number): void {
  if (tid === 0) return;
  try {
    writeFileSync(`/proc/${tid}/timerslack_ns`, '1');
  } catch {
    // Not permitted, or not Linux: sleeps end up to 50 us later.
  }
}

/** @returns the times of a thread of this process, or null where they are not available */
export function readSchedStat(tid: number): SchedStat | null {
  if (tid === 0) return null;
  try {
    const [cpu, delay] = readFileSync(`/proc/self/task/${tid}/schedstat`, 'utf8').split(' ');
    return { cpuNs: Number(cpu), runDelayNs: Number(delay) };
  } catch {
    return null;
  }
}

/** How often a thread left its core: of its own accord, and because it was taken off (/proc/PID/status). */
export interface Switches {
  readonly voluntary: number;
  readonly forced: number;
}

/** @returns the switches of a thread of this process, or null where they are not available */
export function readSwitches(tid: number): Switches | null {
  if (tid === 0) return null;
  try {
    const status = readFileSync(`/proc/self/task/${tid}/status`, 'latin1');
    const voluntary = /^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1];
    const forced = /^nonvoluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1];
    return voluntary === undefined || forced === undefined
      ? null
      : { voluntary: Number(voluntary), forced: Number(forced) };
  } catch {
    return null;
  }
}
