// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of locks, rings and the allocator. */
import type { Mutant } from './mutant.js';

const BH = 'kernel/bh.js';
const SPINLOCK = 'kernel/locking/spinlock.js';
const MUTEX = 'kernel/locking/mutex.js';
const RING = 'mm/ring.js';
const SLAB = 'mm/slab.js';
const RETIRE = 'net/core/page_pool_retire.js';

export const MEMORY_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'bh-yield-kept',
    commit: 'own',
    why: 'a waiter that had its turn does not take its request back: loops give way for ever',
    edits: [{ file: BH, find: 'Atomics.sub(m, cpu.at + CPU.bhYield, 1);', replace: '' }],
    test: 'bh-lock-yield',
    verdict: 'assertion',
  },
  {
    name: 'poll-without-bh-lock',
    commit: 'own',
    why: 'a threaded poll does not take the BH lock',
    edits: [
      {
        file: BH,
        find: 'lockCpu(cur);\n        while',
        replace: 'cur.bhCpu = cur.cpu;\n        while',
      },
      { file: BH, find: 'spinUnlock(cur.m, cur.bhCpu.bhLock); // B1', replace: ';' },
    ],
    test: 'bh-lock-yield',
    verdict: 'race',
  },
  {
    name: 'unlock-without-notify',
    commit: 'own',
    why: 'unlock forgets the sleepers',
    edits: [{ file: SPINLOCK, find: 'Atomics.notify(m, at, 1);', replace: '' }],
    test: 'spinlock',
    verdict: 'asleep',
  },
  {
    name: 'lock-forgets-chain',
    commit: 'own',
    why: 'a woken waiter takes the lock as LOCKED: others that sleep are forgotten',
    edits: [
      {
        file: SPINLOCK,
        find: 'while (Atomics.exchange(m, at, SPIN_CONTENDED) !== SPIN_FREE)',
        replace:
          'while (Atomics.compareExchange(m, at, SPIN_FREE, SPIN_LOCKED) !== SPIN_FREE && Atomics.exchange(m, at, SPIN_CONTENDED) !== -1)',
      },
    ],
    test: 'spinlock',
    verdict: 'asleep',
  },
  {
    name: 'trylock-stores',
    commit: 'own',
    why: 'trylock looks, then stores',
    edits: [
      {
        file: SPINLOCK,
        find: [
          'export function spinTryLock(m, at) {',
          '    return Atomics.compareExchange(m, at, SPIN_FREE, SPIN_LOCKED) === SPIN_FREE;',
        ].join('\n'),
        replace: [
          'export function spinTryLock(m, at) {',
          '    const was = Atomics.load(m, at);',
          '    Atomics.store(m, at, SPIN_LOCKED);',
          '    return was === SPIN_FREE;',
        ].join('\n'),
      },
    ],
    test: 'spinlock-try',
    verdict: 'race',
  },
  {
    name: 'mutex-owner-late',
    commit: 'own',
    why: 'the owner is cleared behind the unlock: the next one is wiped out',
    edits: [
      {
        file: MUTEX,
        find: ['Atomics.store(m, at + MUTEX_OWNER, NO_TASK);', '    spinUnlock(m, at + MUTEX_STATE);'].join(
          '\n',
        ),
        replace: [
          'spinUnlock(m, at + MUTEX_STATE);',
          '    Atomics.store(m, at + MUTEX_OWNER, NO_TASK);',
        ].join('\n'),
      },
    ],
    test: 'mutex',
    verdict: 'assertion',
  },
  {
    name: 'publish-not-atomic',
    commit: 'own',
    why: 'the producer publishes plainly',
    edits: [
      {
        file: RING,
        find: 'Atomics.store(this.m, this.prodAt, this.head); // R1',
        replace: 'this.m[this.prodAt] = this.head;',
      },
    ],
    test: 'ring-single-producer',
    verdict: 'race',
  },
  {
    name: 'reserve-ignores-capacity',
    commit: 'own',
    why: 'the producer writes one slot more than is free',
    edits: [
      {
        file: RING,
        find: ['room = this.capacity - ((this.head - this.seenCons) | 0);', '        }'].join('\n'),
        replace: ['room = this.capacity + 1 - ((this.head - this.seenCons) | 0);', '        }'].join('\n'),
      },
    ],
    test: 'ring-single-producer',
    verdict: 'assertion',
  },
  {
    name: 'available-cached',
    commit: 'own',
    why: 'the consumer trusts an index from before it had the role',
    edits: [
      { file: RING, find: 'this.tail = Atomics.load(this.m, this.consAt);', replace: 'this.tail = 0;' },
    ],
    test: 'ring-consumer-hand-over',
    verdict: 'race',
  },
  {
    name: 'kmalloc-unlocked',
    commit: 'own',
    why: 'the free list is popped without the lock',
    edits: [
      { file: SLAB, find: 'spinLock(m, MM_AT + MM_STRUCT.lock); // S2', replace: '' },
      {
        file: SLAB,
        find: ['spinUnlock(m, MM_AT + MM_STRUCT.lock);', '    // Memory never used'].join('\n'),
        replace: '// Memory never used',
      },
    ],
    test: 'kmalloc-kfree',
    verdict: 'race',
  },
  {
    name: 'pool-destroyed-at-once',
    commit: 'own',
    why: 'a retired pool is destroyed as soon as its last buffer is back, without a grace period',
    edits: [
      {
        file: RETIRE,
        find: ['synchronizeRcu(net.cur);', '        pagePoolDestroy'].join('\n'),
        replace: 'pagePoolDestroy',
      },
    ],
    test: 'page-pool-retire',
    verdict: 'race',
  },
  {
    name: 'pool-destroyed-while-out',
    commit: 'own',
    why: 'a retired pool is destroyed while a buffer of it is with an application',
    edits: [
      {
        file: RETIRE,
        find: 'if (pagePoolInside(m, pool) < m[pool + PAGE_POOL.total])',
        replace: 'if (false)',
      },
    ],
    test: 'page-pool-retire',
    verdict: 'race',
  },
]);
