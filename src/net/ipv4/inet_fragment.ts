// SPDX-License-Identifier: GPL-2.0-only
/**
 * Fragments that wait for the rest of their datagram: the queues, how they are found, how they end (Linux:
 * net/ipv4/inet_fragment.c). What belongs where in a datagram: ip_fragment.ts.
 *
 * States of a queue: in the table (waits); dead (taken out, its datagram whole, given up or too old): then it is private to
 * whoever took it out, who frees it and what it holds.
 *
 * Fragments of one datagram may come to different CPUs, in polls of different instances at the same time.
 *
 * Owners
 *   table, queues in it, counters, what is held   holder of FQDIR.lock: one lock for all of it, held for a few dozen words
 *   a fragment       the poll that brings it; from its insertion on the queue, and so the lock; then whoever took the queue
 *                    out of the table. Buffers are freed and datagrams put together without the lock.
 *   timer            holder of the lock, who keeps timerArmed true to it; its function runs in the thread of a CPU
 *
 * Words of an sk_buff that is held: `next`: the fragment behind it in its run, 0: none. In the first of a run: `fragList`:
 * the next run, 0: none; `segs`: where the run begins and where it ends, 16 bits each. A run is a fragment and those that
 * came behind it in order, each as the last of the queue so far; that is also what decides what a duplicate is. Runs are
 * sorted and do not overlap. (Linux keeps them in a tree: here a fragment that does not come last is searched for in a list,
 * which the memory limit keeps below two thousand.)
 *
 * Invariants
 *   - A queue is in the hash table and in the list of queues, or dead. Of a key there is one at most in the table.
 *   - mem = bytes of the queues in the table and of the buffers they hold.
 *   - No fragment is held for ever: while there are queues the timer is started, or its function is about to look; it is
 *     for at most FRAG_LOOK_US, so a time-out that was made shorter is heeded.
 *   - Each fragment that came is held, part of a datagram that went up, or dropped and counted.
 *
 * Ordering: the lock. A fragment's words are plain and are handed over by it; hrtimers order themselves (hrtimer.ts).
 */
import { HRTIMER, hrtimerCancel, hrtimerSetup, hrtimerStart } from '../../kernel/hrtimer.js';
import { spinLock, spinUnlock } from '../../kernel/locking/spinlock.js';
import { initListHead, listAddTail, listDelInit, listEmpty, listHead } from '../../mm/list.js';
import { kfree, kmalloc } from '../../mm/slab.js';
import { f64, line, struct, word, words } from '../../mm/struct.js';
import { freeList } from '../core/defer_free.js';
import { HRTIMER_IP_FRAGMENTS } from '../core/ids.js';
import type { NetContext } from '../core/net_context.js';
import { skbDev } from '../core/page_pool.js';
import { countDrops } from '../core/skb_free.js';
import { SKB, SKB_STRIDE } from '../core/skbuff.js';
import { DROP_FRAG_REASM_TIMEOUT, NET } from '../core/softnet_data.js';

/** Buckets of the hash table, a power of two. */
const FRAG_BUCKETS = 1024;
/** Counters of senders, a power of two: those with one hash share one, and are farther apart for it. */
const FRAG_PEERS = 256;

/** The timer is never set for longer, us. */
const FRAG_LOOK_US = 1_000_000;
/** Nor for less: queues that are due together end together. */
const FRAG_LOOK_MIN_US = 1000;

export const FQDIR = struct(
  'fqdir',
  line('main thread, before any other starts', {
    hash: word('first queue of each bucket'),
    peers: word('fragments that came of each sender (wrap), by the hash of its address; the lock’s'),
  }),
  line('lock holders', { lock: word('spin lock of the queues and of all they hold') }),
  line('lock', {
    queues: listHead('all queues, the oldest first'),
    nrQueues: word('queues'),
    mem: word('bytes held: buffers, and the queues themselves'),
    timerArmed: word('1 while the timer is started, or its function has not taken the lock'),
    reasmReqds: word('fragments that came (wraps; so do the others)'),
    reasmOKs: word('datagrams that were put together'),
    reasmFails: word('failures: datagrams given up, fragments not taken for want of memory'),
    reasmTimeout: word('datagrams whose rest did not come in time'),
    reasmOverlaps: word('datagrams given up because fragments overlapped'),
  }),
  line('see struct hrtimer', { timer: words(HRTIMER.SIZE, 'ends queues that are too old') }),
);

export const IPQ = struct(
  'ipq',
  line('FQDIR.lock; dead: whoever took it out of the table', {
    hashNext: word('next queue of the bucket; dead: next of those that end together'),
    saddr: word('source address'),
    daddr: word('destination address'),
    idProto: word('identification 16 bits, protocol 8 bits'),
    entry: listHead('entry of the list of queues'),
    stampNs: f64('when its first fragment came (CLOCK_MONOTONIC)'),
    rid: word('the sender’s counter at its latest fragment'),
    lastIn: word('1: the last fragment has come, `len` is the datagram’s'),
    len: word('end of what came that lies farthest behind'),
    meat: word('bytes that came'),
    firstRun: word('first run of fragments, 0: none'),
    lastRun: word('last run'),
    tail: word('last fragment of the last run'),
    frags: word('fragments held'),
    mem: word('bytes held'),
  }),
);

/** Bytes that a queue alone counts for. */
const QUEUE_BYTES = IPQ.SIZE * 4;

/** Makes the table, empty. Before any thread starts. @returns its word index, or 0 (ENOMEM) */
export function fqdirInit(m: Int32Array): number {
  const at = kmalloc(m, FQDIR.SIZE);
  const hash = kmalloc(m, FRAG_BUCKETS);
  const peers = kmalloc(m, FRAG_PEERS);
  if (at === 0 || hash === 0 || peers === 0) return 0;
  m[at + FQDIR.hash] = hash;
  m[at + FQDIR.peers] = peers;
  initListHead(m, at + FQDIR.queues);
  hrtimerSetup(m, at + FQDIR.timer, HRTIMER_IP_FRAGMENTS, at);
  return at;
}

/** @returns the word that holds the first queue of the bucket of a key */
function bucketOf(m: Int32Array, at: number, saddr: number, daddr: number, idProto: number): number {
  let h = Math.imul(saddr, 0x9e3779b1) ^ Math.imul(daddr, 0x85ebca6b) ^ Math.imul(idProto, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return m[at + FQDIR.hash] + ((h ^ (h >>> 13)) & (FRAG_BUCKETS - 1));
}

/** @returns the word that counts the fragments of a sender */
function peerOf(m: Int32Array, at: number, saddr: number): number {
  return m[at + FQDIR.peers] + ((Math.imul(saddr, 0x9e3779b1) >>> 16) & (FRAG_PEERS - 1));
}

/** Finds the queue of a datagram (Linux: inet_frag_find). Lock held. @returns its word index, or 0 */
export function fragFind(m: Int32Array, at: number, saddr: number, daddr: number, idProto: number): number {
  let q = m[bucketOf(m, at, saddr, daddr, idProto)];
  while (q !== 0) {
    if (m[q + IPQ.idProto] === idProto && m[q + IPQ.saddr] === saddr && m[q + IPQ.daddr] === daddr) return q;
    q = m[q + IPQ.hashNext];
  }
  return 0;
}

/**
 * Makes the queue of a datagram (Linux: inet_frag_create). Lock held; there is none yet.
 * @param stampNs when the fragment came that needs it
 * @returns its word index, or 0 (ENOMEM)
 */
export function fragCreate(
  net: NetContext,
  at: number,
  saddr: number,
  daddr: number,
  idProto: number,
  stampNs: number,
): number {
  const { m, f } = net;
  const q = kmalloc(m, IPQ.SIZE);
  if (q === 0) return 0;
  const bucket = bucketOf(m, at, saddr, daddr, idProto);
  m[q + IPQ.saddr] = saddr;
  m[q + IPQ.daddr] = daddr;
  m[q + IPQ.idProto] = idProto;
  m[q + IPQ.rid] = m[peerOf(m, at, saddr)];
  f[(q + IPQ.stampNs) >> 1] = stampNs;
  m[q + IPQ.hashNext] = m[bucket];
  m[bucket] = q;
  listAddTail(m, q + IPQ.entry, at + FQDIR.queues);
  m[at + FQDIR.nrQueues]++;
  m[q + IPQ.mem] = QUEUE_BYTES;
  m[at + FQDIR.mem] += QUEUE_BYTES;
  if (m[at + FQDIR.timerArmed] === 0) {
    m[at + FQDIR.timerArmed] = 1;
    startTimer(net, at, Atomics.load(m, net.at + NET.ipfragTime) * 1e6);
  }
  return q;
}

/**
 * Counts a fragment of its sender (Linux: ip_frag_too_far). Lock held.
 * @param q its queue, 0: it is the first
 * @returns true if so many of the sender's others came since the one before that it is hardly of the same datagram
 */
export function fragTooFar(net: NetContext, at: number, q: number, saddr: number): boolean {
  const { m } = net;
  const peer = peerOf(m, at, saddr);
  const rid = (m[peer] + 1) | 0;
  m[peer] = rid;
  if (q === 0) return false;
  const maxDist = Atomics.load(m, net.at + NET.ipfragMaxDist);
  const far = maxDist !== 0 && ((rid - m[q + IPQ.rid]) | 0) > maxDist;
  m[q + IPQ.rid] = rid;
  return far;
}

/** Counts a fragment's buffers as held by a queue. Lock held. */
export function fragCharge(m: Int32Array, at: number, q: number, skb: number): void {
  let bytes = 0;
  for (let s = skb; s !== 0; s = m[s + SKB.frags]) bytes += SKB_STRIDE * 4;
  m[q + IPQ.frags]++;
  m[q + IPQ.mem] += bytes;
  m[at + FQDIR.mem] += bytes;
}

/** Takes a queue out of the table: it is the caller's from now on (Linux: inet_frag_kill). Lock held. */
export function fragKill(m: Int32Array, at: number, q: number): void {
  let link = bucketOf(m, at, m[q + IPQ.saddr], m[q + IPQ.daddr], m[q + IPQ.idProto]);
  while (m[link] !== q) link = m[link] + IPQ.hashNext;
  m[link] = m[q + IPQ.hashNext];
  m[q + IPQ.hashNext] = 0;
  listDelInit(m, q + IPQ.entry);
  m[at + FQDIR.nrQueues]--;
  const bytes = m[q + IPQ.mem];
  m[at + FQDIR.mem] -= bytes;
}

/** Frees a dead queue that holds nothing any more. */
export function fragFree(m: Int32Array, q: number): void {
  kfree(m, q, IPQ.SIZE);
}

/** Ends dead queues, linked by `hashNext`: what they hold is counted as dropped and freed (Linux: inet_frag_destroy). */
export function fragDestroy(net: NetContext, first: number, reason: number): void {
  const { m } = net;
  for (let q = first; q !== 0; ) {
    const following = m[q + IPQ.hashNext];
    const frags = m[q + IPQ.frags];
    if (frags > 0) {
      countDrops(net, reason, frags);
      freeList(net, oneList(m, q), frags);
    }
    fragFree(m, q);
    q = following;
  }
}

/** Links all fragments of a dead queue by `next`. @returns the first */
function oneList(m: Int32Array, q: number): number {
  const first = m[q + IPQ.firstRun];
  for (let run = first; run !== 0; ) {
    const nextRun = m[run + SKB.fragList];
    m[run + SKB.fragList] = 0;
    let last = run;
    while (m[last + SKB.next] !== 0) last = m[last + SKB.next];
    m[last + SKB.next] = nextRun;
    run = nextRun;
  }
  return first;
}

/**
 * Takes the queues out of the table whose time is over (Linux: ip_expire). Lock held.
 * @param nowNs CLOCK_MONOTONIC
 * @returns them, linked by `hashNext`; 0: none. The caller destroys them without the lock
 */
export function fragExpire(net: NetContext, at: number, nowNs: number): number {
  const { m, f } = net;
  const head = at + FQDIR.queues;
  const beforeNs = nowNs - Atomics.load(m, net.at + NET.ipfragTime) * 1e9;
  let dead = 0;
  while (!listEmpty(m, head)) {
    const q = m[head] - IPQ.entry;
    if (f[(q + IPQ.stampNs) >> 1] > beforeNs) break;
    fragKill(m, at, q);
    m[at + FQDIR.reasmFails]++;
    m[at + FQDIR.reasmTimeout]++;
    m[q + IPQ.hashNext] = dead;
    dead = q;
  }
  return dead;
}

function startTimer(net: NetContext, at: number, delayUs: number): void {
  hrtimerStart(net.cur, at + FQDIR.timer, Math.max(FRAG_LOOK_MIN_US, Math.min(delayUs, FRAG_LOOK_US)));
}

/** The timer's function: ends what is too old, and comes again while there are others. In the thread of a CPU. */
export function fragTimer(net: NetContext): void {
  const { m, f, cur } = net;
  const at = m[net.at + NET.fqdir];
  const head = at + FQDIR.queues;
  const nowNs = cur.platform.nowNs();
  spinLock(m, at + FQDIR.lock);
  const dead = fragExpire(net, at, nowNs);
  if (listEmpty(m, head)) {
    m[at + FQDIR.timerArmed] = 0;
  } else {
    const oldestNs = f[(m[head] - IPQ.entry + IPQ.stampNs) >> 1];
    startTimer(net, at, (oldestNs - nowNs) / 1e3 + Atomics.load(m, net.at + NET.ipfragTime) * 1e6);
  }
  spinUnlock(m, at + FQDIR.lock);
  fragDestroy(net, dead, DROP_FRAG_REASM_TIMEOUT);
}

/**
 * Gives up every datagram of which a fragment came by a device: it goes away, and brings nothing any more. Process context.
 * @param dev net_device; 0: every datagram
 * @param reason DROP_*
 */
export function fragFlush(net: NetContext, dev: number, reason: number): void {
  const { m } = net;
  const at = m[net.at + NET.fqdir];
  if (at === 0) return;
  const head = at + FQDIR.queues;
  let dead = 0;
  spinLock(m, at + FQDIR.lock);
  for (let entry = m[head]; entry !== head; ) {
    const following = m[entry];
    const q = entry - IPQ.entry;
    if (dev === 0 || holdsOf(m, q, dev)) {
      fragKill(m, at, q);
      m[at + FQDIR.reasmFails]++;
      m[q + IPQ.hashNext] = dead;
      dead = q;
    }
    entry = following;
  }
  spinUnlock(m, at + FQDIR.lock);
  fragDestroy(net, dead, reason);
}

/** @returns true if a fragment of the queue came by a device. Lock held */
function holdsOf(m: Int32Array, q: number, dev: number): boolean {
  for (let run = m[q + IPQ.firstRun]; run !== 0; run = m[run + SKB.fragList]) {
    for (let skb = run; skb !== 0; skb = m[skb + SKB.next]) if (skbDev(m, skb) === dev) return true;
  }
  return false;
}

/** The machine ends: everything is given up, the timer does not come again (Linux: fqdir_exit). No fragment comes any more. */
export function fragExit(net: NetContext): void {
  const at = net.m[net.at + NET.fqdir];
  if (at === 0) return;
  fragFlush(net, 0, DROP_FRAG_REASM_TIMEOUT);
  hrtimerCancel(net.cur, at + FQDIR.timer);
}
