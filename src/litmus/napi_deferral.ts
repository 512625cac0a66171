// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of interrupts that stay masked after a poll: napi_schedule.ts with irq.ts and hrtimer.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { IRQ_DESC, IRQ_MASKED, IrqDesc, irqMask, irqUnmask, raiseIrq, requestIrq } from '../kernel/irq.js';
import { cpuIdleLoop } from '../kernel/softirq.js';
import type { Arena } from '../mm/arena.js';
import { kmalloc } from '../mm/slab.js';
import { NAPI } from '../net/core/napi.js';
import { napiCompleteDone, napiSchedule } from '../net/core/napi_schedule.js';
import type { NetContext } from '../net/core/net_context.js';
import { type NetSetup, netFor, netMemory, netSetup } from './net_world.js';
import { addWord, clockAt } from './world.js';

interface Deferral extends NetSetup {
  readonly irq: number;
  readonly clock: number;
  /** Polls that ended: the clock goes on behind each. */
  readonly polls: number;
}

/** A thread's context, with a driver whose interrupt stays masked until complete says otherwise. */
function driver(arena: Arena, s: Deferral, task: number): NetContext {
  const { m } = arena;
  const net = netFor(arena, s, task, clockAt(m, s.clock));
  const irq = new IrqDesc(m, s.irq);
  net.cur.irqHandlers.push(() => {
    irqMask(irq);
    napiSchedule(net, net.napi(s.napi));
  });
  net.napiPollFns[0] = (c, n) => {
    const work = Atomics.exchange(m, s.ring, 0);
    m[s.polled] = m[s.polled] + work;
    if (napiCompleteDone(c, n, work)) irqUnmask(c.cur, irq);
    Atomics.add(m, s.polls, 1);
    Atomics.notify(m, s.polls);
    return 0;
  };
  return net;
}

function deferral(name: string, deferHardIrqs: number, groFlushTimeoutNs: number): Litmus {
  return litmus({
    name,
    memory: netMemory,
    setup(arena, label): Deferral {
      const { m } = arena;
      const s = netSetup(arena, label, false, 4);
      m[s.napi + NAPI.deferHardIrqs] = deferHardIrqs;
      m[s.napi + NAPI.groFlushTimeoutNs] = groFlushTimeoutNs;
      const irq = kmalloc(m, IRQ_DESC.SIZE);
      label(m, irq, IRQ_DESC, 'irq');
      requestIrq(new IrqDesc(m, irq), 0, 0, 0);
      return { ...s, irq, clock: addWord(m, label, 'clock'), polls: addWord(m, label, 'polls') };
    },
    threads: {
      device(arena, s) {
        const net = driver(arena, s, s.irqA);
        const irq = new IrqDesc(arena.m, s.irq);
        for (let i = 0; i < 2; i++) {
          Atomics.add(arena.m, s.ring, 1);
          raiseIrq(net.cur, irq);
        }
      },
      cpu: (arena, s) => cpuIdleLoop(driver(arena, s, s.cpu).cur),
      clock({ m }, s) {
        for (let seen = 0; ; seen++) {
          while (Atomics.load(m, s.polls) === seen) Atomics.wait(m, s.polls, seen);
          Atomics.add(m, s.clock, 10);
        }
      },
    },
    daemons: ['cpu', 'clock'],
    final({ m }, s) {
      must(m[s.ring] === 0 && m[s.polled] === 2, `${m[s.polled]} events of 2 were polled`);
      must((m[s.irq + IRQ_DESC.istate] & IRQ_MASKED) === 0, 'the interrupt is masked at rest');
    },
    forbids: 'an interrupt that stays masked though nobody polls any more',
    why: 'complete says to unmask, or schedules again, or starts the watchdog',
  });
}

export const deferrals: readonly Litmus[] = Object.freeze([
  deferral('napi-no-deferral', 0, 0),
  deferral('napi-deferral', 1, 1000),
  deferral('napi-deferral-without-timer', 1, 0),
]);

export const watchdogPolls: Litmus = litmus({
  name: 'napi-deferral-masked',
  memory: netMemory,
  setup(arena, label): Deferral {
    const { m } = arena;
    const s = netSetup(arena, label, false, 4);
    m[s.napi + NAPI.deferHardIrqs] = 1;
    m[s.napi + NAPI.groFlushTimeoutNs] = 1000;
    const irq = kmalloc(m, IRQ_DESC.SIZE);
    label(m, irq, IRQ_DESC, 'irq');
    requestIrq(new IrqDesc(m, irq), 0, 0, 0);
    m[s.ring] = 1;
    return { ...s, irq, clock: addWord(m, label, 'clock'), polls: addWord(m, label, 'polls') };
  },
  threads: {
    cpu(arena, s) {
      const net = driver(arena, s, s.cpu);
      raiseIrq(net.cur, new IrqDesc(arena.m, s.irq));
      const poll = net.napiPollFns[0];
      net.napiPollFns[0] = (c, n, budget) => {
        const before = Atomics.load(arena.m, s.polls);
        const work = poll(c, n, budget);
        const masked = (Atomics.load(arena.m, s.irq + IRQ_DESC.istate) & IRQ_MASKED) !== 0;
        must(
          masked === (before === 0),
          'unmasked by the poll that found events, or not by the one that did not',
        );
        return work;
      };
      cpuIdleLoop(net.cur);
    },
    clock({ m }, s) {
      for (let seen = 0; ; seen++) {
        while (Atomics.load(m, s.polls) === seen) Atomics.wait(m, s.polls, seen);
        Atomics.add(m, s.clock, 10);
      }
    },
  },
  daemons: ['cpu', 'clock'],
  final({ m }, s) {
    must(m[s.polls] === 2, `${m[s.polls]} polls of 2`);
  },
  forbids: 'a deferral that unmasks at once, or never',
  why: 'a poll that found events leaves the interrupt masked and the watchdog on; an empty one unmasks',
});
