// SPDX-License-Identifier: GPL-2.0-only
/**
 * What steering looks into (Linux: struct rps_map, rps_dev_flow_table, rps_sock_flow_table, netdev_rx_queue).
 *
 * Owners
 *   netdev_rx_queue    the pointers: the device mutex; read under RCU. The places: the owner of SCHED of the instance
 *                      that receives for the queue
 *   rps_map            constant once it is published
 *   rps_dev_flow       the owner of SCHED of the instance that receives for the queue
 *   rps_sock_flow      any reader of sockets (store), any poll (load)
 */
import { line, struct, word } from '../../mm/struct.js';

/** Where a flow's, or a queue's, latest frame went. Embedded: words of the struct around it. */
export const RPS_PLACE = Object.freeze({
  /** CPU + 1 of the backlog, 0: none yet. */
  cpu: 0,
  /** Its place in the input queue (SOFTNET_DATA.inputQueueTail). */
  lastQtail: 1,
  /** 1 while a later one is staged: it has no place yet. */
  staged: 2,
  WORDS: 4,
});

export const NETDEV_RX_QUEUE = struct(
  'netdev_rx_queue',
  line('holder of the device mutex; read under RCU', {
    rpsMap: word('struct rps_map, 0: no steering by map'),
    rpsFlowTable: word('struct rps_dev_flow_table, 0: none'),
    places: word('struct rps_place for each CPU: the queue’s latest frame for its backlog'),
  }),
);

/** Header of an rps_map; its CPUs follow. */
export const RPS_MAP = struct(
  'rps_map',
  line('creator', { len: word('CPUs, one a word behind the struct') }),
);

/** Header of a flow table; its entries, one struct rps_place each, follow. */
export const RPS_DEV_FLOW_TABLE = struct(
  'rps_dev_flow_table',
  line('creator', { mask: word('entries - 1; they are a power of two') }),
);

/** Header of the socket flow table; its entries, a word each, follow. */
export const RPS_SOCK_FLOW_TABLE = struct(
  'rps_sock_flow_table',
  line('creator', { mask: word('entries - 1; they are a power of two') }),
);

/** An entry that names no CPU. */
export const RPS_NO_CPU = -1;
