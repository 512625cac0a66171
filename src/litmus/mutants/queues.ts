// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of queues with several producers, when they go round. */
import type { Mutant } from './mutant.js';

const RING = 'mm/ring.js';
const SOCK_QUEUE = 'net/core/sock_queue.js';
const PAGE_POOL = 'net/core/page_pool.js';

export const QUEUE_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'sock-queue-stale-producer',
    commit: 'own',
    why: 'a producer goes on from its own last index, whatever another one has queued',
    edits: [{ file: SOCK_QUEUE, find: 'producer.begin();', replace: '' }],
    test: 'sock-queue-wrap',
    verdict: 'lost-wakeup',
  },
  {
    name: 'recycle-stale-producer',
    commit: 'own',
    why: 'a thread that frees goes on from its own last index, whatever another one has freed',
    edits: [{ file: PAGE_POOL, find: 'producer.begin();', replace: '' }],
    test: 'page-pool-wrap',
    verdict: 'race',
  },
  {
    name: 'recycle-direct-over-cache',
    commit: 'own',
    why: 'a buffer given back directly takes the place of the one on top of the cache',
    edits: [{ file: PAGE_POOL, find: 'm[this.cache + n] = skb;', replace: 'm[this.cache] = skb;' }],
    test: 'page-pool-wrap',
    verdict: 'race',
  },
  {
    name: 'ring-room-does-not-wrap',
    commit: 'own',
    why: 'the room of a ring is computed as if its indices did not wrap',
    edits: [
      {
        file: RING,
        find: 'let room = this.capacity - ((this.head - this.seenCons) | 0);',
        replace: 'let room = this.capacity - (this.head - this.seenCons);',
      },
    ],
    test: 'sock-queue-wrap',
    verdict: 'race',
  },
  {
    name: 'ring-length-does-not-wrap',
    commit: 'own',
    why: 'the entries of a ring are counted as if its indices did not wrap',
    edits: [
      {
        file: RING,
        find: 'n = (this.seenProd - this.tail) | 0;\n        }',
        replace: 'n = this.seenProd - this.tail;\n        }',
      },
    ],
    test: 'sock-queue-wrap',
    verdict: 'lost-wakeup',
  },
]);
