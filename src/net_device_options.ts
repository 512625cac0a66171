// SPDX-License-Identifier: GPL-2.0-only
/** How a simulated NIC is made: its options, checked, with the defaults filled in. */
import { checkChoice, checkInt, checkPowerOfTwo, OptionError } from './errors.js';
import { NETIF_F_GRO, NETIF_F_GRO_FRAGLIST } from './net/core/gro.js';
import { RECONFIG_DELTA, RECONFIG_REBUILD, RECONFIG_SAFE_SWITCH } from './net/core/net_device.js';
import type { NetdevParams } from './threads/control_ops.js';

/** How a simulated NIC is made. */
export interface NetDeviceOptions {
  /** Up to 15 characters. */
  readonly name: string;
  /** Receive queues in use (channels), each with a NAPI instance; 1. */
  readonly queues?: number;
  /** Most receive queues (ethtool -L); as many as `queues`. */
  readonly maxQueues?: number;
  /** How the driver receives: by polling, or by netif_rx in its interrupt, as drivers without NAPI do; 'napi'. */
  readonly receive?: 'napi' | 'netif_rx';
  /** What the driver keeps of a deleted instance: a napi_config for each queue index, or nothing; 'persistent'. */
  readonly config?: 'persistent' | 'none';
  /** How it changes its channels: deletes and adds all, only the difference, or adds the new ones first; 'delta'. */
  readonly reconfig?: keyof typeof RECONFIG;
  /** Start threaded (true) or in softirq (false); false. */
  readonly threaded?: boolean;
  /** Descriptors of each queue's ring in use, a power of two; 1024. */
  readonly ringSize?: number;
  /** Most descriptors (ethtool -G), a power of two; as many as `ringSize`. */
  readonly ringMax?: number;
  /** Buffers of each queue, a power of two, at least twice ringMax; 4096. */
  readonly poolSize?: number;
  /** Interrupt moderation: at the latest so many microseconds after a frame; 0. */
  readonly rxUsecs?: number;
  /** Interrupt moderation: at the latest after so many frames; 0. */
  readonly rxFrames?: number;
  /** Generic receive offload for TCP; true. */
  readonly gro?: boolean;
  /** The same for UDP (ethtool's rx-gro-list); false. */
  readonly rxGroList?: boolean;
  /** Empty polls for which interrupts stay masked (napi_defer_hard_irqs); 0. */
  readonly deferHardIrqs?: number;
  /** The watchdog's time-out in nanoseconds (gro_flush_timeout); 0: off. */
  readonly groFlushTimeoutNs?: number;
}

/** Ways of changing channels that drivers have. */
const RECONFIG = Object.freeze({
  rebuild: RECONFIG_REBUILD,
  delta: RECONFIG_DELTA,
  'safe-switch': RECONFIG_SAFE_SWITCH,
});
const RECONFIG_NAMES = Object.keys(RECONFIG) as (keyof typeof RECONFIG)[];

/** @returns the name, if a device can have it */
export function checkDeviceName(name: string): string {
  if (typeof name !== 'string' || !/^[^\s/:]{1,15}$/.test(name) || name === '.' || name === '..') {
    throw new OptionError(
      'name',
      name,
      'a device name of 1 to 15 characters without spaces, slashes and colons',
    );
  }
  return name;
}

/** Checks the options and fills the defaults in. */
export function netdevParams(o: NetDeviceOptions): NetdevParams {
  checkDeviceName(o.name);
  if (o.receive === 'netif_rx' && o.threaded === true) {
    throw new OptionError(
      'threaded',
      true,
      "false with receive: 'netif_rx': there is nothing to be threaded",
    );
  }
  const ringSize = checkPowerOfTwo('ringSize', o.ringSize, 1024, 8, 1 << 16);
  const ringMax = checkPowerOfTwo('ringMax', o.ringMax, ringSize, ringSize, 1 << 16);
  const queues = checkInt('queues', o.queues, 1, 1, 128);
  return {
    name: o.name,
    queues,
    napi: checkChoice('receive', o.receive, ['napi', 'netif_rx'], 'napi') === 'napi',
    maxQueues: checkInt('maxQueues', o.maxQueues, queues, queues, 128),
    persistentConfig: checkChoice('config', o.config, ['persistent', 'none'], 'persistent') === 'persistent',
    reconfig: RECONFIG[checkChoice('reconfig', o.reconfig, RECONFIG_NAMES, 'delta')],
    ringSize,
    ringMax,
    poolSize: checkPowerOfTwo('poolSize', o.poolSize, Math.max(4096, 2 * ringMax), 2 * ringMax, 1 << 20),
    rxUsecs: checkInt('rxUsecs', o.rxUsecs, 0, 0, 1_000_000),
    rxFrames: checkInt('rxFrames', o.rxFrames, 0, 0, 1 << 16),
    features: (o.gro === false ? 0 : NETIF_F_GRO) | (o.rxGroList === true ? NETIF_F_GRO_FRAGLIST : 0),
    threaded: o.threaded === true ? 1 : 0,
    deferHardIrqs: checkInt('deferHardIrqs', o.deferHardIrqs, 0, 0, 0x7fffffff),
    groFlushTimeoutNs: checkInt('groFlushTimeoutNs', o.groFlushTimeoutNs, 0, 0, 0x7fffffff),
  };
}
