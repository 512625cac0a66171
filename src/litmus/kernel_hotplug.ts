// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of per-CPU threads from creation to their end, and of interrupts that move: smpboot.ts, softirq.ts, irq.ts. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { complete } from '../kernel/completion.js';
import { CPU } from '../kernel/cpu.js';
import { type Current, KERNEL, KERNEL_AT } from '../kernel/current.js';
import { kthread, kthreadStop, taskListAdd } from '../kernel/kthread.js';
import { sleepOnCompletion } from '../kernel/sched.js';
import {
  type SmpHotplugThread,
  smpbootCreateThread,
  smpbootDestroyThread,
  smpbootParkThread,
  smpbootThreadFn,
  smpbootUnparkThread,
} from '../kernel/smpboot.js';
import { cpuIdleLoop, KSOFTIRQD, NET_RX_SOFTIRQ, raiseSoftirq } from '../kernel/softirq.js';
import { TASK, wakeUpProcess } from '../kernel/task.js';
import {
  ARENA_WORDS,
  addRunningTask,
  addTask,
  addWord,
  boot,
  currentOf,
  ownCpu,
  takeRequest,
} from './world.js';

const arena = (): Int32Array => new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4));
/** Fields of the word block that a per-CPU thread's hooks count in: plain, so they are also who may touch it. */
const SETUPS = 0;
const PARKS = 1;
const UNPARKS = 2;
const CLEANUPS = 3;
const RUNS = 4;
const WORK = 5;
const RAN = 6;

function hooks(at: number): SmpHotplugThread {
  const count =
    (what: number) =>
    (cur: Current): void => {
      cur.m[at + what]++;
    };
  return {
    shouldRun: (cur) => Atomics.load(cur.m, at + WORK) !== 0,
    threadFn(cur) {
      cur.m[at + RUNS]++;
      Atomics.store(cur.m, at + WORK, 0);
      complete(cur.m, at + RAN);
    },
    setup: count(SETUPS),
    cleanup: count(CLEANUPS),
    park: count(PARKS),
    unpark: count(UNPARKS),
  };
}

export const smpbootLife: Litmus = litmus({
  name: 'smpboot-life',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const main = addRunningTask(m, label, 'main');
    taskListAdd(m, main);
    const counts = addWord(m, label, 'counts');
    label(m, counts, ['setups', 'parks', 'unparks', 'cleanups', 'runs', 'work', 'ran']);
    return { main, store: addWord(m, label, 'store'), counts };
  },
  threads: {
    main(m, s) {
      const cur = currentOf(m, s.main);
      const at = s.counts;
      const wordOfNull = m[TASK.kthreadFlags];
      smpbootUnparkThread(cur, s.store); // there is none yet
      smpbootParkThread(cur, s.store);
      must(m[TASK.kthreadFlags] === wordOfNull, 'a thread that is not there was asked to park');
      smpbootDestroyThread(cur, s.store);
      must(smpbootCreateThread(cur, s.store, 0, 0, 0, 'percpu') === 0, 'no thread could be had');
      wakeUpProcess(m, Atomics.load(m, s.store)); // whatever wakes it, it is parked
      must(m[at + SETUPS] === 0, 'it runs before its CPU comes up');
      smpbootUnparkThread(cur, s.store);
      Atomics.store(m, at + WORK, 1);
      wakeUpProcess(m, Atomics.load(m, s.store));
      sleepOnCompletion(cur, at + RAN);
      smpbootParkThread(cur, s.store);
      must(m[at + PARKS] === m[at + SETUPS], 'park and setup do not go together');
      must(m[at + CLEANUPS] === 0, 'cleaned up before it was stopped');
      smpbootUnparkThread(cur, s.store);
      smpbootDestroyThread(cur, s.store);
      must(m[at + CLEANUPS] === m[at + SETUPS], 'cleanup and setup do not go together');
      must(m[at + UNPARKS] <= m[at + PARKS], 'unparked more often than parked');
      must(Atomics.load(m, s.store) === 0, 'a thread that is gone is still published');
    },
    kthreadd(m, s) {
      const t = takeRequest(m);
      const ht = hooks(s.counts);
      kthread(currentOf(m, t), (c) => smpbootThreadFn(c, ht, 0));
    },
  },
  final(m, s) {
    must(m[s.counts + SETUPS] <= 1 && m[s.counts + PARKS] <= 1, 'a hook was called twice');
    must(m[KERNEL_AT + KERNEL.nrTasks] === 1, 'the thread is in the task list though it is gone');
  },
  forbids: 'a per-CPU thread that works while its CPU is down, or hooks that do not go in pairs',
  why: 'it is created parked, parks before it says so, and cleans up only what it has set up',
});

interface UnusedSetup {
  readonly main: number;
  readonly store: number;
  readonly counts: number;
}

/** A thread that is asked for and has hooks that count; nobody needs what it does. */
function unusedSetup(m: Int32Array, label: Label): UnusedSetup {
  boot(m, label, 1);
  const main = addRunningTask(m, label, 'main');
  taskListAdd(m, main);
  const counts = addWord(m, label, 'counts');
  label(m, counts, ['setups', 'parks', 'unparks', 'cleanups', 'runs', 'work', 'ran']);
  return { main, store: addWord(m, label, 'store'), counts };
}

/** kthreadd, and the thread it makes. */
function percpuThread(m: Int32Array, s: UnusedSetup): void {
  const t = takeRequest(m);
  const ht = hooks(s.counts);
  kthread(currentOf(m, t), (c) => smpbootThreadFn(c, ht, 0));
}

export const smpbootUnused: Litmus = litmus({
  name: 'smpboot-unused',
  memory: arena,
  setup: unusedSetup,
  threads: {
    main(m, s) {
      const cur = currentOf(m, s.main);
      must(smpbootCreateThread(cur, s.store, 0, 0, 0, 'percpu') === 0, 'no thread could be had');
      must(m[s.counts + PARKS] === 0, 'it parks what it has not set up');
      smpbootDestroyThread(cur, s.store);
      must(m[s.counts + CLEANUPS] === m[s.counts + SETUPS], 'it cleans up what it has not set up');
    },
    kthreadd: percpuThread,
  },
  forbids: 'hooks called for a CPU that never came up',
  why: 'the thread knows what it has set up: nothing before it first ran unparked',
});

export const smpbootDownEarly: Litmus = litmus({
  name: 'smpboot-down-early',
  memory: arena,
  setup: unusedSetup,
  threads: {
    main(m, s) {
      const cur = currentOf(m, s.main);
      must(smpbootCreateThread(cur, s.store, 0, 0, 0, 'percpu') === 0, 'no thread could be had');
      smpbootUnparkThread(cur, s.store);
      smpbootParkThread(cur, s.store);
      must(m[s.counts + PARKS] === m[s.counts + SETUPS], 'park and setup do not go together');
      smpbootDestroyThread(cur, s.store);
      must(m[s.counts + CLEANUPS] === m[s.counts + SETUPS], 'cleanup and setup do not go together');
    },
    kthreadd: percpuThread,
  },
  forbids: 'a per-CPU thread that parks what it has not set up, when its CPU goes down before it ran',
  why: 'the hook is for a thread that is active; parking is for all',
});

export const idleStop: Litmus = litmus({
  name: 'cpu-idle-stop',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const s = { main: addRunningTask(m, label, 'main'), cpu: addTask(m, label, 'cpu/0') };
    taskListAdd(m, s.main);
    ownCpu(m, 0, s.cpu);
    return s;
  },
  threads: {
    main(m, s) {
      const cur = currentOf(m, s.main);
      sleepOnCompletion(cur, s.cpu + TASK.created);
      wakeUpProcess(m, s.cpu);
      kthreadStop(cur, s.cpu);
    },
    cpu: (m, s) => kthread(currentOf(m, s.cpu), (cur) => cpuIdleLoop(cur)),
  },
  forbids: 'a CPU that goes on sleeping though its thread is to stop',
  why: 'it looks at SHOULD_STOP behind its sleeping state (K2)',
});

export const ksoftirqdCreated: Litmus = litmus({
  name: 'ksoftirqd-created',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const s = {
      main: addRunningTask(m, label, 'main'),
      cpu: addRunningTask(m, label, 'cpu/0'),
      work: addWord(m, label, 'work'),
    };
    taskListAdd(m, s.main);
    ownCpu(m, 0, s.cpu);
    return s;
  },
  threads: {
    main(m, s) {
      const cur = currentOf(m, s.main);
      const store = cur.cpu.at + CPU.ksoftirqd;
      must(smpbootCreateThread(cur, store, 0, 0, 0, 'ksoftirqd/0') === 0, 'no thread could be had');
      smpbootUnparkThread(cur, store);
      Atomics.store(m, s.work, 1);
      raiseSoftirq(cur, cur.cpu, NET_RX_SOFTIRQ);
    },
    kthreadd(m, s) {
      const t = takeRequest(m);
      const cur = currentOf(m, t);
      cur.softirqVec.push(() => Atomics.store(m, s.work, 0));
      kthread(cur, (c) => smpbootThreadFn(c, KSOFTIRQD, 0));
    },
    cpu(m, s) {
      const cur = currentOf(m, s.cpu);
      cur.softirqVec.push(() => Atomics.store(m, s.work, 0));
      raiseSoftirq(cur, cur.cpu, NET_RX_SOFTIRQ);
      cpuIdleLoop(cur);
    },
  },
  daemons: ['kthreadd', 'cpu'],
  final(m, s) {
    must(m[s.work] === 0, 'a softirq is pending and nobody runs it');
  },
  forbids: 'a softirq that the CPU leaves to a ksoftirqd which is just being made',
  why: 'the thread is published once it is parked, and counts only while it runs and is not to park',
});
