// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of interrupts: irq.ts. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import type { Current } from '../kernel/current.js';
import {
  IRQ_DESC,
  IrqDesc,
  irqDisable,
  irqEnable,
  irqMask,
  irqUnmask,
  raiseIrq,
  requestIrq,
} from '../kernel/irq.js';
import { kmalloc } from '../mm/slab.js';
import { addRunningTask, addWord, arena, boot, currentOf, take } from './world.js';

function addIrq(m: Int32Array, label: Label): number {
  const d = kmalloc(m, IRQ_DESC.SIZE);
  label(m, d, IRQ_DESC, 'irq');
  requestIrq(new IrqDesc(m, d), 0, 0, 0);
  return d;
}

interface Device {
  readonly irq: number;
  /** Events the device has. */
  readonly ring: number;
  /** Events that the handler took: plain, so two handlers at once are a data race. */
  readonly taken: number;
}

/** A thread on which the interrupt's handler may run. */
function irqTask(m: Int32Array, s: Device, task: number): Current {
  const cur = currentOf(m, task);
  cur.irqHandlers.push(() => take(m, s.ring, s.taken));
  return cur;
}

function raiseEvents(m: Int32Array, s: Device, task: number, count: number): void {
  const cur = irqTask(m, s, task);
  for (let i = 0; i < count; i++) {
    Atomics.add(m, s.ring, 1);
    raiseIrq(cur, new IrqDesc(m, s.irq));
  }
}

export const irqMasking: Litmus = litmus({
  name: 'irq-mask-unmask',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const d = addIrq(m, label);
    const s = {
      deviceA: addRunningTask(m, label, 'deviceA'),
      deviceB: addRunningTask(m, label, 'deviceB'),
      driver: addRunningTask(m, label, 'driver'),
      irq: d,
      ring: addWord(m, label, 'ring'),
      taken: addWord(m, label, 'taken'),
    };
    m[d + IRQ_DESC.istate] = 1; // masked
    return s;
  },
  threads: {
    deviceA: (m, s) => raiseEvents(m, s, s.deviceA, 1),
    deviceB: (m, s) => raiseEvents(m, s, s.deviceB, 1),
    driver(m, s) {
      const cur = irqTask(m, s, s.driver);
      const d = new IrqDesc(m, s.irq);
      irqUnmask(cur, d);
      irqMask(d);
      irqUnmask(cur, d);
    },
  },
  final(m, s) {
    must(m[s.ring] === 0, `${m[s.ring]} events are left though the interrupt is unmasked`);
    must(m[s.taken] === 2, `${m[s.taken]} events of 2 were taken`);
  },
  forbids: 'an event that nobody takes, or two handlers at once',
  why: 'a raise runs the handler, or leaves PENDING for whoever removes the last obstacle (I1 to I3)',
});

export const irqDisabling: Litmus = litmus({
  name: 'irq-disable-enable',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const d = addIrq(m, label);
    return {
      device: addRunningTask(m, label, 'device'),
      driver: addRunningTask(m, label, 'driver'),
      irq: d,
      ring: addWord(m, label, 'ring'),
      taken: addWord(m, label, 'taken'),
    };
  },
  threads: {
    device: (m, s) => raiseEvents(m, s, s.device, 2),
    driver(m, s) {
      const cur = irqTask(m, s, s.driver);
      const d = new IrqDesc(m, s.irq);
      irqDisable(cur, d);
      irqDisable(cur, d);
      m[s.taken] += 100; // the handler's data is ours
      irqEnable(cur, d);
      m[s.taken] += 100; // disabled twice, enabled once: still ours
      irqEnable(cur, d);
    },
  },
  final(m, s) {
    must(m[s.taken] === 202, `${m[s.taken] - 200} events of 2 were taken`);
  },
  forbids: 'a handler that runs while the interrupt is disabled, or an event lost over it',
  why: 'disable waits for INPROGRESS; enable takes PENDING in the step that clears DISABLED',
});

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
    const irq = addIrq(m, label);
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
