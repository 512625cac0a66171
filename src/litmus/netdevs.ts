// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of the list of devices and of references to them: net/core/net_device.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { rcuReadLock, rcuReadUnlock, synchronizeRcu } from '../kernel/rcu.js';
import {
  allocNetdev,
  devGetByIndex,
  devHold,
  devPut,
  listNetdevice,
  NET_DEVICE,
  unlistNetdevice,
} from '../net/core/net_device.js';
import { backlogMemory, backlogNet, backlogSetup } from './backlog_world.js';
import { listTasks } from './net_world.js';

export const netdevSteps: Litmus = litmus({
  name: 'net-device-steps',
  memory: backlogMemory,
  setup: backlogSetup,
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.control, 0);
      const a = allocNetdev(m, 'a', 0, 1);
      const b = allocNetdev(m, 'b', 0, 1);
      must(a !== 0 && b !== 0, 'the arena is too small');
      must(listNetdevice(net, a) && listNetdevice(net, b), 'a device cannot be listed');
      must(devGetByIndex(net, m[a + NET_DEVICE.ifindex]) === a, 'the first device is not found');
      must(devGetByIndex(net, m[b + NET_DEVICE.ifindex]) === b, 'the second device is not found');
      must(devGetByIndex(net, 77) === 0, 'a device is found that there is not');
      const refs = m[a + NET_DEVICE.refcnt];
      devHold(m, a);
      must(m[a + NET_DEVICE.refcnt] === refs + 1, 'a reference is not counted');
      devPut(m, a);
      must(m[a + NET_DEVICE.refcnt] === refs, 'a reference is kept');
      unlistNetdevice(net, a);
      must(devGetByIndex(net, m[b + NET_DEVICE.ifindex]) === b, 'the other device is gone, too');
      must(devGetByIndex(net, m[a + NET_DEVICE.ifindex]) === 0, 'a device that is gone is found');
    },
  },
  forbids: 'a device that is not found though it is listed, or found though it is not',
  why: 'the list has a slot for each; references are counted one by one',
});

export const netdevRefs: Litmus = litmus({
  name: 'net-device-references',
  memory: backlogMemory,
  setup(arena, label) {
    const s = backlogSetup(arena, label);
    const dev = allocNetdev(arena.m, 'a', 0, 1);
    must(dev !== 0, 'the arena is too small');
    label(arena.m, dev, NET_DEVICE, 'dev');
    return { ...s, dev, refs: arena.m[dev + NET_DEVICE.refcnt] };
  },
  threads: {
    irqA({ m }, s) {
      devHold(m, s.dev);
      devPut(m, s.dev);
    },
    irqB({ m }, s) {
      devHold(m, s.dev);
      devPut(m, s.dev);
    },
  },
  final: ({ m }, s) => must(m[s.dev + NET_DEVICE.refcnt] === s.refs, 'references are lost, or kept'),
  forbids: 'a count of references that is wrong because two change it at once',
  why: 'they are counted by one atomic operation each',
});

export const netdevLookup: Litmus = litmus({
  name: 'net-device-lookup',
  memory: backlogMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = backlogSetup(arena, label);
    const dev = allocNetdev(m, 'a', 0, 1);
    must(dev !== 0 && listNetdevice(backlogNet(arena, s, s.control, 0), dev), 'the device cannot be listed');
    label(m, dev, NET_DEVICE, 'dev');
    listTasks(m, [s.irqA, s.control]);
    return { ...s, dev, ifindex: m[dev + NET_DEVICE.ifindex] };
  },
  threads: {
    irqA(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      rcuReadLock(net.cur);
      const at = devGetByIndex(net, s.ifindex);
      must(at === s.dev || at === 0, 'another device is found');
      rcuReadUnlock(net.cur);
    },
    control(arena, s) {
      const net = backlogNet(arena, s, s.control, 0);
      unlistNetdevice(net, s.dev);
      synchronizeRcu(net.cur);
      arena.m[s.dev + NET_DEVICE.ifindex] = -1; // it is freed
    },
  },
  forbids: 'a look-up that reads a device which is freed',
  why: 'the list is read by atomic loads in a read section; who takes a device out waits for a grace period',
});
