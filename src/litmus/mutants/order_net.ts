// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of single orderings and bit tests: NAPI, sockets, rings, memory. */
import type { Mutant } from './mutant.js';

const RING = 'mm/ring.js';
const SLAB = 'mm/slab.js';
const NAPI_CONTROL = 'net/core/napi_control.js';
const NAPI_POLL = 'net/core/napi_poll.js';
const NAPI_SCHEDULE = 'net/core/napi_schedule.js';
const POLL_LIST = 'net/core/poll_list.js';
const NAPI_THREADED = 'net/core/napi_threaded.js';
const SOCK_QUEUE = 'net/core/sock_queue.js';
const PAGE_POOL = 'net/core/page_pool.js';

export const ORDER_NET_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'polling-read-early',
    commit: 'own',
    why: 'the scheduler looks at inNetRxAction before it adds to the list (N7)',
    edits: [
      {
        file: POLL_LIST,
        find: 'const on = lockOnline(net, cpu);',
        replace:
          'const polling = Atomics.load(m, net.softnet[cpu.id].inNetRxAction); const on = lockOnline(net, cpu);',
      },
      { file: POLL_LIST, find: 'const polling = Atomics.load(m, sd.inNetRxAction); // N7', replace: '' },
    ],
    test: 'napi-softirq',
    verdict: 'lost-wakeup',
  },
  {
    name: 'net-rx-flag-late',
    commit: 'own',
    why: 'the list is looked at before inNetRxAction is cleared (N8)',
    edits: [
      {
        file: NAPI_POLL,
        find: [
          'Atomics.store(m, sd.inNetRxAction, 0); // N8',
          '            irqLockCpu(cpu);',
          '            const empty = listEmpty(m, sd.pollList);',
          '            irqUnlockCpu(cpu);',
        ].join('\n'),
        replace: [
          'irqLockCpu(cpu);',
          '            const empty = listEmpty(m, sd.pollList);',
          '            irqUnlockCpu(cpu);',
          '            Atomics.store(m, sd.inNetRxAction, 0);',
        ].join('\n'),
      },
    ],
    test: 'napi-softirq',
    verdict: 'lost-wakeup',
  },
  {
    name: 'thread-before-threaded-read',
    commit: 'own',
    why: 'the scheduler reads the thread before THREADED (N6)',
    edits: [
      {
        file: NAPI_SCHEDULE,
        find: [
          'const val = Atomics.load(m, n.state);',
          '    trace(net.cur, TP_NAPI_STATE, n.at, val & ~NAPIF_STATE_SCHED, val);',
          '    if ((val & NAPIF_STATE_THREADED) !== 0) {',
          '        const node = Atomics.load(m, n.at + NAPI.threadNode); // N6',
          '        if (node !== 0) {',
        ].join('\n'),
        replace: [
          'const node = Atomics.load(m, n.at + NAPI.threadNode);',
          '    if ((Atomics.load(m, n.state) & NAPIF_STATE_THREADED) !== 0) {',
          '        if (node === 0) return;',
          '        {',
        ].join('\n'),
      },
    ],
    test: 'napi-threaded-on',
    verdict: 'lost-wakeup',
  },
  {
    name: 'disable-without-bit',
    commit: 'own',
    why: 'disable does not announce itself (N9)',
    edits: [
      {
        file: NAPI_CONTROL,
        find: 'let val = Atomics.or(m, state, NAPIF_STATE_DISABLE) | NAPIF_STATE_DISABLE; // N9',
        replace: 'let val = Atomics.load(m, state);',
      },
    ],
    test: 'napi-disable-full-polls',
    verdict: 'livelock',
  },
  {
    name: 'prep-ignores-sched',
    commit: 'own',
    why: 'who finds it owned schedules it all the same',
    edits: [
      { file: NAPI_SCHEDULE, find: 'return (val & NAPIF_STATE_SCHED) === 0;', replace: 'return true;' },
    ],
    test: 'napi-threaded',
    verdict: 'livelock',
  },
  {
    name: 'stop-without-cas',
    commit: 'own',
    why: 'stop stores the state: bits set meanwhile are lost',
    edits: [
      {
        file: NAPI_THREADED,
        find: [
          'const was = Atomics.compareExchange(m, state, val, next);',
          '        if (was === val)',
          '            break;',
          '        val = was;',
          '    }',
          '    while',
        ].join('\n'),
        replace: [
          'const was = val;',
          '        Atomics.store(m, state, next);',
          '        if (was === val)',
          '            break;',
          '        val = was;',
          '    }',
          '    while',
        ].join('\n'),
      },
    ],
    test: 'napi-threaded-off',
    verdict: 'lost-wakeup',
  },
  {
    name: 'stop-does-not-wait-for-softirq',
    commit: '689883de94dd',
    why: 'stop clears THREADED while a softirq owns the instance',
    edits: [{ file: NAPI_THREADED, find: '(val & NAPIF_STATE_SCHED) === 0 ||', replace: 'true ||' }],
    test: 'napi-threaded-off',
    verdict: 'lost-wakeup',
  },
  {
    name: 'poll-list-spliced-unlocked',
    commit: 'own',
    why: 'the poll list is taken without the lock',
    edits: [
      {
        file: NAPI_POLL,
        find: [
          'Atomics.store(m, sd.inNetRxAction, 1);',
          '    irqLockCpu(cpu);',
          '    listSpliceTailInit(m, sd.pollList, sd.roundList);',
          '    irqUnlockCpu(cpu);',
        ].join('\n'),
        replace: [
          'Atomics.store(m, sd.inNetRxAction, 1);',
          '    listSpliceTailInit(m, sd.pollList, sd.roundList);',
        ].join('\n'),
      },
    ],
    test: 'napi-softirq-two-instances',
    verdict: 'race',
  },
  {
    name: 'sock-lock-kept',
    commit: 'own',
    why: 'the producer keeps the lock of the socket',
    edits: [
      {
        file: SOCK_QUEUE,
        find: ['spinUnlock(m, this.lock);', '        return room;'].join('\n'),
        replace: 'return room;',
      },
    ],
    test: 'sock-queue-two-producers',
    verdict: 'asleep',
  },
  {
    name: 'shutdown-silent',
    commit: 'own',
    why: 'a reader asleep is not told that the socket was closed',
    edits: [
      {
        file: SOCK_QUEUE,
        find: ['Atomics.or(m, at + SOCK.flags, SOCK_CLOSED);', '    sockWake(m, at);'].join('\n'),
        replace: 'Atomics.or(m, at + SOCK.flags, SOCK_CLOSED);',
      },
    ],
    test: 'sock-queue-two-producers',
    verdict: 'asleep',
  },
  {
    name: 'shutdown-wakes-first',
    commit: 'own',
    why: 'shutdown wakes before it closes',
    edits: [
      {
        file: SOCK_QUEUE,
        find: ['Atomics.or(m, at + SOCK.flags, SOCK_CLOSED);', '    sockWake(m, at);'].join('\n'),
        replace: ['sockWake(m, at);', '    Atomics.or(m, at + SOCK.flags, SOCK_CLOSED);'].join('\n'),
      },
    ],
    test: 'sock-queue-two-producers',
    verdict: 'asleep',
  },
  {
    name: 'available-not-atomic',
    commit: 'own',
    why: 'the consumer reads the index plainly (R2)',
    edits: [
      {
        file: RING,
        find: 'this.seenProd = Atomics.load(this.m, this.prodAt); // R2',
        replace: 'this.seenProd = this.m[this.prodAt];',
      },
    ],
    test: 'ring-single-producer',
    verdict: 'livelock',
  },
  {
    name: 'release-not-atomic',
    commit: 'own',
    why: 'the consumer releases plainly (R3)',
    edits: [
      {
        file: RING,
        find: 'Atomics.store(this.m, this.consAt, this.tail); // R3',
        replace: 'this.m[this.consAt] = this.tail;',
      },
    ],
    test: 'ring-single-producer',
    verdict: 'race',
  },
  {
    name: 'reserve-not-atomic',
    commit: 'own',
    why: 'the producer reads the index plainly (R4)',
    edits: [
      {
        file: RING,
        find: 'this.seenCons = Atomics.load(this.m, this.consAt); // R4',
        replace: 'this.seenCons = this.m[this.consAt];',
      },
    ],
    test: 'ring-single-producer',
    verdict: 'livelock',
  },
  {
    name: 'available-too-many',
    commit: 'own',
    why: 'the consumer takes one more than is there',
    edits: [
      {
        file: RING,
        find: ['n = (this.seenProd - this.tail) | 0;', '        }'].join('\n'),
        replace: ['n = (this.seenProd + 1 - this.tail) | 0;', '        }'].join('\n'),
      },
    ],
    test: 'ring-single-producer',
    verdict: 'assertion',
  },
  {
    name: 'kfree-unlocked',
    commit: 'own',
    why: 'the free list is pushed without the lock (S1)',
    edits: [
      {
        file: SLAB,
        find: [
          'spinLock(m, MM_AT + MM_STRUCT.lock);',
          '    m[at] = m[head];',
          '    m[head] = at;',
          '    spinUnlock(m, MM_AT + MM_STRUCT.lock); // S1',
        ].join('\n'),
        replace: ['m[at] = m[head];', '    m[head] = at;'].join('\n'),
      },
    ],
    test: 'kmalloc-kfree',
    verdict: 'race',
  },
  {
    name: 'recycle-unlocked',
    commit: 'own',
    why: 'two threads free into the recycle ring at once (P1)',
    edits: [
      { file: PAGE_POOL, find: 'spinLock(m, this.lock);', replace: '' },
      { file: PAGE_POOL, find: 'spinUnlock(m, this.lock);', replace: '' },
    ],
    test: 'page-pool-recycle-take',
    verdict: 'race',
  },
]);
