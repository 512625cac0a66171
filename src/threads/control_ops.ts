// SPDX-License-Identifier: GPL-2.0-only
/** Control operations as plain data: what the main thread asks a control worker to carry out. */
import type { TimedParams } from '../drivers/net/sim_nic_timed_make.js';
import type { BusyPollOptions } from '../net/core/sock_busy.js';
import type { XskSizes } from '../net/xdp/xsk.js';
import type { UapiRequest } from '../uapi/request.js';

/** Parameters of a simulated NIC. */
export interface NetdevParams {
  readonly name: string;
  /** Channels at first, and at most. */
  readonly queues: number;
  readonly maxQueues: number;
  /** Descriptors of each ring in use, and slots it has: the latter a power of two. */
  readonly ringSize: number;
  readonly ringMax: number;
  /** Buffers of each queue's pool, a power of two. */
  readonly poolSize: number;
  readonly rxUsecs: number;
  readonly rxFrames: number;
  /** NETIF_F_* bits. */
  readonly features: number;
  readonly threaded: number;
  readonly deferHardIrqs: number;
  readonly groFlushTimeoutNs: number;
  /** false: the driver has no NAPI: its interrupt calls netif_rx. */
  readonly napi: boolean;
  /** true: the driver has a napi_config for each queue index. */
  readonly persistentConfig: boolean;
  /** RECONFIG_* */
  readonly reconfig: number;
}

/** Parameters of an AF_XDP socket. */
export interface XskParams extends XskSizes, BusyPollOptions {}

/**
 * What a faulty device reports: frames of impossible length; buffers that it has not got; a buffer twice; a ring index that
 * is wrong for a moment, of the receive ring or of the fill ring.
 */
export const RING_FAULTS = ['length', 'id', 'twice', 'rx-index', 'fill-index'] as const;
export type RingFault = (typeof RING_FAULTS)[number];

export type ControlOp =
  | { readonly name: 'boot' }
  | { readonly name: 'shutdown' }
  | { readonly name: 'netdev-add'; readonly params: NetdevParams }
  | { readonly name: 'netdev-del'; readonly dev: number }
  | { readonly name: 'netdev-up'; readonly dev: number }
  | { readonly name: 'netdev-down'; readonly dev: number }
  | { readonly name: 'netdev-threaded'; readonly dev: number; readonly threaded: number }
  | { readonly name: 'netdev-channels'; readonly dev: number; readonly combined: number }
  | { readonly name: 'netdev-ring'; readonly dev: number; readonly rx: number }
  | { readonly name: 'netdev-rename'; readonly dev: number; readonly to: string }
  | { readonly name: 'netdev-features'; readonly dev: number; readonly features: number }
  | {
      readonly name: 'netdev-coalesce';
      readonly dev: number;
      readonly rxUsecs: number;
      readonly rxFrames: number;
    }
  | {
      /** Fault injection: the interrupt is held back, or lost, for a while, then raised so often though nothing may be behind it. */
      readonly name: 'irq-fault';
      readonly dev: number;
      readonly index: number;
      readonly holdUs: number;
      /** What was raised while it was held back is not delivered at all. */
      readonly lose: boolean;
      readonly raises: number;
    }
  | {
      /** Fault injection: the device reports on its rings what is not so. */
      readonly name: 'ring-fault';
      readonly dev: number;
      readonly index: number;
      readonly what: RingFault;
      readonly count: number;
    }
  | {
      readonly name: 'napi-set';
      readonly dev: number;
      readonly index: number;
      readonly threaded?: number;
      readonly deferHardIrqs?: number;
      readonly groFlushTimeoutNs?: number;
      readonly irqSuspendTimeoutNs?: number;
    }
  | { readonly name: 'napi-get'; readonly dev: number }
  | { readonly name: 'irq-affinity'; readonly dev: number; readonly index: number; readonly cpu: number }
  | {
      readonly name: 'sock-open';
      readonly family: number;
      readonly port: number;
      readonly dev: number;
      readonly capacity: number;
      readonly rcvbuf: number;
    }
  | { readonly name: 'sock-shutdown'; readonly sock: number; readonly dev: number }
  | { readonly name: 'sock-free'; readonly sock: number }
  | { readonly name: 'frag-flush' }
  | { readonly name: 'cpu-online'; readonly cpu: number; readonly online: boolean }
  | { readonly name: 'backlog-threaded'; readonly threaded: boolean }
  | { readonly name: 'rps-sock-flow-entries'; readonly entries: number }
  | {
      readonly name: 'rps-cpus';
      readonly dev: number;
      readonly index: number;
      readonly cpus: readonly number[];
    }
  | { readonly name: 'rps-flow-cnt'; readonly dev: number; readonly index: number; readonly entries: number }
  | { readonly name: 'loopback-add'; readonly device: string }
  | { readonly name: 'cable-connect'; readonly dev: number; readonly peer: number }
  | { readonly name: 'cable-disconnect'; readonly dev: number; readonly peer: number }
  | { readonly name: 'sender-open'; readonly dev: number; readonly cpu: number; readonly buffers: number }
  | { readonly name: 'sender-shutdown'; readonly sender: number }
  | { readonly name: 'sender-free'; readonly sender: number }
  | { readonly name: 'xsk-open'; readonly dev: number; readonly queue: number; readonly params: XskParams }
  | { readonly name: 'xsk-shutdown'; readonly xsk: number }
  | { readonly name: 'xsk-free'; readonly xsk: number }
  | { readonly name: 'wire-attach'; readonly dev: number; readonly params: TimedParams }
  | { readonly name: 'wire-detach'; readonly dev: number }
  | { readonly name: 'uapi'; readonly request: UapiRequest }
  /** An operation that changes a device in place. The value is what it took, ns. */
  | { readonly name: 'timed'; readonly op: ControlOp };

/** How an instance is polled: in softirq, by a thread of its own, by a thread that never rests. */
export type NapiMode = 'disabled' | 'enabled' | 'busy-poll';
/** The modes by NETDEV_NAPI_THREADED_*. */
export const NAPI_MODES: readonly NapiMode[] = Object.freeze(['disabled', 'enabled', 'busy-poll']);

/** One NAPI instance, as `napi-get` shows it. */
export interface NapiInfo {
  readonly id: number;
  readonly index: number;
  /** State word in words. */
  readonly state: string;
  readonly threaded: boolean;
  readonly mode: NapiMode;
  /** Kernel id of its thread, or null without one (0: not available on this host). */
  readonly tid: number | null;
  readonly deferHardIrqs: number;
  readonly groFlushTimeoutNs: number;
  readonly irqSuspendTimeoutNs: number;
  readonly polls: number;
  /** Polls of those that found nothing. */
  readonly emptyPolls: number;
  readonly packets: number;
  readonly groMerged: number;
  readonly completions: number;
}

/** What an operation came to: an errno (negative) or a value. */
export interface ControlResult {
  readonly err: number;
  readonly value: unknown;
}
