// SPDX-License-Identifier: GPL-2.0-only
/**
 * Litmus tests of the timed wire: no arrival is lost, whoever polls, completes or changes the device. A thread of each test
 * moves the clock; once it has ended, a CPU that sleeps for good has nothing left to come.
 */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { NIC_QUEUE } from '../drivers/net/sim_nic.js';
import type { SimNicDriver } from '../drivers/net/sim_nic_driver.js';
import { simNicOpen, simNicStop } from '../drivers/net/sim_nic_main.js';
import {
  DOWN_TICK_US,
  ECHO_SLOTS,
  SCHEDULE_ECHO,
  SCHEDULE_PERIODIC,
  TIMED_WIRE,
  timedEcho,
} from '../drivers/net/sim_nic_timed.js';
import { timedAttach, timedDetach } from '../drivers/net/sim_nic_timed_main.js';
import { localBhDisable, localBhEnable } from '../kernel/bh.js';
import { CPU } from '../kernel/cpu.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { hrtimerRunQueues, hrtimerSetup } from '../kernel/hrtimer.js';
import { irqDisable, irqEnable, irqUnmask, raiseIrq } from '../kernel/irq.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { cpuIdleLoop, doSoftirq } from '../kernel/softirq.js';
import { TASK, TASK_RUNNING } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { kmalloc } from '../mm/slab.js';
import { HRTIMER_TIMED_WIRE } from '../net/core/ids.js';
import { napiDisable, napiEnable } from '../net/core/napi_control.js';
import { napiPollOnce, napiThreadedPoll } from '../net/core/napi_poll.js';
import { napiSchedulePrep } from '../net/core/napi_schedule.js';
import { NET_DEVICE } from '../net/core/net_device.js';
import { netMemory, nodeOf } from './net_world.js';
import { delivered, driverFor, idleCpu, type NicSetup, nicSetup } from './nic_world.js';
import { addWord, clockAt } from './world.js';

const FRAME_BYTES = 60;
const FRAME_WORDS = 16;
const START_US = 5;
const PERIOD_US = 10;

interface TimedSetup extends NicSetup {
  readonly clock: number;
  readonly wire: number;
  /** Labels, for who looks at a wire that is gone. */
  readonly count: number;
}

/** Makes a wire by hand: its frames are zeros. */
function makeWire({ m }: Arena, label: Label, s: NicSetup, schedule: number, count: number): number {
  const at = kmalloc(m, TIMED_WIRE.SIZE);
  label(m, at, TIMED_WIRE, 'wire');
  m[at + TIMED_WIRE.id] = 1000;
  m[at + TIMED_WIRE.nic] = m[s.dev + NET_DEVICE.priv];
  m[at + TIMED_WIRE.queue] = s.queue;
  m[at + TIMED_WIRE.schedule] = schedule;
  m[at + TIMED_WIRE.count] = count;
  m[at + TIMED_WIRE.stride] = FRAME_WORDS;
  m[at + TIMED_WIRE.frameBytes] = FRAME_BYTES;
  m[at + TIMED_WIRE.flows] = 1;
  m[at + TIMED_WIRE.template] = kmalloc(m, FRAME_WORDS);
  m[at + TIMED_WIRE.hashes] = kmalloc(m, 1);
  if (schedule === SCHEDULE_ECHO) {
    m[at + TIMED_WIRE.timesWords] = 2 * ECHO_SLOTS;
    m[at + TIMED_WIRE.times] = kmalloc(m, 2 * ECHO_SLOTS);
  }
  hrtimerSetup(m, at + TIMED_WIRE.timer, HRTIMER_TIMED_WIRE, at);
  return at;
}

/** What differs between the tests. */
interface Begin {
  /** The device, if it is another one than that of one CPU in softirq mode. */
  readonly nic?: NicSetup;
  /** Done before the wire is plugged in. */
  readonly before?: (driver: SimNicDriver, s: NicSetup) => void;
  readonly schedule?: number;
  readonly periodUs?: number;
}

/** A device at rest, and a wire of `count` arrivals that is about to begin. */
function timedSetup(arena: Arena, label: Label, count: number, how: Begin): TimedSetup {
  const s = how.nic ?? nicSetup(arena, label, false, true);
  const clock = addWord(arena.m, label, 'clock');
  const wire = makeWire(arena, label, s, how.schedule ?? SCHEDULE_PERIODIC, count);
  arena.f[(wire + TIMED_WIRE.periodNs) >> 1] = (how.periodUs ?? PERIOD_US) * 1e3;
  const driver = driverFor(arena, s.control, clockAt(arena.m, clock));
  how.before?.(driver, s);
  timedAttach(driver, wire, START_US * 1e3);
  doSoftirq(driver.net.cur); // the poll that it asks for
  return { ...s, clock, wire, count };
}

const linkDown = (driver: SimNicDriver, s: NicSetup): void => simNicStop(driver, s.dev);

const periodic =
  (count: number) =>
  (arena: Arena, label: Label): TimedSetup =>
    timedSetup(arena, label, count, {});

const cpu = (arena: Arena, s: TimedSetup): void => idleCpu(arena, s, clockAt(arena.m, s.clock));

/** The clock goes on to each of these times. */
function clock(...times: readonly number[]): (arena: Arena, s: TimedSetup) => void {
  return ({ m }, s) => {
    for (let i = 0; i < times.length; i++) Atomics.store(m, s.clock, times[i]);
  };
}

/** Every arrival was taken, missed or dropped, and what was taken went all the way up. */
function accounted({ m }: Arena, s: TimedSetup): void {
  const { arrived, missed, dropped } = TIMED_WIRE;
  const known = m[s.wire + arrived] + m[s.wire + missed] + m[s.wire + dropped];
  must(known === s.count, `${known} of ${s.count} arrivals were seen`);
  must(
    delivered(m, s) === m[s.wire + arrived],
    `${delivered(m, s)} of ${m[s.wire + arrived]} were delivered`,
  );
}

export const timedInterrupts: Litmus = litmus({
  name: 'timed-interrupts',
  memory: netMemory,
  setup: periodic(2),
  threads: { clock: clock(6, 20), cpu },
  daemons: ['cpu'],
  final: accounted,
  forbids: 'an arrival that is due with the CPU asleep for good',
  why: 'whoever unmasks looks at the clock behind that, and raises the interrupt or starts a timer (W2)',
});

export const timedAttached: Litmus = litmus({
  name: 'timed-attach',
  memory: netMemory,
  setup(arena, label): TimedSetup {
    const s = nicSetup(arena, label, false, true);
    const wire = makeWire(arena, label, s, SCHEDULE_PERIODIC, 1);
    return { ...s, clock: addWord(arena.m, label, 'clock'), wire, count: 1 };
  },
  threads: {
    control(arena, s) {
      timedAttach(driverFor(arena, s.control, clockAt(arena.m, s.clock)), s.wire, START_US * 1e3);
      Atomics.store(arena.m, s.clock, 2 * START_US);
    },
    cpu,
    // An interrupt of another cause: its poll may have looked for a wire before there was one.
    other(arena, s) {
      const driver = driverFor(arena, s.irqA, clockAt(arena.m, s.clock));
      raiseIrq(driver.net.cur, driver.queue(s.queue).irq);
    },
  },
  daemons: ['cpu'],
  final: accounted,
  forbids: 'a wire that nobody looks at because it was plugged in while the queue was polled',
  why: 'the interrupt is raised behind that: there is another poll (W5, W6)',
});

export const timedThreaded: Litmus = litmus({
  name: 'timed-threaded',
  memory: netMemory,
  setup(arena, label): TimedSetup {
    const s = nicSetup(arena, label, true);
    arena.m[s.thread + TASK.state] = TASK_RUNNING;
    return timedSetup(arena, label, 1, { nic: s });
  },
  threads: {
    clock: clock(6),
    cpu,
    napi(arena, s) {
      const { net } = driverFor(arena, s.thread, clockAt(arena.m, s.clock));
      rcuReadLock(net.cur);
      napiThreadedPoll(net, nodeOf(arena, s));
    },
  },
  daemons: ['cpu', 'napi'],
  final: accounted,
  forbids: 'an arrival that is lost because its timer ended while the instance’s thread was about to unmask',
  why: 'who unmasks sets the timer up behind that; a timer that finds the mask set leaves it to them (W2, W3)',
});

/** A poller that does not wait for interrupts, as busy polling sockets do: takes the instance if it can, polls once. */
function pollOnce(driver: SimNicDriver, s: TimedSetup): void {
  const { net } = driver;
  const n = net.napi(s.napi);
  if (!napiSchedulePrep(n)) return;
  localBhDisable(net.cur);
  napiPollOnce(net, n);
  localBhEnable(net.cur);
}

export const timedTwoPollers: Litmus = litmus({
  name: 'timed-two-pollers',
  memory: netMemory,
  setup: (arena, label) => timedSetup(arena, label, 2, { nic: nicSetup(arena, label, false, true, 2) }),
  threads: {
    clock: clock(6, 20),
    cpu,
    // On another CPU: bottom halves of one do not keep those of the other from completing.
    poller(arena, s) {
      const driver = driverFor(arena, s.irqA, clockAt(arena.m, s.clock), 1);
      rcuReadLock(driver.net.cur);
      pollOnce(driver, s);
      cpuIdleLoop(driver.net.cur);
    },
  },
  daemons: ['cpu', 'poller'],
  final: accounted,
  forbids:
    'an arrival that is lost because two pollers complete one after the other and each starts the timer',
  why: 'what the older one starts is earlier at most, and the timer looks again (W2, W3)',
});

export const timedDisable: Litmus = litmus({
  name: 'timed-disable-enable',
  memory: netMemory,
  setup: periodic(1),
  threads: {
    clock: clock(6),
    cpu,
    control(arena, s) {
      const driver = driverFor(arena, s.control, clockAt(arena.m, s.clock));
      const { net } = driver;
      const { irq } = driver.queue(s.queue);
      irqDisable(net.cur, irq);
      napiDisable(net, net.napi(s.napi));
      irqEnable(net.cur, irq);
      napiEnable(net, net.napi(s.napi));
      irqUnmask(net.cur, irq);
      raiseIrq(net.cur, irq);
    },
  },
  daemons: ['cpu'],
  final: accounted,
  forbids: 'an arrival that is lost because its instance was out of service when it was due',
  why: 'an instance that is back in service has its interrupt raised, and looks at the clock',
});

/** A wire whose first arrival is due, or not yet, when the test begins: its timer is in the list, and nobody has looked. */
const begunAt =
  (us: number, count: number) =>
  (arena: Arena, label: Label): TimedSetup => {
    const s = periodic(count)(arena, label);
    arena.m[s.clock] = us;
    return s;
  };

export const timedDown: Litmus = litmus({
  name: 'timed-down',
  memory: netMemory,
  setup: begunAt(START_US + 1, 1),
  threads: {
    cpu,
    control: (arena, s) => simNicStop(driverFor(arena, s.control, clockAt(arena.m, s.clock)), s.dev),
  },
  daemons: ['cpu'],
  final({ m }, s) {
    const { arrived, missed, dropped, down, done } = TIMED_WIRE;
    must(m[s.wire + down] === 1, 'the wire takes the link for up');
    must(m[s.wire + arrived] + m[s.wire + missed] + m[s.wire + dropped] === 1, 'the arrival is lost');
    must(m[s.wire + done] === 1, 'nobody is told that the schedule is over');
    must(delivered(m, s) <= m[s.wire + arrived], 'a frame was delivered twice');
  },
  forbids: 'an arrival at the end of the link that nobody counts, or one counted by two',
  why: 'link down owns the wire once the instances are gone and its timer is cancelled',
});

export const timedDownCounts: Litmus = litmus({
  name: 'timed-down-counts',
  memory: netMemory,
  setup: (arena, label) => timedSetup(arena, label, 2, { before: linkDown, periodUs: DOWN_TICK_US }),
  threads: { clock: clock(DOWN_TICK_US, 2 * DOWN_TICK_US), cpu },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.wire + TIMED_WIRE.dropped] === 2, `${m[s.wire + TIMED_WIRE.dropped]} of 2 were dropped`);
    must(m[s.wire + TIMED_WIRE.done] === 1, 'nobody is told that the schedule is over');
  },
  forbids: 'a schedule that does not end because the link is down',
  why: 'while the link is down a timer counts what comes',
});

export const timedUp: Litmus = litmus({
  name: 'timed-up',
  memory: netMemory,
  setup: (arena, label) => timedSetup(arena, label, 2, { before: linkDown }),
  threads: {
    clock: clock(6, 20_000),
    cpu,
    control(arena, s) {
      const driver = driverFor(arena, s.control, clockAt(arena.m, s.clock));
      must(simNicOpen(driver, s.dev) === 0, 'the link cannot be brought up');
    },
  },
  daemons: ['cpu'],
  final(arena, s) {
    must(arena.m[s.wire + TIMED_WIRE.down] === 0, 'the wire takes the link for down');
    accounted(arena, s);
  },
  forbids: 'an arrival counted by the timer and by whoever brings the link up, or by neither',
  why: 'link up cancels the timer before it takes the wire over, and raises the interrupt behind that',
});

function detach(name: string, startsAt: number): Litmus {
  return litmus({
    name,
    memory: netMemory,
    setup: begunAt(startsAt, 2),
    threads: {
      // Looks twice and is gone: one that goes on would pass a quiescent state each time, without end.
      cpu(arena, s) {
        const { cur } = driverFor(arena, s.cpu, clockAt(arena.m, s.clock)).net;
        rcuReadLock(cur);
        for (let i = 0; i < 2; i++) {
          hrtimerRunQueues(cur);
          doSoftirq(cur);
        }
        rcuReadUnlock(cur);
      },
      control(arena, s) {
        const counts = timedDetach(driverFor(arena, s.control, clockAt(arena.m, s.clock)), s.dev);
        must(counts !== null && counts.arrived + counts.missed <= 2, 'more arrivals than there were');
        must(Atomics.load(arena.m, s.queue + NIC_QUEUE.timed) === 0, 'the wire is still plugged in');
      },
    },
    final({ m }, s) {
      must(delivered(m, s) <= 1, 'a frame that was not due was delivered');
      must(
        m[m[KERNEL_AT + KERNEL.cpus] + CPU.timerFirst] === 0,
        'the timer of a wire that is gone is in a list',
      );
    },
    forbids: 'a poll or a timer that looks at a wire that is freed',
    why: 'polls read it under RCU, and the timer is cancelled behind the grace period (W5, W6)',
  });
}

export const timedGone: readonly Litmus[] = Object.freeze([
  detach('timed-detach-due', START_US + 1),
  detach('timed-detach-waiting', 0),
]);

export const timedEchoes: Litmus = litmus({
  name: 'timed-echo',
  memory: netMemory,
  setup: (arena, label) => timedSetup(arena, label, 2, { schedule: SCHEDULE_ECHO }),
  threads: {
    sender(arena, s) {
      const driver = driverFor(arena, s.irqA, clockAt(arena.m, s.clock));
      for (let us = 0; us < 2; us++) {
        must(timedEcho(driver, s.queue, 1) === 1, 'the echo takes no frame');
        Atomics.store(arena.m, s.clock, us === 0 ? PERIOD_US : 2 * PERIOD_US);
      }
    },
    cpu,
  },
  daemons: ['cpu'],
  final: accounted,
  forbids: 'an echo that is due with the CPU asleep for good',
  why: 'who sends looks at the mask behind what it has published; who unmasks looks for frames behind that (W4)',
});
