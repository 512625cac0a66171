// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of work that passes from one thread to another: masked interrupts, timers of an idle CPU. */
import { type Litmus, litmus, must } from '../check/index.js';
import { HRTIMER, hrtimerSetup, hrtimerStart } from '../kernel/hrtimer.js';
import { IRQ_DESC, IrqDesc, irqMask, irqUnmask, raiseIrq, requestIrq } from '../kernel/irq.js';
import { cpuIdleLoop } from '../kernel/softirq.js';
import { kmalloc } from '../mm/slab.js';
import { addCpuTask, addRunningTask, addWord, arena, boot, currentOf } from './world.js';

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

export const timerIdle: Litmus = litmus({
  name: 'hrtimer-idle-cpu',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const timer = kmalloc(m, HRTIMER.SIZE);
    label(m, timer, HRTIMER, 'timer');
    hrtimerSetup(m, timer, 0, 0);
    return {
      cpu: addCpuTask(m, label),
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
