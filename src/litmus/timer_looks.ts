// SPDX-License-Identifier: GPL-2.0-only
/**
 * Litmus tests of timers that must not be late: a CPU's thread is woken for a new first timer unless it looks by itself in
 * time (hrtimer.ts, H7, H8). A wait with a time-out may end at any moment under the checker, so the threads here sleep
 * without one, and the clock wakes whoever it has passed: then a sleep that is too long is one that does not end.
 */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import type { Current } from '../kernel/current.js';
import { HRTIMER, hrtimerCancel, hrtimerRunQueues, hrtimerSetup, hrtimerStart } from '../kernel/hrtimer.js';
import { schedule } from '../kernel/sched.js';
import { setCurrentState, TASK_INTERRUPTIBLE, TASK_RUNNING, wakeUpProcess } from '../kernel/task.js';
import { kmalloc } from '../mm/slab.js';
import { addCpuTask, addRunningTask, addWord, arena, boot, clockAt, currentOf } from './world.js';

interface LooksSetup {
  readonly cpu: number;
  readonly starter: number;
  /** Timers that expire at different times. */
  readonly early: number;
  readonly late: number;
  readonly clock: number;
  /** When the CPU's thread is woken by the clock, 0: not at all. */
  readonly alarm: number;
  /** Plain: timers that were called. */
  readonly fired: number;
}

const EARLY_US = 10;
const LATE_US = 20;

function looksSetup(m: Int32Array, label: Label): LooksSetup {
  boot(m, label, 1);
  const timers = [0, 1].map((data) => {
    const timer = kmalloc(m, HRTIMER.SIZE);
    label(m, timer, HRTIMER, data === 0 ? 'early' : 'late');
    hrtimerSetup(m, timer, 0, data);
    return timer;
  });
  return {
    cpu: addCpuTask(m, label),
    starter: addRunningTask(m, label, 'starter'),
    early: timers[0],
    late: timers[1],
    clock: addWord(m, label, 'clock'),
    alarm: addWord(m, label, 'alarm'),
    fired: addWord(m, label, 'fired'),
  };
}

function contextOf(m: Int32Array, s: LooksSetup, task: number): Current {
  const cur = currentOf(m, task, 0, clockAt(m, s.clock));
  cur.hrtimerFns.push(() => {
    m[s.fired]++;
  });
  return cur;
}

/** The idle loop as far as timers go, sleeping until the clock is where it has promised to look. */
function idleByTheClock(m: Int32Array, s: LooksSetup): void {
  const cur = contextOf(m, s, s.cpu);
  for (;;) {
    setCurrentState(cur.task, TASK_INTERRUPTIBLE);
    const nextUs = hrtimerRunQueues(cur);
    if (nextUs === 0) continue;
    const until = nextUs < 0 ? 0 : m[cur.cpu.timerLook];
    Atomics.store(m, s.alarm, until);
    // The alarm is set; it may be over.
    if (until !== 0 && Atomics.load(m, s.clock) >= until) setCurrentState(cur.task, TASK_RUNNING);
    schedule(cur);
  }
}

/** The clock goes on, and wakes a thread whose time has come. */
function tickTo(m: Int32Array, s: LooksSetup, us: number): void {
  Atomics.store(m, s.clock, us);
  const alarm = Atomics.load(m, s.alarm);
  if (alarm !== 0 && alarm <= us) wakeUpProcess(m, s.cpu);
}

/** Timers that are left expire later than the clock shows. */
function nothingLate(m: Int32Array, s: LooksSetup): void {
  for (const t of [s.early, s.late]) {
    const waits = m[t + HRTIMER.enqueued] !== 0;
    must(!waits || m[t + HRTIMER.expiresUs] > m[s.clock], 'the clock is past a timer, and its CPU sleeps');
  }
}

export const looksInTime: Litmus = litmus({
  name: 'hrtimer-not-late',
  memory: arena,
  setup: looksSetup,
  threads: {
    starter(m, s) {
      const cur = contextOf(m, s, s.starter);
      hrtimerStart(cur, s.late, LATE_US);
      hrtimerStart(cur, s.early, EARLY_US);
    },
    cpu: idleByTheClock,
    clock(m, s) {
      tickTo(m, s, 1);
      tickTo(m, s, 15);
    },
  },
  daemons: ['cpu'],
  final: nothingLate,
  forbids: 'a CPU that sleeps beyond the expiry of a timer started meanwhile',
  why: 'who starts the new first timer wakes it, unless it has promised to look before that',
});

export const looksAgain: Litmus = litmus({
  name: 'hrtimer-put-off',
  memory: arena,
  setup(m, label) {
    const s = looksSetup(m, label);
    hrtimerStart(contextOf(m, s, s.starter), s.early, EARLY_US);
    return s;
  },
  threads: {
    // A watchdog that is put off before it expires: nobody is woken for it.
    starter(m, s) {
      const cur = contextOf(m, s, s.starter);
      hrtimerStart(cur, s.early, LATE_US);
      hrtimerStart(cur, s.early, 2 * LATE_US);
    },
    cpu: idleByTheClock,
    clock(m, s) {
      tickTo(m, s, 11);
      tickTo(m, s, 3 * LATE_US);
    },
  },
  daemons: ['cpu'],
  final: nothingLate,
  forbids: 'a timer that nobody looks at because its CPU was to look for one that was put off',
  why: 'whoever has promised looks, finds the list changed, and promises anew',
});

export const looksTakenBack: Litmus = litmus({
  name: 'hrtimer-cancelled-look',
  memory: arena,
  setup(m, label) {
    const s = looksSetup(m, label);
    const cpu = contextOf(m, s, s.cpu);
    hrtimerStart(contextOf(m, s, s.starter), s.early, EARLY_US);
    hrtimerRunQueues(cpu); // it promises to look for this one
    return s;
  },
  threads: {
    starter(m, s) {
      const cur = contextOf(m, s, s.starter);
      hrtimerCancel(cur, s.early);
      hrtimerStart(cur, s.late, LATE_US);
    },
    cpu: idleByTheClock,
    clock(m, s) {
      tickTo(m, s, 12);
      tickTo(m, s, 100);
    },
  },
  daemons: ['cpu'],
  final: nothingLate,
  forbids: 'a timer that nobody looks at because its CPU had promised to, and sleeps without a limit',
  why: 'a thread takes its promise back, and looks again, before it sleeps without a limit',
});
