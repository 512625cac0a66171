// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of what a CPU does: rcu.ts, irq.ts, softirq.ts, hrtimer.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { HRTIMER, hrtimerCancel, hrtimerRunQueues, hrtimerSetup, hrtimerStart } from '../kernel/hrtimer.js';
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
import { taskListAdd } from '../kernel/kthread.js';
import { rcuQuiescentState, rcuReadLock, rcuReadUnlock, synchronizeRcu } from '../kernel/rcu.js';
import { cpuIdleLoop, NET_RX_SOFTIRQ, raiseSoftirq } from '../kernel/softirq.js';
import { kmalloc } from '../mm/slab.js';
import { addCpuTask, addRunningTask, addWord, arena, boot, currentOf } from './world.js';

/** A handler's work: takes all events. Its counter is plain: two handlers at once are a data race. */
function take(m: Int32Array, from: number, into: number): void {
  const n = Atomics.exchange(m, from, 0);
  m[into] += n;
}

export const rcuGracePeriod: Litmus = litmus({
  name: 'rcu-grace-period',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const s = {
      updater: addRunningTask(m, label, 'updater'),
      readerA: addRunningTask(m, label, 'readerA'),
      readerB: addRunningTask(m, label, 'readerB'),
      pointer: addWord(m, label, 'pointer'),
      object: addWord(m, label, 'object'),
    };
    for (const t of [s.updater, s.readerA, s.readerB]) taskListAdd(m, t);
    m[s.object] = 7;
    m[s.pointer] = s.object;
    return s;
  },
  threads: {
    updater(m, s) {
      const cur = currentOf(m, s.updater);
      Atomics.store(m, s.pointer, 0);
      synchronizeRcu(cur);
      m[s.object] = -1; // freed
    },
    readerA(m, s) {
      const cur = currentOf(m, s.readerA);
      for (let i = 0; i < 2; i++) {
        rcuReadLock(cur);
        const p = Atomics.load(m, s.pointer);
        if (p !== 0) must(m[p] === 7, 'a freed object is read');
        rcuReadUnlock(cur);
      }
    },
    readerB(m, s) {
      const cur = currentOf(m, s.readerB);
      rcuReadLock(cur);
      for (let i = 0; i < 2; i++) {
        const p = Atomics.load(m, s.pointer);
        if (p !== 0) must(m[p] === 7, 'a freed object is read');
        rcuQuiescentState(cur);
      }
      rcuReadUnlock(cur);
    },
  },
  forbids: 'an object freed under a reader, or a grace period that never ends',
  why: 'readers publish their counter before they load the pointer; the updater unpublishes before it loads counters',
});

export const irqMasking: Litmus = litmus({
  name: 'irq-mask-unmask',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const d = kmalloc(m, IRQ_DESC.SIZE);
    label(m, d, IRQ_DESC, 'irq');
    requestIrq(new IrqDesc(m, d), 0, 0, 0);
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
    deviceA(m, s) {
      const cur = currentOf(m, s.deviceA);
      cur.irqHandlers.push(() => take(m, s.ring, s.taken));
      Atomics.add(m, s.ring, 1);
      raiseIrq(cur, new IrqDesc(m, s.irq));
    },
    deviceB(m, s) {
      const cur = currentOf(m, s.deviceB);
      cur.irqHandlers.push(() => take(m, s.ring, s.taken));
      Atomics.add(m, s.ring, 1);
      raiseIrq(cur, new IrqDesc(m, s.irq));
    },
    driver(m, s) {
      const cur = currentOf(m, s.driver);
      cur.irqHandlers.push(() => take(m, s.ring, s.taken));
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
    const d = kmalloc(m, IRQ_DESC.SIZE);
    label(m, d, IRQ_DESC, 'irq');
    requestIrq(new IrqDesc(m, d), 0, 0, 0);
    return {
      device: addRunningTask(m, label, 'device'),
      driver: addRunningTask(m, label, 'driver'),
      irq: d,
      ring: addWord(m, label, 'ring'),
      taken: addWord(m, label, 'taken'),
    };
  },
  threads: {
    device(m, s) {
      const cur = currentOf(m, s.device);
      cur.irqHandlers.push(() => take(m, s.ring, s.taken));
      for (let i = 0; i < 2; i++) {
        Atomics.add(m, s.ring, 1);
        raiseIrq(cur, new IrqDesc(m, s.irq));
      }
    },
    driver(m, s) {
      const cur = currentOf(m, s.driver);
      cur.irqHandlers.push(() => take(m, s.ring, s.taken));
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

export const softirqRaise: Litmus = litmus({
  name: 'softirq-raise',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    return {
      cpu: addCpuTask(m, label),
      raiserA: addRunningTask(m, label, 'raiserA'),
      raiserB: addRunningTask(m, label, 'raiserB'),
      work: addWord(m, label, 'work'),
      other: addWord(m, label, 'other'),
      done: addWord(m, label, 'done'),
    };
  },
  threads: {
    raiserA(m, s) {
      const cur = currentOf(m, s.raiserA);
      Atomics.add(m, s.work, 1);
      raiseSoftirq(cur, cur.cpu, NET_RX_SOFTIRQ);
    },
    raiserB(m, s) {
      const cur = currentOf(m, s.raiserB);
      Atomics.add(m, s.other, 1);
      raiseSoftirq(cur, cur.cpu, NET_RX_SOFTIRQ + 1);
    },
    cpu(m, s) {
      const cur = currentOf(m, s.cpu);
      cur.softirqVec.push(() => take(m, s.work, s.done));
      cur.softirqVec.push(() => take(m, s.other, s.done));
      cpuIdleLoop(cur);
    },
  },
  daemons: ['cpu'],
  final(m, s) {
    must(m[s.done] === 2, `${m[s.done]} of 2 were handled`);
  },
  forbids: 'the CPU sleeps with a softirq pending',
  why: 'the bit is set before the wake-up and looked at behind the sleeping state (Q1, Q2)',
});

export const timerCancel: Litmus = litmus({
  name: 'hrtimer-start-cancel',
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
    owner(m, s) {
      const cur = currentOf(m, s.owner);
      hrtimerStart(cur, s.timer, 0);
      hrtimerCancel(cur, s.timer);
      m[s.fired] += 100; // the function is not running
    },
    cpu(m, s) {
      const cur = currentOf(m, s.cpu);
      cur.hrtimerFns.push(() => {
        m[s.fired]++;
      });
      for (let i = 0; i < 2; i++) hrtimerRunQueues(cur);
    },
  },
  final(m, s) {
    must(m[s.fired] === 100 || m[s.fired] === 101, `fired ${m[s.fired] - 100} times`);
    must(m[s.timer + HRTIMER.enqueued] === 0, 'a cancelled timer is in the list');
  },
  forbids: 'a timer that fires after it was cancelled',
  why: 'cancel takes it off the list under the lock and waits while its function runs',
});
