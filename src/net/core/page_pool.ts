// SPDX-License-Identifier: GPL-2.0-only
/**
 * Page pools (Linux: net/core/page_pool.c): the buffers of one receive queue, recycled.
 *
 * States of a buffer: in the cache (plain stack), in the recycle ring, or out (somebody owns it, see skbuff.ts).
 *
 * Owners
 *   cache         the consumer: whoever holds SCHED of the queue's NAPI instance
 *   recycle ring  producers: any thread that frees, under `lock`; consumer: as the cache
 * The ring has room for every buffer of the pool, so a free never fails.
 *
 * Invariant: each buffer is in exactly one place; cache + ring + out = total.
 *
 * Ordering
 *   P1 free: link words (plain), lock, ring publish     pairs with  P2
 *   P2 allocate: ring available, then buffer (plain)    pairs with  P1
 */
import { newObjectId } from '../../kernel/current.js';
import { spinLock, spinUnlock } from '../../kernel/locking/spinlock.js';
import { RingConsumer, RingProducer, ringLength, ringWords } from '../../mm/ring.js';
import { kfree, kmalloc } from '../../mm/slab.js';
import { line, struct, word } from '../../mm/struct.js';
import { SKB, SKB_STRIDE } from './skbuff.js';

export const PAGE_POOL = struct(
  'page_pool',
  line('creator', {
    total: word('buffers of the pool, a power of two'),
    buffers: word('the first buffer; the others follow, SKB_STRIDE apart'),
    ring: word('recycle ring, one word a slot'),
    cache: word('stack of buffers, `total` words'),
    queue: word('receive queue of the driver it feeds, 0: none; read under RCU'),
    dev: word('net_device its frames come from'),
    napiId: word('id of the instance that receives into it, 0: none; atomically'),
    cpu: word('CPU that frees what is left to it'),
    waiter: word('task_struct that waits for buffers, 0: none; read under RCU'),
    retiredNext: word('next of the retired pools; rtnl'),
    id: word('serial number: a view with another one is stale'),
  }),
  line('lock holders', { lock: word('spin lock of those who free') }),
  line('NAPI owner', { cacheCount: word('buffers in the cache') }),
);

/** Most buffers moved from the ring to the cache at once. */
const REFILL = 64;

/**
 * Makes a pool of `total` (a power of two) buffers.
 * @returns its word index, or 0 (ENOMEM)
 */
export function pagePoolCreate(m: Int32Array, total: number): number {
  const at = kmalloc(m, PAGE_POOL.SIZE);
  const buffers = kmalloc(m, total * SKB_STRIDE);
  const ring = kmalloc(m, ringWords(total, 1));
  const cache = kmalloc(m, total);
  if (at === 0 || buffers === 0 || ring === 0 || cache === 0) {
    kfree(m, cache, total);
    kfree(m, ring, ringWords(total, 1));
    kfree(m, buffers, total * SKB_STRIDE);
    kfree(m, at, PAGE_POOL.SIZE);
    return 0;
  }
  m[at + PAGE_POOL.total] = total;
  m[at + PAGE_POOL.buffers] = buffers;
  m[at + PAGE_POOL.ring] = ring;
  m[at + PAGE_POOL.cache] = cache;
  m[at + PAGE_POOL.id] = newObjectId(m);
  for (let i = 0; i < total; i++) {
    const skb = buffers + i * SKB_STRIDE;
    m[skb + SKB.pool] = at;
    m[cache + total - 1 - i] = skb;
  }
  m[at + PAGE_POOL.cacheCount] = total;
  return at;
}

/** Frees the pool. Every buffer must have come back. */
export function pagePoolDestroy(m: Int32Array, at: number): void {
  const total = m[at + PAGE_POOL.total];
  kfree(m, m[at + PAGE_POOL.cache], total);
  kfree(m, m[at + PAGE_POOL.ring], ringWords(total, 1));
  kfree(m, m[at + PAGE_POOL.buffers], total * SKB_STRIDE);
  kfree(m, at, PAGE_POOL.SIZE);
}

/** A thread's view of a pool. Make once, keep. */
export class PagePool {
  readonly m: Int32Array;
  readonly at: number;
  readonly id: number;
  /** Where the buffers of the last `take` stand. */
  taken = 0;
  private readonly lock: number;
  private readonly cacheCount: number;
  private readonly cache: number;
  private readonly producer: RingProducer;
  private readonly consumer: RingConsumer;

  /** `id`, `total`, `ring` and `cache` are the words of the same names, read by the caller. */
  constructor(m: Int32Array, at: number, id: number, total: number, ring: number, cache: number) {
    this.m = m;
    this.at = at;
    this.id = id;
    this.lock = at + PAGE_POOL.lock;
    this.cacheCount = at + PAGE_POOL.cacheCount;
    this.cache = cache;
    this.producer = new RingProducer(m, ring, total, 1);
    this.consumer = new RingConsumer(m, ring, total, 1);
  }

  /**
   * Takes buffers. NAPI owner only.
   * @returns how many, at most `want`, from word `taken` on: read them before the next call to the pool
   */
  take(want: number): number {
    const { m, cacheCount } = this;
    let n = m[cacheCount];
    if (n === 0) n = this.refill();
    const got = Math.min(n, want);
    n -= got;
    m[cacheCount] = n;
    this.taken = this.cache + n;
    return got;
  }

  /** Gives a buffer back from the NAPI owner itself: no lock. */
  recycleDirect(skb: number): void {
    const { m, cacheCount } = this;
    const n = m[cacheCount];
    m[this.cache + n] = skb;
    m[cacheCount] = n + 1;
  }

  /** Gives `n` buffers of this pool back, from any thread: `list` holds their skbs. One lock for all. */
  recycle(list: Int32Array, from: number, n: number): void {
    const { m, producer } = this;
    spinLock(m, this.lock);
    producer.begin();
    for (let i = 0; i < n; i++) m[producer.slot(i)] = list[from + i];
    producer.publish(n); // P1
    spinUnlock(m, this.lock);
  }

  private refill(): number {
    const { m, consumer } = this;
    consumer.begin();
    const n = consumer.available(REFILL); // P2
    for (let i = 0; i < n; i++) m[this.cache + i] = m[consumer.slot(i)];
    if (n > 0) consumer.release(n);
    m[this.cacheCount] = n;
    return n;
  }
}

/** Makes a thread's view. */
export function pagePoolView(m: Int32Array, at: number): PagePool {
  return new PagePool(
    m,
    at,
    m[at + PAGE_POOL.id],
    m[at + PAGE_POOL.total],
    m[at + PAGE_POOL.ring],
    m[at + PAGE_POOL.cache],
  );
}

/** @returns buffers that are in the pool now; racy unless everything rests */
export function pagePoolInside(m: Int32Array, at: number): number {
  return m[at + PAGE_POOL.cacheCount] + ringLength(m, m[at + PAGE_POOL.ring]);
}

/** @returns the net_device a frame came from (Linux: skb->dev) */
export function skbDev(m: Int32Array, skb: number): number {
  return m[m[skb + SKB.pool] + PAGE_POOL.dev];
}
