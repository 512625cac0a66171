// SPDX-License-Identifier: GPL-2.0-only
/**
 * napi_struct: the state word of a NAPI instance, and who owns what (Linux: include/linux/netdevice.h).
 *
 * States (bits of `state`): see each constant. The transitions are in
 *   napi_schedule.ts  schedule, complete, watchdog
 *   napi_poll.ts      the poll loops
 *   busy_poll.ts      the poll loop of a socket that busy polls
 *   napi_control.ts   add, delete, enable, disable, threaded on and off
 *   napi_thread.ts    the thread that stands behind it
 *
 * Owners
 *   state                   anybody, by CAS
 *   pollList, listOwner     the irqLock of the CPU whose list it is in; unlinked: the owner of SCHED
 *   receive and GRO lines   the owner of SCHED
 *   control line            holder of the device mutex; `threadNode` is read by schedulers under RCU
 *   id line                 holder of napiHashLock; read under RCU
 */
import { HRTIMER } from '../../kernel/hrtimer.js';
import { listHead } from '../../mm/list.js';
import { line, struct, word, words } from '../../mm/struct.js';

/** Owned: whoever set it polls, or has taken the instance out of service. */
export const NAPIF_STATE_SCHED = 1 << 0;
/** An event came while it was owned: poll once more. */
export const NAPIF_STATE_MISSED = 1 << 1;
/** Disable pending. */
export const NAPIF_STATE_DISABLE = 1 << 2;
/** Not to be dequeued: disabled. */
export const NAPIF_STATE_NPSVC = 1 << 3;
/** In the device's list. */
export const NAPIF_STATE_LISTED = 1 << 4;
/** Not to be found by id: no socket busy polls it. */
export const NAPIF_STATE_NO_BUSY_POLL = 1 << 5;
/** Its owner polls it again and again: complete does nothing. */
export const NAPIF_STATE_IN_BUSY_POLL = 1 << 6;
/** A socket wants to busy poll it: softirqs that find more work than their weight leave it to that socket. */
export const NAPIF_STATE_PREFER_BUSY_POLL = 1 << 7;
/** Polled by its own thread. */
export const NAPIF_STATE_THREADED = 1 << 8;
/** Owned by its thread. Set on every schedule of a threaded instance (seed 001). */
export const NAPIF_STATE_SCHED_THREADED = 1 << 9;
export const NAPIF_STATE_HAS_NOTIFIER = 1 << 10;
/** Its own thread polls it without end. Set only with THREADED. */
export const NAPIF_STATE_THREADED_BUSY_POLL = 1 << 11;

/** Names of the bits, lowest first. */
export const NAPI_STATE_NAMES: readonly string[] = Object.freeze([
  'SCHED',
  'MISSED',
  'DISABLE',
  'NPSVC',
  'LISTED',
  'NO_BUSY_POLL',
  'IN_BUSY_POLL',
  'PREFER_BUSY_POLL',
  'THREADED',
  'SCHED_THREADED',
  'HAS_NOTIFIER',
  'THREADED_BUSY_POLL',
]);

/** Largest weight a driver should ask for (Linux: NAPI_POLL_WEIGHT). */
export const NAPI_POLL_WEIGHT = 64;
/** GRO buckets of an instance (Linux: GRO_HASH_BUCKETS). */
export const GRO_HASH_BUCKETS = 8;

export const NAPI = struct(
  'napi_struct',
  line('any thread, compare-and-swap', { state: word('NAPIF_STATE_* bits') }),
  line('irqLock of the CPU in whose list it is', {
    pollList: listHead('entry in the poll list of a CPU'),
    listOwner: word('that CPU + 1, 0: none'),
  }),
  line('owner of SCHED', {
    deferHardIrqsCount: word('empty polls left before interrupts are unmasked'),
    groBitmask: word('which GRO buckets hold packets'),
    polls: word('times it was polled (wraps)'),
    emptyPolls: word('polls of those that found nothing (wraps)'),
    work: word('packets its polls took (wraps)'),
    groMerged: word('frames that GRO chained to another (wraps)'),
    completions: word('times complete gave it up (wraps)'),
  }),
  line('owner of SCHED', {
    groHead: words(GRO_HASH_BUCKETS, 'GRO buckets: oldest chain'),
    groCount: words(GRO_HASH_BUCKETS, 'GRO buckets: chains held'),
  }),
  line('see struct hrtimer', { timer: words(HRTIMER.SIZE, 'the watchdog timer') }),
  line('holder of the device mutex', {
    threadNode: word('napi_thread_node of its thread, 0: none; read under RCU'),
    dev: word('net_device it belongs to'),
    devNext: word('next instance of the device, descending id'),
    pollFn: word('which poll function (an entry of napiPollFns)'),
    priv: word('the driver’s queue'),
    weight: word('most packets of one poll'),
    index: word('queue index, -1: none'),
    config: word('napi_config that outlives it, 0: none'),
    deferHardIrqs: word('empty polls to stay masked for'),
    groFlushTimeoutNs: word('watchdog, ns; 0: off'),
    irqSuspendTimeoutNs: word('longest suspension of its interrupt by busy polling, ns; 0: off'),
    irq: word('irq_desc, 0: not set'),
    cpu: word('simulated CPU its thread counts as running on'),
    rxQueue: word('netdev_rx_queue it receives for, 0: none'),
  }),
  line('holder of napiHashLock', {
    napiId: word('id shown to the user, 0 until first enabled'),
    hashNext: word('next instance of its hash bucket'),
    hashed: word('1 while it can be found by id: while it is enabled'),
  }),
);

/** A view of a napi_struct. Make once a thread and instance, keep. */
export class Napi {
  readonly m: Int32Array;
  readonly at: number;
  readonly state: number;
  readonly pollList: number;

  constructor(m: Int32Array, at: number) {
    this.m = m;
    this.at = at;
    this.state = at + NAPI.state;
    this.pollList = at + NAPI.pollList;
  }
}

/** @returns a state word in words, for messages */
export function napiStateText(state: number): string {
  const names = NAPI_STATE_NAMES.filter((_, bit) => ((state >>> bit) & 1) !== 0);
  return names.length === 0 ? '0' : names.join('|');
}

/** @returns true while somebody waits to disable it (Linux: napi_disable_pending) */
export function napiDisablePending(n: Napi): boolean {
  return (Atomics.load(n.m, n.state) & NAPIF_STATE_DISABLE) !== 0;
}

/** @returns true if a socket wants to busy poll it (Linux: napi_prefer_busy_poll) */
export function napiPreferBusyPoll(n: Napi): boolean {
  return (Atomics.load(n.m, n.state) & NAPIF_STATE_PREFER_BUSY_POLL) !== 0;
}

/** @returns true while somebody owns it (Linux: napi_is_scheduled) */
export function napiIsScheduled(n: Napi): boolean {
  return (Atomics.load(n.m, n.state) & NAPIF_STATE_SCHED) !== 0;
}
