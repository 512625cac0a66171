// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of instances that are added, and of who gets which thread: net/core/napi_control.ts, napi_thread.ts. */
import type { Mutant } from './mutant.js';

const NAPI_THREAD = 'net/core/napi_thread.js';
const NAPI_THREADED = 'net/core/napi_threaded.js';

const ATTACH = 'persist(net) === NAPI_KTHREAD_PERSIST_FIXED && config !== 0';
const SIBLING = 'm[other + NAPI.config] === config && m[other + NAPI.threadNode] !== 0';

export const ADOPT_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'added-beyond-the-queues',
    commit: 'own',
    why: 'an instance gets a config that lies behind those of its device',
    edits: [
      {
        file: 'net/core/napi_control.js',
        find: 'index < 0 || index >= m[dev + NET_DEVICE.maxQueues]',
        replace: 'index < 0',
      },
    ],
    test: 'napi-add-delete',
    verdict: 'assertion',
  },
  {
    name: 'mode-of-the-device',
    commit: 'own',
    why: 'an instance is added in the mode of its device, whatever its config keeps',
    edits: [
      {
        file: 'net/core/napi_control.js',
        find: 'return config === 0 ? m[m[n.at',
        replace: 'return true ? m[m[n.at',
      },
    ],
    test: 'napi-add-mode',
    verdict: 'assertion',
  },
  {
    name: 'waits-for-another-queue',
    commit: 'own',
    why: 'an instance waits for the thread of another queue index, which it never gets',
    edits: [{ file: NAPI_THREAD, find: SIBLING, replace: 'm[other + NAPI.threadNode] !== 0' }],
    test: 'napi-attach-fixed',
    verdict: 'assertion',
  },
  {
    name: 'waits-for-nobody',
    commit: 'own',
    why: 'two instances of one index wait for each other, and neither has a thread',
    edits: [{ file: NAPI_THREAD, find: SIBLING, replace: 'm[other + NAPI.config] === config' }],
    test: 'napi-attach-nobody',
    verdict: 'assertion',
  },
  {
    name: 'thread-kept-for-nobody',
    commit: 'own',
    why: 'a thread is parked though the queue was switched off: nobody looks for it any more',
    edits: [
      {
        file: NAPI_THREAD,
        find: 'return net.m[config + NAPI_CONFIG.threaded] !== NETDEV_NAPI_THREADED_DISABLED;',
        replace: 'return true;',
      },
    ],
    test: 'napi-attach-fixed',
    verdict: 'assertion',
  },
  {
    name: 'waits-though-threads-end',
    commit: 'own',
    why: 'off: an instance waits for the thread of another, which ends with that one',
    edits: [{ file: NAPI_THREAD, find: ATTACH, replace: 'config !== 0' }],
    test: 'napi-attach-off',
    verdict: 'assertion',
  },
  {
    name: 'v1-takes-back-nothing',
    commit: 'seed 000',
    why: 'the thread parked in the config is not looked at when the next instance is added',
    edits: [
      {
        file: NAPI_THREAD,
        find: 'if (config !== 0 && net.m[config + NAPI_CONFIG.threadNode] !== 0) {',
        replace: 'if (false) {',
      },
    ],
    test: 'napi-adopt-v1',
    verdict: 'assertion',
  },
  {
    name: 'all-without-config-count-as-one-queue',
    commit: 'own',
    why: 'instances without a config count as one queue: the second waits for the thread of the first',
    edits: [{ file: NAPI_THREAD, find: ATTACH, replace: 'persist(net) === NAPI_KTHREAD_PERSIST_FIXED' }],
    test: 'napi-attach-bare',
    verdict: 'assertion',
  },
  {
    name: 'thread-kept-in-no-config',
    commit: 'own',
    why: 'the thread of an instance without a config is parked at index 0',
    edits: [{ file: NAPI_THREAD, find: 'config === 0 || !keepsThread', replace: '!keepsThread' }],
    test: 'napi-attach-bare-v1',
    verdict: 'assertion',
  },
  {
    name: 'thread-handed-to-another-queue',
    commit: 'own',
    why: 'the first enabled instance of the device gets the thread, whatever its index',
    edits: [
      {
        file: NAPI_THREAD,
        find: ['if (m[at + NAPI.config] !== config)', '            continue;'].join('\n'),
        replace: '',
      },
    ],
    test: 'napi-hand-over-choice',
    verdict: 'assertion',
  },
  {
    name: 'thread-handed-to-disabled',
    commit: 'own',
    why: 'a disabled instance gets the thread, and the one that serves goes on waiting',
    edits: [
      {
        file: NAPI_THREAD,
        find: [
          'if ((Atomics.load(m, at + NAPI.state) & NAPIF_STATE_NPSVC) !== 0)',
          '            continue;',
        ].join('\n'),
        replace: '',
      },
    ],
    test: 'napi-hand-over-choice',
    verdict: 'assertion',
  },
  {
    name: 'node-cleared-after-hand-over',
    commit: 'own',
    why: 'the thread is handed over, and its node then says that it serves nobody',
    edits: [
      {
        file: NAPI_THREAD,
        find: 'Atomics.store(m, node + NAPI_THREAD_NODE.napi, 0); // P1',
        replace: '',
      },
      {
        file: NAPI_THREAD,
        find: 'handOver(net, m[at + NAPI.dev], config);',
        replace:
          'handOver(net, m[at + NAPI.dev], config); Atomics.store(m, node + NAPI_THREAD_NODE.napi, 0);',
      },
    ],
    test: 'napi-hand-over-choice',
    verdict: 'assertion',
  },
  {
    name: 'on-again-stops-parked',
    commit: 'own',
    why: 'a device that is switched on once more stops what its configs keep',
    edits: [
      {
        file: NAPI_THREADED,
        find: ['if (mode === NETDEV_NAPI_THREADED_DISABLED)', '        napiThreadStopParked'].join('\n'),
        replace: 'napiThreadStopParked',
      },
    ],
    test: 'napi-hand-over-nobody',
    verdict: 'assertion',
  },
  {
    name: 'handed-over-torn',
    commit: 'own',
    why: 'a schedule that comes while THREADED is set is overwritten (N5)',
    edits: [
      {
        file: NAPI_THREAD,
        find: 'Atomics.or(m, n.state, napiThreadedState(m[config + NAPI_CONFIG.threaded], m[at + NAPI.threadNode])); // N5',
        replace: 'Atomics.store(m, n.state, Atomics.load(m, n.state) | NAPIF_STATE_THREADED);',
      },
    ],
    test: 'napi-hand-over-scheduled',
    verdict: 'assertion',
  },
]);
