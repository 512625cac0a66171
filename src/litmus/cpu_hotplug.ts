// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of CPUs that go and come: the handshake with the CPU's thread, bottom halves, timers, interrupts. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { localBhDisable, localBhEnable } from '../kernel/bh.js';
import { CPU, cpuOnline } from '../kernel/cpu.js';
import { cpuDown, cpuUp } from '../kernel/cpu_hotplug.js';
import { type Current, KERNEL, KERNEL_AT } from '../kernel/current.js';
import { EBUSY } from '../kernel/errno.js';
import { HRTIMER, hrtimerCancel, hrtimerSetup, hrtimerStart } from '../kernel/hrtimer.js';
import { IRQ_DESC, IrqDesc, raiseIrq, requestIrq } from '../kernel/irq.js';
import { rcuReadLock } from '../kernel/rcu.js';
import { cpuIdleLoop, NET_RX_SOFTIRQ } from '../kernel/softirq.js';
import { TASK, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../kernel/task.js';
import { perCpuPtr } from '../mm/percpu.js';
import { kmalloc } from '../mm/slab.js';
import { listTasks } from './net_world.js';
import { addRunningTask, addWord, arena, boot, currentOf, ownCpu } from './world.js';

interface HotplugSetup {
  readonly cpu0: number;
  readonly cpu1: number;
  readonly control: number;
  readonly other: number;
  /** Plain words: who may touch them is what the tests ask. */
  readonly work: number;
  readonly gone: number;
}

function hotplugSetup(m: Int32Array, label: Label): HotplugSetup {
  boot(m, label, 2);
  const s = {
    cpu0: addRunningTask(m, label, 'cpu/0', 0),
    cpu1: addRunningTask(m, label, 'cpu/1', 1),
    control: addRunningTask(m, label, 'control'),
    other: addRunningTask(m, label, 'other', 1),
    work: addWord(m, label, 'work'),
    gone: addWord(m, label, 'gone'),
  };
  ownCpu(m, 0, s.cpu0);
  ownCpu(m, 1, s.cpu1);
  listTasks(m, [s.cpu1, s.control, s.other]);
  return s;
}

function cpuAt(m: Int32Array, id: number): number {
  return perCpuPtr(m[KERNEL_AT + KERNEL.cpus], CPU, id);
}

/** Body of a CPU's own thread. */
function idle(cur: Current): void {
  rcuReadLock(cur);
  cpuIdleLoop(cur);
}

export const cpuDownUp: Litmus = litmus({
  name: 'cpu-down-up',
  memory: arena,
  setup: hotplugSetup,
  threads: {
    control(m, s) {
      const cur = currentOf(m, s.control);
      const cpu = cur.cpus[1];
      must(cpuDown(cur, cpu, []) === 0 && cpuDown(cur, cpu, []) === 0, 'it does not go down');
      must(cpuDown(cur, cur.cpus[0], []) === -EBUSY, 'the last CPU goes down');
      must(cpuUp(cur, cpu, []) === 0 && cpuUp(cur, cpu, []) === 0, 'it does not come up');
      must(cpuDown(cur, cpu, []) === 0, 'it does not go down again');
    },
    cpu1: (m, s) => idle(currentOf(m, s.cpu1, 1)),
  },
  daemons: ['cpu1'],
  final(m) {
    must(m[cpuAt(m, 1) + CPU.online] === 0, 'the CPU is online');
    must(m[cpuAt(m, 1) + CPU.dying] === 0, 'it has not reported that it rests');
  },
  forbids: 'a CPU that is waited for and does not report, or that reports once too often',
  why: 'it is asked each time: it may not have seen that it came back in between (C1, C2)',
});

export const cpuDownBh: Litmus = litmus({
  name: 'cpu-down-bh',
  memory: arena,
  setup: hotplugSetup,
  threads: {
    control(m, s) {
      const cur = currentOf(m, s.control);
      cpuDown(cur, cur.cpus[1], []);
      must(cur.cpu === cur.cpus[0] && !cur.pinned, 'the control thread is not where it was');
      m[s.work] = -1;
    },
    other(m, s) {
      const cur = currentOf(m, s.other, 1);
      for (let i = 0; i < 2; i++) {
        localBhDisable(cur);
        must(cpuOnline(cur.bhCpu) && cur.cpu === cur.bhCpu, 'bottom halves of a CPU that is offline');
        if (cur.cpu.id === 1) m[s.work] = 1;
        localBhEnable(cur);
      }
    },
    cpu1: (m, s) => idle(currentOf(m, s.cpu1, 1)),
  },
  daemons: ['cpu1'],
  final: (m, s) => must(m[s.work] === -1, 'somebody was in a poll of the CPU after it had gone'),
  forbids: 'a thread in a poll of a CPU that is offline',
  why: 'online is cleared under the BH lock; whoever takes it looks, and moves off (B3, B4)',
});

interface TimerSetup extends HotplugSetup {
  readonly timer: number;
}

/** CPU 0 sleeps: what it would do with a timer is not the question here. */
function timerSetup(m: Int32Array, label: Label): TimerSetup {
  const s = hotplugSetup(m, label);
  const timer = kmalloc(m, HRTIMER.SIZE);
  label(m, timer, HRTIMER, 'timer');
  hrtimerSetup(m, timer, 0, 0);
  m[s.cpu0 + TASK.state] = TASK_INTERRUPTIBLE;
  return { ...s, timer };
}

/** Body of CPU 1's own thread, with the timer's function. */
function timerCpu(m: Int32Array, s: TimerSetup): void {
  const cur = currentOf(m, s.cpu1, 1);
  cur.hrtimerFns.push(() => {
    m[s.work]++;
  });
  idle(cur);
}

function takeDown(m: Int32Array, s: HotplugSetup): void {
  const cur = currentOf(m, s.control);
  cpuDown(cur, cur.cpus[1], []);
}

export const cpuDownTimer: Litmus = litmus({
  name: 'cpu-down-timer',
  memory: arena,
  setup: timerSetup,
  threads: {
    control: takeDown,
    other: (m, s) => hrtimerStart(currentOf(m, s.other, 1), s.timer, 0),
    cpu1: timerCpu,
  },
  daemons: ['cpu1'],
  final(m, s) {
    const moved = m[cpuAt(m, 0) + CPU.timerFirst] === s.timer;
    must(m[s.work] === (moved ? 0 : 1), `the timer fired ${m[s.work]} times`);
    must(m[s.timer + HRTIMER.enqueued] === (moved ? 1 : 0), 'the timer is not where it says');
    must(!moved || m[s.cpu0 + TASK.state] === TASK_RUNNING, 'the CPU that got the timer sleeps');
    must(m[cpuAt(m, 1) + CPU.timerFirst] === 0, 'a timer is left with a CPU that is offline');
  },
  forbids: 'a timer left in the list of a CPU that is offline, or moved to one that goes on sleeping',
  why: 'who starts one looks at online under the lock of the list; the list is moved behind that (H5, H6)',
});

export const cpuDownTimerCancel: Litmus = litmus({
  name: 'cpu-down-timer-cancel',
  memory: arena,
  setup(m, label) {
    const s = timerSetup(m, label);
    hrtimerStart(currentOf(m, s.other, 1), s.timer, 0);
    return s;
  },
  threads: {
    control: takeDown,
    other(m, s) {
      hrtimerCancel(currentOf(m, s.other, 1), s.timer);
      m[s.work] += 100; // its function is not running
    },
    cpu1: timerCpu,
  },
  daemons: ['cpu1'],
  final(m, s) {
    must(m[s.work] === 100 || m[s.work] === 101, `the timer fired ${m[s.work] - 100} times`);
    must(m[s.timer + HRTIMER.enqueued] === 0, 'a cancelled timer is in a list');
    for (let id = 0; id < 2; id++) must(m[cpuAt(m, id) + CPU.timerFirst] === 0, 'a list is not empty');
  },
  forbids: 'a timer that fires after it was cancelled, because it was being moved',
  why: 'it is moved under the locks of both lists, and only once the CPU’s thread rests',
});

export const cpuDownBusy: Litmus = litmus({
  name: 'cpu-down-busy',
  memory: arena,
  setup(m, label) {
    const s = timerSetup(m, label);
    hrtimerStart(currentOf(m, s.other, 1), s.timer, 0);
    m[cpuAt(m, 1) + CPU.softirqPending] = 1 << NET_RX_SOFTIRQ;
    return s;
  },
  threads: {
    control(m, s) {
      takeDown(m, s);
      m[s.gone] = 1;
    },
    cpu1(m, s) {
      const cur = currentOf(m, s.cpu1, 1);
      cur.softirqVec.push(() => must(m[s.gone] === 0, 'a softirq of a CPU that has gone'));
      cur.hrtimerFns.push(() => must(m[s.gone] === 0, 'a timer’s function on a CPU that has gone'));
      idle(cur);
    },
  },
  daemons: ['cpu1'],
  final: (m, s) => must(m[s.gone] === 1, 'the CPU is not down'),
  forbids: 'a CPU that is in a softirq or a timer’s function when it has gone',
  why: 'its thread reports that it rests; a quiescent state of RCU it may pass while it is busy (C1, C2)',
});

export const cpuDownIrq: Litmus = litmus({
  name: 'cpu-down-irq',
  memory: arena,
  setup(m, label) {
    const s = hotplugSetup(m, label);
    const irq = kmalloc(m, IRQ_DESC.SIZE);
    label(m, irq, IRQ_DESC, 'irq');
    requestIrq(new IrqDesc(m, irq), 0, 0, 1);
    return { ...s, irq };
  },
  threads: {
    control(m, s) {
      const cur = currentOf(m, s.control);
      cpuDown(cur, cur.cpus[1], []);
      m[s.gone] = 1;
    },
    other(m, s) {
      const cur = currentOf(m, s.other, 0);
      cur.irqHandlers.push((c) => {
        if (c.cpu.id === 1) must(m[s.gone] === 0, 'an interrupt on behalf of a CPU that has gone');
        Atomics.add(m, s.work, 1);
      });
      raiseIrq(cur, new IrqDesc(m, s.irq));
    },
    cpu1: (m, s) => idle(currentOf(m, s.cpu1, 1)),
  },
  daemons: ['cpu1'],
  final: (m, s) => must(m[s.work] === 1, `the handler ran ${m[s.work]} times`),
  forbids: 'a handler that still runs on behalf of a CPU when that has gone',
  why: 'it looks at online within a read section, and who takes a CPU down waits for a grace period',
});
