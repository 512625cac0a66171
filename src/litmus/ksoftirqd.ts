// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of ksoftirqd and the CPU's own thread: each may leave a softirq to the other, never both. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { complete } from '../kernel/completion.js';
import { CPU } from '../kernel/cpu.js';
import { type Current, KERNEL, KERNEL_AT } from '../kernel/current.js';
import { kthread, kthreadPark, taskListAdd } from '../kernel/kthread.js';
import { rcuReadLock } from '../kernel/rcu.js';
import { sleepOnCompletion } from '../kernel/sched.js';
import {
  type SmpHotplugThread,
  smpbootDestroyThread,
  smpbootParkThread,
  smpbootThreadFn,
  smpbootUnparkThread,
} from '../kernel/smpboot.js';
import { cpuIdleLoop, KSOFTIRQD, NET_RX_SOFTIRQ, raiseSoftirq } from '../kernel/softirq.js';
import { TASK, wakeUpProcess } from '../kernel/task.js';
import { addCpuTask, addRunningTask, addTask, addWord, arena, boot, currentOf } from './world.js';

interface SoftirqdSetup {
  readonly cpu: number;
  readonly ksoftirqd: number;
  /** Word that holds the task_struct of ksoftirqd. */
  readonly store: number;
  readonly main: number;
  readonly raiser: number;
  readonly work: number;
  readonly begun: number;
}

/** KERNEL.softirqInline. */
const LEAVE = 0;
const INLINE = 1;

function softirqdSetup(m: Int32Array, label: Label, rule = LEAVE): SoftirqdSetup {
  boot(m, label, 1);
  m[KERNEL_AT + KERNEL.softirqInline] = rule;
  const s = {
    cpu: addCpuTask(m, label),
    ksoftirqd: addTask(m, label, 'ksoftirqd/0'),
    store: m[KERNEL_AT + KERNEL.cpus] + CPU.ksoftirqd,
    main: addRunningTask(m, label, 'main'),
    raiser: addRunningTask(m, label, 'raiser'),
    work: addWord(m, label, 'work'),
    begun: addWord(m, label, 'begun'),
  };
  m[s.ksoftirqd + TASK.data] = s.begun;
  m[s.store] = s.ksoftirqd;
  return s;
}

/** ksoftirqd that says when it has begun. */
const STARTED: SmpHotplugThread = Object.freeze({
  ...KSOFTIRQD,
  setup(cur: Current, cpu: number) {
    KSOFTIRQD.setup?.(cur, cpu);
    complete(cur.m, cur.m[cur.task.at + TASK.data]);
  },
});

/** A task of the test's with the softirq in its table. */
function softirqTask(m: Int32Array, s: SoftirqdSetup, task: number): Current {
  const cur = currentOf(m, task);
  cur.softirqVec.push(() => Atomics.store(m, s.work, 0));
  return cur;
}

/** The threads beside the controller, which differs from test to test. */
function others(ht: SmpHotplugThread) {
  return {
    raiser(m: Int32Array, s: SoftirqdSetup) {
      const cur = currentOf(m, s.raiser);
      Atomics.store(m, s.work, 1);
      raiseSoftirq(cur, cur.cpu, NET_RX_SOFTIRQ);
    },
    ksoftirqd(m: Int32Array, s: SoftirqdSetup) {
      kthread(softirqTask(m, s, s.ksoftirqd), (cur) => smpbootThreadFn(cur, ht, 0));
    },
    cpu(m: Int32Array, s: SoftirqdSetup) {
      cpuIdleLoop(softirqTask(m, s, s.cpu));
    },
  };
}

function allWorkDone(m: Int32Array, s: SoftirqdSetup): void {
  must(m[s.work] === 0, 'a softirq is pending and both the CPU and ksoftirqd sleep');
}

/** Starts ksoftirqd and waits until it is at work. */
function startSoftirqd(m: Int32Array, s: SoftirqdSetup): Current {
  const cur = currentOf(m, s.main);
  sleepOnCompletion(cur, s.ksoftirqd + TASK.created);
  wakeUpProcess(m, s.ksoftirqd);
  sleepOnCompletion(cur, s.begun);
  return cur;
}

/** @param rule what CPU and ksoftirqd do at the end of an interrupt (KERNEL.softirqInline) */
function parks(name: string, rule: number, why: string): Litmus {
  return litmus({
    name,
    memory: arena,
    setup: (m, label) => softirqdSetup(m, label, rule),
    threads: {
      ...others(STARTED),
      main(m, s) {
        kthreadPark(startSoftirqd(m, s), s.ksoftirqd);
      },
    },
    daemons: ['cpu', 'ksoftirqd'],
    final: allWorkDone,
    forbids: 'a softirq that the CPU leaves to a ksoftirqd which will not look',
    why,
  });
}

export const ksoftirqd: Litmus = parks(
  'ksoftirqd-park',
  LEAVE,
  'the CPU trusts it only while it runs and is at work, and is woken when it parks (Q3 to Q5)',
);
export const ksoftirqdInline: Litmus = parks(
  'ksoftirqd-park-inline',
  INLINE,
  'an interrupt that comes has the CPU run softirqs itself; what is left behind a round is as safe with ksoftirqd (Q3 to Q5)',
);

function rests(name: string, rule: number, why: string): Litmus {
  return litmus({
    name,
    memory: arena,
    setup: (m, label) => softirqdSetup(m, label, rule),
    threads: {
      ...others(STARTED),
      main(m, s) {
        startSoftirqd(m, s);
      },
    },
    daemons: ['cpu', 'ksoftirqd'],
    final: allWorkDone,
    forbids: 'a softirq that the CPU leaves to a ksoftirqd which will not look',
    why,
  });
}

export const ksoftirqdIdle: Litmus = rests(
  'ksoftirqd-idle',
  LEAVE,
  'the CPU trusts ksoftirqd only while it runs: it looks at the bits before it sleeps (Q2, Q3)',
);
export const ksoftirqdIdleInline: Litmus = rests(
  'ksoftirqd-idle-inline',
  INLINE,
  'the CPU runs what an interrupt brings, ksoftirqd at work or not: both look at the bits before they sleep (Q2, Q3)',
);

export const ksoftirqdParkAgain: Litmus = litmus({
  name: 'ksoftirqd-park-again',
  memory: arena,
  setup: softirqdSetup,
  threads: {
    ...others(KSOFTIRQD),
    main(m, s) {
      const cur = currentOf(m, s.main);
      sleepOnCompletion(cur, s.ksoftirqd + TASK.created);
      kthreadPark(cur, s.ksoftirqd);
      smpbootUnparkThread(cur, s.store);
      smpbootParkThread(cur, s.store);
    },
  },
  daemons: ['cpu', 'ksoftirqd'],
  final: allWorkDone,
  forbids: 'a softirq that the CPU leaves to a ksoftirqd which is parked again before it has begun',
  why: 'unparked, but not at work yet, it parks without a call of its park function: it is not to be trusted (Q4)',
});

export const ksoftirqdStopNew: Litmus = litmus({
  name: 'ksoftirqd-stop',
  memory: arena,
  setup(m, label): SoftirqdSetup {
    const s = softirqdSetup(m, label);
    taskListAdd(m, s.cpu);
    return s;
  },
  threads: {
    ...others(KSOFTIRQD),
    main(m, s) {
      const cur = currentOf(m, s.main);
      sleepOnCompletion(cur, s.ksoftirqd + TASK.created);
      wakeUpProcess(m, s.ksoftirqd);
      smpbootDestroyThread(cur, s.store);
    },
    cpu(m, s) {
      const cur = softirqTask(m, s, s.cpu);
      rcuReadLock(cur);
      cpuIdleLoop(cur);
    },
  },
  daemons: ['cpu'],
  final: allWorkDone,
  forbids:
    'a softirq that the CPU leaves to a ksoftirqd which is being stopped, or a look at its freed task_struct',
  why: 'one that is stopped before it is at work calls no cleanup; the CPU reads its task_struct under RCU',
});
