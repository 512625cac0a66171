// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of threads that outlive their instance, and of finding instances. */
import type { Mutant } from './mutant.js';

const NAPI_CONTROL = 'net/core/napi_control.js';
const NAPI_ID = 'net/core/napi_id.js';
const NAPI_POLL = 'net/core/napi_poll.js';
const NAPI_THREAD = 'net/core/napi_thread.js';
const NAPI_THREADED = 'net/core/napi_threaded.js';

const PARK = 'kthreadPark(net.cur, m[node + NAPI_THREAD_NODE.task]); // P1';

export const PERSIST_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'node-cleared-before-park',
    commit: 'seed 000',
    why: 'the node has no instance any more while its thread still looks at it (P1)',
    edits: [
      {
        file: NAPI_THREAD,
        find: PARK,
        replace: `Atomics.store(m, node + NAPI_THREAD_NODE.napi, 0); ${PARK}`,
      },
    ],
    test: 'napi-persist-readd',
    verdict: 'exception',
  },
  {
    name: 'delete-does-not-park',
    commit: 'own',
    why: 'the instance is freed while the thread looks at its state word (P1)',
    edits: [{ file: NAPI_THREAD, find: PARK, replace: '' }],
    test: 'napi-persist-readd',
    verdict: 'exception',
  },
  {
    name: 'unpark-before-assigned',
    commit: 'seed 000',
    why: 'the thread runs before its node names the new instance (P2)',
    edits: [
      {
        file: NAPI_THREAD,
        find: 'Atomics.store(m, node + NAPI_THREAD_NODE.napi, at); // P2',
        replace: 'kthreadUnpark(m, m[node + NAPI_THREAD_NODE.task]);',
      },
      {
        file: NAPI_THREAD,
        find: 'kthreadUnpark(m, m[node + NAPI_THREAD_NODE.task]); // P2',
        replace: 'Atomics.store(m, node + NAPI_THREAD_NODE.napi, at);',
      },
    ],
    test: 'napi-persist-readd',
    verdict: 'exception',
  },
  {
    name: 'adopt-does-not-unpark',
    commit: 'own',
    why: 'the instance gets a thread that stays parked (P2)',
    edits: [
      { file: NAPI_THREAD, find: 'kthreadUnpark(m, m[node + NAPI_THREAD_NODE.task]); // P2', replace: '' },
    ],
    test: 'napi-persist-safe-switch',
    verdict: 'lost-wakeup',
  },
  {
    name: 'instance-kept-over-park',
    commit: 'own',
    why: 'the thread does not ask again whom it serves when it was parked (P3)',
    edits: [{ file: NAPI_POLL, find: 'n = servedBy(net, node); // P3', replace: ';' }],
    test: 'napi-persist-safe-switch',
    verdict: 'lost-wakeup',
  },
  {
    name: 'instance-read-before-park',
    commit: 'own',
    why: 'the thread reads the instance it will serve before it parks (P3)',
    edits: [
      {
        file: NAPI_POLL,
        find: ['            kthreadParkme(cur);', '            // Woken'].join('\n'),
        replace: ['            n = servedBy(net, node); kthreadParkme(cur);', '            // Woken'].join(
          '\n',
        ),
      },
      { file: NAPI_POLL, find: 'n = servedBy(net, node); // P3', replace: ';' },
    ],
    test: 'napi-persist-hand-over',
    verdict: 'race',
  },
  {
    name: 'stopped-thread-asks-whom-it-serves',
    commit: 'own',
    why: 'a thread that was parked and is stopped wants an instance (P3)',
    edits: [
      {
        file: NAPI_POLL,
        find: ['if (!kthreadShouldStop(cur))', '                n ='].join('\n'),
        replace: 'n =',
      },
    ],
    test: 'napi-persist-stop-parked',
    verdict: 'exception',
  },
  {
    name: 'thread-parked-early-asks-whom-it-serves',
    commit: 'own',
    why: 'a thread that was parked before it first ran, and is stopped, wants an instance',
    edits: [
      {
        file: NAPI_POLL,
        find: ['if (kthreadShouldStop(cur))', '        return null;', '    let n'].join('\n'),
        replace: 'let n',
      },
    ],
    test: 'napi-persist-stop-early',
    verdict: 'exception',
  },
  {
    name: 'second-thread-at-add',
    commit: 'seed 000',
    why: 'a new instance gets a thread of its own while the old one has the one of its queue: its slot is overwritten',
    edits: [
      {
        file: NAPI_THREAD,
        find: ['if (persist(net) === NAPI_KTHREAD_PERSIST_FIXED)', '        return 0;'].join('\n'),
        replace: '',
      },
    ],
    test: 'napi-persist-safe-switch',
    verdict: 'assertion',
  },
  {
    name: 'second-thread-at-enable',
    commit: 'seed 000',
    why: 'enable makes a thread while an older instance of the same queue has one: its slot is overwritten',
    edits: [
      {
        file: NAPI_THREAD,
        find: ['if (siblingWithNode(m, at) !== 0)', '            return 0;'].join('\n'),
        replace: '',
      },
    ],
    test: 'napi-persist-hand-over',
    verdict: 'deadlock',
  },
  {
    name: 'thread-not-handed-over',
    commit: 'own',
    why: 'the thread stays parked while the instance that waits for it serves',
    edits: [{ file: NAPI_THREAD, find: 'handOver(net, m[at + NAPI.dev], config);', replace: ';' }],
    test: 'napi-persist-hand-over',
    verdict: 'assertion',
  },
  {
    name: 'handed-over-and-not-threaded',
    commit: 'own',
    why: 'the instance has its thread, and schedules go to the softirq for ever (N5)',
    edits: [
      {
        file: NAPI_THREAD,
        find: 'Atomics.or(m, n.state, napiThreadedState(m[config + NAPI_CONFIG.threaded], m[at + NAPI.threadNode])); // N5',
        replace: '',
      },
    ],
    test: 'napi-persist-hand-over',
    verdict: 'assertion',
  },
  {
    name: 'parked-threads-survive-off',
    commit: 'seed 000',
    why: 'a device that stops being threaded leaves the threads parked in its configs',
    edits: [
      {
        file: NAPI_THREADED,
        find: ['if (mode === NETDEV_NAPI_THREADED_DISABLED)', '        napiThreadStopParked(net, dev);'].join(
          '\n',
        ),
        replace: '',
      },
    ],
    test: 'napi-persist-stop-parked',
    verdict: 'assertion',
  },
  {
    name: 'parked-threads-survive-exit',
    commit: 'seed 000',
    why: 'a device that goes away leaves the threads parked in its configs',
    edits: [{ file: 'net/core/dev.js', find: 'napiThreadStopParked(net, dev);', replace: '' }],
    test: 'napi-persist-exit',
    verdict: 'assertion',
  },
  {
    name: 'node-freed-without-grace-period',
    commit: 'seed 000',
    why: 'the node is freed under a scheduler that has not woken its thread yet',
    edits: [
      {
        file: NAPI_THREAD,
        find: [
          'kthreadStop(net.cur, m[node + NAPI_THREAD_NODE.task]); // with a grace period',
          '    kfree(m, node, NAPI_THREAD_NODE.SIZE);',
        ].join('\n'),
        replace: [
          'const task = m[node + NAPI_THREAD_NODE.task];',
          '    kfree(m, node, NAPI_THREAD_NODE.SIZE);',
          '    kthreadStop(net.cur, task);',
        ].join('\n'),
      },
    ],
    test: 'napi-schedule-stop',
    verdict: 'race',
  },
  {
    name: 'thread-freed-without-grace-period',
    commit: 'own',
    why: 'the task_struct is freed under a scheduler that wakes it',
    edits: [
      {
        file: 'kernel/kthread.js',
        find: ['synchronizeRcu(cur);', '    putTaskStruct'].join('\n'),
        replace: 'putTaskStruct',
      },
    ],
    test: 'napi-schedule-delete',
    verdict: 'race',
  },
  {
    name: 'napi-get-without-rcu',
    commit: 'c53bf100f686',
    why: 'who looks an instance up is no reader: it is freed meanwhile',
    edits: [
      {
        file: NAPI_ID,
        find: ['rcuReadLock(cur);', '    const seen = napiById(net, id);'].join('\n'),
        replace: 'const seen = napiById(net, id);',
      },
      {
        file: NAPI_ID,
        find: ['rcuReadUnlock(cur);', '    if (dev === 0)'].join('\n'),
        replace: 'if (dev === 0)',
      },
    ],
    test: 'napi-get-delete',
    verdict: 'race',
  },
  {
    name: 'napi-get-trusts-first-look',
    commit: 'own',
    why: 'the instance found is not looked up again under the lock',
    edits: [
      {
        file: NAPI_ID,
        find: 'const at = napiById(net, id);',
        replace: 'const at = seen;',
      },
    ],
    test: 'napi-get-delete',
    verdict: 'assertion',
  },
  {
    name: 'list-unsorted',
    commit: 'd6c7b03497ee',
    why: 'an instance that is added again stands first, whatever its id',
    edits: [
      {
        file: NAPI_ID,
        find: 'while (m[link] !== 0 && listId(m, m[link]) > id)',
        replace: 'while (false)',
      },
    ],
    test: 'napi-dump-order',
    verdict: 'assertion',
  },
  {
    name: 'hashed-before-linked',
    commit: 'own',
    why: 'the bucket begins with an instance that does not lead to the others yet (I1)',
    edits: [
      {
        file: NAPI_ID,
        find: 'Atomics.store(m, n.at + NAPI.hashNext, Atomics.load(m, head));',
        replace: 'const next = Atomics.load(m, head); Atomics.store(m, head, n.at);',
      },
      {
        file: NAPI_ID,
        find: 'Atomics.store(m, head, n.at); // I1',
        replace: 'Atomics.store(m, n.at + NAPI.hashNext, next);',
      },
    ],
    test: 'napi-hash-behind',
    verdict: 'assertion',
  },
  {
    name: 'hash-head-torn',
    commit: 'own',
    why: 'a look-up reads the head by a plain load (I2)',
    edits: [{ file: NAPI_ID, find: 'let at = Atomics.load(m, head); // I2', replace: 'let at = m[head];' }],
    test: 'napi-hash-behind',
    verdict: 'race',
  },
  {
    name: 'hash-link-torn',
    commit: 'own',
    why: 'a look-up reads the link by a plain load (I2)',
    edits: [
      {
        file: NAPI_ID,
        find: 'const next = Atomics.load(m, at + NAPI.hashNext);',
        replace: 'const next = m[at + NAPI.hashNext];',
      },
    ],
    test: 'napi-hash-again',
    verdict: 'race',
  },
  {
    name: 'unlinked-forgets-link',
    commit: 'own',
    why: 'a look-up that stands on an instance just unlinked loses those behind it (I3)',
    edits: [
      {
        file: NAPI_ID,
        find: 'm[n.at + NAPI.hashed] = 0;',
        replace: 'm[n.at + NAPI.hashed] = 0; Atomics.store(m, n.at + NAPI.hashNext, 0);',
      },
    ],
    test: 'napi-hash-behind',
    verdict: 'assertion',
  },
  {
    name: 'hashed-freed-without-grace-period',
    commit: 'c53bf100f686',
    why: 'an instance is freed under a look-up that stands on it (I3)',
    edits: [
      {
        file: NAPI_CONTROL,
        find: ['synchronizeRcu(net.cur);', '    netifNapiFree(net, n);'].join('\n'),
        replace: 'netifNapiFree(net, n);',
      },
    ],
    test: 'napi-hash-behind',
    verdict: 'race',
  },
  {
    name: 'look-up-led-astray',
    commit: 'own',
    why: 'a look-up goes on in the bucket to which an instance moved under it (I4)',
    edits: [{ file: NAPI_ID, find: 'moved ? Atomics.load(m, head) : next', replace: 'next' }],
    test: 'napi-hash-again',
    verdict: 'assertion',
  },
  {
    name: 'link-before-id',
    commit: 'own',
    why: 'the link leads elsewhere while the id still says that it does not (I4)',
    edits: [
      {
        file: NAPI_ID,
        find: [
          'Atomics.store(m, n.at + NAPI.napiId, given);',
          '    Atomics.store(m, n.at + NAPI.hashNext, Atomics.load(m, head));',
        ].join('\n'),
        replace: [
          'Atomics.store(m, n.at + NAPI.hashNext, Atomics.load(m, head));',
          '    Atomics.store(m, n.at + NAPI.napiId, given);',
        ].join('\n'),
      },
    ],
    test: 'napi-hash-again',
    verdict: 'assertion',
  },
]);
