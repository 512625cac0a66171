// SPDX-License-Identifier: GPL-2.0-only
//
// Threads of kthread.test.ts: kernel threads, and the controllers that create, park and stop them. A kernel thread's
// argument is the index of two words: how often it ran, and how often it was in its loop.

import {
  kthreadCreate,
  kthreadPark,
  kthreadParkme,
  kthreadRun,
  kthreadShouldPark,
  kthreadShouldStop,
  kthreadStop,
  kthreadUnpark,
} from '../../dist/kernel/kthread.js';
import { rcuReadLock, rcuReadUnlock } from '../../dist/kernel/rcu.js';
import { schedule } from '../../dist/kernel/sched.js';
import {
  setCurrentState,
  TASK,
  TASK_DEAD,
  TASK_INTERRUPTIBLE,
  TASK_RUNNING,
  taskComm,
  wakeUpProcess,
} from '../../dist/kernel/task.js';
import { kfree, kmalloc } from '../../dist/mm/slab.js';
import { advance, dawdle, meet, random, reach } from './kernel_steps.mjs';

const ENOMEM = 12;
/** Places in the list below. */
const [SLEEPY, BRIEF] = [0, 2];

export const kthreadFns = [sleepy, busy, brief];

/** Sleeps and counts its wake-ups, until it is stopped. */
function sleepy(cur, words) {
  advance(cur.m, words);
  setCurrentState(cur.task, TASK_INTERRUPTIBLE);
  while (!kthreadShouldStop(cur)) {
    if (kthreadShouldPark(cur)) kthreadParkme(cur);
    else {
      schedule(cur);
      advance(cur.m, words + 1);
    }
    setCurrentState(cur.task, TASK_INTERRUPTIBLE);
  }
  setCurrentState(cur.task, TASK_RUNNING);
  return 7;
}

/** Never sleeps, until it is stopped. */
function busy(cur, words) {
  advance(cur.m, words);
  while (!kthreadShouldStop(cur)) {
    advance(cur.m, words + 1);
    if (kthreadShouldPark(cur)) kthreadParkme(cur);
  }
  return 8;
}

/** Returns by itself. */
function brief(cur, words) {
  advance(cur.m, words);
  return 9;
}

const create = (cur, fn, words, name = 'made') => kthreadCreate(cur, fn, words, 1, 5, name);
const run = (cur, fn, words) => kthreadRun(cur, fn, words, 1, 5, 'made');

/** Creates a thread, looks at it, wakes it, stops it. */
export function createWakeStop(cur, { words }) {
  const { m } = cur;
  const t = create(cur, SLEEPY, words, 'napi/eth0-12345-and-more');
  dawdle(50_000);
  const before = {
    ran: Atomics.load(m, words),
    name: taskComm(m, t),
    cpu: m[t + TASK.cpu],
    kind: m[t + TASK.kind],
  };
  wakeUpProcess(m, t);
  reach(m, words, 1);
  return { before, result: kthreadStop(cur, t), ran: m[words] };
}

/** Creates a thread and stops it without ever waking it. */
export function stopUnwoken(cur, { words }) {
  const t = create(cur, SLEEPY, words);
  return { result: kthreadStop(cur, t), ran: cur.m[words] };
}

/** Stops a thread that has returned long ago. */
export function stopReturned(cur, { words }) {
  const t = run(cur, BRIEF, words);
  reach(cur.m, t + TASK.exited, 1);
  return kthreadStop(cur, t);
}

/** Stops threads at every stage of their lives. @returns results other than those that can be */
export function stopMany(cur, { words, rounds, allowed }) {
  const next = random(1);
  const odd = [];
  for (let i = 0; i < rounds; i++) {
    const t = i % 8 === 0 ? create(cur, SLEEPY, words) : run(cur, next(2), words);
    dawdle(next(30_000));
    if (next(2) === 0) wakeUpProcess(cur.m, t);
    const result = kthreadStop(cur, t);
    if (!allowed.includes(result)) odd.push(result);
  }
  return odd;
}

/** Parks and unparks a running thread. @returns how often it ran on while it was parked */
export function parkMany(cur, { words, rounds, fn }) {
  const { m } = cur;
  const next = random(1);
  const t = run(cur, fn, words);
  const seen = { ranOn: 0, refused: 0 };
  reach(m, words, 1);
  for (let i = 0; i < rounds; i++) {
    dawdle(next(2000));
    if (kthreadPark(cur, t) !== 0) seen.refused++;
    const was = Atomics.load(m, words + 1);
    // A parked thread runs by no wake-up but kthreadUnpark's.
    if (wakeUpProcess(m, t)) seen.ranOn++;
    dawdle(next(2000));
    if (Atomics.load(m, words + 1) !== was) seen.ranOn++;
    kthreadUnpark(m, t);
    if (i % 4 === 0) {
      if (fn === SLEEPY) while (Atomics.load(m, words + 1) === was) wakeUpProcess(m, t);
      reach(m, words + 1, was + 1);
    }
  }
  return { ...seen, result: kthreadStop(cur, t) };
}

/** Parks a thread that was never woken, looks whether it ran, then lets it. */
export function parkUnwoken(cur, { words }) {
  const { m } = cur;
  const t = create(cur, SLEEPY, words);
  const answers = [kthreadPark(cur, t)];
  answers.push(Atomics.load(m, words));
  kthreadUnpark(m, t);
  reach(m, words, 1);
  answers.push(kthreadStop(cur, t));
  return answers;
}

/** Stops a parked thread; `unwoken`: one that was parked before it first ran. */
export function stopParked(cur, { words, unwoken }) {
  const t = unwoken ? create(cur, SLEEPY, words) : run(cur, SLEEPY, words);
  if (!unwoken) reach(cur.m, words, 1);
  kthreadPark(cur, t);
  return kthreadStop(cur, t);
}

export function parkTwice(cur, { words }) {
  const t = run(cur, SLEEPY, words);
  const answers = [kthreadPark(cur, t), kthreadPark(cur, t)];
  kthreadUnpark(cur.m, t);
  kthreadUnpark(cur.m, t);
  answers.push(kthreadPark(cur, t));
  kthreadStop(cur, t);
  return answers;
}

/** Parks a thread that has returned by itself, twice, then stops it. */
export function parkReturned(cur, { words }) {
  const { m } = cur;
  const t = run(cur, BRIEF, words);
  while (Atomics.load(m, t + TASK.state) !== TASK_DEAD) dawdle(1000);
  const answers = [kthreadPark(cur, t), kthreadPark(cur, t)];
  kthreadUnpark(m, t);
  answers.push(kthreadStop(cur, t));
  return answers;
}

/** Parks threads while they return by themselves, then stops them. @returns answers other than those that can be */
export function parkReturning(cur, { words, rounds, allowed }) {
  const next = random(1);
  const odd = [];
  for (let i = 0; i < rounds; i++) {
    const t = run(cur, BRIEF, words);
    dawdle(next(20_000));
    const answers = [kthreadPark(cur, t), kthreadStop(cur, t)];
    if (!allowed.some((a) => a[0] === answers[0] && a[1] === answers[1])) odd.push(answers);
  }
  return odd;
}

/** Creates threads until one is refused. */
export function createRefused(cur, { words }) {
  const { m } = cur;
  const before = kmalloc(m, TASK.SIZE);
  kfree(m, before, TASK.SIZE);
  const refused = [create(cur, SLEEPY, words), run(cur, SLEEPY, words)];
  const after = kmalloc(m, TASK.SIZE);
  kfree(m, after, TASK.SIZE);
  const t = run(cur, SLEEPY, words);
  return { refused, leaked: before !== after, result: kthreadStop(cur, t) };
}

/** Creates a thread while the arena is full. */
export function createWithoutMemory(cur, { words }) {
  const { m } = cur;
  const blocks = [];
  for (let at = kmalloc(m, TASK.SIZE); at !== 0; at = kmalloc(m, TASK.SIZE)) blocks.push(at);
  const refused = create(cur, SLEEPY, words);
  for (const at of blocks) kfree(m, at, TASK.SIZE);
  const t = run(cur, SLEEPY, words);
  return { refused: refused === -ENOMEM, result: kthreadStop(cur, t) };
}

/** Several controllers ask for threads at the same time; each keeps three. @returns their names, and mix-ups */
export function createMany(cur, { words, gate, count, id, rounds }) {
  const mine = [];
  const names = [];
  let mixedUp = 0;
  meet(cur.m, gate, count);
  for (let i = 0; i < rounds; i++) {
    const t = create(cur, BRIEF, words, `made/${id}-${i}`);
    if (mine.includes(t)) mixedUp++;
    mine.push(t);
    names.push(taskComm(cur.m, t));
    if (mine.length > 3) kthreadStop(cur, mine.shift());
  }
  for (const t of mine) kthreadStop(cur, t);
  return { names, mixedUp };
}

/**
 * Runs and stops threads under wakers that find them through a published pointer. What is freed is allocated again
 * and filled with words that look like a sleeping task's. @returns how many of those a late waker changed
 */
export function stopUnderWakers(cur, { words, pointer, rounds, ended }) {
  const { m } = cur;
  let changed = 0;
  for (let i = 0; i < rounds; i++) {
    const t = run(cur, SLEEPY, words);
    Atomics.store(m, pointer, t);
    dawdle(20_000);
    Atomics.store(m, pointer, 0);
    kthreadStop(cur, t);
    const at = kmalloc(m, TASK.SIZE);
    m.fill(TASK_INTERRUPTIBLE, at, at + TASK.SIZE);
    dawdle(5000);
    for (let w = 0; w < TASK.SIZE; w++) if (Atomics.load(m, at + w) !== TASK_INTERRUPTIBLE) changed++;
    kfree(m, at, TASK.SIZE);
  }
  Atomics.store(m, ended, 1);
  return changed;
}

export function wakePublished(cur, { pointer, ended }) {
  const { m } = cur;
  let woke = 0;
  while (Atomics.load(m, ended) === 0) {
    rcuReadLock(cur);
    const t = Atomics.load(m, pointer);
    dawdle(100);
    if (t !== 0 && wakeUpProcess(m, t)) woke++;
    rcuReadUnlock(cur);
  }
  return woke;
}
