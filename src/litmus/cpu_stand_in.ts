// SPDX-License-Identifier: GPL-2.0-only
/**
 * Litmus tests of a thread that serves a CPU in place of the CPU's own: taking it and giving it back against softirqs, timers,
 * hotplug, another one that wants it, and the end.
 */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { CPU, cpuOnline, cpuTask } from '../kernel/cpu.js';
import { cpuDown } from '../kernel/cpu_hotplug.js';
import { type CpuTasks, cpuGiveBack, cpuTake, cpuTaskLoop } from '../kernel/cpu_stand_in.js';
import { type Current, KERNEL, KERNEL_AT } from '../kernel/current.js';
import { EBUSY } from '../kernel/errno.js';
import { HRTIMER, hrtimerSetup, hrtimerStart } from '../kernel/hrtimer.js';
import { kthread, kthreadStop } from '../kernel/kthread.js';
import { sleepOnCompletion } from '../kernel/sched.js';
import { cpuIdleLoop, NET_RX_SOFTIRQ, raiseSoftirq } from '../kernel/softirq.js';
import { TASK, wakeUpProcess } from '../kernel/task.js';
import { perCpuPtr } from '../mm/percpu.js';
import { kmalloc } from '../mm/slab.js';
import { listTasks } from './net_world.js';
import { addRunningTask, addTask, addWord, arena, boot, currentOf, ownCpu } from './world.js';

export interface TakeSetup {
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

export function takeSetup(m: Int32Array, label: Label, nrCpus = 1): TakeSetup {
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
export function serving(m: Int32Array, s: TakeSetup, task: number): Current {
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

export function raise(m: Int32Array, s: TakeSetup): void {
  const cur = currentOf(m, s.other);
  Atomics.store(m, s.work, 1);
  raiseSoftirq(cur, cur.cpus[0], NET_RX_SOFTIRQ);
}

export function noneLost(m: Int32Array, s: TakeSetup): void {
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
