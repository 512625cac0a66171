// SPDX-License-Identifier: GPL-2.0-only
/**
 * GRO (Linux: net/core/gro.c): frames of one flow that follow each other are held and chained, and go up together.
 *
 * A chain keeps every frame as it came (Linux: skb_gro_receive_list); it is taken apart again before a socket, so what
 * it saves is the look-up per frame. The rules of what may be chained are in gro_rules.ts.
 *
 * Owner: the owner of SCHED. A bucket is a list of chains, oldest first, linked by `next`; the frames of a chain are
 * linked by `fragList`, its head's `gro` names the last one, `segs` counts them.
 *
 * Invariants: at most MAX_GRO_SKBS chains in a bucket; bit i of groBitmask is set exactly if bucket i holds some; a
 * frame of a held flow that cannot join the chain goes up behind it, never before it.
 */
import { flushBacklogs } from './backlog_queue.js';
import {
  GRO_APPEND,
  GRO_BYPASS,
  GRO_CANDIDATE,
  GRO_FLUSH_FIRST,
  groCanHold,
  groClassify,
  groIdStep,
  sameFlow,
  tcpGroListCanAppend,
  udpGroListCanAppend,
} from './gro_rules.js';
import { IPPROTO_TCP, IPPROTO_UDP } from './headers/protocols.js';
import { GRO_HASH_BUCKETS, NAPI, type Napi } from './napi.js';
import type { NetContext } from './net_context.js';
import { flushSockets, groNormalList, groNormalOne } from './rx.js';
import { dropSkb } from './skb_free.js';
import { SKB, skbData } from './skbuff.js';
import { DROP_DEV_READY } from './softnet_data.js';

/** Chains held in one bucket; the oldest goes when one more comes (Linux: MAX_GRO_SKBS). */
export const MAX_GRO_SKBS = 8;
/** A chain older than this goes at the next flush of old ones: a jiffy at HZ 1000. */
const GRO_AGE_NS = 1e6;

/** Device features that matter here. */
export const NETIF_F_GRO = 1;
/** UDP, too (Linux: rx-gro-list; without it UDP is held only for sockets that ask). */
export const NETIF_F_GRO_FRAGLIST = 2;

/**
 * Takes a frame from a driver's poll (Linux: napi_gro_receive). `net.keys` holds its dissection.
 * @param features NETIF_F_* of the device
 */
export function napiGroReceive(net: NetContext, n: Napi, skb: number, features: number): void {
  const { m, keys } = net;
  const proto = keys.ipProto;
  const wanted =
    (features & NETIF_F_GRO) !== 0 &&
    m[skb + SKB.frags] === 0 &&
    ((proto === IPPROTO_TCP && keys.ipVersion !== 0) ||
      (proto === IPPROTO_UDP && (features & NETIF_F_GRO_FRAGLIST) !== 0));
  if (wanted) {
    groReceive(net, n, skb);
    return;
  }
  // Not for GRO (or no more, or longer than a buffer): never past held frames of its flow all the same.
  if (m[n.at + NAPI.groBitmask] !== 0) flushFlow(net, n, skb);
  groNormalOne(net, n, skb, 1);
}

function groReceive(net: NetContext, n: Napi, skb: number): void {
  const { m, b, keys } = net;
  const verdict = groClassify(b, skbData(skb), m[skb + SKB.len], keys);
  if (verdict === GRO_BYPASS) {
    if (m[n.at + NAPI.groBitmask] !== 0) flushFlow(net, n, skb);
    groNormalOne(net, n, skb, 1);
    return;
  }
  const bucket = m[skb + SKB.hash] & (GRO_HASH_BUCKETS - 1);
  const head = findFlow(net, n, bucket, skb);
  if (head !== 0) {
    const how = verdict === GRO_CANDIDATE ? canAppend(net, head) : GRO_FLUSH_FIRST;
    if (how !== GRO_FLUSH_FIRST) {
      append(net, n, head, skb);
      if (how !== GRO_APPEND) complete(net, n, bucket, head);
      return;
    }
    complete(net, n, bucket, head);
  }
  if (verdict === GRO_CANDIDATE && groCanHold(keys)) hold(net, n, bucket, skb);
  else groNormalOne(net, n, skb, 1);
}

/** A packet GRO does not take may still belong to a held flow: whatever has its hash goes first. */
function flushFlow(net: NetContext, n: Napi, skb: number): void {
  const { m } = n;
  const bucket = m[skb + SKB.hash] & (GRO_HASH_BUCKETS - 1);
  for (let held = m[n.at + NAPI.groHead + bucket]; held !== 0; ) {
    const next = m[held + SKB.next];
    if (m[held + SKB.hash] === m[skb + SKB.hash]) complete(net, n, bucket, held);
    held = next;
  }
}

function findFlow(net: NetContext, n: Napi, bucket: number, skb: number): number {
  const { m, b, keys } = net;
  const hash = m[skb + SKB.hash];
  for (let held = m[n.at + NAPI.groHead + bucket]; held !== 0; held = m[held + SKB.next]) {
    if (m[held + SKB.hash] !== hash) continue;
    const off = skbData(held);
    const headers = m[held + SKB.headers];
    if (sameFlow(b, off, off + (headers & 0xffff), off + (headers >>> 16), skbData(skb), keys)) return held;
  }
  return 0;
}

/** Asks the rules whether the packet in `net.keys` may join the chain. */
function canAppend(net: NetContext, head: number): number {
  const { m, b, keys } = net;
  const off = skbData(head);
  const l3Off = off + (m[head + SKB.headers] & 0xffff);
  const l4Off = off + (m[head + SKB.headers] >>> 16);
  const segs = m[head + SKB.segs];
  const gsoSize = m[head + SKB.payload] >>> 16;
  const second = m[head + SKB.fragList];
  const idStep = second === 0 ? 0 : groIdStep(b, l3Off, skbData(second) + (m[second + SKB.headers] & 0xffff));
  if (keys.ipProto === IPPROTO_UDP) return udpGroListCanAppend(b, l3Off, l4Off, segs, idStep, gsoSize, keys);
  const last = m[head + SKB.gro];
  const seqAt = skbData(last) + (m[last + SKB.headers] >>> 16) + 4;
  const seq = (b[seqAt] << 24) | (b[seqAt + 1] << 16) | (b[seqAt + 2] << 8) | b[seqAt + 3];
  const nextSeq = (seq + (m[last + SKB.payload] >>> 16)) | 0;
  return tcpGroListCanAppend(b, l3Off, l4Off, segs, idStep, nextSeq, gsoSize, keys);
}

function append(net: NetContext, n: Napi, head: number, skb: number): void {
  const { m } = net;
  m[m[head + SKB.gro] + SKB.fragList] = skb;
  m[head + SKB.gro] = skb;
  m[head + SKB.segs]++;
  m[n.at + NAPI.groMerged]++;
}

function hold(net: NetContext, n: Napi, bucket: number, skb: number): void {
  const { m, at } = n;
  if (m[at + NAPI.groCount + bucket] >= MAX_GRO_SKBS) complete(net, n, bucket, m[at + NAPI.groHead + bucket]);
  m[skb + SKB.next] = 0;
  m[skb + SKB.gro] = skb;
  m[skb + SKB.segs] = 1;
  let link = at + NAPI.groHead + bucket;
  while (m[link] !== 0) link = m[link] + SKB.next;
  m[link] = skb;
  m[at + NAPI.groCount + bucket]++;
  m[at + NAPI.groBitmask] |= 1 << bucket;
}

/** Takes a chain out of its bucket and sends it up (Linux: napi_gro_complete). */
function complete(net: NetContext, n: Napi, bucket: number, head: number): void {
  const { m, at } = n;
  let link = at + NAPI.groHead + bucket;
  while (m[link] !== head) link = m[link] + SKB.next;
  m[link] = m[head + SKB.next];
  m[at + NAPI.groCount + bucket]--;
  if (m[at + NAPI.groCount + bucket] === 0) m[at + NAPI.groBitmask] &= ~(1 << bucket);
  groNormalOne(net, n, head, m[head + SKB.segs]);
}

/**
 * Sends held chains up (Linux: gro_flush).
 * @param flushOld only those older than a jiffy
 */
export function groFlush(net: NetContext, n: Napi, flushOld: boolean): void {
  const { m, at } = n;
  let mask = m[at + NAPI.groBitmask];
  if (mask === 0) return;
  const before = flushOld ? net.cur.platform.nowNs() - GRO_AGE_NS : 0;
  for (let bucket = 0; mask !== 0; bucket++, mask >>>= 1) {
    if ((mask & 1) === 0) continue;
    for (let held = m[at + NAPI.groHead + bucket]; held !== 0; ) {
      const next = m[held + SKB.next];
      if (flushOld && net.f[(held + SKB.tstampNs) >> 1] > before) break; // oldest first: the others are younger
      complete(net, n, bucket, held);
      held = next;
    }
  }
}

/** Drops what GRO holds of an instance that is going away (Linux: gro_cleanup). The caller has disabled it. */
export function groCleanup(net: NetContext, n: Napi): void {
  const { m, at } = n;
  for (let bucket = 0; bucket < GRO_HASH_BUCKETS; bucket++) {
    // Frames that an instance holds are of its own queue's pool, and nobody polls it.
    if (m[at + NAPI.groHead + bucket] !== 0) net.ownPool = m[m[at + NAPI.groHead + bucket] + SKB.pool];
    for (let head = m[at + NAPI.groHead + bucket]; head !== 0; ) {
      const nextChain = m[head + SKB.next];
      for (let skb = head; skb !== 0; ) {
        const following = m[skb + SKB.fragList];
        m[skb + SKB.fragList] = 0;
        dropSkb(net, skb, DROP_DEV_READY);
        skb = following;
      }
      head = nextChain;
    }
    m[at + NAPI.groHead + bucket] = 0;
    m[at + NAPI.groCount + bucket] = 0;
  }
  m[at + NAPI.groBitmask] = 0;
}

/** Flushes GRO, the receive list and the sockets: what a poll owes before it ends (Linux: gro_flush_normal). */
export function groFlushNormal(net: NetContext, n: Napi, flushOld: boolean): void {
  groFlush(net, n, flushOld);
  groNormalList(net, n);
  // In this order: a frame that stayed here may have gone before one of its flow that was steered away.
  flushSockets(net);
  if (net.staged.length > 0) flushBacklogs(net);
}
