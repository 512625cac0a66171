// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of work that passes from one thread to another: masked interrupts, ksoftirqd, timers of an idle CPU. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { complete } from '../kernel/completion.js';
import { CPU } from '../kernel/cpu.js';
import { type Current, KERNEL, KERNEL_AT } from '../kernel/current.js';
import { HRTIMER, hrtimerSetup, hrtimerStart } from '../kernel/hrtimer.js';
import { IRQ_DESC, IrqDesc, irqMask, irqUnmask, raiseIrq, requestIrq } from '../kernel/irq.js';
import { kthread, kthreadPark } from '../kernel/kthread.js';
import { sleepOnCompletion } from '../kernel/sched.js';
import { type SmpHotplugThread, smpbootThreadFn } from '../kernel/smpboot.js';
import { cpuIdleLoop, KSOFTIRQD, NET_RX_SOFTIRQ, raiseSoftirq } from '../kernel/softirq.js';
import { TASK, wakeUpProcess } from '../kernel/task.js';
import { kmalloc } from '../mm/slab.js';
import { ARENA_WORDS, addRunningTask, addTask, addWord, boot, currentOf } from './world.js';

const arena = (): Int32Array => new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4));

function cpuTask(m: Int32Array, label: Label): number {
  const t = addRunningTask(m, label, 'cpu/0');
  m[m[KERNEL_AT + KERNEL.cpus] + CPU.task] = t;
  return t;
}

interface HandOver {
  readonly device: number;
  readonly irq: number;
  readonly masked: number;
  /** Plain: whoever has masked the interrupt owns it. */
  readonly data: number;
}

function maskAndHandOver(m: Int32Array, s: HandOver): void {
  irqMask(new IrqDesc(m, s.irq));
  m[s.data]++;
  Atomics.store(m, s.masked, 1);
}

function raiseOnce(m: Int32Array, s: HandOver): void {
  const cur = currentOf(m, s.device);
  cur.irqHandlers.push(() => maskAndHandOver(m, s));
  raiseIrq(cur, new IrqDesc(m, s.irq));
}

export const irqHandOver: Litmus = litmus({
  name: 'irq-mask-hand-over',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const irq = kmalloc(m, IRQ_DESC.SIZE);
    label(m, irq, IRQ_DESC, 'irq');
    requestIrq(new IrqDesc(m, irq), 0, 0, 0);
    return {
      device: addRunningTask(m, label, 'devices'),
      driver: addRunningTask(m, label, 'driver'),
      irq,
      masked: addWord(m, label, 'masked'),
      data: addWord(m, label, 'data'),
    };
  },
  threads: {
    deviceA: (m, s) => raiseOnce(m, s),
    deviceB: (m, s) => raiseOnce(m, s),
    driver(m, s) {
      const cur = currentOf(m, s.driver);
      const d = new IrqDesc(m, s.irq);
      cur.irqHandlers.push(() => maskAndHandOver(m, s));
      if (Atomics.exchange(m, s.masked, 0) === 0) return;
      m[s.data] += 10; // masked: no handler runs
      irqUnmask(cur, d);
    },
  },
  forbids: 'a handler that runs while its interrupt is masked',
  why: 'a raise while masked leaves PENDING; the handler does not go round again once masked',
});

/** ksoftirqd that says when it has begun. */
const STARTED: SmpHotplugThread = Object.freeze({
  ...KSOFTIRQD,
  setup: (cur: Current) => complete(cur.m, cur.m[cur.task.at + TASK.data]),
});

export const ksoftirqd: Litmus = litmus({
  name: 'ksoftirqd-park',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const s = {
      cpu: cpuTask(m, label),
      ksoftirqd: addTask(m, label, 'ksoftirqd/0'),
      main: addRunningTask(m, label, 'main'),
      raiser: addRunningTask(m, label, 'raiser'),
      work: addWord(m, label, 'work'),
      begun: addWord(m, label, 'begun'),
    };
    m[s.ksoftirqd + TASK.data] = s.begun;
    m[m[KERNEL_AT + KERNEL.cpus] + CPU.ksoftirqd] = s.ksoftirqd;
    return s;
  },
  threads: {
    raiser(m, s) {
      const cur = currentOf(m, s.raiser);
      Atomics.store(m, s.work, 1);
      raiseSoftirq(cur, cur.cpu, NET_RX_SOFTIRQ);
    },
    main(m, s) {
      const cur = currentOf(m, s.main);
      sleepOnCompletion(cur, s.ksoftirqd + TASK.created);
      wakeUpProcess(m, s.ksoftirqd);
      sleepOnCompletion(cur, s.begun);
      kthreadPark(cur, s.ksoftirqd);
    },
    ksoftirqd(m, s) {
      const cur = currentOf(m, s.ksoftirqd);
      cur.softirqVec.push(() => Atomics.store(m, s.work, 0));
      kthread(cur, (c) => smpbootThreadFn(c, STARTED, 0));
    },
    cpu(m, s) {
      const cur = currentOf(m, s.cpu);
      cur.softirqVec.push(() => Atomics.store(m, s.work, 0));
      cpuIdleLoop(cur);
    },
  },
  daemons: ['cpu', 'ksoftirqd'],
  final(m, s) {
    must(m[s.work] === 0, 'a softirq is pending and both the CPU and ksoftirqd sleep');
  },
  forbids: 'a softirq that the CPU leaves to a ksoftirqd which will not look',
  why: 'the CPU trusts it only while it runs and is not asked to park, and is woken when it parks (Q3 to Q5)',
});

export const ksoftirqdIdle: Litmus = litmus({
  name: 'ksoftirqd-idle',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const s = {
      cpu: cpuTask(m, label),
      ksoftirqd: addTask(m, label, 'ksoftirqd/0'),
      main: addRunningTask(m, label, 'main'),
      raiser: addRunningTask(m, label, 'raiser'),
      work: addWord(m, label, 'work'),
      begun: addWord(m, label, 'begun'),
    };
    m[s.ksoftirqd + TASK.data] = s.begun;
    m[m[KERNEL_AT + KERNEL.cpus] + CPU.ksoftirqd] = s.ksoftirqd;
    return s;
  },
  threads: {
    raiser(m, s) {
      const cur = currentOf(m, s.raiser);
      Atomics.store(m, s.work, 1);
      raiseSoftirq(cur, cur.cpu, NET_RX_SOFTIRQ);
    },
    main(m, s) {
      const cur = currentOf(m, s.main);
      sleepOnCompletion(cur, s.ksoftirqd + TASK.created);
      wakeUpProcess(m, s.ksoftirqd);
      sleepOnCompletion(cur, s.begun);
    },
    ksoftirqd(m, s) {
      const cur = currentOf(m, s.ksoftirqd);
      cur.softirqVec.push(() => Atomics.store(m, s.work, 0));
      kthread(cur, (c) => smpbootThreadFn(c, STARTED, 0));
    },
    cpu(m, s) {
      const cur = currentOf(m, s.cpu);
      cur.softirqVec.push(() => Atomics.store(m, s.work, 0));
      cpuIdleLoop(cur);
    },
  },
  daemons: ['cpu', 'ksoftirqd'],
  final(m, s) {
    must(m[s.work] === 0, 'a softirq is pending and both the CPU and ksoftirqd sleep');
  },
  forbids: 'a softirq that the CPU leaves to a ksoftirqd which will not look',
  why: 'the CPU trusts ksoftirqd only while it runs: it looks at the bits before it sleeps (Q2, Q3)',
});

export const timerIdle: Litmus = litmus({
  name: 'hrtimer-idle-cpu',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const timer = kmalloc(m, HRTIMER.SIZE);
    label(m, timer, HRTIMER, 'timer');
    hrtimerSetup(m, timer, 0, 0);
    return {
      cpu: cpuTask(m, label),
      owner: addRunningTask(m, label, 'owner'),
      timer,
      fired: addWord(m, label, 'fired'),
    };
  },
  threads: {
    owner: (m, s) => hrtimerStart(currentOf(m, s.owner), s.timer, 0),
    cpu(m, s) {
      const cur = currentOf(m, s.cpu);
      cur.hrtimerFns.push(() => {
        m[s.fired]++;
      });
      cpuIdleLoop(cur);
    },
  },
  daemons: ['cpu'],
  final(m, s) {
    must(m[s.fired] === 1, `the timer fired ${m[s.fired]} times`);
  },
  forbids: 'a CPU asleep with an expired timer in its list',
  why: 'the timer is in the list before the CPU is woken; the CPU sets its state before it looks (H3, H4)',
});
