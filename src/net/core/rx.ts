// SPDX-License-Identifier: GPL-2.0-only
/**
 * From a NAPI instance to the sockets (Linux: netif_receive_skb_list in net/core/dev.c).
 *
 * Owner: everything here belongs to the owner of SCHED and runs in its poll. Frames are collected in the receive list,
 * handed to the stack in batches (gro_normal_batch), staged per socket, and queued to the sockets when the poll ends
 * or the instance is given up: see sock_queue.ts for why then.
 */
import { TP_NETIF_RECEIVE_SKB, trace } from '../../kernel/trace.js';
import type { Napi } from './napi.js';
import type { NetContext } from './net_context.js';
import { PAGE_POOL } from './page_pool.js';
import { rpsReceive } from './rps.js';
import { dropSkb } from './skb_free.js';
import { SKB, SKB_F_FRAGMENT } from './skbuff.js';
import { SOCK, type SockQueue, sockWake } from './sock_queue.js';
import { DROP_NO_SOCKET, DROP_SOCKET_RCVBUFF, SOFTNET_DATA } from './softnet_data.js';

/** Appends a frame (or a chain that GRO made) to the receive list (Linux: gro_normal_one). */
export function groNormalOne(net: NetContext, n: Napi, skb: number, segs: number): void {
  net.rxList[net.rxEntries++] = skb;
  net.rxFrames += segs;
  if (net.rxFrames >= net.groNormalBatch) groNormalList(net, n);
}

/** Hands the receive list to the stack (Linux: gro_normal_list). */
export function groNormalList(net: NetContext, n: Napi): void {
  const { rxList, rxEntries } = net;
  net.rxEntries = 0;
  net.rxFrames = 0;
  const steered = net.rpsNeeded !== 0;
  let here = rxEntries;
  for (let i = 0; i < rxEntries; i++) {
    if (steered && rpsReceive(net, n, rxList[i])) here--;
    else receiveSkb(net, rxList[i]);
  }
  net.processed += here;
}

/**
 * Counts the skbs handed to the protocols since the last call, on this CPU, whose BH lock the caller holds. Their
 * tracepoint is one for all of them: a look at the clock costs as much as what is done with a frame.
 */
function countProcessed(net: NetContext): void {
  const n = net.processed;
  net.processed = 0;
  trace(net.cur, TP_NETIF_RECEIVE_SKB, n);
  net.m[net.softnet[net.cur.cpu.id].at + SOFTNET_DATA.processed] += n;
}

/**
 * Hands a frame to the protocols (Linux: __netif_receive_skb): finds its socket and stages it there; chains are taken
 * apart again, frame by frame. A fragment is kept until its datagram is whole, if the machine reassembles.
 */
export function receiveSkb(net: NetContext, first: number): void {
  const { m, sockLookups } = net;
  let head = first;
  if (net.ipDefrag !== null && ((m[first + SKB.proto] >>> 24) & SKB_F_FRAGMENT) !== 0) {
    head = net.ipDefrag(net, first);
    if (head === 0) return;
  }
  let sock: SockQueue | null = null;
  for (let i = 0; i < sockLookups.length && sock === null; i++) sock = sockLookups[i](net, head);
  for (let skb = head; skb !== 0; ) {
    const following = m[skb + SKB.fragList];
    if (following !== 0) m[skb + SKB.fragList] = 0;
    if (sock === null) dropSkb(net, skb, DROP_NO_SOCKET);
    else stage(net, sock, skb);
    skb = following;
  }
}

function stage(net: NetContext, sock: SockQueue, skb: number): void {
  if (sock.staged === 0) net.dirty.push(sock);
  else if (sock.stageFull()) {
    flushSock(net, sock);
  }
  sock.stage[sock.staged++] = skb;
}

/** Queues everything staged to its sockets. Before SCHED is given up, and at the end of every poll. */
export function flushSockets(net: NetContext): void {
  const { dirty, unwoken } = net;
  if (net.processed !== 0) countProcessed(net);
  if (dirty.length === 0) return; // to empty an empty array costs more than all of this
  for (let i = 0; i < dirty.length; i++) {
    const sock = dirty[i];
    flushSock(net, sock);
    if (!sock.wakePending) {
      sock.wakePending = true;
      unwoken.push(sock);
    }
  }
  dirty.length = 0;
}

/**
 * Wakes the readers of what was queued. A wake-up costs as much as some fifty frames, so it comes once a poll loop
 * and not once a poll; the thread that queued calls it before it rests, and every few polls if it does not.
 */
export function wakeSockets(net: NetContext): void {
  const { unwoken } = net;
  if (unwoken.length === 0) return;
  for (let i = 0; i < unwoken.length; i++) {
    unwoken[i].wakePending = false;
    sockWake(net.m, unwoken[i].at, net.cur);
  }
  unwoken.length = 0;
}

/** Tells the socket which instance its frames come by (Linux: sk_mark_napi_id). Before they are the reader's. */
function markNapiId(net: NetContext, sock: SockQueue): void {
  const { m } = net;
  const id = Atomics.load(m, m[sock.stage[sock.staged - 1] + SKB.pool] + PAGE_POOL.napiId);
  const word = sock.at + SOCK.napiId;
  if (id !== 0 && Atomics.load(m, word) !== id) Atomics.store(m, word, id);
}

function flushSock(net: NetContext, sock: SockQueue): void {
  const { staged } = sock;
  if (staged === 0) return;
  markNapiId(net, sock);
  const queued = sock.flush();
  for (let i = queued; i < staged; i++) dropSkb(net, sock.stage[i], DROP_SOCKET_RCVBUFF);
}
