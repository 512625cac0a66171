// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of softirqs raised within softirqs, interrupts that move, and timers that must not be early. */
import { type Litmus, litmus, must } from '../check/index.js';
import { HRTIMER, hrtimerSetup, hrtimerStart } from '../kernel/hrtimer.js';
import { IRQ_DESC, IrqDesc, irqSetAffinity, raiseIrq, requestIrq } from '../kernel/irq.js';
import { taskListAdd } from '../kernel/kthread.js';
import { synchronizeRcu } from '../kernel/rcu.js';
import { cpuIdleLoop, NET_RX_SOFTIRQ, raiseSoftirq, raiseSoftirqNoWake } from '../kernel/softirq.js';
import { TASK } from '../kernel/task.js';
import { kmalloc } from '../mm/slab.js';
import { ARENA_WORDS, addRunningTask, addWord, boot, clockAt, currentOf, ownCpu } from './world.js';

const arena = (): Int32Array => new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4));

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
    ownCpu(m, 0, s.cpu);
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
    ownCpu(m, 0, s.cpu);
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
