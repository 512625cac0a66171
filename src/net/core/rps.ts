// SPDX-License-Identifier: GPL-2.0-only
/**
 * Steering of received frames to CPUs (Linux: get_rps_cpu, set_rps_cpu, rps_record_sock_flow).
 *
 * A frame goes to the CPU that last read its flow (RFS), else to one of the queue's map, chosen by its hash (RPS), else
 * nowhere. It goes elsewhere than the frames of its flow before only when these have left their queue for the sockets:
 *   - with a flow table: Linux's rule for RFS, here also for what the map steers and for CPUs that go offline
 *   - without one: a queue that steered to a CPU that is offline now goes on doing so, to the backlog that another CPU
 *     serves meanwhile, until its latest frame there is through
 *
 * Owners: rps_map.ts.
 *
 * Invariant: frames of one flow that come through one receive queue reach their socket in order, as long as `rps_cpus` and
 * the tables stay as they are.
 *
 * Ordering
 *   V1 backlog: frames in the sockets (published), then store of inputQueueHead (backlog.ts)   pairs with  V2
 *   V2 steering: load of inputQueueHead, then queues or delivers elsewhere                      pairs with  V1
 */
import { cpuOnline } from '../../kernel/cpu.js';
import { stageBacklog } from './backlog_queue.js';
import { NAPI, type Napi } from './napi.js';
import type { NetContext } from './net_context.js';
import { NETDEV_RX_QUEUE, RPS_DEV_FLOW_TABLE, RPS_MAP, RPS_PLACE, RPS_SOCK_FLOW_TABLE } from './rps_map.js';
import { SKB } from './skbuff.js';
import { NET, SOFTNET_DATA } from './softnet_data.js';

/** Steers a frame of an instance's poll. @returns true if it is on its way to a backlog */
export function rpsReceive(net: NetContext, n: Napi, skb: number): boolean {
  const rxQueue = net.m[n.at + NAPI.rxQueue];
  return rxQueue !== 0 && rpsSteer(net, rxQueue, skb);
}

/** Steers a frame that came through `rxQueue` (struct netdev_rx_queue). @returns true if it is on its way to a backlog */
export function rpsSteer(net: NetContext, rxQueue: number, skb: number): boolean {
  const { m } = net;
  const hash = m[skb + SKB.hash];
  if (hash === 0) return false;
  const map = Atomics.load(m, rxQueue + NETDEV_RX_QUEUE.rpsMap);
  const table = Atomics.load(m, rxQueue + NETDEV_RX_QUEUE.rpsFlowTable);
  if (table !== 0) return steerFlow(net, map, table, skb, hash);
  if (map === 0) return false;
  const cpu = mapCpu(m, map, hash);
  const place = m[rxQueue + NETDEV_RX_QUEUE.places] + cpu * RPS_PLACE.WORDS;
  // A place that is none says that nothing went there: the CPU need not be looked at.
  if (!cpuOnline(net.cur.cpus[cpu]) && drained(net, place)) return false;
  m[place + RPS_PLACE.cpu] = cpu + 1;
  stageBacklog(net, cpu, skb, place);
  return true;
}

function steerFlow(net: NetContext, map: number, table: number, skb: number, hash: number): boolean {
  const { m } = net;
  const wanted = wantedCpu(net, map, hash);
  const flow =
    table + RPS_DEV_FLOW_TABLE.SIZE + (hash & m[table + RPS_DEV_FLOW_TABLE.mask]) * RPS_PLACE.WORDS;
  if (m[flow + RPS_PLACE.cpu] !== wanted + 1) {
    if (drained(net, flow)) m[flow + RPS_PLACE.cpu] = wanted + 1;
    else {
      stageBacklog(net, m[flow + RPS_PLACE.cpu] - 1, skb, flow);
      return true;
    }
  }
  if (wanted < 0) return false;
  stageBacklog(net, wanted, skb, flow);
  return true;
}

/** The CPU that read the flow last, else the map's. @returns -1: none, or it is offline */
function wantedCpu(net: NetContext, map: number, hash: number): number {
  const { m, at } = net;
  const { cpus } = net.cur;
  const sockTable = Atomics.load(m, at + NET.rpsSockFlowTable);
  if (sockTable !== 0) {
    const mask = m[at + NET.rpsCpuMask];
    const entry = sockTable + RPS_SOCK_FLOW_TABLE.SIZE + (hash & m[sockTable + RPS_SOCK_FLOW_TABLE.mask]);
    const ident = Atomics.load(m, entry);
    const cpu = ident & mask;
    if (((ident ^ hash) & ~mask) === 0 && cpu < cpus.length && cpuOnline(cpus[cpu])) return cpu;
  }
  if (map === 0) return -1;
  const cpu = mapCpu(m, map, hash);
  return cpuOnline(cpus[cpu]) ? cpu : -1;
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

/** @returns skbs that wait in the two queues of a CPU's backlog; racy unless everything rests */
export function backlogLength(net: NetContext, cpu: number): { inputQlen: number; processQlen: number } {
  const sd = net.softnet[cpu].at;
  return {
    inputQlen: Atomics.load(net.m, sd + SOFTNET_DATA.inputQlen),
    processQlen: Atomics.load(net.m, sd + SOFTNET_DATA.processQlen),
  };
}
