// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of per-CPU threads from creation to their end, and of interrupts that move: smpboot.ts, softirq.ts, irq.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { complete } from '../kernel/completion.js';
import { CPU } from '../kernel/cpu.js';
import { type Current, KERNEL, KERNEL_AT } from '../kernel/current.js';
import { HRTIMER, hrtimerSetup, hrtimerStart } from '../kernel/hrtimer.js';
import { IRQ_DESC, IrqDesc, irqSetAffinity, raiseIrq, requestIrq } from '../kernel/irq.js';
import { kthread, kthreaddTakeRequests, kthreadStop, taskListAdd } from '../kernel/kthread.js';
import { synchronizeRcu } from '../kernel/rcu.js';
import { sleepOnCompletion } from '../kernel/sched.js';
import {
  type SmpHotplugThread,
  smpbootCreateThread,
  smpbootDestroyThread,
  smpbootParkThread,
  smpbootThreadFn,
  smpbootUnparkThread,
} from '../kernel/smpboot.js';
import {
  cpuIdleLoop,
  KSOFTIRQD,
  NET_RX_SOFTIRQ,
  raiseSoftirq,
  raiseSoftirqNoWake,
} from '../kernel/softirq.js';
import { TASK, wakeUpProcess } from '../kernel/task.js';
import { kmalloc } from '../mm/slab.js';
import { ARENA_WORDS, addRunningTask, addTask, addWord, boot, clockAt, currentOf } from './world.js';

const arena = (): Int32Array => new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4));
const DOORBELL = KERNEL_AT + KERNEL.createDoorbell;
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
      smpbootUnparkThread(cur, s.store); // there is none yet
      smpbootParkThread(cur, s.store);
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
      while (Atomics.load(m, KERNEL_AT + KERNEL.createList) === 0) {
        const seen = Atomics.load(m, DOORBELL);
        if (Atomics.load(m, KERNEL_AT + KERNEL.createList) === 0) Atomics.wait(m, DOORBELL, seen);
      }
      const t = kthreaddTakeRequests(m);
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

export const smpbootUnused: Litmus = litmus({
  name: 'smpboot-unused',
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
      must(smpbootCreateThread(cur, s.store, 0, 0, 0, 'percpu') === 0, 'no thread could be had');
      must(m[s.counts + PARKS] === 0, 'it parks what it has not set up');
      smpbootDestroyThread(cur, s.store);
      must(m[s.counts + CLEANUPS] === m[s.counts + SETUPS], 'it cleans up what it has not set up');
    },
    kthreadd(m, s) {
      while (Atomics.load(m, KERNEL_AT + KERNEL.createList) === 0) {
        const seen = Atomics.load(m, DOORBELL);
        if (Atomics.load(m, KERNEL_AT + KERNEL.createList) === 0) Atomics.wait(m, DOORBELL, seen);
      }
      const t = kthreaddTakeRequests(m);
      const ht = hooks(s.counts);
      kthread(currentOf(m, t), (c) => smpbootThreadFn(c, ht, 0));
    },
  },
  forbids: 'hooks called for a CPU that never came up',
  why: 'the thread knows what it has set up: nothing before it first ran unparked',
});

export const idleStop: Litmus = litmus({
  name: 'cpu-idle-stop',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const s = { main: addRunningTask(m, label, 'main'), cpu: addTask(m, label, 'cpu/0') };
    taskListAdd(m, s.main);
    m[m[KERNEL_AT + KERNEL.cpus] + CPU.task] = s.cpu;
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

export const raiseWithin: Litmus = litmus({
  name: 'softirq-raise-within',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const s = {
      cpu: addRunningTask(m, label, 'cpu/0'),
      raiser: addRunningTask(m, label, 'raiser'),
      work: addWord(m, label, 'work'),
      done: addWord(m, label, 'done'),
    };
    m[m[KERNEL_AT + KERNEL.cpus] + CPU.task] = s.cpu;
    return s;
  },
  threads: {
    raiser(m, s) {
      const cur = currentOf(m, s.raiser);
      raiseSoftirq(cur, cur.cpu, NET_RX_SOFTIRQ);
      Atomics.store(m, s.work, 1);
      raiseSoftirq(cur, cur.cpu, NET_RX_SOFTIRQ + 1);
    },
    cpu(m, s) {
      const cur = currentOf(m, s.cpu);
      cur.softirqVec.push((c) => {
        // From within a softirq: it is run before the CPU sleeps.
        if (Atomics.load(m, s.done) === 0) raiseSoftirqNoWake(c, c.cpu, NET_RX_SOFTIRQ + 2);
      });
      cur.softirqVec.push(() => Atomics.store(m, s.work, 0));
      cur.softirqVec.push(() => Atomics.store(m, s.done, 1));
      cpuIdleLoop(cur);
    },
  },
  daemons: ['cpu'],
  final(m, s) {
    must(m[s.work] === 0, 'a softirq that another thread raised is lost');
    must(m[s.done] === 1, 'a softirq that was raised in a softirq is lost');
  },
  forbids: 'a softirq lost because another is raised, from without or within',
  why: 'bits are set by fetch-and-or and taken all at once',
});

export const irqAffinity: Litmus = litmus({
  name: 'irq-affinity',
  memory: arena,
  setup(m, label) {
    boot(m, label, 2);
    const irq = kmalloc(m, IRQ_DESC.SIZE);
    label(m, irq, IRQ_DESC, 'irq');
    requestIrq(new IrqDesc(m, irq), 0, 5, 1);
    const s = {
      device: addRunningTask(m, label, 'device'),
      control: addRunningTask(m, label, 'control'),
      irq,
      moved: addWord(m, label, 'moved'),
      pointer: addWord(m, label, 'pointer'),
      object: addWord(m, label, 'object'),
    };
    taskListAdd(m, s.device);
    taskListAdd(m, s.control);
    m[s.object] = 7;
    m[s.pointer] = s.object;
    return s;
  },
  threads: {
    device(m, s) {
      const cur = currentOf(m, s.device);
      const seen = Atomics.load(m, s.moved);
      cur.irqHandlers.push((c, devId) => {
        must(devId === 5, 'the handler gets another argument');
        must(c.cpu.id === 0 || seen !== 2, 'it runs for the CPU where it was before it moved');
        must(c.cpu.id === 1 || Atomics.load(m, s.moved) !== 0, 'it runs for a CPU where it was never set to');
        const p = Atomics.load(m, s.pointer);
        if (p !== 0) must(m[p] === 7, 'a freed object is read');
      });
      must(raiseIrq(cur, new IrqDesc(m, s.irq)), 'the handler did not run');
      must(cur.cpu.id === 0, 'the thread stays on the CPU of the interrupt');
      must(cur.rcuNesting === 0, 'the thread stays in a read section');
    },
    control(m, s) {
      const cur = currentOf(m, s.control);
      Atomics.store(m, s.moved, 1);
      irqSetAffinity(new IrqDesc(m, s.irq), 0);
      Atomics.store(m, s.moved, 2);
      Atomics.store(m, s.pointer, 0);
      synchronizeRcu(cur);
      m[s.object] = -1;
    },
  },
  final(m, s) {
    must(m[s.device + TASK.rcuCtr] === 0, 'the thread stays in a read section');
  },
  forbids: 'a handler that runs for a CPU its interrupt is not set to, or outside a read section',
  why: 'the affinity is read for each call; the handler is inside RCU from before it looks at anything',
});

export const timerNotEarly: Litmus = litmus({
  name: 'hrtimer-not-early',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const timer = kmalloc(m, HRTIMER.SIZE);
    label(m, timer, HRTIMER, 'timer');
    hrtimerSetup(m, timer, 0, 3);
    const s = {
      cpu: addRunningTask(m, label, 'cpu/0'),
      timer,
      fired: addWord(m, label, 'fired'),
      clock: addWord(m, label, 'clock'),
      started: addWord(m, label, 'started'),
    };
    m[m[KERNEL_AT + KERNEL.cpus] + CPU.task] = s.cpu;
    return s;
  },
  threads: {
    clock(m, s) {
      Atomics.store(m, s.clock, 10);
      while (Atomics.load(m, s.started) === 0);
      Atomics.store(m, s.clock, 40);
    },
    cpu(m, s) {
      const cur = currentOf(m, s.cpu, 0, clockAt(m, s.clock));
      cur.hrtimerFns.push((_cur, data) => {
        must(data === 3, 'the function gets another argument');
        must(Atomics.load(m, s.clock) >= m[s.timer + HRTIMER.expiresUs], 'a timer fires early');
        m[s.fired]++;
      });
      hrtimerStart(cur, s.timer, 5);
      Atomics.store(m, s.started, 1);
      cpuIdleLoop(cur);
    },
  },
  daemons: ['cpu'],
  goal: (m, s, threads) => m[s.fired] === 1 && threads.asleep('cpu'),
  forbids: 'a timer that fires before its time, or never',
  why: 'the CPU sleeps no longer than until the next timer, and looks at the clock before it calls a function',
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
    m[m[KERNEL_AT + KERNEL.cpus] + CPU.task] = s.cpu;
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
      let t = 0;
      while (t === 0) {
        const seen = Atomics.load(m, DOORBELL);
        t = kthreaddTakeRequests(m);
        if (t === 0) Atomics.wait(m, DOORBELL, seen);
      }
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
