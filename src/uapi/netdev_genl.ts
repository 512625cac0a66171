// SPDX-License-Identifier: GPL-2.0-only
/** The generic netlink family `netdev`: devices, queues, NAPI instances (Linux: net/core/netdev-genl.c). */
import { NIC_QUEUE } from '../drivers/net/sim_nic.js';
import { EINVAL, ENODEV, ENOENT, EOPNOTSUPP, ERANGE } from '../kernel/errno.js';
import { NAPI } from '../net/core/napi.js';
import { netdevNapiByIdLock, netdevUnlockPut } from '../net/core/napi_id.js';
import { napiGetThreaded, napiSetThreaded } from '../net/core/napi_threaded.js';
import type { NetContext } from '../net/core/net_context.js';
import { NAPI_CONFIG, NET_DEVICE } from '../net/core/net_device.js';
import {
  allDevices,
  deviceByIndex,
  irqNumber,
  isUp,
  napiPid,
  napisOf,
  queuesOf,
  withDevice,
} from './devices.js';
import {
  DEV_GET,
  NAPI_GET_DO,
  NAPI_GET_DUMP,
  NAPI_SET,
  NAPI_THREADED_NAMES,
  QUEUE_GET_DO,
  QUEUE_GET_DUMP,
  QUEUE_TYPE_NAMES,
  required,
  validate,
} from './netdev_policy.js';
import { check, Refusal } from './refuse.js';
import type { Attributes } from './request.js';

/** A value that ends up in a word. */
const WORD_MAX = 0x7fffffff;

/** One message of a reply: attributes in the order in which the kernel puts them. */
type Message = { [name: string]: unknown };
type Values = { readonly [name: string]: number };

interface Operation {
  readonly name: string;
  readonly run?: (net: NetContext, attrs: Attributes) => Message | null;
  readonly dump?: (net: NetContext, attrs: Attributes) => Message[];
}

export const NETDEV_OPS: readonly Operation[] = [
  { name: 'dev-get', run: devGet, dump: devDump },
  { name: 'queue-get', run: queueGet, dump: queueDump },
  { name: 'napi-get', run: napiGet, dump: napiDump },
  { name: 'napi-set', run: napiSet },
];

/**
 * Carries a message out.
 * @returns the attributes of the reply (null: only an acknowledgement), or of each reply of a dump
 * @throws Refusal -EOPNOTSUPP for an operation the family does not have
 */
export function netdevMessage(net: NetContext, op: string, dump: boolean, attrs: Attributes): unknown {
  const known = NETDEV_OPS.find((o) => o.name === op);
  const fn = dump ? known?.dump : known?.run;
  if (fn === undefined) throw new Refusal(-EOPNOTSUPP);
  return fn(net, attrs);
}

/** Does `fn` with the device of that number locked. @throws Refusal -ENODEV */
function withIndex<T>(net: NetContext, ifindex: number, fn: (dev: number) => T): T {
  const dev = deviceByIndex(net, ifindex);
  if (dev === 0) throw new Refusal(-ENODEV);
  return withDevice(net, dev, () => fn(dev));
}

/** A dump goes over the device asked for, or over all. */
function dumpDevices(net: NetContext, values: Values, one: (dev: number) => Message[]): Message[] {
  if (Object.hasOwn(values, 'ifindex')) return withIndex(net, values.ifindex, one);
  return allDevices(net).flatMap((dev) => withDevice(net, dev, () => one(dev)));
}

function devGet(net: NetContext, attrs: Attributes): Message {
  const values = validate(DEV_GET, attrs);
  return withIndex(net, required(values, 'ifindex'), (dev) => devMessage(net, dev));
}

function devDump(net: NetContext, attrs: Attributes): Message[] {
  // The kernel's dump of devices takes no attributes and looks at none.
  void attrs;
  return allDevices(net).map((dev) => withDevice(net, dev, () => devMessage(net, dev)));
}

function devMessage(net: NetContext, dev: number): Message {
  return {
    ifindex: net.m[dev + NET_DEVICE.ifindex],
    'xdp-features': [],
    'xdp-rx-metadata-features': [],
    'xsk-features': [],
  };
}

function queueGet(net: NetContext, attrs: Attributes): Message {
  const values = validate(QUEUE_GET_DO, attrs);
  const id = required(values, 'id');
  const type = required(values, 'type');
  return withIndex(net, required(values, 'ifindex'), (dev) => {
    if (!isUp(net.m, dev)) throw new Refusal(-ENOENT);
    // The device receives only: it has no transmit queues.
    if (QUEUE_TYPE_NAMES[type] !== 'rx' || id >= net.m[dev + NET_DEVICE.queues]) throw new Refusal(-EINVAL);
    return queueMessage(net, dev, id);
  });
}

function queueDump(net: NetContext, attrs: Attributes): Message[] {
  return dumpDevices(net, validate(QUEUE_GET_DUMP, attrs), (dev) =>
    isUp(net.m, dev)
      ? Array.from({ length: net.m[dev + NET_DEVICE.queues] }, (_, id) => queueMessage(net, dev, id))
      : [],
  );
}

function queueMessage(net: NetContext, dev: number, id: number): Message {
  const { m } = net;
  const q = queuesOf(m, dev, 'all')[id];
  const napi = q === undefined ? 0 : Atomics.load(m, q + NIC_QUEUE.napi);
  return {
    id,
    type: 'rx',
    ifindex: m[dev + NET_DEVICE.ifindex],
    ...(napi === 0 ? {} : { 'napi-id': m[napi + NAPI.napiId] }),
  };
}

/**
 * Does `fn` with the instance of that id and its device locked (Linux: netdev_napi_by_id_lock).
 * @throws Refusal -ENOENT
 */
function withNapi<T>(net: NetContext, id: number, fn: (at: number) => T): T {
  const at = netdevNapiByIdLock(net, id);
  if (at === 0) throw new Refusal(-ENOENT, undefined, { badAttr: '.id' });
  const dev = net.m[at + NAPI.dev];
  try {
    return fn(at);
  } finally {
    netdevUnlockPut(net, dev);
  }
}

function napiGet(net: NetContext, attrs: Attributes): Message {
  const values = validate(NAPI_GET_DO, attrs);
  return withNapi(net, required(values, 'id'), (at) => {
    if (!isUp(net.m, net.m[at + NAPI.dev])) throw new Refusal(-ENOENT);
    return napiMessage(net, at);
  });
}

function napiDump(net: NetContext, attrs: Attributes): Message[] {
  return dumpDevices(net, validate(NAPI_GET_DUMP, attrs), (dev) => {
    if (!isUp(net.m, dev)) return [];
    return napisOf(net, dev)
      .filter((at) => net.m[at + NAPI.napiId] !== 0)
      .map((at) => napiMessage(net, at));
  });
}

function napiMessage(net: NetContext, at: number): Message {
  const { m } = net;
  const irq = m[at + NAPI.irq] === 0 ? 0 : irqNumber(net, m[at + NAPI.dev], m[at + NAPI.index]);
  const pid = napiPid(m, at);
  return {
    id: m[at + NAPI.napiId],
    ifindex: m[m[at + NAPI.dev] + NET_DEVICE.ifindex],
    ...(irq === 0 ? {} : { irq }),
    threaded: NAPI_THREADED_NAMES[napiGetThreaded(m, at)],
    ...(pid === null ? {} : { pid }),
    'defer-hard-irqs': m[at + NAPI.deferHardIrqs],
    'irq-suspend-timeout': m[at + NAPI.irqSuspendTimeoutNs],
    'gro-flush-timeout': m[at + NAPI.groFlushTimeoutNs],
  };
}

function napiSet(net: NetContext, attrs: Attributes): null {
  const values = validate(NAPI_SET, attrs);
  withNapi(net, required(values, 'id'), (at) => {
    const { m } = net;
    const config = m[at + NAPI.config];
    for (const name of ['gro-flush-timeout', 'irq-suspend-timeout']) {
      if (values[name] > WORD_MAX) {
        const policy = { min: 0, max: WORD_MAX };
        throw new Refusal(-ERANGE, undefined, {
          msg: 'a timer here runs 2147483647 ns at most',
          badAttr: `.${name}`,
          policy,
        });
      }
    }
    if (values.threaded !== undefined) check(napiSetThreaded(net, net.napi(at), values.threaded));
    const set = (name: string, word: number, kept: number): void => {
      if (values[name] === undefined) return;
      // Sockets read what is theirs without the device mutex.
      Atomics.store(m, at + word, values[name]);
      if (config !== 0) m[config + kept] = values[name];
    };
    set('defer-hard-irqs', NAPI.deferHardIrqs, NAPI_CONFIG.deferHardIrqs);
    set('irq-suspend-timeout', NAPI.irqSuspendTimeoutNs, NAPI_CONFIG.irqSuspendTimeoutNs);
    set('gro-flush-timeout', NAPI.groFlushTimeoutNs, NAPI_CONFIG.groFlushTimeoutNs);
  });
  return null;
}
