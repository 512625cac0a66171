// SPDX-License-Identifier: GPL-2.0-only
//
// Threads of rcu.test.ts: readers of all sorts, and updaters that wait for them.

import { complete } from '../../dist/kernel/completion.js';
import { mutexLock, mutexUnlock } from '../../dist/kernel/locking/mutex.js';
import {
  rcuQuiescentState,
  rcuReadLock,
  rcuReadUnlock,
  rcuThreadOffline,
  rcuThreadOnline,
  synchronizeRcu,
} from '../../dist/kernel/rcu.js';
import {
  releaseMutex,
  schedule,
  scheduleTimeout,
  sleepOnCompletion,
  sleepOnMutex,
} from '../../dist/kernel/sched.js';
import { setCurrentState, TASK_INTERRUPTIBLE, wakeUpProcess } from '../../dist/kernel/task.js';
import { kfree, kmalloc } from '../../dist/mm/slab.js';
import { advance, dawdle, meet, random, reach } from './kernel_steps.mjs';

/** Stays in a read section, `depth` deep, until told to go; leaves word `left` behind. */
export function stayInside(cur, { entered, go, left, depth }) {
  const { m } = cur;
  for (let i = 0; i < depth; i++) rcuReadLock(cur);
  for (let i = 1; i < depth; i++) rcuReadUnlock(cur);
  advance(m, entered);
  reach(m, go, 1);
  dawdle(20_000);
  Atomics.store(m, left, 1);
  rcuReadUnlock(cur);
}

/** Polls, and reports a quiescent state only when told: step k of `go` allows report number k. */
export function pollInSteps(cur, { entered, go, left, steps }) {
  const { m } = cur;
  rcuReadLock(cur);
  advance(m, entered);
  for (let step = 1; step <= steps; step++) {
    reach(m, go, step);
    dawdle(5000);
    Atomics.store(m, left, step);
    rcuQuiescentState(cur);
  }
  // Between the last report and this the section still holds: nobody waits for it any more.
  rcuReadUnlock(cur);
}

/** Waits for `steps` grace periods. @returns the word `left` after each */
export function synchronize(cur, { entered, readers, left, steps, done }) {
  const { m } = cur;
  reach(m, entered, readers);
  const seen = [];
  for (let step = 0; step < steps; step++) {
    synchronizeRcu(cur);
    seen.push(Atomics.load(m, left));
    advance(m, done);
  }
  return seen;
}

const sleeps = {
  schedule: (cur) => schedule(cur),
  scheduleTimeout: (cur) => scheduleTimeout(cur, 1_800_000_000),
  completion: (cur, { at }) => sleepOnCompletion(cur, at),
  mutex: (cur, { at }) => {
    sleepOnMutex(cur, at);
    releaseMutex(cur, at);
  },
};

/** A kernel thread (inside a read section while it runs) that sleeps until it is woken. @returns whether it is online */
export function sleeper(cur, args) {
  const { m, task } = cur;
  const { how, entered, self, rcuCtr } = args;
  rcuReadLock(cur);
  setCurrentState(task, TASK_INTERRUPTIBLE);
  Atomics.store(m, self, task.at);
  advance(m, entered);
  sleeps[how](cur, args);
  const online = Atomics.load(m, task.at + rcuCtr) !== 0;
  rcuReadUnlock(cur);
  return online;
}

/** Holds what the sleeper sleeps on, waits for grace periods, then wakes it. */
export function synchronizeAndWake(cur, { how, entered, self, at, steps }) {
  const { m } = cur;
  if (how === 'mutex') mutexLock(m, at, cur.task.at);
  advance(m, entered);
  reach(m, entered, 2);
  for (let step = 0; step < steps; step++) synchronizeRcu(cur);
  if (how === 'mutex') mutexUnlock(m, at, cur.task.at);
  else if (how === 'completion') complete(m, at);
  else wakeUpProcess(m, m[self]);
}

/** Runs in user mode: outside any read section, until told to go. */
export function offline(cur, { entered, go }) {
  rcuThreadOnline(cur);
  rcuThreadOffline(cur);
  advance(cur.m, entered);
  reach(cur.m, go, 1);
}

/** Polls without a sleep and reports quiescent states, until told to stop. @returns turns */
export function poll(cur, { entered, stop }) {
  rcuReadLock(cur);
  advance(cur.m, entered);
  let turns = 0;
  for (; Atomics.load(cur.m, stop) === 0; turns++) rcuQuiescentState(cur);
  rcuReadUnlock(cur);
  return turns;
}

const SIZE = 32;

/**
 * Replaces the object that `pointer` points to, again and again, and frees the old one after a grace period: at least
 * `rounds` times, and until all have read `wanted` times together.
 */
export function replaceObjects(cur, { pointer, rounds, reads, wanted, gate, count, running }) {
  const { m } = cur;
  meet(m, gate, count);
  for (let i = 1; i <= rounds || Atomics.load(m, reads) < wanted; i++) {
    const at = kmalloc(m, SIZE);
    m.fill(i, at, at + SIZE);
    const old = Atomics.exchange(m, pointer, at);
    if (old === 0) continue;
    synchronizeRcu(cur);
    m.fill(-1, old, old + SIZE);
    kfree(m, old, SIZE);
  }
  Atomics.sub(m, running, 1);
}

const between = {
  sections: (cur) => {
    rcuReadUnlock(cur);
    rcuReadLock(cur);
  },
  reports: (cur) => rcuQuiescentState(cur),
  sleeps: (cur) => {
    setCurrentState(cur.task, TASK_INTERRUPTIBLE);
    scheduleTimeout(cur, 20);
  },
};

/** Reads the objects while they are replaced. @returns words that were not those of a living object */
export function readObjects(cur, { pointers, how, reads, gate, count, running, id }) {
  const { m } = cur;
  const next = random(id);
  let freed = 0;
  meet(m, gate, count);
  rcuReadLock(cur);
  while (Atomics.load(m, running) > 0) {
    const at = Atomics.load(m, pointers[Atomics.add(m, reads, 1) % pointers.length]);
    if (at !== 0) {
      const first = m[at];
      for (let look = next(4); look >= 0; look--) {
        for (let w = 0; w < SIZE; w++) if (m[at + w] !== first || first <= 0) freed++;
        dawdle(next(100));
      }
    }
    between[how](cur);
  }
  rcuReadUnlock(cur);
  return freed;
}
