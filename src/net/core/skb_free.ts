// SPDX-License-Identifier: GPL-2.0-only
/**
 * Frames that end on the way: counted by reason, their buffers given back (Linux: kfree_skb_reason, napi_consume_skb).
 *
 * Owner: a frame belongs to whoever calls. Buffers of the pool whose NAPI instance the caller polls go straight back;
 * those of others are deferred (defer_free.ts).
 */
import { skbAttemptDeferFree } from './defer_free.js';
import type { NetContext } from './net_context.js';
import { SKB, skbFrames } from './skbuff.js';
import { NET } from './softnet_data.js';

/** Counts `n` frames dropped for `reason` (DROP_*). */
export function countDrops(net: NetContext, reason: number, n: number): void {
  Atomics.add(net.m, net.at + NET.drops + reason, n);
}

/** Counts a frame, or the fragments of a datagram, dropped for `reason` (DROP_*) and frees it. */
export function dropSkb(net: NetContext, skb: number, reason: number): void {
  countDrops(net, reason, skbFrames(net.m, skb));
  freeSkb(net, skb);
}

/** Drops a frame, or every frame of a chain that GRO made. @returns how many */
export function dropChain(net: NetContext, head: number, reason: number): number {
  const { m } = net;
  let n = 0;
  for (let skb = head; skb !== 0; n++) {
    const following = m[skb + SKB.fragList];
    if (following !== 0) m[skb + SKB.fragList] = 0;
    dropSkb(net, skb, reason);
    skb = following;
  }
  return n;
}

/** Frees a frame: all its buffers. Those of a reassembled datagram may be of several pools. */
function freeSkb(net: NetContext, skb: number): void {
  const { m } = net;
  const at = m[skb + SKB.pool];
  if (at !== net.ownPool) {
    skbAttemptDeferFree(net, skb);
    return;
  }
  const pool = net.pool(at);
  for (let s = skb; s !== 0; ) {
    const next = m[s + SKB.frags];
    if (next !== 0) m[s + SKB.frags] = 0;
    if (m[s + SKB.pool] === at) pool.recycleDirect(s);
    else skbAttemptDeferFree(net, s);
    s = next;
  }
}
