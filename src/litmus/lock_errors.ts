// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of wrong use of the locks, and of two waiters for the BH lock: kernel/locking/, kernel/bh.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { condResched, localBhDisable, localBhEnable } from '../kernel/bh.js';
import { CPU } from '../kernel/cpu.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { mutexLock, mutexTryLock, mutexUnlock } from '../kernel/locking/mutex.js';
import { spinLock, spinTryLock, spinUnlock } from '../kernel/locking/spinlock.js';
import { ARENA_WORDS, addRunningTask, addWord, boot, clockAt, currentOf } from './world.js';

const LOCK = 0;
const COUNT = 2;

/** Runs `step`, which must throw. */
function refused(step: () => void, what: string): void {
  let threw = false;
  try {
    step();
  } catch {
    threw = true;
  }
  must(threw, `${what} is not refused`);
}

export const mutexErrors: Litmus = litmus({
  name: 'mutex-errors',
  memory: () => new Int32Array(new SharedArrayBuffer(3 * 4)),
  setup: (m, label) => label(m, 0, ['lock', 'owner', 'count']),
  threads: {
    holder(m) {
      mutexLock(m, LOCK, 1);
      m[COUNT]++;
      refused(() => mutexLock(m, LOCK, 1), 'locking what one holds');
      must(!mutexTryLock(m, LOCK, 1), 'trylock takes what its task holds');
      m[COUNT]++;
      mutexUnlock(m, LOCK, 1);
      refused(() => mutexUnlock(m, LOCK, 1), 'unlocking what one does not hold');
    },
    stranger(m) {
      refused(() => mutexUnlock(m, LOCK, 2), 'unlocking what another holds');
      refused(() => mutexLock(m, LOCK, 0), 'a task id of 0');
      if (!mutexTryLock(m, LOCK, 2)) return;
      m[COUNT]++;
      mutexUnlock(m, LOCK, 2);
    },
  },
  final(m) {
    must(m[LOCK] === 0 && m[LOCK + 1] === 0, 'the mutex is held at the end');
  },
  forbids: 'a mutex that its own task takes twice, or that one unlocks who does not hold it',
  why: 'only a task itself ever writes its id into the owner word (M5)',
});

export const spinlockErrors: Litmus = litmus({
  name: 'spinlock-errors',
  memory: () => new Int32Array(new SharedArrayBuffer(3 * 4)),
  setup: (m, label) => label(m, 0, ['lock', 'owner', 'count']),
  threads: {
    only(m) {
      refused(() => spinUnlock(m, LOCK), 'unlocking a free lock');
      must(spinTryLock(m, LOCK), 'a free lock is not to be had');
      must(!spinTryLock(m, LOCK), 'a held lock is to be had');
      spinUnlock(m, LOCK);
      spinLock(m, LOCK);
      spinUnlock(m, LOCK);
      must(mutexTryLock(m, LOCK, 1), 'a free mutex is not to be had');
      mutexUnlock(m, LOCK, 1);
    },
  },
  forbids: 'a free lock that is unlocked, or refused',
  why: 'the unlock sees what the word was',
});

export const bhTwoWaiters: Litmus = litmus({
  name: 'bh-lock-two-waiters',
  memory: () => new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4)),
  setup(m, label) {
    boot(m, label, 1);
    return {
      poller: addRunningTask(m, label, 'poller'),
      count: addWord(m, label, 'count'),
      clock: addWord(m, label, 'clock'),
    };
  },
  threads: {
    poller(m, s) {
      const cur = currentOf(m, s.poller, 0, clockAt(m, s.clock));
      localBhDisable(cur);
      Atomics.store(m, s.clock, 2000); // more than a tick has passed
      m[s.count]++;
      localBhEnable(cur);
      condResched(cur);
    },
    waiterA: (m, s) => wait(m, s),
    waiterB: (m, s) => wait(m, s),
  },
  final(m, s) {
    must(m[s.count] === 3, `the count is ${m[s.count]}`);
    must(m[m[KERNEL_AT + KERNEL.cpus] + CPU.bhYield] === 0, 'a request to give way is left');
  },
  forbids: 'requests to give way of which one is lost, or stays for ever',
  why: 'waiters count themselves in and out by fetch-and-add',
});

function wait(m: Int32Array, s: { poller: number; count: number; clock: number }): void {
  const cur = currentOf(m, s.poller, 0, clockAt(m, s.clock));
  localBhDisable(cur);
  m[s.count]++;
  localBhEnable(cur);
}
