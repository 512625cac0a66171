// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of buffer pools: net/core/page_pool.ts, two threads that free against the owner that takes. */
import { type Litmus, litmus, must } from '../check/index.js';
import { RING } from '../mm/ring.js';
import { PAGE_POOL, pagePoolCreate, pagePoolInside, pagePoolView } from '../net/core/page_pool.js';
import { SKB_STRIDE } from '../net/core/skbuff.js';
import { addWord, arena, boot } from './world.js';

interface PoolSetup {
  readonly pool: number;
  readonly first: number;
  /** Buffers that the owner got back. */
  readonly got: number;
}

/** A word of a buffer that whoever owns it may write plainly. */
const CONTENT = SKB_STRIDE - 1;

function free(m: Int32Array, s: PoolSetup, which: number): void {
  const list = new Int32Array(1);
  const skb = s.first + which * SKB_STRIDE;
  list[0] = skb;
  m[skb + CONTENT] = 7; // still ours
  pagePoolView(m, s.pool).recycle(list, 0, 1);
}

export const pagePool: Litmus = litmus({
  name: 'page-pool-recycle-take',
  memory: arena,
  setup(m, label): PoolSetup {
    boot(m, label, 1);
    const pool = pagePoolCreate(m, 2);
    label(m, pool, PAGE_POOL, 'pool');
    const view = pagePoolView(m, pool);
    view.take(2); // both are out
    return { pool, first: m[pool + PAGE_POOL.buffers], got: addWord(m, label, 'got') };
  },
  threads: {
    freeA: (m, s) => free(m, s, 0),
    freeB: (m, s) => free(m, s, 1),
    owner(m, s) {
      const pool = pagePoolView(m, s.pool);
      for (let i = 0; i < 2; i++) {
        const n = pool.take(1);
        if (n === 0) continue;
        const skb = m[pool.taken];
        must(m[skb + CONTENT] === 7, 'a buffer was taken before it was freed, or twice');
        m[skb + CONTENT] = 0;
        m[s.got]++;
      }
    },
  },
  final(m, s) {
    const inside = pagePoolInside(m, s.pool);
    must(inside + m[s.got] === 2, `${inside} buffers in the pool and ${m[s.got]} out, of 2`);
  },
  forbids: 'a buffer lost, in two places, or taken while who frees it still writes it',
  why: 'who frees holds the lock and publishes (P1); the owner looks at the index before the slot (P2)',
});

interface LoopSetup {
  readonly pool: number;
  /** Two words: the buffer on its way to each application, 0: none. */
  readonly mail: readonly number[];
}

/** An application: uses each buffer it gets and frees it. */
function application(which: number, rounds: number): (m: Int32Array, s: LoopSetup) => void {
  return (m, s) => {
    const pool = pagePoolView(m, s.pool);
    const list = new Int32Array(1);
    for (let i = 0; i < rounds; i++) {
      let skb = 0;
      while (skb === 0) skb = Atomics.exchange(m, s.mail[which], 0);
      m[skb + CONTENT]++;
      list[0] = skb;
      pool.recycle(list, 0, 1);
    }
  };
}

export const pagePoolWrap: Litmus = litmus({
  name: 'page-pool-wrap',
  memory: arena,
  setup(m, label): LoopSetup {
    boot(m, label, 1);
    const pool = pagePoolCreate(m, 2);
    label(m, pool, PAGE_POOL, 'pool');
    label(m, m[pool + PAGE_POOL.ring], RING, 'recycle');
    // The indices are about to wrap as numbers.
    m[m[pool + PAGE_POOL.ring] + RING.prod] = 0x7fffffff;
    m[m[pool + PAGE_POOL.ring] + RING.cons] = 0x7fffffff;
    return { pool, mail: [addWord(m, label, 'mailA'), addWord(m, label, 'mailB')] };
  },
  threads: {
    appA: application(0, 2),
    appB: application(1, 1),
    owner(m, s) {
      const pool = pagePoolView(m, s.pool);
      for (let i = 0; i < 4; i++) {
        while (pool.take(1) === 0);
        const skb = m[pool.taken];
        m[skb + CONTENT]++;
        // One of four it drops itself; the others go to the applications in turn.
        if (i === 0) pool.recycleDirect(skb);
        else {
          const mail = s.mail[i === 2 ? 1 : 0];
          while (Atomics.compareExchange(m, mail, 0, skb) !== 0);
        }
      }
    },
  },
  final(m, s) {
    const inside = pagePoolInside(m, s.pool);
    const first = m[s.pool + PAGE_POOL.buffers];
    const used = m[first + CONTENT] + m[first + SKB_STRIDE + CONTENT];
    must(inside === 2 && used === 7, `${inside} buffers of 2 in the pool, used ${used} times of 7`);
  },
  forbids: 'a buffer with two owners, or one lost, when they go round through cache and recycle ring',
  why: 'who takes reads the ring’s index before its slots, and the cache is the owner’s alone (P1, P2)',
});

export const pagePoolOwners: Litmus = litmus({
  name: 'page-pool-two-owners',
  memory: arena,
  setup(m, label): PoolSetup & { readonly sched: number } {
    boot(m, label, 1);
    const pool = pagePoolCreate(m, 2);
    label(m, pool, PAGE_POOL, 'pool');
    const first = m[pool + PAGE_POOL.buffers];
    pagePoolView(m, pool).take(2);
    return { pool, first, got: addWord(m, label, 'got'), sched: addWord(m, label, 'sched') };
  },
  threads: {
    freeA: (m, s) => free(m, s, 0),
    freeB: (m, s) => free(m, s, 1),
    softirq: (m, s) => takeInTurns(m, s),
    thread: (m, s) => takeInTurns(m, s),
  },
  goal: (m, s) => m[s.got] === 2,
  forbids: 'a buffer handed out twice when the instance passes from thread to thread',
  why: 'SCHED orders the hand-over, and the new owner reads the indices anew',
});

/** Takes what there is whenever it owns the instance; ends never. */
function takeInTurns(m: Int32Array, s: PoolSetup & { readonly sched: number }): void {
  const pool = pagePoolView(m, s.pool);
  for (;;) {
    if (Atomics.compareExchange(m, s.sched, 0, 1) !== 0) continue;
    if (pool.take(1) === 1) {
      const skb = m[pool.taken];
      must(m[skb + CONTENT] === 7, 'a buffer was taken before it was freed, or twice');
      m[skb + CONTENT] = 0;
      m[s.got]++;
    }
    Atomics.store(m, s.sched, 0);
  }
}
