// SPDX-License-Identifier: GPL-2.0-only
/**
 * Litmus tests of the tasks of a thread that serves a CPU in place of the CPU's own: system calls against ksoftirqd, read
 * sections, grace periods.
 */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { CPU } from '../kernel/cpu.js';
import { type CpuTasks, cpuTaskLoop, systemCallBegin, systemCallEnd } from '../kernel/cpu_stand_in.js';
import { type Current, KERNEL, KERNEL_AT } from '../kernel/current.js';
import { HRTIMER, hrtimerSetup, hrtimerStart } from '../kernel/hrtimer.js';
import { synchronizeRcu } from '../kernel/rcu.js';
import { smpbootThreadFn } from '../kernel/smpboot.js';
import { KSOFTIRQD, NET_RX_SOFTIRQ, raiseSoftirq, raiseSoftirqNoWake } from '../kernel/softirq.js';
import { kmalloc } from '../mm/slab.js';
import { noneLost, raise, serving, type TakeSetup, takeSetup } from './cpu_stand_in.js';
import { addRunningTask, addWord, arena, currentOf } from './world.js';

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
