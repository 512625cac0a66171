// SPDX-License-Identifier: GPL-2.0-only
/**
 * Litmus tests of a thread that serves a CPU in place of the CPU's own, and runs tasks on it: taking it and giving it back
 * against softirqs, timers, hotplug, another one that wants it, and the end; its system calls against ksoftirqd.
 */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { CPU, cpuOnline, cpuTask } from '../kernel/cpu.js';
import { cpuDown } from '../kernel/cpu_hotplug.js';
import {
  type CpuTasks,
  cpuGiveBack,
  cpuTake,
  cpuTaskLoop,
  systemCallBegin,
  systemCallEnd,
} from '../kernel/cpu_stand_in.js';
import { type Current, KERNEL, KERNEL_AT } from '../kernel/current.js';
import { EBUSY } from '../kernel/errno.js';
import { HRTIMER, hrtimerSetup, hrtimerStart } from '../kernel/hrtimer.js';
import { kthread, kthreadStop } from '../kernel/kthread.js';
import { synchronizeRcu } from '../kernel/rcu.js';
import { sleepOnCompletion } from '../kernel/sched.js';
import { smpbootThreadFn } from '../kernel/smpboot.js';
import {
  cpuIdleLoop,
  KSOFTIRQD,
  NET_RX_SOFTIRQ,
  raiseSoftirq,
  raiseSoftirqNoWake,
} from '../kernel/softirq.js';
import { TASK, wakeUpProcess } from '../kernel/task.js';
import { perCpuPtr } from '../mm/percpu.js';
import { kmalloc } from '../mm/slab.js';
import { listTasks } from './net_world.js';
import { addRunningTask, addTask, addWord, arena, boot, currentOf, ownCpu } from './world.js';

interface TakeSetup {
  readonly cpu: number;
  readonly own: number;
  readonly app: number;
  readonly other: number;
  /** Taken by the softirq; and by the one who serves, plain: two at a time are a data race. */
  readonly work: number;
  readonly served: number;
  /** 1: the application is through. */
  readonly over: number;
}

function takeSetup(m: Int32Array, label: Label, nrCpus = 1): TakeSetup {
  boot(m, label, nrCpus);
  const s = {
    cpu: perCpuPtr(m[KERNEL_AT + KERNEL.cpus], CPU, 0),
    own: addRunningTask(m, label, 'cpu/0'),
    app: addRunningTask(m, label, 'app'),
    other: addRunningTask(m, label, 'other', nrCpus - 1),
    work: addWord(m, label, 'work'),
    served: addWord(m, label, 'served'),
    over: addWord(m, label, 'over'),
  };
  ownCpu(m, 0, s.own);
  listTasks(m, [s.own, s.app, s.other]);
  return s;
}

/** Tasks of which none can go on, and that have ended. */
const NONE: CpuTasks = Object.freeze({ runnable: () => false, step: () => undefined, ended: () => true });

/** A thread with the softirq in its table, which takes the work and says that it serves. */
function serving(m: Int32Array, s: TakeSetup, task: number): Current {
  const cur = currentOf(m, task);
  cur.softirqVec.push(() => {
    m[s.served] = task;
    Atomics.store(m, s.work, 0);
  });
  return cur;
}

/** The CPU's own thread. */
function own(m: Int32Array, s: TakeSetup): void {
  cpuIdleLoop(serving(m, s, s.own));
}

/** An application that serves the CPU for a while. @returns what taking it came to */
function serveOnce(m: Int32Array, s: TakeSetup, task: number): number {
  const cur = serving(m, s, task);
  const err = cpuTake(cur, cur.cpu);
  if (err !== 0) return err;
  cur.pinned = true;
  m[s.served] = task;
  cpuTaskLoop(cur, NONE);
  m[s.served] = task;
  cur.pinned = false;
  cpuGiveBack(cur, cur.cpu);
  return 0;
}

function raise(m: Int32Array, s: TakeSetup): void {
  const cur = currentOf(m, s.other);
  Atomics.store(m, s.work, 1);
  raiseSoftirq(cur, cur.cpus[0], NET_RX_SOFTIRQ);
}

function noneLost(m: Int32Array, s: TakeSetup): void {
  must(m[s.work] === 0, 'a softirq is pending and whoever serves the CPU sleeps');
}

export const cpuTakeSoftirq: Litmus = litmus({
  name: 'cpu-take-softirq',
  memory: arena,
  setup: takeSetup,
  threads: {
    app: (m, s) => must(serveOnce(m, s, s.app) === 0, 'it cannot be had'),
    other: raise,
    own,
  },
  daemons: ['own'],
  final: noneLost,
  forbids: 'a softirq that is left to the thread that no longer serves, or two that serve at a time',
  why: 'who wakes loads `task` behind the bit; who takes over looks behind the store of `task` (C3 to C6)',
});

export const cpuTakeTimer: Litmus = litmus({
  name: 'cpu-take-timer',
  memory: arena,
  setup(m, label) {
    const s = takeSetup(m, label);
    const timer = kmalloc(m, HRTIMER.SIZE);
    label(m, timer, HRTIMER, 'timer');
    hrtimerSetup(m, timer, 0, 0);
    return { ...s, timer };
  },
  threads: {
    app(m, s) {
      const cur = currentOf(m, s.app);
      cur.hrtimerFns.push(() => {
        m[s.served]++;
      });
      must(cpuTake(cur, cur.cpu) === 0, 'it cannot be had');
      cur.pinned = true;
      cpuTaskLoop(cur, NONE);
      cpuGiveBack(cur, cur.cpu);
    },
    other: (m, s) => hrtimerStart(currentOf(m, s.other), s.timer, 0),
    own(m, s) {
      const cur = currentOf(m, s.own);
      cur.hrtimerFns.push(() => {
        m[s.served]++;
      });
      cpuIdleLoop(cur);
    },
  },
  daemons: ['own'],
  final(m, s) {
    must(m[s.served] === 1, `the timer fired ${m[s.served]} times`);
  },
  forbids: 'a timer that the thread which takes over sleeps through',
  why: 'who starts one loads `task` behind its insertion; who takes over looks at its timers (C3, C4)',
});

export const cpuTakeTwice: Litmus = litmus({
  name: 'cpu-take-twice',
  memory: arena,
  setup: takeSetup,
  threads: {
    app: (m, s) => must(isTaken(serveOnce(m, s, s.app)), 'neither had nor refused'),
    other: (m, s) => must(isTaken(serveOnce(m, s, s.other)), 'neither had nor refused'),
    own,
  },
  daemons: ['own'],
  final(m, s) {
    must(cpuTask(currentOf(m, s.app).cpus[0]) === s.own, 'its own thread does not serve it again');
    must(m[s.cpu + CPU.dying] === 0, 'its own thread has been asked, and has not answered');
  },
  forbids: 'two threads that serve a CPU at a time',
  why: 'it is had under the hotplug mutex, by one only, once its own thread has said that it rests (C5, C6)',
});

function isTaken(err: number): boolean {
  return err === 0 || err === -EBUSY;
}

export const cpuTakeDown: Litmus = litmus({
  name: 'cpu-take-down',
  memory: arena,
  setup: (m: Int32Array, label: Label) => takeSetup(m, label, 2),
  threads: {
    app(m, s) {
      const cur = currentOf(m, s.app);
      const err = cpuTake(cur, cur.cpus[0]);
      if (err === 0) {
        must(cpuOnline(cur.cpus[0]), 'it serves a CPU that is offline');
        cpuGiveBack(cur, cur.cpus[0]);
      } else must(err === -EBUSY, 'neither had nor refused');
      m[s.over] = err;
    },
    other(m, s) {
      const cur = currentOf(m, s.other, 1);
      const err = cpuDown(cur, cur.cpus[0], []);
      must(isTaken(err), 'neither down nor refused');
      m[s.served] = err;
    },
    own,
  },
  daemons: ['own'],
  final(m, s) {
    must(m[s.over] === 0 || m[s.served] === 0, 'each was refused for the sake of the other');
    must(m[s.cpu + CPU.online] === (m[s.served] === 0 ? 0 : 1), 'it is not what was said');
    must(m[s.cpu + CPU.dying] === 0, 'its own thread has been asked, and has not answered');
  },
  forbids: 'a CPU taken down under the thread that serves it, or served while it is down',
  why: 'both are decided under the hotplug mutex, and each refuses the other',
});

export const cpuGiveBackStop: Litmus = litmus({
  name: 'cpu-give-back-stop',
  memory: arena,
  setup(m, label) {
    const s = takeSetup(m, label);
    const thread = addTask(m, label, 'own');
    ownCpu(m, 0, thread);
    return { ...s, thread };
  },
  threads: {
    app(m, s) {
      must(serveOnce(m, s, s.app) === 0, 'it cannot be had');
      Atomics.store(m, s.over, 1);
      Atomics.notify(m, s.over);
    },
    other(m, s) {
      const cur = currentOf(m, s.other);
      sleepOnCompletion(cur, s.thread + TASK.created);
      wakeUpProcess(m, s.thread);
      Atomics.wait(m, s.over, 0);
      kthreadStop(cur, s.thread);
      m[s.served] = 0; // it has ended
    },
    own: (m, s) => kthread(serving(m, s, s.thread), (cur) => cpuIdleLoop(cur)),
  },
  final: (m, s) => must(m[s.served] === 0, 'its own thread served when it had been stopped'),
  forbids: 'a CPU’s own thread that rests and cannot be stopped, or that serves behind its end',
  why: 'it looks whether it is to stop before it looks whether it serves, and is woken by both',
});

interface SharedSetup extends TakeSetup {
  readonly ksoftirqd: number;
}

/** An application serves the CPU, and ksoftirqd is at work or about to be. */
function sharedSetup(inline: number): (m: Int32Array, label: Label) => SharedSetup {
  return (m, label) => {
    const s = takeSetup(m, label);
    const ksoftirqd = addRunningTask(m, label, 'ksoftirqd/0');
    m[s.cpu + CPU.task] = s.app;
    m[s.cpu + CPU.ksoftirqd] = ksoftirqd;
    m[s.cpu + CPU.ksoftirqdActive] = 1;
    m[KERNEL_AT + KERNEL.softirqInline] = inline;
    return { ...s, ksoftirqd };
  };
}

/** ksoftirqd in the middle of its loop: what smpboot makes of it is another test's. */
function ksoftirqdLoop(m: Int32Array, s: SharedSetup): void {
  smpbootThreadFn(serving(m, s, s.ksoftirqd), KSOFTIRQD, 0);
}

/** One task, of one system call, in which a softirq is raised. It waits for more behind it, and none comes. */
class Call implements CpuTasks {
  private readonly cur: Current;
  private readonly s: TakeSetup;
  private left = 1;

  constructor(cur: Current, s: TakeSetup) {
    this.cur = cur;
    this.s = s;
  }

  runnable(): boolean {
    return this.left > 0;
  }

  step(): void {
    const { cur } = this;
    this.left--;
    systemCallBegin(cur);
    Atomics.store(cur.m, this.s.work, 1);
    raiseSoftirq(cur, cur.cpu, NET_RX_SOFTIRQ);
    cur.m[this.s.served] = cur.task.at; // no softirq of this CPU, wherever it runs
    systemCallEnd(cur);
    cur.m[this.s.over] = 1;
  }

  ended(): boolean {
    return false;
  }
}

function serveCall(m: Int32Array, s: SharedSetup): void {
  const cur = serving(m, s, s.app);
  cur.runsSoftirqs = true;
  cur.pinned = true;
  cpuTaskLoop(cur, new Call(cur, s));
}

/** The same, for both rules of what happens at the end of an interrupt and of a system call. */
function callBeside(rule: string, inline: number, why: string): Litmus {
  return litmus({
    name: `cpu-tasks-ksoftirqd-${rule}`,
    memory: arena,
    setup: sharedSetup(inline),
    threads: { app: serveCall, ksoftirqd: ksoftirqdLoop },
    daemons: ['app', 'ksoftirqd'],
    final(m, s) {
      noneLost(m, s);
      must(m[s.over] === 1, 'the task did not run');
    },
    forbids:
      'a softirq raised in a system call that is left to a ksoftirqd which sleeps, or that runs within the call',
    why,
  });
}

export const cpuTasksKsoftirqdLeave: Litmus = callBeside(
  'leave',
  0,
  'it is left to ksoftirqd only while that runs, which looks before it sleeps (Q2, Q3)',
);

export const cpuTasksKsoftirqdInline: Litmus = callBeside(
  'inline',
  1,
  'it is run at the end of the call, whatever ksoftirqd does; both take all bits by exchange',
);

/** An interrupt's softirq raised from elsewhere, while a task is in its system call or the CPU is idle. */
function raisedBeside(rule: string, inline: number): Litmus {
  return litmus({
    name: `cpu-tasks-raise-${rule}`,
    memory: arena,
    setup: sharedSetup(inline),
    threads: {
      app(m: Int32Array, s: SharedSetup) {
        const cur = serving(m, s, s.app);
        cur.runsSoftirqs = true;
        cur.pinned = true;
        cpuTaskLoop(cur, { runnable: () => false, step: () => undefined, ended: () => false });
      },
      ksoftirqd: ksoftirqdLoop,
      other: (m: Int32Array, s: SharedSetup) => raise(m, s),
    },
    daemons: ['app', 'ksoftirqd'],
    final: noneLost,
    forbids: 'a softirq that both the thread which serves the CPU and ksoftirqd sleep through',
    why: 'who raises it wakes the thread that serves; that leaves it only to a ksoftirqd which runs (Q1 to Q3, C3)',
  });
}

export const cpuTasksRaiseLeave: Litmus = raisedBeside('leave', 0);
export const cpuTasksRaiseInline: Litmus = raisedBeside('inline', 1);

interface ReadSetup extends TakeSetup {
  readonly timer: number;
  readonly pointer: number;
  readonly object: number;
}

/** Serves the CPU, of which it has taken over already; nobody else does. */
function servedSetup(m: Int32Array, label: Label): TakeSetup {
  const s = takeSetup(m, label);
  m[s.cpu + CPU.task] = s.app;
  return s;
}

export const cpuTasksRcuRead: Litmus = litmus({
  name: 'cpu-tasks-rcu-read',
  memory: arena,
  setup(m: Int32Array, label: Label): ReadSetup {
    const s = servedSetup(m, label);
    const timer = kmalloc(m, HRTIMER.SIZE);
    label(m, timer, HRTIMER, 'timer');
    hrtimerSetup(m, timer, 0, 0);
    const r = { ...s, timer, pointer: addWord(m, label, 'pointer'), object: addWord(m, label, 'object') };
    m[r.pointer] = r.object;
    const cur = currentOf(m, s.app);
    hrtimerStart(cur, timer, 0);
    raiseSoftirq(cur, cur.cpu, NET_RX_SOFTIRQ);
    return r;
  },
  threads: {
    app(m, s) {
      const read = (): void => {
        const at = Atomics.load(m, s.pointer);
        if (at !== 0) must(m[at] === 0, 'what was read was freed');
      };
      const cur = currentOf(m, s.app);
      cur.hrtimerFns.push(read);
      cur.softirqVec.push(read);
      cur.pinned = true;
      const tasks = { left: 1 };
      cpuTaskLoop(cur, {
        runnable: () => tasks.left > 0,
        step: () => {
          tasks.left--;
        },
        ended: () => true,
      });
    },
    other(m, s) {
      Atomics.store(m, s.pointer, 0);
      synchronizeRcu(currentOf(m, s.other));
      m[s.object] = -1;
    },
  },
  forbids: 'a softirq or a timer that reads what is freed behind a grace period',
  why: 'all but the step of a task is in a read section',
});

export const cpuTasksRcuWait: Litmus = litmus({
  name: 'cpu-tasks-rcu-wait',
  memory: arena,
  setup: servedSetup,
  threads: {
    app(m, s) {
      const tasks = { left: 1 };
      cpuTaskLoop(currentOf(m, s.app), {
        runnable: () => tasks.left > 0,
        step: () => {
          tasks.left--;
          Atomics.wait(m, s.over, 0);
        },
        ended: () => true,
      });
    },
    other(m, s) {
      synchronizeRcu(currentOf(m, s.other));
      Atomics.store(m, s.over, 1);
      Atomics.notify(m, s.over);
    },
  },
  forbids: 'a grace period that waits for what a task does in its own code',
  why: 'a task is in no read section there',
});

export const cpuTasksBusySoftirq: Litmus = litmus({
  name: 'cpu-tasks-busy-softirq',
  memory: arena,
  setup(m: Int32Array, label: Label) {
    const s = servedSetup(m, label);
    const cur = currentOf(m, s.app);
    raiseSoftirq(cur, cur.cpu, NET_RX_SOFTIRQ);
    return s;
  },
  threads: {
    app(m, s) {
      const cur = currentOf(m, s.app);
      cur.softirqVec.push((c) => raiseSoftirqNoWake(c, c.cpu, NET_RX_SOFTIRQ));
      cpuTaskLoop(cur, {
        runnable: () => false,
        step: () => undefined,
        ended: () => Atomics.load(m, s.over) === 1,
      });
    },
    other(m, s) {
      synchronizeRcu(currentOf(m, s.other));
      Atomics.store(m, s.over, 1);
    },
  },
  forbids: 'a grace period that never ends because softirqs do not',
  why: 'each round reports a quiescent state',
});
