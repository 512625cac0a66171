// SPDX-License-Identifier: GPL-2.0-only
/**
 * ethtool's netlink family: channels, rings, interrupt moderation, counters (Linux: net/ethtool/). Names of
 * operations and attributes are those of its YNL spec. Values the driver does not have are left out.
 */
import { NIC_QUEUE } from '../drivers/net/sim_nic.js';
import { EINVAL, ENODEV, EOPNOTSUPP } from '../kernel/errno.js';
import { IRQ_DESC } from '../kernel/irq.js';
import { netdevSetChannels, netdevSetRing } from '../net/core/dev.js';
import { NAPI } from '../net/core/napi.js';
import type { NetContext } from '../net/core/net_context.js';
import { NET_DEVICE } from '../net/core/net_device.js';
import {
  deviceByName,
  deviceCounters,
  isLoopback,
  queueCounters,
  queuesOf,
  txCounters,
  withDevice,
} from './devices.js';
import { Refusal } from './refuse.js';
import type { Attributes } from './request.js';

type Values = { readonly [name: string]: number };

interface Operation {
  readonly get?: (net: NetContext, dev: number) => object;
  readonly set?: (net: NetContext, dev: number, values: Values, header: number) => void;
  /** What `set` takes, in the order in which the kernel checks it. */
  readonly takes?: readonly string[];
}

/** Longest moderation, us, and most frames. */
const MAX_RX_USECS = 1_000_000;
const MAX_RX_FRAMES = 1 << 16;
const U32_MAX = 0xffffffff;

const OPERATIONS: { readonly [op: string]: Operation } = {
  'channels-get': { get: channels },
  'channels-set': { set: setChannels, takes: ['rx-count', 'tx-count', 'other-count', 'combined-count'] },
  'rings-get': { get: rings },
  'rings-set': { set: setRings, takes: ['rx', 'rx-mini', 'rx-jumbo', 'tx'] },
  'coalesce-get': { get: coalesce },
  'coalesce-set': { set: setCoalesce, takes: ['rx-usecs', 'rx-max-frames'] },
  'stats-get': { get: stats },
};

/** Names of the operations. */
export const ETHTOOL_OPS: readonly string[] = Object.keys(OPERATIONS);

/**
 * Carries a message out on the device of that name. @returns what a `get` reads, null for a `set`
 * @throws Refusal -ENODEV, -EOPNOTSUPP, -EINVAL
 */
export function ethtoolMessage(net: NetContext, op: string, name: string, attrs: Attributes): object | null {
  const operation = Object.hasOwn(OPERATIONS, op) ? OPERATIONS[op] : null;
  if (operation === null) throw new Refusal(-EOPNOTSUPP);
  const dev = deviceByName(net, name);
  if (dev === 0)
    throw new Refusal(-ENODEV, undefined, { msg: 'no device matches name', offset: HEADER_OFFSET + 4 });
  // The message begins with the device's name: what follows it is found behind.
  const header = HEADER_OFFSET + 4 + ((4 + name.length + 1 + 3) & ~3);
  return withDevice(net, dev, () => {
    // The loopback driver has none of it.
    if (isLoopback(net.m, dev)) throw new Refusal(-EOPNOTSUPP);
    if (operation.get !== undefined) return operation.get(net, dev);
    operation.set?.(net, dev, checked(operation.takes ?? [], attrs, header), header);
    return null;
  });
}

/** Where the first attribute of a generic netlink message begins. */
const HEADER_OFFSET = 20;

function checked(takes: readonly string[], attrs: Attributes, header: number): Values {
  const values: { [name: string]: number } = {};
  for (const [i, [name, value]] of Object.entries(attrs).entries()) {
    const offset = header + 8 * i;
    if (!takes.includes(name)) {
      throw new Refusal(-EINVAL, undefined, { msg: 'cannot modify an unsupported parameter', offset });
    }
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > U32_MAX) {
      throw new Refusal(-EINVAL, undefined, {
        msg: `${name} must be a whole number from 0 to 4294967295`,
        offset,
      });
    }
    values[name] = value;
  }
  return values;
}

function refuse(values: Values, header: number, name: string, msg: string): never {
  throw new Refusal(-EINVAL, undefined, { msg, offset: header + 8 * Object.keys(values).indexOf(name) });
}

function channels(net: NetContext, dev: number): object {
  const { m } = net;
  return { 'combined-max': m[dev + NET_DEVICE.maxQueues], 'combined-count': m[dev + NET_DEVICE.queues] };
}

/** Linux: ethnl_set_channels. Nothing to change is no error, whatever the device could do. */
function setChannels(net: NetContext, dev: number, values: Values, header: number): void {
  const { m } = net;
  const now = m[dev + NET_DEVICE.queues];
  const was: Values = { 'rx-count': 0, 'tx-count': 0, 'other-count': 0, 'combined-count': now };
  const names = OPERATIONS['channels-set'].takes ?? [];
  if (names.every((name) => (values[name] ?? was[name]) === was[name])) return;
  for (const name of names) {
    const max = name === 'combined-count' ? m[dev + NET_DEVICE.maxQueues] : 0;
    if (values[name] > max) refuse(values, header, name, 'requested channel count exceeds maximum');
  }
  if (values['combined-count'] === 0) {
    const msg = 'requested channel counts would result in no RX or TX channel being configured';
    refuse(values, header, 'combined-count', msg);
  }
  const err = netdevSetChannels(net, dev, values['combined-count']);
  if (err < 0) throw new Refusal(err);
}

function rings(net: NetContext, dev: number): object {
  return { 'rx-max': net.m[dev + NET_DEVICE.rxMax], rx: net.m[dev + NET_DEVICE.rxPending] };
}

/** Linux: ethnl_set_rings. */
function setRings(net: NetContext, dev: number, values: Values, header: number): void {
  const { 'rx-max': max, rx } = rings(net, dev) as { 'rx-max': number; rx: number };
  const names = OPERATIONS['rings-set'].takes ?? [];
  if (
    names.every((name) => (values[name] ?? 0) === 0 || (name === 'rx' && values.rx === rx)) &&
    values.rx !== 0
  )
    return;
  for (const name of names) {
    if (values[name] > (name === 'rx' ? max : 0)) {
      refuse(values, header, name, 'requested ring size exceeds maximum');
    }
  }
  const err = netdevSetRing(net, dev, values.rx);
  if (err < 0) throw new Refusal(err);
}

function coalesce(net: NetContext, dev: number): object {
  const { m } = net;
  const q = queuesOf(m, dev, 'all')[0];
  return {
    'rx-usecs': Atomics.load(m, q + NIC_QUEUE.rxUsecs),
    'rx-max-frames': Atomics.load(m, q + NIC_QUEUE.rxFrames),
  };
}

function setCoalesce(net: NetContext, dev: number, values: Values, header: number): void {
  const { m } = net;
  if (values['rx-usecs'] > MAX_RX_USECS) {
    refuse(values, header, 'rx-usecs', `rx-usecs must be at most ${MAX_RX_USECS}`);
  }
  if (values['rx-max-frames'] > MAX_RX_FRAMES) {
    refuse(values, header, 'rx-max-frames', `rx-frames must be at most ${MAX_RX_FRAMES}`);
  }
  for (const q of queuesOf(m, dev, 'all')) {
    if (values['rx-usecs'] !== undefined) Atomics.store(m, q + NIC_QUEUE.rxUsecs, values['rx-usecs']);
    if (values['rx-max-frames'] !== undefined) {
      Atomics.store(m, q + NIC_QUEUE.rxFrames, values['rx-max-frames']);
    }
  }
}

/**
 * The driver's own counters: of the device, then of each queue in use. All of them are the queue's, whichever instances it had: they
 * go on where they were when the channels or the link change.
 */
function stats(net: NetContext, dev: number): object {
  const { m } = net;
  const sum = deviceCounters(net, dev);
  const sent = txCounters(m, dev);
  const out: { [name: string]: number } = {
    rx_packets: sum.packets,
    rx_bytes: sum.bytes,
    rx_missed: sum.missed,
    rx_dropped: sum.dropped,
    rx_interrupts: sum.interrupts,
    tx_packets: sent.packets,
    tx_bytes: sent.bytes,
    tx_dropped: sent.dropped,
  };
  queuesOf(m, dev, 'used').forEach((q, i) => {
    const c = queueCounters(net, q);
    out[`rx_queue_${i}_packets`] = c.packets;
    out[`rx_queue_${i}_bytes`] = c.bytes;
    out[`rx_queue_${i}_missed`] = c.missed;
    out[`rx_queue_${i}_interrupts`] = c.interrupts;
    out[`rx_queue_${i}_handled`] = Atomics.load(m, m[q + NIC_QUEUE.irq] + IRQ_DESC.count) >>> 0;
    const napi = Atomics.load(m, q + NIC_QUEUE.napi);
    const polls = napi === 0 ? 0 : m[napi + NAPI.polls];
    out[`rx_queue_${i}_polls`] = (m[q + NIC_QUEUE.pollsBefore] + polls) >>> 0;
  });
  return out;
}
