// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of look-up and lock, and of the table of ids: net/core/napi_id.ts. */
import type { Mutant } from './mutant.js';

const NAPI_ID = 'net/core/napi_id.js';

export const LOOKUP_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'get-holds-what-is-not-there',
    commit: 'own',
    why: 'an id that nobody has: the look-up holds a device at index 0',
    edits: [{ file: NAPI_ID, find: ['if (dev !== 0)', '        devHold'].join('\n'), replace: 'devHold' }],
    test: 'napi-get-lock',
    verdict: 'assertion',
  },
  {
    name: 'put-before-unlock',
    commit: 'own',
    why: 'the device is freed before its mutex is released',
    edits: [
      {
        file: NAPI_ID,
        find: ['releaseMutex(net.cur, dev + NET_DEVICE.lock);', '    devPut(net.m, dev);'].join('\n'),
        replace: 'devPut(net.m, dev); releaseMutex(net.cur, dev + NET_DEVICE.lock);',
      },
    ],
    test: 'napi-get-device-freed',
    verdict: 'race',
  },
  {
    name: 'second-look-without-rcu',
    commit: 'own',
    why: 'under the mutex of one device the instances of another are read without a read section',
    edits: [
      {
        file: NAPI_ID,
        find: ['rcuReadLock(cur);', '    const at = napiById(net, id);'].join('\n'),
        replace: 'const at = napiById(net, id);',
      },
      {
        file: NAPI_ID,
        find: ['rcuReadUnlock(cur);', '    if (found)'].join('\n'),
        replace: 'if (found)',
      },
    ],
    test: 'napi-get-beside-delete',
    verdict: 'race',
  },
  {
    name: 'get-forgets-the-device',
    commit: 'own',
    why: 'the id has gone to another device while the mutex was waited for',
    edits: [{ file: NAPI_ID, find: 'at !== 0 && m[at + NAPI.dev] === dev', replace: 'at !== 0' }],
    test: 'napi-get-elsewhere',
    verdict: 'assertion',
  },
  {
    name: 'hashed-behind-unlock',
    commit: 'own',
    why: 'the bucket is written when the lock is gone: two devices add at once, and one instance is lost',
    edits: [
      {
        file: NAPI_ID,
        find: ['Atomics.store(m, head, n.at); // I1', '    spinUnlock(m, lock);'].join('\n'),
        replace: 'spinUnlock(m, lock); Atomics.store(m, head, n.at);',
      },
    ],
    test: 'napi-hash-two-devices',
    verdict: 'assertion',
  },
  {
    name: 'id-given-twice',
    commit: 'own',
    why: 'ids went round, and the next one is in use',
    edits: [{ file: NAPI_ID, find: 'while (napiById(net, m[last]) !== 0)', replace: 'while (false)' }],
    test: 'napi-hash-table',
    verdict: 'assertion',
  },
  {
    name: 'bucket-begun-again-torn',
    commit: 'own',
    why: 'a look-up that begins again reads the head by a plain load (I2)',
    edits: [
      { file: NAPI_ID, find: 'moved ? Atomics.load(m, head) : next', replace: 'moved ? m[head] : next' },
    ],
    test: 'napi-hash-again',
    verdict: 'race',
  },
  {
    name: 'list-ignores-kept-id',
    commit: 'd6c7b03497ee',
    why: 'an instance that has no id yet counts as new, though its config keeps one',
    edits: [
      {
        file: NAPI_ID,
        find: 'm[at + NAPI.napiId] || (config === 0 ? 0 : m[config + NAPI_CONFIG.napiId]) || NO_ID',
        replace: 'm[at + NAPI.napiId] || NO_ID',
      },
    ],
    test: 'napi-list-order',
    verdict: 'assertion',
  },
]);
