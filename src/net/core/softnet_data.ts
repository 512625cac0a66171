// SPDX-License-Identifier: GPL-2.0-only
/**
 * softnet_data: a CPU's receive state (Linux: struct softnet_data), and the roots of the network layer.
 *
 * Owners: the poll list and the list of remote backlogs to interrupt belong to the CPU's irqLock; the two lists of a
 * round and the counters to whoever holds the CPU's BH lock; inNetRxAction is written under the BH lock and read under
 * the irqLock. The input queue belongs to its lock, the process queue to whoever owns SCHED of the backlog instance
 * (backlog.ts). The deferred frees: defer_free.ts. Flow limit: flow_limit.ts.
 */
import { listHead } from '../../mm/list.js';
import { line, struct, word, words } from '../../mm/struct.js';
import { NAPI } from './napi.js';

export const SOFTNET_DATA = struct(
  'softnet_data',
  line('holder of the CPU’s irqLock', {
    pollList: listHead('instances to poll, entries are pollList of NAPI'),
    rpsIpiList: word('softnet_data of remote CPUs to interrupt, linked by rpsIpiNext, 0: none'),
  }),
  line('holder of the CPU’s bhLock', {
    inNetRxAction: word('1 while net_rx_action looks at the poll list by itself'),
  }),
  line('holder of the CPU’s bhLock', {
    roundList: listHead('instances of the round under way'),
    repollList: listHead('instances that used up their weight'),
    timeSqueeze: word('rounds that ran out of budget or time'),
    processed: word('skbs handed to the protocols (wraps)'),
  }),
  line('lock holders', { inputLock: word('spin lock of the input queue (Linux: backlog_lock)') }),
  line('inputLock', {
    inputHead: word('input_pkt_queue: first skb, linked by `next`'),
    inputTail: word('its last skb'),
    inputQlen: word('skbs in it'),
    inputQueueTail: word('skbs ever put into it (wraps)'),
    processQueueEmpty: word('times the process queue was found empty (wraps; seed 002)'),
    flushed: word('skbs taken out of the middle since the last splice: not yet counted in inputQueueHead'),
    dropped: word('skbs dropped because the queue was full, or by flow limit (wraps)'),
  }),
  line('owner of the backlog’s SCHED', {
    processHead: word('process_queue: first skb, linked by `next`'),
    processQlen: word('skbs in it'),
    flushedBefore: word('skbs taken out of the middle before those of the process queue were spliced'),
    receivedRps: word('interrupts received from other CPUs (wraps)'),
    rpsIpiNext: word('next softnet_data in a list of those to interrupt'),
  }),
  line('owner of the backlog’s SCHED; read by those who steer', {
    inputQueueHead: word('skbs that have left the queues and reached their sockets (wraps)'),
  }),
  line('senders, compare-and-swap', { rpsCsd: word('call_single_data: interrupts another CPU’s backlog') }),
  line('lock holders', { deferLock: word('spin lock of the deferred frees') }),
  line('deferLock', {
    deferList: word('skbs to free, linked by `next`'),
    deferCount: word('skbs in it'),
  }),
  line('any thread, compare-and-swap', {
    deferIpiScheduled: word('1 while an interrupt to free them is on its way'),
  }),
  line('its sender, compare-and-swap', { deferCsd: word('call_single_data: frees what is deferred') }),
  line('control threads, under the flow limit mutex; read under RCU', {
    flowLimit: word('struct sd_flow_limit, 0: off'),
  }),
  line('holder of the backlog threads mutex, or of the CPU hotplug mutex', {
    backlogTask: word('task_struct of the backlog’s thread, 0: none; read under RCU'),
    backlogNode: word('napi_thread_node of a run-time thread'),
  }),
  line('see struct napi_struct', { backlog: words(NAPI.SIZE, 'the backlog’s NAPI instance') }),
);

/** A view of a CPU's softnet_data. Make once a thread, keep. */
export class SoftnetData {
  readonly m: Int32Array;
  readonly at: number;
  readonly pollList: number;
  readonly inNetRxAction: number;
  readonly roundList: number;
  readonly repollList: number;
  readonly rpsIpiList: number;
  readonly inputLock: number;
  readonly inputQueueHead: number;
  /** Index of the backlog's napi_struct. */
  readonly backlog: number;
  /** The CPU's number. */
  readonly cpu: number;

  constructor(m: Int32Array, at: number, cpu: number) {
    this.m = m;
    this.at = at;
    this.pollList = at + SOFTNET_DATA.pollList;
    this.inNetRxAction = at + SOFTNET_DATA.inNetRxAction;
    this.roundList = at + SOFTNET_DATA.roundList;
    this.repollList = at + SOFTNET_DATA.repollList;
    this.rpsIpiList = at + SOFTNET_DATA.rpsIpiList;
    this.inputLock = at + SOFTNET_DATA.inputLock;
    this.inputQueueHead = at + SOFTNET_DATA.inputQueueHead;
    this.backlog = at + SOFTNET_DATA.backlog;
    this.cpu = cpu;
  }
}

/** Why a frame was dropped; index into `drops`. Names follow SKB_DROP_REASON_* and the NIC's statistics. */
export const DROP_RX_MISSED = 0;
export const DROP_PKT_TOO_BIG = 1;
export const DROP_SOCKET_RCVBUFF = 2;
export const DROP_NO_SOCKET = 3;
export const DROP_DEV_READY = 4;
export const DROP_SOCKET_CLOSE = 5;
export const DROP_CPU_BACKLOG = 6;
export const DROP_FLOW_LIMIT = 7;
export const DROP_XSK_RX_FULL = 8;
export const DROP_NOMEM = 9;
export const DROP_FRAG_REASM_TIMEOUT = 10;
export const DROP_DUP_FRAG = 11;
export const DROP_IP_REASM_OVERLAP = 12;
export const DROP_IP_REASM_INVALID = 13;
export const DROP_IP_REASM_NOMEM = 14;
export const DROP_FRAG_TOO_FAR = 15;
/** A NIC reported what it cannot have received. */
export const DROP_RX_BAD_DESC = 16;
/** Names of the reasons, as the JSON shows them. */
export const DROP_REASON_NAMES: readonly string[] = Object.freeze([
  'rx_missed',
  'pkt_too_big',
  'socket_rcvbuff',
  'no_socket',
  'dev_ready',
  'socket_close',
  'cpu_backlog',
  'flow_limit',
  'xsk_rx_full',
  'nomem',
  'frag_reasm_timeout',
  'dup_frag',
  'ip_reasm_overlap',
  'ip_reasm_invalid',
  'ip_reasm_nomem',
  'frag_too_far',
  'rx_bad_desc',
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
    busyPollStop: word('BUSY_POLL_STOP_*: what a socket that stops busy polling does with the deferral'),
    threadBacklogNapi: word('THREAD_BACKLOG_NAPI_*: boot-time backlog threads'),
    rpsCpuMask: word('bits of an entry of the socket flow table that name the CPU'),
    syscallNs: word('what a socket call costs on top of its work, ns; 0: nothing'),
    fqdir: word('struct fqdir: IPv4 fragments that wait for others, 0: nothing is reassembled'),
  }),
  line('sysctl: any control thread', {
    netdevBudget: word('packets of one softirq round (300)'),
    netdevBudgetUsecs: word('microseconds of one softirq round (2000)'),
    groNormalBatch: word('frames delivered to the stack at once (8)'),
    devWeight: word('packets of one backlog poll, before the bias (64)'),
    devWeightRxBias: word('factor of devWeight for receiving (1)'),
    devWeightTxBias: word('factor of devWeight for sending (1); nothing queues what is sent here'),
    netdevMaxBacklog: word('length of an input queue up to which it takes more (1000)'),
    skbDeferMax: word('deferred frees of a CPU, half of which interrupt it (64); 0: none is deferred'),
    backlogThreaded: word('1: backlogs are run by threads, from now on (seed 002)'),
    busyRead: word('SO_BUSY_POLL of sockets opened from now on, us (0)'),
    busyPoll: word('how long an epoll instance without values of its own busy polls, us (0)'),
    flowLimitTableLen: word('buckets of a flow limit table made from now on (4096), a power of two'),
    ipfragHighThresh: word('bytes of fragments held, above which no more are taken (4 MiB)'),
    ipfragTime: word('how long fragments wait for the rest of their datagram, seconds (30)'),
    ipfragMaxDist: word('fragments of others of one sender between two of a datagram (64); 0: any number'),
  }),
  line('any control thread; read once a poll', {
    rpsNeeded: word('maps and flow tables there are: while 0 nobody looks for one'),
  }),
  line('lock holders', { sysctlMutex: words(2, 'mutex of sysctls that are more than a word') }),
  line('sysctlMutex; read under RCU', {
    rpsSockFlowTable: word('struct rps_sock_flow_table, 0: none'),
  }),
  line('lock holders', { rtnl: words(2, 'mutex over the lists of devices and sockets') }),
  line('rtnl', {
    udpAny: word('UDP socket for every port that has none of its own, 0: none'),
    nextIfindex: word('ifindex of the next device'),
    retiredPools: word('page pools that wait for buffers to come back (page_pool_retire.ts)'),
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
  line('any thread, atomic add', { drops: words(32, 'frames dropped, by reason') }),
);

/** Defaults, as Linux has them. */
export const NETDEV_BUDGET = 300;
export const NETDEV_BUDGET_USECS = 2000;
export const GRO_NORMAL_BATCH = 8;
export const DEV_WEIGHT = 64;
export const NETDEV_MAX_BACKLOG = 1000;
export const SKB_DEFER_MAX = 64;
export const FLOW_LIMIT_TABLE_LEN = 4096;
export const IPFRAG_HIGH_THRESH = 4 << 20;
export const IPFRAG_TIME = 30;
/** Default of ipfrag_max_dist. */
export const IPFRAG_MAX_DIST = 64;

/** Values of the boot parameter `thread_backlog_napi`: off; with the bypass for the local CPU (seed 001); without it. */
export const THREAD_BACKLOG_NAPI_OFF = 0;
export const THREAD_BACKLOG_NAPI_ON = 1;
export const THREAD_BACKLOG_NAPI_NO_BYPASS = 2;
/**
 * Values of the boot parameter `busy_poll_stop`: the deferral of interrupts begins anew at every stop, so one that never
 * pauses never has them again, as in Linux; or only when packets were found, so that it runs out.
 */
export const BUSY_POLL_STOP_LINUX = 0;
export const BUSY_POLL_STOP_COUNTED = 1;
/** First NAPI id: below it numbers mean CPUs (Linux: MIN_NAPI_ID = NR_CPUS + 1). */
export const MIN_NAPI_ID = 8193;
