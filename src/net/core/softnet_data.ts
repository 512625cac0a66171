// SPDX-License-Identifier: GPL-2.0-only
/**
 * softnet_data: a CPU's receive state (Linux: struct softnet_data), and the roots of the network layer.
 *
 * Owners: the poll list belongs to the CPU's irqLock; the two lists of a round and the counters to whoever holds the
 * CPU's BH lock; inNetRxAction is written under the BH lock and read under the irqLock.
 */
import { listHead } from '../../mm/list.js';
import { line, struct, word, words } from '../../mm/struct.js';

export const SOFTNET_DATA = struct(
  'softnet_data',
  line('holder of the CPU’s irqLock', {
    pollList: listHead('instances to poll, entries are pollList of NAPI'),
  }),
  line('holder of the CPU’s bhLock', {
    inNetRxAction: word('1 while net_rx_action looks at the poll list by itself'),
  }),
  line('holder of the CPU’s bhLock', {
    roundList: listHead('instances of the round under way'),
    repollList: listHead('instances that used up their weight'),
    processed: word('packets taken by softirq polls (wraps)'),
    timeSqueeze: word('rounds that ran out of budget or time'),
  }),
);

/** A view of a CPU's softnet_data. Make once a thread, keep. */
export class SoftnetData {
  readonly m: Int32Array;
  readonly at: number;
  readonly pollList: number;
  readonly inNetRxAction: number;
  readonly roundList: number;
  readonly repollList: number;

  constructor(m: Int32Array, at: number) {
    this.m = m;
    this.at = at;
    this.pollList = at + SOFTNET_DATA.pollList;
    this.inNetRxAction = at + SOFTNET_DATA.inNetRxAction;
    this.roundList = at + SOFTNET_DATA.roundList;
    this.repollList = at + SOFTNET_DATA.repollList;
  }
}

/** Why a frame was dropped; index into `drops`. Names follow SKB_DROP_REASON_* and the NIC's statistics. */
export const DROP_RX_MISSED = 0;
export const DROP_PKT_TOO_BIG = 1;
export const DROP_SOCKET_RCVBUFF = 2;
export const DROP_NO_SOCKET = 3;
export const DROP_DEV_READY = 4;
export const DROP_SOCKET_CLOSE = 5;
/** Names of the reasons, as the JSON shows them. */
export const DROP_REASON_NAMES: readonly string[] = Object.freeze([
  'rx_missed',
  'pkt_too_big',
  'socket_rcvbuff',
  'no_socket',
  'dev_ready',
  'socket_close',
]);

/** Most network devices of a machine. */
export const MAX_NETDEVS = 64;
/** Ports of a protocol. */
export const NR_PORTS = 65536;

/** Buckets of the instances by id. */
export const NAPI_HASH_SIZE = 64;

/** Values of the boot parameter `napi_kthread_persist`: see napi_thread.ts. */
export const NAPI_KTHREAD_PERSIST_OFF = 0;
export const NAPI_KTHREAD_PERSIST_V1 = 1;
export const NAPI_KTHREAD_PERSIST_FIXED = 2;

export const NET = struct(
  'net',
  line('main thread, before any other starts', {
    softnetData: word('per-CPU softnet_data, CPU 0 first'),
    udpTable: word('UDP sockets by port, NR_PORTS words; written under rtnl, read under RCU'),
    napiKthreadPersist: word('NAPI_KTHREAD_PERSIST_*: what becomes of a thread when its instance is deleted'),
  }),
  line('sysctl: any control thread', {
    netdevBudget: word('packets of one softirq round (300)'),
    netdevBudgetUsecs: word('microseconds of one softirq round (2000)'),
    groNormalBatch: word('frames delivered to the stack at once (8)'),
    devWeight: word('weight of an instance added without one (64)'),
  }),
  line('lock holders', { rtnl: words(2, 'mutex over the lists of devices and sockets') }),
  line('rtnl', {
    udpAny: word('UDP socket for every port that has none of its own, 0: none'),
    nextIfindex: word('ifindex of the next device'),
    netdevs: words(MAX_NETDEVS, 'net_device by slot, 0: free'),
  }),
  line('lock holders', { napiHashLock: word('spin lock of the instances by id') }),
  line('napiHashLock; read under RCU', {
    lastNapiId: word('id given out last'),
    napiHash: words(NAPI_HASH_SIZE, 'enabled instances by id'),
  }),
  line('any control thread, atomic add', {
    nextIrqCpu: word('interrupts set up so far: they go round the CPUs'),
  }),
  line('any thread, atomic add', { drops: words(16, 'frames dropped, by reason') }),
);

/** Defaults, as Linux has them. */
export const NETDEV_BUDGET = 300;
export const NETDEV_BUDGET_USECS = 2000;
export const GRO_NORMAL_BATCH = 8;
export const DEV_WEIGHT = 64;
/** First NAPI id: below it numbers mean CPUs (Linux: MIN_NAPI_ID = NR_CPUS + 1). */
export const MIN_NAPI_ID = 8193;
