// SPDX-License-Identifier: GPL-2.0-only
//
// Threads of task.test.ts: they sleep in schedule and wake one another.

import { schedule, scheduleTimeout } from '../../dist/kernel/sched.js';
import {
  setCurrentState,
  TASK,
  TASK_INTERRUPTIBLE,
  TASK_RUNNING,
  wakeUpProcess,
  wakeUpState,
} from '../../dist/kernel/task.js';
import { advance, dawdle, meet, random, reach } from './kernel_steps.mjs';

/** Waits as the kernel does: set the state, test the condition, schedule. */
function waitEvent(cur, condition) {
  for (;;) {
    setCurrentState(cur.task, TASK_INTERRUPTIBLE);
    if (condition()) break;
    schedule(cur);
  }
  setCurrentState(cur.task, TASK_RUNNING);
}

/** Publishes this thread in `tasks` and waits for the others. */
function join({ m, task }, { tasks, id, gate, count }) {
  Atomics.store(m, tasks + id, task.at);
  meet(m, gate, count);
}

/** Plays `rounds` rounds of ping-pong with the thread of the other id, 1 or 2. @returns how often it slept */
export function pingPong(cur, args) {
  const { m } = cur;
  const { tasks, id, ball, rounds } = args;
  const next = random(id);
  join(cur, args);
  const other = m[tasks + 3 - id];
  for (let i = 0; i < rounds; i++) {
    const mine = 2 * i + id - 1;
    waitEvent(cur, () => Atomics.load(m, ball) === mine);
    dawdle(next(400));
    Atomics.store(m, ball, mine + 1);
    wakeUpProcess(m, other);
  }
  return m[cur.task.at + TASK.nvcsw];
}

/** Thread 1 takes work that the others leave in words of their own; they wait until it is taken. */
export function workers(cur, args) {
  const { m } = cur;
  const { tasks, id, count, work, rounds } = args;
  const next = random(id);
  join(cur, args);
  if (id === 1) {
    let taken = 0;
    const some = () => {
      for (let k = 2; k <= count; k++) if (Atomics.load(m, work + k) !== 0) return k;
      return 0;
    };
    while (taken < rounds * (count - 1)) {
      waitEvent(cur, () => some() !== 0);
      for (let k = some(); k !== 0; k = some()) {
        Atomics.store(m, work + k, 0);
        wakeUpProcess(m, m[tasks + k]);
        taken++;
      }
    }
    return taken;
  }
  for (let i = 0; i < rounds; i++) {
    dawdle(next(300));
    Atomics.store(m, work + id, 1);
    wakeUpProcess(m, m[tasks + 1]);
    waitEvent(cur, () => Atomics.load(m, work + id) === 0);
  }
  return rounds;
}

/** Thread 1 sleeps `rounds` times; the others wake it all at once. @returns how often this thread woke it */
export function wakeAtOnce(cur, args) {
  const { m } = cur;
  const { tasks, id, count, asleep, tried, rounds } = args;
  let woke = 0;
  join(cur, args);
  for (let i = 1; i <= rounds; i++) {
    if (id === 1) {
      setCurrentState(cur.task, TASK_INTERRUPTIBLE);
      advance(m, asleep);
      schedule(cur);
      reach(m, tried, i * (count - 1));
    } else {
      reach(m, asleep, i);
      if (wakeUpProcess(m, m[tasks + 1])) woke++;
      advance(m, tried);
    }
  }
  return woke;
}

/** Says that it is about to sleep in `state`, sleeps, says that it is awake. */
export function sleepIn(cur, { state, task, awake }) {
  setCurrentState(cur.task, state);
  Atomics.store(cur.m, task, cur.task.at);
  Atomics.notify(cur.m, task);
  schedule(cur);
  advance(cur.m, awake);
  return { state: Atomics.load(cur.m, cur.task.state), sleeps: cur.m[cur.task.at + TASK.nvcsw] };
}

/** Tries wakers on a sleeper; the last one must wake it. */
export function tryWakers({ m }, { task, awake, masks }) {
  reach(m, task, 1);
  const at = m[task];
  const answers = [];
  for (const mask of masks) {
    answers.push(mask === null ? wakeUpProcess(m, at) : wakeUpState(m, at, mask));
  }
  reach(m, awake, 1);
  answers.push(wakeUpProcess(m, at));
  return answers;
}

/** @returns what scheduleTimeout answered, the state it left, and the microseconds it took */
export function sleepFor(cur, { timeoutUs, task }) {
  setCurrentState(cur.task, TASK_INTERRUPTIBLE);
  Atomics.store(cur.m, task, cur.task.at);
  Atomics.notify(cur.m, task);
  const startUs = cur.platform.nowUs();
  const woken = scheduleTimeout(cur, timeoutUs);
  return {
    woken,
    state: Atomics.load(cur.m, cur.task.state),
    tookUs: (cur.platform.nowUs() - startUs) | 0,
  };
}

export function wake({ m }, { task }) {
  reach(m, task, 1);
  return wakeUpProcess(m, m[task]);
}
