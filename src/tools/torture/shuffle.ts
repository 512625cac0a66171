// SPDX-License-Identifier: GPL-2.0-only
/** Moves threads of the machine about the cores of the host, with the host's own tool (rcutorture: shuffle_interval). */
import { execFile } from 'node:child_process';
import { readSchedAttributes } from '../../threads/os_sched.js';
import { coresOf } from '../rr/pin.js';
import type { Context } from './world.js';

/** Threads that are moved at a time: each costs the host a process. */
const AT_ONCE = 3;

function taskset(cores: string, tid: number): Promise<boolean> {
  return new Promise((resolve) => {
    execFile('taskset', ['-pc', cores, String(tid)], (error) => resolve(error === null));
  });
}

/** Pins a few threads to a core each, and lets them go at the next shuffle. Nothing happens where the host does not allow it. */
export async function shuffleContext(
  { world, random }: Context,
  intervalS: number,
  onShuffle: () => void,
): Promise<void> {
  const allowed = readSchedAttributes(process.pid)?.cpus ?? '';
  const cores = coresOf(allowed);
  if (cores.length < 2) return;
  let pinned: { tid: number; serial: number }[] = [];
  while (await world.gate.pass()) {
    await world.gate.pause(intervalS * 1000);
    const threads = world.machine.threads().filter((t) => t.running && t.tid !== 0);
    for (const { tid, serial } of pinned) {
      if (threads.some((t) => t.serial === serial)) await taskset(allowed, tid);
    }
    pinned = [];
    const longLived = threads.filter((t) => /^(cpu|ksoftirqd|napi|backlog_napi)\//.test(t.name));
    for (let i = 0; i < AT_ONCE && longLived.length > 0 && !world.gate.over; i++) {
      const { tid, serial } = random.pick(longLived);
      if (!(await taskset(String(random.pick(cores)), tid))) return;
      pinned.push({ tid, serial });
    }
    onShuffle();
  }
}
