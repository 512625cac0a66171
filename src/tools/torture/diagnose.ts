// SPDX-License-Identifier: GPL-2.0-only
/** What a machine looks like when something went wrong: state words bit by bit, threads, lists. Read racily, changes nothing. */
import { NIC_QUEUE, nicQueueAt } from '../../drivers/net/sim_nic.js';
import { CPU } from '../../kernel/cpu.js';
import { KERNEL, KERNEL_AT } from '../../kernel/current.js';
import { IRQ_DEPTH, IRQ_DESC, IRQ_INPROGRESS, IRQ_MASKED, IRQ_PENDING } from '../../kernel/irq.js';
import { KTHREAD_SHOULD_PARK, KTHREAD_SHOULD_STOP } from '../../kernel/kthread.js';
import {
  TASK,
  TASK_DEAD,
  TASK_INTERRUPTIBLE,
  TASK_PARKED,
  TASK_RUNNING,
  TASK_UNINTERRUPTIBLE,
  taskComm,
} from '../../kernel/task.js';
import { perCpuPtr } from '../../mm/percpu.js';
import { ringLength } from '../../mm/ring.js';
import { NAPI, NAPI_STATE_NAMES } from '../../net/core/napi.js';
import { NAPI_THREAD_NODE } from '../../net/core/napi_thread.js';
import { IFF_UP, NET_DEVICE, netdevName } from '../../net/core/net_device.js';
import { pagePoolInside } from '../../net/core/page_pool.js';
import { NET, SOFTNET_DATA } from '../../net/core/softnet_data.js';
import type { Slot, World } from './world.js';

/** Most entries of a list that are followed: it may be broken. */
const MAX_ENTRIES = 1000;

const TASK_STATES: { readonly [state: number]: string } = {
  [TASK_RUNNING]: 'running',
  [TASK_INTERRUPTIBLE]: 'asleep',
  [TASK_UNINTERRUPTIBLE]: 'asleep, uninterruptibly',
  [TASK_PARKED]: 'parked',
  [TASK_DEAD]: 'dead',
};

/** @returns a state word, bit by bit: `0x311 = SCHED (bit 0), LISTED (bit 4), …` */
export function stateBits(state: number): string {
  const bits = NAPI_STATE_NAMES.flatMap((name, bit) =>
    ((state >>> bit) & 1) === 0 ? [] : [`${name} (bit ${bit})`],
  );
  const rest = state >>> NAPI_STATE_NAMES.length;
  if (rest !== 0) bits.push(`bits that nobody knows: 0x${(rest << NAPI_STATE_NAMES.length).toString(16)}`);
  return `0x${(state >>> 0).toString(16)} = ${bits.join(', ') || 'none'}`;
}

/** @returns the state word of an interrupt in words */
function irqBits(istate: number): string {
  const names: [number, string][] = [
    [IRQ_MASKED, 'masked'],
    [IRQ_INPROGRESS, 'in progress'],
    [IRQ_PENDING, 'pending'],
  ];
  const bits = names.flatMap(([bit, name]) => ((istate & bit) === 0 ? [] : [name]));
  const depth = Math.trunc(istate / IRQ_DEPTH);
  if (depth !== 0) bits.push(`disabled ${depth} times`);
  return bits.join(', ') || 'open';
}

/** @returns a task in words */
export function taskText(m: Int32Array, t: number): string {
  if (t === 0) return 'no thread';
  const state = Atomics.load(m, t + TASK.state);
  const flags = Atomics.load(m, t + TASK.kthreadFlags);
  const told = [
    (flags & KTHREAD_SHOULD_STOP) === 0 ? '' : ', is to stop',
    (flags & KTHREAD_SHOULD_PARK) === 0 ? '' : ', is to park',
  ].join('');
  const ctr = Atomics.load(m, t + TASK.rcuCtr);
  const rcu = ctr === 0 ? 'quiescent' : `in a read section since ${ctr}`;
  return `${taskComm(m, t)} tid ${m[t + TASK.tid]} CPU ${m[t + TASK.cpu]}: ${TASK_STATES[state] ?? state}${told}; RCU ${rcu}`;
}

/** The tasks of the machine, or of those that hold the newest grace period up. */
function tasks(m: Int32Array, wanted: (t: number) => boolean): string[] {
  const lines: string[] = [];
  let t = m[KERNEL_AT + KERNEL.taskFirst];
  for (let n = 0; t !== 0 && n < MAX_ENTRIES; n++) {
    if (wanted(t)) lines.push(`  ${taskText(m, t)}`);
    t = m[t + TASK.next];
  }
  return lines;
}

/** Who holds the newest grace period up. */
export function rcuLines(m: Int32Array): string[] {
  const gp = Atomics.load(m, KERNEL_AT + KERNEL.rcuGp);
  const waiting = Atomics.load(m, KERNEL_AT + KERNEL.rcuWaiting) !== 0;
  const behind = tasks(m, (t) => {
    const ctr = Atomics.load(m, t + TASK.rcuCtr);
    return ctr !== 0 && ctr !== gp;
  });
  return [
    `RCU: grace period ${gp}${waiting ? ', waited for; behind it:' : ', nobody waits'}`,
    ...(waiting ? behind : []),
  ];
}

/** The instances of a device, those in its list. */
export function napisOf(m: Int32Array, dev: number): number[] {
  const list: number[] = [];
  for (
    let at = m[dev + NET_DEVICE.napiFirst];
    at !== 0 && list.length < MAX_ENTRIES;
    at = m[at + NAPI.devNext]
  ) {
    list.push(at);
  }
  return list;
}

function deviceLines(m: Int32Array, slot: Slot): string[] {
  const { device } = slot;
  if (device === null) return [`${slot.label}: not there`];
  const dev = device.at;
  const lines = [
    `${netdevName(m, dev)}: ${(m[dev + NET_DEVICE.flags] & IFF_UP) === 0 ? 'down' : 'up'}, ${m[dev + NET_DEVICE.queues]} of ${slot.maxQueues} channels${slot.steady ? ', flows stay in their queues' : ''}`,
  ];
  for (let i = 0; i < slot.maxQueues; i++) {
    const q = nicQueueAt(m, m[dev + NET_DEVICE.priv], i);
    const irq = m[q + NIC_QUEUE.irq];
    const inside = pagePoolInside(m, m[q + NIC_QUEUE.pool]);
    const posted = ringLength(m, m[q + NIC_QUEUE.fillRing]);
    lines.push(
      `  queue ${i}: ${ringLength(m, m[q + NIC_QUEUE.rxRing])} frames in its ring, ${posted} buffers posted, ${inside} in the pool of ${slot.poolSize}, starving ${m[q + NIC_QUEUE.starving]}, irq ${irqBits(Atomics.load(m, irq + IRQ_DESC.istate))}, CPU ${m[irq + IRQ_DESC.affinity]}`,
    );
  }
  for (const at of napisOf(m, dev)) {
    const node = m[at + NAPI.threadNode];
    const task = node === 0 ? 0 : m[node + NAPI_THREAD_NODE.task];
    lines.push(
      `  napi ${m[at + NAPI.index]} id ${m[at + NAPI.napiId]}: ${stateBits(Atomics.load(m, at + NAPI.state))}; GRO 0x${m[at + NAPI.groBitmask].toString(16)}, ${m[at + NAPI.polls] >>> 0} polls, in a poll list of CPU ${m[at + NAPI.listOwner] - 1}`,
      `    ${taskText(m, task)}`,
    );
  }
  return lines;
}

function cpuLines(m: Int32Array, net: number): string[] {
  const lines: string[] = [];
  for (let i = 0; i < m[KERNEL_AT + KERNEL.nrCpus]; i++) {
    const cpu = perCpuPtr(m[KERNEL_AT + KERNEL.cpus], CPU, i);
    const sd = perCpuPtr(m[net + NET.softnetData], SOFTNET_DATA, i);
    const backlog = Atomics.load(m, sd + SOFTNET_DATA.backlog + NAPI.state);
    lines.push(
      `CPU ${i}: ${Atomics.load(m, cpu + CPU.online) === 0 ? 'offline' : 'online'}, softirqs pending 0x${m[cpu + CPU.softirqPending].toString(16)}, BH lock ${m[cpu + CPU.bhLock]}, poll list ${pollListLength(m, sd)}, in net_rx_action ${m[sd + SOFTNET_DATA.inNetRxAction]}`,
      `  backlog: ${m[sd + SOFTNET_DATA.inputQlen]} + ${m[sd + SOFTNET_DATA.processQlen]} frames, ${stateBits(backlog)}; ${taskText(m, m[sd + SOFTNET_DATA.backlogTask])}`,
    );
  }
  return lines;
}

/** Instances in a CPU's poll list. */
export function pollListLength(m: Int32Array, sd: number): number {
  const head = sd + SOFTNET_DATA.pollList;
  let n = 0;
  for (let e = m[head]; e !== head && n < MAX_ENTRIES; e = m[e]) n++;
  return n;
}

/** Everything about a machine, a line each. */
export function machineLines(world: World): string[] {
  const { m } = world.machine.arena;
  const net = m[KERNEL_AT + KERNEL.net];
  return [
    ...world.slots.flatMap((s) => deviceLines(m, s)),
    ...cpuLines(m, net),
    ...rcuLines(m),
    'threads:',
    ...tasks(m, () => true),
    `frames: ${world.arrived()} came, ${world.delivered()} delivered, dropped ${JSON.stringify(world.machine.drops())}`,
    'latest operations:',
    ...world.ops.lines().map((l) => `  ${l}`),
  ];
}
