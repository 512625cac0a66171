// SPDX-License-Identifier: GPL-2.0-only
/**
 * The way in for drivers without NAPI (Linux: netif_rx in net/core/dev.c): a frame is steered, or goes into the backlog
 * of this CPU.
 *
 * Owner: the frame belongs to the caller, who has bottom halves disabled or is in an interrupt; `place` to whoever
 * receives for the source.
 *
 * Invariant: frames of one source keep their order, also when the CPU it counts as running on changes: it stays with the
 * backlog of before until its latest frame there is through.
 */
import { flushBacklogs, stageBacklog } from './backlog_queue.js';
import type { NetContext } from './net_context.js';
import { drained, moveTo, rpsSteer } from './rps.js';
import { RPS_PLACE } from './rps_map.js';
import { NET } from './softnet_data.js';

/** Before the first frame of a batch. */
export function netifRxBegin(net: NetContext): void {
  net.rpsNeeded = net.m[net.at + NET.rpsNeeded];
}

/**
 * Stages a frame.
 * @param rxQueue struct netdev_rx_queue whose steering counts
 * @param place struct rps_place of the source: where its latest frame went while nothing was steered
 * @param flows struct rps_dev_flow_table of the source, if several share the queue, else 0
 */
export function netifRx(net: NetContext, rxQueue: number, skb: number, place: number, flows: number): void {
  const { m } = net;
  const { id } = net.cur.cpu;
  if (net.rpsNeeded !== 0 && rpsSteer(net, rxQueue, skb, flows, id)) return;
  if (m[place + RPS_PLACE.cpu] !== id + 1 && drained(net, place)) moveTo(net, place, id);
  stageBacklog(net, m[place + RPS_PLACE.cpu] - 1, skb, place);
}

/** Behind the last frame of a batch: queues them. */
export function netifRxEnd(net: NetContext): void {
  flushBacklogs(net);
}
