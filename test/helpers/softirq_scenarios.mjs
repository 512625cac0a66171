// SPDX-License-Identifier: GPL-2.0-only
//
// Threads of softirq.test.ts: CPUs whose softirqs do what the words of `state` say, and threads that raise them.

import { CPU } from '../../dist/kernel/cpu.js';
import { kthreadPark } from '../../dist/kernel/kthread.js';
import { raiseSoftirq, raiseSoftirqNoWake } from '../../dist/kernel/softirq.js';
import { TASK } from '../../dist/kernel/task.js';
import { cpuThreadFns } from './cpu_threads.mjs';
import { advance, dawdle, meet, random, reach, SCRATCH_AT } from './kernel_steps.mjs';

export { bootCpus, stopCpus } from './cpu_threads.mjs';

export const kthreadFns = cpuThreadFns;

/** Words behind the one that SCRATCH_AT points to; lines of their own where several threads write. */
const WANTED = 0; // by raiser: what it wants done
const SEEN = 16; // by raiser: what was done
const AGAIN = 32; // times softirq 0 is still to raise itself
const MOST_AGAIN = 33; // 0, or: it raises itself at random, up to so many times
const INSIDE = 34; // handlers inside, by CPU
const OVERLAPS = 40;
const CLOCK_US = 41; // 0: the real clock; otherwise this time
const STEP_US = 42; // the clock goes on by so much with every run
const HOLD = 43; // 1: the first run in ksoftirqd waits for GO
const HELD = 44;
const GO = 45;
const QUIET = 46; // 1: it raises itself without waking anybody, as net_rx_action does; 0: by turns
const RUNS = 48; // runs so far, then who ran
const LOG_RUNS = 1000;
export const STATE_WORDS = RUNS + 1 + LOG_RUNS;

/** The clock of the machine, or one that the test sets. */
class TestPlatform {
  constructor(m, real) {
    this.m = m;
    this.real = real;
  }
  nowNs() {
    return this.real.nowNs();
  }
  nowUs() {
    return Atomics.load(this.m, this.m[SCRATCH_AT] + CLOCK_US) || this.real.nowUs();
  }
  usleep(us) {
    this.real.usleep(us);
  }
}

function enter(cur) {
  const { m } = cur;
  const state = m[SCRATCH_AT];
  if (Atomics.add(m, state + INSIDE + cur.cpu.id, 1) !== 0) Atomics.add(m, state + OVERLAPS, 1);
  const run = Atomics.add(m, state + RUNS, 1);
  if (run < LOG_RUNS) m[state + RUNS + 1 + run] = 2 * cur.cpu.id + isKsoftirqd(cur);
  if (Atomics.load(m, state + CLOCK_US) !== 0) Atomics.add(m, state + CLOCK_US, m[state + STEP_US]);
  return state;
}

function leave(cur, state) {
  Atomics.sub(cur.m, state + INSIDE + cur.cpu.id, 1);
}

function isKsoftirqd(cur) {
  return cur.m[cur.cpu.at + CPU.ksoftirqd] === cur.task.at ? 1 : 0;
}

/** Softirq 0: raises itself as often as AGAIN says; then has done what the raisers wanted when it began. */
function mainSoftirq(cur) {
  const { m, cpu } = cur;
  const state = enter(cur);
  const wanted = Array.from({ length: 8 }, (_, id) => Atomics.load(m, state + WANTED + id));
  if (isKsoftirqd(cur) && Atomics.exchange(m, state + HOLD, 0) === 1) {
    advance(m, state + HELD);
    reach(m, state + GO, 1);
  }
  let again = Atomics.load(m, state + AGAIN);
  if (again === 0 && m[state + MOST_AGAIN] > 0) again = 1 + cur.random(m[state + MOST_AGAIN]);
  if (again > 0) {
    Atomics.store(m, state + AGAIN, again - 1);
    if (again > 1 || m[state + MOST_AGAIN] === 0) {
      if (again % 2 === 0 && m[state + QUIET] === 0) raiseSoftirq(cur, cpu, 0);
      else raiseSoftirqNoWake(cur, cpu, 0);
      leave(cur, state);
      return;
    }
  }
  wanted.forEach((n, id) => {
    Atomics.store(m, state + SEEN + id, n);
    Atomics.notify(m, state + SEEN + id);
  });
  leave(cur, state);
}

export function setup(cur) {
  cur.platform = new TestPlatform(cur.m, cur.platform);
  cur.random = random(cur.task.at);
  cur.softirqVec[0] = mainSoftirq;
}

/** Raises softirq 0 again and again and waits each time until all it wanted is done. */
export function raiseAndWait(cur, { id, gate, count, rounds, cpu }) {
  const { m } = cur;
  const state = m[SCRATCH_AT];
  const next = random(id);
  meet(m, gate, count);
  for (let i = 1; i <= rounds; i++) {
    Atomics.store(m, state + WANTED + id, i);
    raiseSoftirq(cur, cur.cpus[cpu], 0);
    reach(m, state + SEEN + id, i);
    dawdle(next(500));
  }
}

/** Sets the words of `state` by name. */
export function prepare({ m }, { again = 0, mostAgain = 0, clockUs = 0, stepUs = 0, hold = 0, quiet = 0 }) {
  const state = m[SCRATCH_AT];
  Atomics.store(m, state + AGAIN, again);
  Atomics.store(m, state + MOST_AGAIN, mostAgain);
  Atomics.store(m, state + CLOCK_US, clockUs);
  Atomics.store(m, state + STEP_US, stepUs);
  Atomics.store(m, state + HOLD, hold);
  Atomics.store(m, state + QUIET, quiet);
}

/** Raises softirq 0 once and waits until it has raised itself as often as it should. @returns the runs, see `log` */
export function chain(cur, { cpu }) {
  const { m } = cur;
  const state = m[SCRATCH_AT];
  Atomics.add(m, state + WANTED, 1);
  raiseSoftirq(cur, cur.cpus[cpu], 0);
  reach(m, state + SEEN, m[state + WANTED]);
  return log(cur);
}

/** @returns what ran so far: CPU and thread of each run, and the CPU's counters */
export function log({ m, cpus }) {
  const state = m[SCRATCH_AT];
  const runs = Array.from({ length: Math.min(m[state + RUNS], LOG_RUNS) }, (_, i) => {
    const entry = m[state + RUNS + 1 + i];
    return { cpu: entry >> 1, ksoftirqd: (entry & 1) === 1 };
  });
  return {
    runs,
    overlaps: m[state + OVERLAPS],
    counters: cpus.map(({ at }) => ({
      rounds: m[at + CPU.softirqRuns],
      handovers: m[at + CPU.softirqHandovers],
    })),
  };
}

/** Parks ksoftirqd of a CPU; returns when it is parked. */
export function parkKsoftirqd(cur, { cpu }) {
  kthreadPark(cur, cur.m[cur.cpus[cpu].at + CPU.ksoftirqd]);
}

/** Lets the held ksoftirqd go on once it is asked to park and the CPU's own thread has gone to sleep. */
export function releaseWhenAsked({ m, cpus }, { cpu, asked }) {
  const state = m[SCRATCH_AT];
  const t = m[cpus[cpu].at + CPU.ksoftirqd];
  while ((Atomics.load(m, t + TASK.kthreadFlags) & asked) === 0);
  while (Atomics.load(m, m[cpus[cpu].at + CPU.task] + TASK.state) === 0);
  advance(m, state + GO);
}

/** Waits until ksoftirqd is held inside a softirq. */
export function reachHeld({ m }) {
  reach(m, m[SCRATCH_AT] + HELD, 1);
}
