// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of cables between simulated NICs: transmitters against each other, the receiver's polls, and control. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import {
  NIC_QUEUE,
  nicQueueAt,
  SIM_NIC,
  simNicCreate,
  simNicDestroy,
  simNicDiscard,
} from '../drivers/net/sim_nic.js';
import { cableConnect, cableDisconnect } from '../drivers/net/sim_nic_cable.js';
import { SimNicDriver, simNicInterrupt, simNicPoll } from '../drivers/net/sim_nic_driver.js';
import { simNicOpen, simNicOps, simNicProbe, simNicStop } from '../drivers/net/sim_nic_main.js';
import { nicTransmit } from '../drivers/net/sim_nic_tx.js';
import { IRQ_DESC, raiseIrq } from '../kernel/irq.js';
import { rcuQuiescentState, rcuReadLock, rcuReadUnlock, synchronizeRcu } from '../kernel/rcu.js';
import { schedule } from '../kernel/sched.js';
import { doSoftirq, NET_RX_SOFTIRQ } from '../kernel/softirq.js';
import { setCurrentState, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../kernel/task.js';
import { Arena } from '../mm/arena.js';
import { kmalloc } from '../mm/slab.js';
import { netdevSetChannels } from '../net/core/dev.js';
import { NAPI } from '../net/core/napi.js';
import { netRxAction } from '../net/core/napi_poll.js';
import { netContext } from '../net/core/net_context.js';
import { allocNetdev, NET_DEVICE, RECONFIG_DELTA } from '../net/core/net_device.js';
import { PAGE_POOL } from '../net/core/page_pool.js';
import { DROP_DEV_READY, DROP_NO_SOCKET, DROP_RX_MISSED, NET } from '../net/core/softnet_data.js';
import {
  type FrameTemplate,
  UDP_SENDER,
  udpSendByNic,
  udpSenderCreate,
  udpSenderShutdown,
} from '../net/ipv4/udp_send.js';
import { listTasks, type NetTasks, netBoot } from './net_world.js';
import { ARENA_WORDS, addWord, currentOf } from './world.js';

const FRAME_BYTES = 60;

/** Two NICs take more memory than the other tests have. */
function memory(): Arena {
  return new Arena(new SharedArrayBuffer((ARENA_WORDS + (1 << 14)) * 4));
}

interface CableSetup extends NetTasks {
  /** The sending end: it has no instances. */
  readonly from: number;
  /** The receiving end, and its last queue. */
  readonly to: number;
  readonly queue: number;
  /** Frames to be sent: words of each sender's own. */
  readonly frameA: number;
  readonly frameB: number;
  /** Root of the network layer. */
  readonly net: number;
  readonly seen: number;
}

/** The driver's part of a thread, with the tables that lead to it. */
function driverFor(arena: Arena, task: number): SimNicDriver {
  const net = netContext(currentOf(arena.m, task), arena);
  const driver = new SimNicDriver(net);
  driver.receiveHash = () => 1; // queue 1, as long as there are two
  net.netDevOps.push(simNicOps(driver));
  net.cur.irqHandlers.push((cur, queueAt) => simNicInterrupt(driver, cur, queueAt));
  net.napiPollFns.push((c, n, budget) => simNicPoll(driver, c, n, budget));
  net.cur.softirqVec[NET_RX_SOFTIRQ] = () => netRxAction(net);
  return driver;
}

function addNic(m: Int32Array, name: string, queues: number, ring: number): number {
  const dev = allocNetdev(m, name, 0, queues);
  const nic = simNicCreate(m, dev, queues, ring, 2 * ring);
  must(nic !== 0, 'the arena of the test is too small');
  m[dev + NET_DEVICE.priv] = nic;
  m[dev + NET_DEVICE.queues] = queues;
  m[dev + NET_DEVICE.rxPending] = ring;
  m[dev + NET_DEVICE.reconfig] = RECONFIG_DELTA;
  return dev;
}

/** Two NICs and a cable. The receiver has its link up and is at rest. */
function cableSetup(arena: Arena, label: Label, queues: number, ring: number): CableSetup {
  const { m } = arena;
  const tasks = netBoot(arena, label);
  const from = addNic(m, 'eth0', 1, 1);
  const to = addNic(m, 'eth1', queues, ring);
  const nic = m[to + NET_DEVICE.priv];
  const queue = nicQueueAt(m, nic, queues - 1);
  label(m, m[from + NET_DEVICE.priv], SIM_NIC, 'sender');
  label(m, to, NET_DEVICE, 'dev');
  label(m, nic, SIM_NIC, 'receiver');
  for (let i = 0; i < queues; i++) {
    const at = nicQueueAt(m, nic, i);
    label(m, at, NIC_QUEUE, `queue${i}`);
    label(m, m[at + NIC_QUEUE.irq], IRQ_DESC, `irq${i}`);
    label(m, m[at + NIC_QUEUE.pool], PAGE_POOL, `pool${i}`);
  }
  const driver = driverFor(arena, tasks.control);
  simNicProbe(driver, nic, 0, 1);
  must(simNicOpen(driver, to) === 0, 'the link cannot be brought up');
  for (let i = 0; i < queues; i++) label(m, m[nicQueueAt(m, nic, i) + NIC_QUEUE.napi], NAPI, `napi${i}`);
  doSoftirq(driver.net.cur); // the poll that open asks for
  m[m[from + NET_DEVICE.priv] + SIM_NIC.linkUp] = 1;
  must(cableConnect(driver.net, from, to) === 0, 'no cable');
  listTasks(m, [tasks.cpu, tasks.irqA, tasks.irqB, tasks.control]);
  return {
    ...tasks,
    from,
    to,
    queue,
    frameA: kmalloc(m, FRAME_BYTES / 4),
    frameB: kmalloc(m, FRAME_BYTES / 4),
    net: driver.net.at,
    seen: addWord(m, label, 'seen'),
  };
}

/** A transmitter sends `count` frames, each in a read section of its own. */
function sender(which: 'A' | 'B', count: number): (arena: Arena, s: CableSetup) => void {
  return (arena, s) => {
    const { net } = driverFor(arena, which === 'A' ? s.irqA : s.irqB);
    const queueAt = nicQueueAt(arena.m, arena.m[s.from + NET_DEVICE.priv], 0);
    for (let i = 0; i < count; i++) {
      rcuReadLock(net.cur);
      nicTransmit(net, s.from, queueAt, (which === 'A' ? s.frameA : s.frameB) * 4, FRAME_BYTES);
      rcuReadUnlock(net.cur);
    }
  };
}

/** CPU 0's own thread: softirqs alone, so that what it looks at for other reasons makes no interleavings of its own. */
function idleCpu(arena: Arena, s: CableSetup): void {
  const { cur } = driverFor(arena, s.cpu).net;
  rcuReadLock(cur);
  for (;;) {
    setCurrentState(cur.task, TASK_INTERRUPTIBLE);
    if (Atomics.load(arena.m, cur.cpu.softirqPending) === 0) schedule(cur);
    setCurrentState(cur.task, TASK_RUNNING);
    doSoftirq(cur);
    rcuQuiescentState(cur);
  }
}

/** Frames that went all the way up (there is no socket for them), and those that ended at the wire. */
function ends(m: Int32Array, s: CableSetup): { up: number; missed: number; down: number } {
  const drops = s.net + NET.drops;
  return {
    up: m[drops + DROP_NO_SOCKET],
    missed: m[drops + DROP_RX_MISSED],
    down: m[drops + DROP_DEV_READY],
  };
}

/** What transmitters write: plain, so one that is still at it is a data race. */
function ownWire(m: Int32Array, s: CableSetup): void {
  m[s.seen] = m[s.queue + NIC_QUEUE.rxFramesTotal];
  m[s.queue + NIC_QUEUE.rxFramesTotal] = m[s.seen];
}

export const cableTwoSenders: Litmus = litmus({
  name: 'cable-two-senders',
  memory,
  setup: (arena, label) => cableSetup(arena, label, 1, 2),
  threads: { senderA: sender('A', 1), senderB: sender('B', 1), cpu: idleCpu },
  daemons: ['cpu'],
  final({ m }, s) {
    const { up, missed } = ends(m, s);
    must(up === 2 && missed === 0, `${up} frames of 2 were delivered, ${missed} were missed`);
  },
  forbids: 'two transmitters at the ends of one ring, or a frame left in it with the CPU asleep',
  why: 'the lock of the queue makes one of them the hardware at a time; the interrupt is raised for what is published',
});

export const cableFullRing: Litmus = litmus({
  name: 'cable-full-ring',
  memory,
  setup(arena, label) {
    const s = cableSetup(arena, label, 1, 1);
    const driver = driverFor(arena, s.control);
    // A poll that no frame asked for: it posts what it finds room for, whenever the CPU comes to it.
    raiseIrq(driver.net.cur, driver.queue(s.queue).irq);
    return s;
  },
  threads: {
    sender: sender('A', 2),
    cpu: idleCpu,
  },
  daemons: ['cpu'],
  final({ m }, s) {
    const { up, missed } = ends(m, s);
    must(up >= 1 && up + missed === 2, `${up} frames of 2 were delivered, ${missed} were missed`);
  },
  forbids:
    'a frame that is neither delivered nor counted as missed, or one reported where another is not yet read',
  why: 'buffers are released to the driver behind the report (D5): those posted and those unread are a ring together',
});

export const cableDownUp: Litmus = litmus({
  name: 'cable-down-up',
  memory,
  setup: (arena, label) => cableSetup(arena, label, 1, 1),
  threads: {
    sender: sender('A', 1),
    control(arena, s) {
      const driver = driverFor(arena, s.control);
      simNicStop(driver, s.to);
      ownWire(arena.m, s);
      must(simNicOpen(driver, s.to) === 0, 'the link cannot be brought up');
    },
    cpu: idleCpu,
  },
  daemons: ['cpu'],
  final({ m }, s) {
    const { up, down } = ends(m, s);
    must(up + down === 1, `${up} frames of 1 were delivered, ${down} were dropped`);
  },
  forbids: 'a transmitter at the rings of a device whose link is down, or a frame that is lost uncounted',
  why: 'a transmitter looks at the link under the lock (C2); what came before is polled once the link is up again',
});

export const cableDownNetifRx: Litmus = litmus({
  name: 'cable-down-netif-rx',
  memory,
  setup(arena, label) {
    const s = cableSetup(arena, label, 1, 1);
    const driver = driverFor(arena, s.control);
    simNicStop(driver, s.to);
    arena.m[arena.m[s.to + NET_DEVICE.priv] + SIM_NIC.netifRx] = 1;
    must(simNicOpen(driver, s.to) === 0, 'the link cannot be brought up');
    return s;
  },
  threads: {
    sender: sender('A', 1),
    control(arena, s) {
      const driver = driverFor(arena, s.control);
      simNicStop(driver, s.to);
      ownWire(arena.m, s);
    },
  },
  forbids: 'a transmitter at the rings of a device without NAPI whose link is down',
  why: 'stop takes each lock of the wire once behind its store (C1): no grace period does it here',
});

export const cableChannels: Litmus = litmus({
  name: 'cable-channels',
  memory,
  setup: (arena, label) => cableSetup(arena, label, 2, 1),
  threads: {
    sender: sender('A', 1),
    control(arena, s) {
      const { net } = driverFor(arena, s.control);
      must(netdevSetChannels(net, s.to, 1) === 0, 'the channels cannot be changed');
      must(arena.m[s.queue + NIC_QUEUE.napi] === 0, 'the instance is still published');
    },
    cpu: idleCpu,
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(ends(m, s).up === 1, `${ends(m, s).up} frames of 1 were delivered`);
  },
  forbids: 'a frame in a queue that nobody polls any more',
  why: 'who finds another number of channels under the lock steers again; control drains the queue behind its own turn',
});

export const cableOut: Litmus = litmus({
  name: 'cable-out',
  memory,
  setup(arena, label) {
    const s = cableSetup(arena, label, 1, 1);
    simNicStop(driverFor(arena, s.control), s.to);
    arena.m[arena.m[s.to + NET_DEVICE.priv] + SIM_NIC.linkUp] = 1;
    return s;
  },
  threads: {
    sender: sender('A', 1),
    control(arena, s) {
      const { m } = arena;
      must(cableDisconnect(driverFor(arena, s.control).net, s.from) === 0, 'there is no cable');
      ownWire(m, s);
      simNicDestroy(m, m[s.to + NET_DEVICE.priv]);
    },
  },
  forbids: 'a transmitter at the rings of a device that is gone',
  why: 'the cable is read in a read section, and a grace period lies between taking it out and freeing (C3, C4)',
});

interface GoneSetup extends NetTasks {
  readonly dev: number;
  readonly sender: number;
}

function datagram(): FrameTemplate {
  const bytes = new Uint8Array(8);
  return { bytes, header: bytes, hash: 0, headers: 0, payload: 0, ports: 0, proto: 0 };
}

export const udpNicGone: Litmus = litmus({
  name: 'udp-nic-gone',
  memory,
  setup(arena, label): GoneSetup {
    const { m } = arena;
    const tasks = netBoot(arena, label);
    const dev = addNic(m, 'eth0', 1, 1);
    const at = udpSenderCreate(m, dev, true, 0, 1);
    must(at !== 0, 'the arena of the test is too small');
    label(m, at, UDP_SENDER, 'sender');
    listTasks(m, [tasks.cpu, tasks.irqA, tasks.control]);
    return { ...tasks, dev, sender: at };
  },
  threads: {
    sender(arena, s) {
      const { net } = driverFor(arena, s.irqA);
      const pool = net.pool(arena.m[s.sender + UDP_SENDER.pool]);
      udpSendByNic(net, s.sender, pool, datagram(), { list: null, first: 0 }, 1, (n, dev) => {
        must(n.m[n.m[dev + NET_DEVICE.priv] + SIM_NIC.nrQueues] === 1, 'the device is gone');
      });
    },
    control(arena, s) {
      const { cur } = driverFor(arena, s.control).net;
      udpSenderShutdown(arena.m, s.sender);
      synchronizeRcu(cur);
      simNicDiscard(arena.m, arena.m[s.dev + NET_DEVICE.priv]);
    },
  },
  forbids: 'a datagram that leaves by a device that is gone',
  why: 'a sender looks whether it is closed in the read section in which it sends (Z3, Z4)',
});
