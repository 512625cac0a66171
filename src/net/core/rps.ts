// SPDX-License-Identifier: GPL-2.0-only
/**
 * Steering of received frames to CPUs (Linux: get_rps_cpu, set_rps_cpu, rps_record_sock_flow).
 *
 * A frame goes to the CPU that last read its flow (RFS), else to one of the queue's map, chosen by its hash (RPS), else
 * nowhere. It goes elsewhere than the frames before it only when these have left their queue for the sockets. That is
 * Linux's rule for RFS; here it holds for what a map steers and for CPUs that go offline, too. What "the frames before it"
 * are is kept in a place: one for each entry of the flow table, or without one for each CPU of the map. So a source goes on
 * steering to a CPU that is offline now, to the backlog that another one serves meanwhile, until its latest frame is through.
 *
 * Owners: rps_map.ts.
 *
 * Invariant: frames of one flow that come from one source reach their socket in order, as long as `rps_cpus` and the
 * tables stay as they are.
 *
 * Ordering
 *   V1 backlog: frames in the sockets (published), then store of inputQueueHead (backlog.ts)   pairs with  V2
 *   V2 steering: load of inputQueueHead, then queues or delivers elsewhere                      pairs with  V1
 */
import { cpuOnline } from '../../kernel/cpu.js';
import { stageBacklog } from './backlog_queue.js';
import { NAPI, type Napi } from './napi.js';
import type { NetContext } from './net_context.js';
import {
  NETDEV_RX_QUEUE,
  RPS_DEV_FLOW_TABLE,
  RPS_MAP,
  RPS_NO_CPU,
  RPS_PLACE,
  RPS_SOCK_FLOW_TABLE,
} from './rps_map.js';
import { SKB } from './skbuff.js';
import { NET } from './softnet_data.js';

/** Steers a frame of an instance's poll. @returns true if it is on its way to a backlog; else it is delivered here */
export function rpsReceive(net: NetContext, n: Napi, skb: number): boolean {
  const rxQueue = net.m[n.at + NAPI.rxQueue];
  return rxQueue !== 0 && rpsSteer(net, rxQueue, skb, 0, RPS_NO_CPU);
}

/**
 * Steers a frame that came through a queue.
 * @param rxQueue struct netdev_rx_queue
 * @param flows flow table of the source alone, where several share the queue; 0: the queue has one source
 * @param local CPU whose backlog takes what nothing steers, RPS_NO_CPU: it is delivered at once
 * @returns true if it is on its way to a backlog; false if the queue steers nothing, or it is to be delivered at once
 */
export function rpsSteer(
  net: NetContext,
  rxQueue: number,
  skb: number,
  flows: number,
  local: number,
): boolean {
  const { m } = net;
  const { cpus } = net.cur;
  const hash = m[skb + SKB.hash];
  if (hash === 0) return false;
  const map = Atomics.load(m, rxQueue + NETDEV_RX_QUEUE.rpsMap);
  const table = Atomics.load(m, rxQueue + NETDEV_RX_QUEUE.rpsFlowTable);
  if (map === 0 && table === 0) return false;
  let wanted = table === 0 ? RPS_NO_CPU : readerOf(net, hash);
  const share = map === 0 ? 0 : mapCpu(m, map, hash);
  if (wanted < 0 && map !== 0 && cpuOnline(cpus[share])) wanted = share;
  if (wanted < 0) wanted = local;
  const own = flows === 0 ? table : flows;
  const place =
    own === 0
      ? m[rxQueue + NETDEV_RX_QUEUE.places] + share * RPS_PLACE.WORDS
      : own + RPS_DEV_FLOW_TABLE.SIZE + (hash & m[own + RPS_DEV_FLOW_TABLE.mask]) * RPS_PLACE.WORDS;
  if (m[place + RPS_PLACE.cpu] !== wanted + 1) {
    if (drained(net, place)) moveTo(net, place, wanted);
    else wanted = m[place + RPS_PLACE.cpu] - 1;
  }
  if (wanted < 0) return false;
  stageBacklog(net, wanted, skb, place);
  return true;
}

/** From here on frames go to `cpu`; RPS_NO_CPU: to no backlog (Linux: set_rps_cpu). */
export function moveTo(net: NetContext, place: number, cpu: number): void {
  const { m } = net;
  m[place + RPS_PLACE.cpu] = cpu + 1;
  // Should the first one there be dropped, nothing of before counts.
  if (cpu >= 0) m[place + RPS_PLACE.lastQtail] = Atomics.load(m, net.softnet[cpu].inputQueueHead);
}

/** The CPU that read the flow last, if it is online. @returns RPS_NO_CPU: none */
function readerOf(net: NetContext, hash: number): number {
  const { m, at } = net;
  const { cpus } = net.cur;
  const table = Atomics.load(m, at + NET.rpsSockFlowTable);
  if (table === 0) return RPS_NO_CPU;
  const mask = m[at + NET.rpsCpuMask];
  const ident = Atomics.load(
    m,
    table + RPS_SOCK_FLOW_TABLE.SIZE + (hash & m[table + RPS_SOCK_FLOW_TABLE.mask]),
  );
  const cpu = ident & mask;
  if (((ident ^ hash) & ~mask) !== 0 || cpu >= cpus.length || !cpuOnline(cpus[cpu])) return RPS_NO_CPU;
  return cpu;
}

/** Linux: reciprocal_scale(hash, len). */
function mapCpu(m: Int32Array, map: number, hash: number): number {
  return m[map + RPS_MAP.SIZE + Math.floor(((hash >>> 0) * m[map + RPS_MAP.len]) / 4294967296)];
}

/** @returns true if the latest frame that went to a place has reached its socket, or there was none */
export function drained(net: NetContext, place: number): boolean {
  const { m } = net;
  const cpu = m[place + RPS_PLACE.cpu];
  if (cpu === 0) return true;
  if (m[place + RPS_PLACE.staged] !== 0) return false;
  return ((Atomics.load(m, net.softnet[cpu - 1].inputQueueHead) - m[place + RPS_PLACE.lastQtail]) | 0) >= 0; // V2
}

/**
 * A reader got a frame of this hash on CPU `cpu`: RFS steers the flow there (Linux: rps_record_sock_flow).
 * @param table the socket flow table, in a read section of RCU
 */
export function rpsRecordSockFlow(net: NetContext, table: number, hash: number, cpu: number): void {
  const { m, at } = net;
  if (hash === 0) return;
  const entry = table + RPS_SOCK_FLOW_TABLE.SIZE + (hash & m[table + RPS_SOCK_FLOW_TABLE.mask]);
  const ident = (hash & ~m[at + NET.rpsCpuMask]) | cpu;
  // Most of the time it is there already: a store would take the line from those who steer.
  if (Atomics.load(m, entry) !== ident) Atomics.store(m, entry, ident);
}
