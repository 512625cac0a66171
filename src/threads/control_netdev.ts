// SPDX-License-Identifier: GPL-2.0-only
/** Control operations on network devices, in process context, under the device mutex. */
import { LOOPBACK, loopbackCreate } from '../drivers/net/loopback.js';
import { NIC_QUEUE, nicQueueAt, SIM_NIC, simNicCreate, simNicDiscard } from '../drivers/net/sim_nic.js';
import { simNicProbe } from '../drivers/net/sim_nic_main.js';
import { timedModerated } from '../drivers/net/sim_nic_timed_main.js';
import { EBUSY, EINVAL, ENOENT, ENOMEM } from '../kernel/errno.js';
import { irqSetAffinity } from '../kernel/irq.js';
import { synchronizeRcu } from '../kernel/rcu.js';
import { releaseMutex, sleepOnMutex } from '../kernel/sched.js';
import { TASK } from '../kernel/task.js';
import { kfree } from '../mm/slab.js';
import { flushBacklog } from '../net/core/backlog.js';
import {
  devChangeName,
  devClose,
  devOpen,
  netdevNapiExit,
  netdevSetChannels,
  netdevSetDeferHardIrqs,
  netdevSetGroFlushTimeout,
  netdevSetRing,
  netdevThreadedStore,
} from '../net/core/dev.js';
import { DRIVER_LOOPBACK, DRIVER_SIM_NIC } from '../net/core/ids.js';
import { NAPI, NAPIF_STATE_THREADED, napiStateText } from '../net/core/napi.js';
import { NAPI_THREAD_NODE } from '../net/core/napi_thread.js';
import { napiGetThreaded, napiSetThreaded, netifSetThreaded } from '../net/core/napi_threaded.js';
import {
  allocNetdev,
  devGetByName,
  freeNetdev,
  IFF_UP,
  listNetdevice,
  NAPI_CONFIG,
  NET_DEVICE,
  unlistNetdevice,
} from '../net/core/net_device.js';
import { pagePoolReap } from '../net/core/page_pool_retire.js';
import { rpsCpusSet, rpsExit, rpsFlowCntSet } from '../net/core/rps_config.js';
import { DROP_DEV_READY, NET } from '../net/core/softnet_data.js';
import { fragFlush } from '../net/ipv4/inet_fragment.js';
import { txCounters } from '../uapi/devices.js';
import type { ThreadContext } from './context.js';
import { irqFault } from './control_fault.js';
import {
  type ControlOp,
  type ControlResult,
  NAPI_MODES,
  type NapiInfo,
  type NetdevParams,
} from './control_ops.js';
import { ringFault } from './control_ring_fault.js';

/** Sleep between two looks at a device's reference count, us. */
const REFCNT_US = 50;

/** Makes a device, puts it into the list and brings its link up. The value is its word index. */
export function addNetdev(ctx: ThreadContext, p: NetdevParams): ControlResult {
  const { net, cur, driver } = ctx;
  const { m } = cur;
  const dev = allocNetdev(m, p.name, DRIVER_SIM_NIC, p.maxQueues, p.persistentConfig && p.napi);
  if (dev < 0) return { err: dev, value: null };
  const nic = simNicCreate(m, dev, p.maxQueues, p.ringMax, p.poolSize);
  if (nic === 0) {
    freeNetdev(m, dev);
    return { err: -ENOMEM, value: null };
  }
  m[nic + SIM_NIC.netifRx] = p.napi ? 0 : 1;
  m[dev + NET_DEVICE.priv] = nic;
  m[dev + NET_DEVICE.queues] = p.queues;
  m[dev + NET_DEVICE.features] = p.features;
  m[dev + NET_DEVICE.rxMax] = p.ringMax;
  m[dev + NET_DEVICE.rxPending] = p.ringSize;
  m[dev + NET_DEVICE.reconfig] = p.reconfig;
  // No instances yet: these set what the first ones start with.
  netifSetThreaded(net, dev, p.threaded);
  netdevSetDeferHardIrqs(net, dev, p.deferHardIrqs);
  netdevSetGroFlushTimeout(net, dev, p.groFlushTimeoutNs);
  simNicProbe(driver, nic, p.rxUsecs, p.rxFrames);

  sleepOnMutex(cur, net.at + NET.rtnl);
  let err = 0;
  if (devGetByName(net, p.name) !== 0) err = -EBUSY;
  else if (!listNetdevice(net, dev)) err = -ENOMEM;
  releaseMutex(cur, net.at + NET.rtnl);
  if (err === 0) {
    sleepOnMutex(cur, dev + NET_DEVICE.lock);
    err = devOpen(net, dev);
    // A thread that could not be had has turned threading off: the user asked for it, so that is an error here.
    if (err === 0 && m[dev + NET_DEVICE.threaded] !== p.threaded) err = -ENOMEM;
    releaseMutex(cur, dev + NET_DEVICE.lock);
    if (err !== 0) {
      delNetdev(ctx, dev);
      return { err, value: null };
    }
    return { err: 0, value: dev };
  }
  simNicDiscard(m, nic);
  freeNetdev(m, dev);
  return { err, value: null };
}

/** Makes the loopback device, up. The value is its word index. */
export function addLoopback(ctx: ThreadContext, name: string): ControlResult {
  const { net, cur } = ctx;
  const { m } = cur;
  const dev = allocNetdev(m, name, DRIVER_LOOPBACK, 1, false);
  if (dev < 0) return { err: dev, value: null };
  const priv = loopbackCreate(m);
  m[dev + NET_DEVICE.priv] = priv;
  m[dev + NET_DEVICE.queues] = 1;
  m[dev + NET_DEVICE.flags] = IFF_UP;
  m[dev + NET_DEVICE.carrier] = 1;
  sleepOnMutex(cur, net.at + NET.rtnl);
  let err = priv === 0 ? -ENOMEM : 0;
  if (err === 0 && devGetByName(net, name) !== 0) err = -EBUSY;
  if (err === 0 && !listNetdevice(net, dev)) err = -ENOMEM;
  releaseMutex(cur, net.at + NET.rtnl);
  if (err === 0) return { err, value: dev };
  kfree(m, priv, LOOPBACK.SIZE);
  freeNetdev(m, dev);
  return { err, value: null };
}

/**
 * Takes the link down, the device out of the list, and frees it (Linux: unregister_netdevice). Its NIC thread must have
 * ended, and nobody sends by it any more; its frames may be on their way in backlogs, and wait in sockets. The value is
 * what it had sent in the end (TxCounters).
 */
export function delNetdev(ctx: ThreadContext, dev: number): ControlResult {
  const { net, cur } = ctx;
  const { m } = cur;
  sleepOnMutex(cur, dev + NET_DEVICE.lock);
  devClose(net, dev);
  netdevNapiExit(net, dev);
  rpsExit(net, dev);
  releaseMutex(cur, dev + NET_DEVICE.lock);
  sleepOnMutex(cur, net.at + NET.rtnl);
  unlistNetdevice(net, dev);
  releaseMutex(cur, net.at + NET.rtnl);
  synchronizeRcu(cur);
  flushBacklog(net, dev);
  fragFlush(net, dev, DROP_DEV_READY);
  // Whoever found it before and waits for its mutex finds no instances, and gives it back.
  while (Atomics.load(m, dev + NET_DEVICE.refcnt) !== 0) cur.platform.usleep(REFCNT_US);
  const sent = txCounters(m, dev);
  sleepOnMutex(cur, net.at + NET.rtnl);
  net.netDevOps[m[dev + NET_DEVICE.driver]].uninit(net, dev);
  pagePoolReap(net);
  releaseMutex(cur, net.at + NET.rtnl);
  freeNetdev(m, dev);
  return { err: 0, value: sent };
}

/** The operations that change a device in place. @returns 0 or a negative errno */
export function changeNetdev(ctx: ThreadContext, op: ControlOp): number {
  if (!('dev' in op)) return -EINVAL;
  const { cur } = ctx;
  const { dev } = op;
  if (op.name === 'netdev-rename') return devChangeName(ctx.net, dev, op.to);
  sleepOnMutex(cur, dev + NET_DEVICE.lock);
  const err = changeLocked(ctx, dev, op);
  releaseMutex(cur, dev + NET_DEVICE.lock);
  return err;
}

function changeLocked(ctx: ThreadContext, dev: number, op: ControlOp): number {
  const { net, driver } = ctx;
  const { m } = ctx.cur;
  switch (op.name) {
    case 'netdev-up':
      return devOpen(net, dev);
    case 'netdev-down':
      devClose(net, dev);
      return 0;
    case 'netdev-threaded':
      return netdevThreadedStore(net, dev, op.threaded);
    case 'netdev-channels':
      return netdevSetChannels(net, dev, op.combined);
    case 'netdev-ring':
      return netdevSetRing(net, dev, op.rx);
    case 'netdev-features':
      Atomics.store(m, dev + NET_DEVICE.features, op.features);
      return 0;
    case 'netdev-coalesce': {
      const nic = m[dev + NET_DEVICE.priv];
      for (let i = 0; i < m[nic + SIM_NIC.nrQueues]; i++) {
        Atomics.store(m, nicQueueAt(m, nic, i) + NIC_QUEUE.rxUsecs, op.rxUsecs);
        Atomics.store(m, nicQueueAt(m, nic, i) + NIC_QUEUE.rxFrames, op.rxFrames);
      }
      timedModerated(driver, dev);
      return 0;
    }
    case 'irq-affinity': {
      const nic = m[dev + NET_DEVICE.priv];
      if (op.index >= m[nic + SIM_NIC.nrQueues]) return -ENOENT;
      irqSetAffinity(driver.queue(nicQueueAt(m, nic, op.index)).irq, op.cpu);
      return 0;
    }
    case 'irq-fault':
      return irqFault(ctx, dev, op);
    case 'ring-fault':
      return ringFault(ctx, dev, op);
    case 'rps-cpus':
      return rpsCpusSet(net, dev, op.index, op.cpus);
    case 'rps-flow-cnt':
      return rpsFlowCntSet(net, dev, op.index, op.entries);
    case 'napi-set':
      return napiSet(ctx, dev, op);
    default:
      return -EINVAL;
  }
}

function napiSet(ctx: ThreadContext, dev: number, op: Extract<ControlOp, { name: 'napi-set' }>): number {
  const { net } = ctx;
  const { m } = ctx.cur;
  let at = m[dev + NET_DEVICE.napiFirst];
  while (at !== 0 && m[at + NAPI.index] !== op.index) at = m[at + NAPI.devNext];
  if (at === 0) return -ENOENT;
  const config = m[at + NAPI.config];
  if (op.deferHardIrqs !== undefined) {
    m[at + NAPI.deferHardIrqs] = op.deferHardIrqs;
    if (config !== 0) m[config + NAPI_CONFIG.deferHardIrqs] = op.deferHardIrqs;
  }
  if (op.groFlushTimeoutNs !== undefined) {
    m[at + NAPI.groFlushTimeoutNs] = op.groFlushTimeoutNs;
    if (config !== 0) m[config + NAPI_CONFIG.groFlushTimeoutNs] = op.groFlushTimeoutNs;
  }
  if (op.irqSuspendTimeoutNs !== undefined) {
    // Sockets read it without the device mutex.
    Atomics.store(m, at + NAPI.irqSuspendTimeoutNs, op.irqSuspendTimeoutNs);
    if (config !== 0) m[config + NAPI_CONFIG.irqSuspendTimeoutNs] = op.irqSuspendTimeoutNs;
  }
  return op.threaded === undefined ? 0 : napiSetThreaded(net, net.napi(at), op.threaded);
}

/** All instances of a device, newest first, as Linux dumps them. */
export function napiGet(ctx: ThreadContext, dev: number): NapiInfo[] {
  const { cur } = ctx;
  const { m } = cur;
  const list: NapiInfo[] = [];
  sleepOnMutex(cur, dev + NET_DEVICE.lock);
  for (let at = m[dev + NET_DEVICE.napiFirst]; at !== 0; at = m[at + NAPI.devNext]) {
    const state = Atomics.load(m, at + NAPI.state);
    const node = m[at + NAPI.threadNode];
    list.push({
      id: m[at + NAPI.napiId],
      index: m[at + NAPI.index],
      state: napiStateText(state),
      threaded: (state & NAPIF_STATE_THREADED) !== 0,
      mode: NAPI_MODES[napiGetThreaded(m, at)],
      tid: node === 0 ? null : m[m[node + NAPI_THREAD_NODE.task] + TASK.tid],
      deferHardIrqs: m[at + NAPI.deferHardIrqs],
      groFlushTimeoutNs: m[at + NAPI.groFlushTimeoutNs],
      irqSuspendTimeoutNs: m[at + NAPI.irqSuspendTimeoutNs],
      polls: m[at + NAPI.polls] >>> 0,
      emptyPolls: m[at + NAPI.emptyPolls] >>> 0,
      packets: m[at + NAPI.work] >>> 0,
      groMerged: m[at + NAPI.groMerged] >>> 0,
      completions: m[at + NAPI.completions] >>> 0,
    });
  }
  releaseMutex(cur, dev + NET_DEVICE.lock);
  return list;
}
