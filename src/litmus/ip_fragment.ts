// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of fragments of one datagram in the polls of two threads: net/ipv4/ip_fragment.ts, inet_fragment.ts. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { HRTIMER } from '../kernel/hrtimer.js';
import { spinTryLock } from '../kernel/locking/spinlock.js';
import { Arena } from '../mm/arena.js';
import { type NetContext, netContext } from '../net/core/net_context.js';
import { PAGE_POOL, pagePoolCreate, pagePoolInside, pagePoolView } from '../net/core/page_pool.js';
import { receiveSkb } from '../net/core/rx.js';
import {
  SKB,
  SKB_F_FRAGMENT,
  SKB_F_IP,
  SKB_F_REASSEMBLED,
  SKB_PART,
  SKB_STRIDE,
  skbData,
} from '../net/core/skbuff.js';
import { DROP_DEV_READY, DROP_FRAG_REASM_TIMEOUT, DROP_NO_SOCKET, NET } from '../net/core/softnet_data.js';
import { FQDIR, fqdirInit, fragFlush, fragTimer, IPQ } from '../net/ipv4/inet_fragment.js';
import { ipDefrag } from '../net/ipv4/ip_fragment.js';
import { listTasks, type NetTasks, netBoot } from './net_world.js';
import { ARENA_WORDS, addWord, currentOf } from './world.js';

const BUFFERS = 2;
/** Stands for the net_device: nobody looks into it. */
const DEV = 64;
/** A word of a buffer that whoever owns it may write plainly. */
const CONTENT = SKB_STRIDE - 1;
/** Where the IPv4 and the UDP header of a frame stand. */
const L3 = 0;
const L4 = 20;

interface FragSetup extends NetTasks {
  readonly fqdir: number;
  readonly pool: number;
  /** The fragments: bytes 0 to 8 and 8 to 16 of a datagram. */
  readonly first: number;
  readonly second: number;
  /** Datagrams that were whole. */
  readonly whole: number;
}

/** A frame as a driver has read it: 8 bytes of a datagram. */
function writeFragment({ m, b }: Arena, skb: number, offset: number, more: boolean): void {
  const at = skbData(skb) + L3;
  b[at] = 0x45;
  b[at + 6] = more ? 0x20 : 0;
  b[at + 7] = offset >>> 3;
  b[at + 9] = 17;
  b[skbData(skb) + L4 + 5] = 16;
  m[skb + SKB.headers] = (L4 << 16) | L3;
  m[skb + SKB.payload] = (8 << 16) | L4;
  m[skb + SKB.proto] = ((SKB_F_IP | SKB_F_FRAGMENT) << 24) | (17 << 16) | 0x0800;
}

/** Tables of fragments are large. */
function fragMemory(): Arena {
  return new Arena(new SharedArrayBuffer(2 * ARENA_WORDS * 4));
}

function setup(arena: Arena, label: Label, time = 30): FragSetup {
  const { m } = arena;
  const tasks = netBoot(arena, label);
  listTasks(m, [tasks.irqA, tasks.irqB, tasks.control]);
  const fqdir = fqdirInit(m);
  label(m, fqdir, FQDIR, 'fqdir');
  const net = m[KERNEL_AT + KERNEL.net];
  m[net + NET.fqdir] = fqdir;
  m[net + NET.ipfragHighThresh] = 1 << 20;
  m[net + NET.ipfragTime] = time;
  m[net + NET.ipfragMaxDist] = 64;
  m[fqdir + FQDIR.timerArmed] = 1; // it was started, and its function is about to look
  const pool = pagePoolCreate(m, BUFFERS);
  label(m, pool, PAGE_POOL, 'pool');
  m[pool + PAGE_POOL.dev] = DEV;
  const view = pagePoolView(m, pool);
  view.take(BUFFERS);
  const first = m[view.taken];
  const second = m[view.taken + 1];
  label(m, first, SKB, 'first');
  label(m, second, SKB, 'second');
  writeFragment(arena, first, 0, true);
  writeFragment(arena, second, 8, false);
  return { ...tasks, fqdir, pool, first, second, whole: addWord(m, label, 'whole') };
}

function contextOf(arena: Arena, task: number): NetContext {
  return netContext(currentOf(arena.m, task), arena);
}

/** A poll brings a fragment. Whoever gets the datagram writes into all of it, as its owner. */
function bring(net: NetContext, s: FragSetup, skb: number): void {
  const { m } = net;
  const head = ipDefrag(net, skb);
  if (head === 0) return;
  must(head === s.first && m[head + SKB.frags] === s.second, 'the datagram is not of its fragments');
  must(m[s.second + SKB.frags] === 0, 'the datagram goes on behind its end');
  must(m[head + SKB_PART] === 28 << 16 && m[s.second + SKB_PART] === ((8 << 16) | 20), 'parts are wrong');
  must(m[head + SKB.len] === 36 && m[head + SKB.segs] === 2, 'it is not of two fragments');
  must(m[head + SKB.proto] >>> 24 === (SKB_F_IP | SKB_F_REASSEMBLED), 'it is not marked as whole');
  m[head + CONTENT] = 1;
  m[s.second + CONTENT] = 1;
  m[s.whole]++;
}

/** Each fragment is in one place, and what the table says of them is true. */
function mustAddUp(m: Int32Array, s: FragSetup): void {
  const net = m[KERNEL_AT + KERNEL.net];
  const queues = m[s.fqdir + FQDIR.nrQueues];
  const mem = m[s.fqdir + FQDIR.mem];
  const held = (mem - queues * IPQ.SIZE * 4) / (SKB_STRIDE * 4);
  const dropped = m[net + NET.drops + DROP_DEV_READY] + m[net + NET.drops + DROP_FRAG_REASM_TIMEOUT];
  const inside = pagePoolInside(m, s.pool);
  must(inside === dropped, `${dropped} fragments were dropped, ${inside} are back in the pool`);
  const came = m[s.fqdir + FQDIR.reasmReqds];
  must(held + dropped + 2 * m[s.whole] === came, `${held} wait, ${dropped} dropped, ${m[s.whole]} whole`);
  must(m[s.fqdir + FQDIR.reasmOKs] === m[s.whole], 'datagrams are counted wrongly');
  must((queues === 0) === (m[s.fqdir + FQDIR.queues] === s.fqdir + FQDIR.queues), 'the list is another');
  must(spinTryLock(m, s.fqdir + FQDIR.lock), 'the lock is held for ever');
}

export const fragmentsTwoPolls: Litmus = litmus({
  name: 'ip-fragments-two-polls',
  memory: fragMemory,
  setup: (arena, label) => setup(arena, label),
  threads: {
    pollA: (arena, s) => bring(contextOf(arena, s.irqA), s, s.first),
    pollB: (arena, s) => bring(contextOf(arena, s.irqB), s, s.second),
  },
  final({ m }, s) {
    must(m[s.whole] === 1, `${m[s.whole]} datagrams came of the fragments of one`);
    must(m[s.fqdir + FQDIR.mem] === 0 && m[s.fqdir + FQDIR.nrQueues] === 0, 'something is held');
    mustAddUp(m, s);
  },
  forbids:
    'two datagrams, or none, of fragments that came by two polls at the same time; one of them with two owners',
  why: 'the lock hands the fragments over; who makes it whole takes the queue out of the table under it',
});

export const fragmentsFlush: Litmus = litmus({
  name: 'ip-fragments-flush',
  memory: fragMemory,
  setup: (arena, label) => setup(arena, label),
  threads: {
    poll(arena, s) {
      const net = contextOf(arena, s.irqA);
      bring(net, s, s.first);
      bring(net, s, s.second);
    },
    control: (arena, s) => fragFlush(contextOf(arena, s.control), DEV, DROP_DEV_READY),
  },
  final({ m }, s) {
    mustAddUp(m, s);
  },
  forbids: 'a fragment that is freed while it becomes part of a datagram, or is lost',
  why: 'a queue is taken out of the table once, under the lock, and is then private',
});

export const fragmentsTimer: Litmus = litmus({
  name: 'ip-fragments-timer',
  memory: fragMemory,
  setup: (arena, label) => setup(arena, label, 0),
  threads: {
    poll: (arena, s) => bring(contextOf(arena, s.irqA), s, s.first),
    cpu: (arena, s) => fragTimer(contextOf(arena, s.cpu)),
  },
  final({ m }, s) {
    mustAddUp(m, s);
    const started = m[s.fqdir + FQDIR.timer + HRTIMER.enqueued] !== 0;
    must(started === (m[s.fqdir + FQDIR.timerArmed] !== 0), 'timerArmed is wrong');
    must(
      started || m[s.fqdir + FQDIR.nrQueues] === 0,
      'a fragment waits, and nobody looks when its time is over',
    );
  },
  forbids: 'a fragment that waits for ever',
  why: 'who makes the first queue and the timer’s function agree under the lock on who starts the timer',
});

interface PoolsSetup extends FragSetup {
  /** The pool of the second fragment. */
  readonly other: number;
}

function noSocket(net: NetContext, skb: number): null {
  must(skb !== 0 && net.m[skb + SKB.frags] !== 0, 'a socket is looked up for a fragment, or for nothing');
  return null;
}

/** A poll of the instance that receives into a pool: takes a fragment up, and buffers that come back. */
function receive(arena: Arena, task: number, poolAt: number, skb: number): void {
  const { m } = arena;
  const net = contextOf(arena, task);
  net.ownPool = poolAt;
  net.ipDefrag = ipDefrag;
  net.sockLookups.push(noSocket);
  receiveSkb(net, skb);
  const pool = net.pool(poolAt);
  for (let i = 0; i < BUFFERS && pool.take(1) === 1; i++) {
    const taken = m[pool.taken];
    must(m[taken + SKB.pool] === poolAt, 'a buffer is in another pool than its own');
    m[taken + SKB.proto] = 0;
    m[taken + SKB.segs] = 0;
  }
}

export const fragmentsTwoPools: Litmus = litmus({
  name: 'ip-fragments-two-pools',
  memory: fragMemory,
  setup(arena, label): PoolsSetup {
    const { m } = arena;
    const s = setup(arena, label);
    const other = pagePoolCreate(m, BUFFERS);
    must(other !== 0, 'the arena is too small for this test');
    label(m, other, PAGE_POOL, 'other');
    const view = pagePoolView(m, other);
    view.take(BUFFERS);
    const second = m[view.taken];
    label(m, second, SKB, 'second of the other');
    writeFragment(arena, second, 8, false);
    return { ...s, second, other };
  },
  threads: {
    pollA: (arena, s) => receive(arena, s.irqA, s.pool, s.first),
    pollB: (arena, s) => receive(arena, s.irqB, s.other, s.second),
  },
  final({ m }, s) {
    const net = m[KERNEL_AT + KERNEL.net];
    must(m[net + NET.drops + DROP_NO_SOCKET] === 2, 'the datagram is not counted as its two fragments');
    must(m[s.fqdir + FQDIR.mem] === 0, 'something is held');
    for (const [pool, skb] of [
      [s.pool, s.first],
      [s.other, s.second],
    ]) {
      const inside = pagePoolInside(m, pool);
      // Whoever polls took it out again, or was over before it came back.
      must(
        inside === 1 ? m[skb + SKB.segs] !== 0 : m[skb + SKB.segs] === 0,
        'a buffer is lost, or twice there',
      );
      must(inside <= 1 && m[skb + SKB.frags] === 0, 'a buffer goes on behind its end');
    }
  },
  forbids: 'a buffer of a datagram that goes back to the pool of another one, or is looked at behind its end',
  why: 'each buffer goes back by its own pool, under the lock of a pool that somebody else polls',
});
