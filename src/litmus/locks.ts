// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of the locks: kernel/locking/spinlock.ts, kernel/locking/mutex.ts, and the BH lock of kernel/bh.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { condResched, localBhDisable, localBhEnable } from '../kernel/bh.js';
import { CPU } from '../kernel/cpu.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { mutexLock, mutexTryLock, mutexUnlock } from '../kernel/locking/mutex.js';
import { spinLock, spinTryLock, spinUnlock } from '../kernel/locking/spinlock.js';
import { ARENA_WORDS, addRunningTask, addWord, boot, clockAt, currentOf } from './world.js';

const LOCK = 0;
const OWNER = 1;
const COUNT = 2;

const memory = (): Int32Array => new Int32Array(new SharedArrayBuffer(3 * 4));

function spinTwice(m: Int32Array): void {
  for (let i = 0; i < 2; i++) {
    spinLock(m, LOCK);
    m[COUNT]++;
    spinUnlock(m, LOCK);
  }
}

export const spinlock: Litmus = litmus({
  name: 'spinlock',
  memory,
  setup: (m, label) => label(m, 0, ['lock', 'owner', 'count']),
  threads: { a: spinTwice, b: spinTwice, c: spinTwice },
  final(m) {
    must(m[COUNT] === 6, `the lock let ${6 - m[COUNT]} increments be lost`);
    must(m[LOCK] === 0, `the lock's word is ${m[LOCK]} though nobody holds it`);
  },
  forbids: 'two holders at once, or a waiter left asleep',
  why: 'an unlock that reads CONTENDED wakes one, and the woken thread keeps the mark for the others',
});

export const spinlockTry: Litmus = litmus({
  name: 'spinlock-try',
  memory,
  setup: (m, label) => label(m, 0, ['lock', 'owner', 'count']),
  threads: {
    a: spinTwice,
    b(m) {
      if (!spinTryLock(m, LOCK)) return;
      m[COUNT]++;
      spinUnlock(m, LOCK);
    },
    c(m) {
      spinLock(m, LOCK);
      m[COUNT]++;
      spinUnlock(m, LOCK);
    },
  },
  final(m) {
    must(m[COUNT] === 3 || m[COUNT] === 4, `the count is ${m[COUNT]}`);
  },
  forbids: 'a holder by trylock beside another',
  why: 'trylock takes the lock only from FREE',
});

export const mutex: Litmus = litmus({
  name: 'mutex',
  memory,
  setup: (m, label) => label(m, 0, ['lock', 'owner', 'count']),
  threads: {
    a(m) {
      mutexLock(m, LOCK, 1);
      must(Atomics.load(m, OWNER) === 1, 'the holder is not the owner');
      m[COUNT]++;
      mutexUnlock(m, LOCK, 1);
    },
    b(m) {
      mutexLock(m, LOCK, 2);
      must(Atomics.load(m, OWNER) === 2, 'the holder is not the owner');
      m[COUNT]++;
      mutexUnlock(m, LOCK, 2);
    },
    c(m) {
      if (!mutexTryLock(m, LOCK, 3)) return;
      must(Atomics.load(m, OWNER) === 3, 'the holder is not the owner');
      m[COUNT]++;
      mutexUnlock(m, LOCK, 3);
    },
  },
  final(m) {
    must(m[OWNER] === 0 && m[LOCK] === 0, 'the mutex is held at the end');
    must(m[COUNT] >= 2, `the count is ${m[COUNT]}`);
  },
  forbids: 'an owner that is not the holder, or two holders',
  why: 'the owner is written behind the lock and cleared before the unlock',
});

export const bhLock: Litmus = litmus({
  name: 'bh-lock-yield',
  memory: () => new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4)),
  setup(m, label) {
    boot(m, label, 1);
    return {
      poller: addRunningTask(m, label, 'poller'),
      other: addRunningTask(m, label, 'other'),
      count: addWord(m, label, 'count'),
      clock: addWord(m, label, 'clock'),
    };
  },
  threads: {
    poller(m, s) {
      const cur = currentOf(m, s.poller, 0, clockAt(m, s.clock));
      for (let i = 0; i < 2; i++) {
        localBhDisable(cur);
        m[s.count]++;
        localBhEnable(cur);
        condResched(cur);
      }
    },
    other(m, s) {
      const cur = currentOf(m, s.other, 0, clockAt(m, s.clock));
      localBhDisable(cur);
      localBhDisable(cur);
      m[s.count]++;
      localBhEnable(cur);
      localBhEnable(cur);
    },
    clock(m, s) {
      Atomics.store(m, s.clock, 2000); // more than a tick has passed
    },
  },
  final(m, s) {
    must(m[s.count] === 3, `the count is ${m[s.count]}`);
    must(
      m[m[KERNEL_AT + KERNEL.cpus] + CPU.bhYield] === 0,
      'a request to give way is left: loops heed it for ever',
    );
  },
  forbids: 'two threads in softirq context on one CPU, or one left asleep',
  why: 'a waiter that asked for its turn takes the request back and wakes who gave way',
});
