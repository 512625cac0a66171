// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of timers between two CPUs: kernel/hrtimer.ts. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { CPU } from '../kernel/cpu.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { HRTIMER, hrtimerCancel, hrtimerRunQueues, hrtimerSetup, hrtimerStart } from '../kernel/hrtimer.js';
import { cpuIdleLoop, NET_RX_SOFTIRQ, raiseSoftirqNoWake } from '../kernel/softirq.js';
import { kmalloc } from '../mm/slab.js';
import { ARENA_WORDS, addRunningTask, addWord, boot, clockAt, currentOf, ownCpu } from './world.js';

const arena = (): Int32Array => new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4));

interface TimerSetup {
  readonly cpu0: number;
  readonly cpu1: number;
  readonly starter: number;
  readonly timer: number;
  /** Plain: two calls of the function at once are a data race. */
  readonly fired: number;
}

function twoCpus(m: Int32Array, label: Label): TimerSetup {
  boot(m, label, 2);
  const timer = kmalloc(m, HRTIMER.SIZE);
  label(m, timer, HRTIMER, 'timer');
  hrtimerSetup(m, timer, 0, 0);
  const cpu0 = addRunningTask(m, label, 'cpu/0', 0);
  const cpu1 = addRunningTask(m, label, 'cpu/1', 1);
  ownCpu(m, 0, cpu0);
  ownCpu(m, 1, cpu1);
  const starter = addRunningTask(m, label, 'starter', 1);
  return { cpu0, cpu1, starter, timer, fired: addWord(m, label, 'fired') };
}

function idle(m: Int32Array, s: TimerSetup, cpu: number): void {
  const cur = currentOf(m, cpu === 0 ? s.cpu0 : s.cpu1, cpu);
  cur.hrtimerFns.push(() => {
    m[s.fired]++;
  });
  cpuIdleLoop(cur);
}

export const timerMovesBack: Litmus = litmus({
  name: 'hrtimer-moves-back',
  memory: arena,
  setup: twoCpus,
  threads: {
    starter0: (m, s) => hrtimerStart(currentOf(m, s.starter, 0), s.timer, 0),
    starter1: (m, s) => hrtimerStart(currentOf(m, s.starter, 1), s.timer, 0),
  },
  final(m, s) {
    const { cpus } = currentOf(m, s.starter, 0);
    must(m[s.timer + HRTIMER.enqueued] === 1, 'started, and in no list');
    must(m[s.timer + HRTIMER.next] === 0, 'the timer is in its list twice');
    const base = m[s.timer + HRTIMER.base];
    must(m[cpus[base].timerFirst] === s.timer, 'the timer is not in the list of its base');
    must(m[cpus[1 - base].timerFirst] === 0, 'the timer is in the list of both CPUs');
  },
  forbids: 'a timer in two lists, or twice in one, because both who start it move it to another CPU',
  why: 'whoever holds the lock of its new base looks again whether it was started meanwhile',
});

export const timerMoves: Litmus = litmus({
  name: 'hrtimer-moves',
  memory: arena,
  setup: twoCpus,
  threads: {
    starter0: (m, s) => hrtimerStart(currentOf(m, s.starter, 0), s.timer, 0),
    starter1: (m, s) => hrtimerStart(currentOf(m, s.starter, 1), s.timer, 0),
    cpu0: (m, s) => idle(m, s, 0),
    cpu1: (m, s) => idle(m, s, 1),
  },
  daemons: ['cpu0', 'cpu1'],
  final(m, s) {
    must(m[s.fired] === 1 || m[s.fired] === 2, `fired ${m[s.fired]} times of at most 2`);
    must(m[s.timer + HRTIMER.enqueued] === 0, 'started, and nobody runs it');
  },
  forbids: 'a timer in two lists, lost between them, or its function called by two CPUs at once',
  why: 'a base changes only under its lock, and a timer whose function is called stays with that CPU',
});

export const timerMovesCancel: Litmus = litmus({
  name: 'hrtimer-moves-cancel',
  memory: arena,
  setup: twoCpus,
  threads: {
    owner(m, s) {
      hrtimerStart(currentOf(m, s.starter, 0), s.timer, 0);
      const cur = currentOf(m, s.starter, 1);
      hrtimerStart(cur, s.timer, 0);
      hrtimerCancel(cur, s.timer);
      m[s.fired] += 100; // the function is not running
    },
    cpu0(m, s) {
      const cur = currentOf(m, s.cpu0, 0);
      cur.hrtimerFns.push(() => {
        m[s.fired]++;
        // It starts itself again, once.
        if (m[s.fired] === 1) hrtimerStart(cur, s.timer, 0);
      });
      for (let i = 0; i < 2; i++) hrtimerRunQueues(cur);
    },
    cpu1(m, s) {
      const cur = currentOf(m, s.cpu1, 1);
      cur.hrtimerFns.push(() => {
        m[s.fired]++;
      });
      hrtimerRunQueues(cur);
    },
  },
  final(m, s) {
    must(m[s.fired] >= 100, 'cancel did not return');
    must(m[s.timer + HRTIMER.enqueued] === 0, 'a cancelled timer is in a list');
  },
  forbids: 'a function that is called behind its cancellation, wherever the timer was',
  why: 'cancel follows the timer to the base it is in now',
});

export const timerOrder: Litmus = litmus({
  name: 'hrtimer-order',
  memory: arena,
  setup(m, label) {
    const s = twoCpus(m, label);
    const second = kmalloc(m, HRTIMER.SIZE);
    label(m, second, HRTIMER, 'timer2');
    hrtimerSetup(m, second, 0, 1);
    return { ...s, second };
  },
  threads: {
    starter(m, s) {
      const cur = currentOf(m, s.starter, 0);
      hrtimerStart(cur, s.timer, 0);
      hrtimerStart(cur, s.second, 0);
    },
    other(m, s) {
      const cur = currentOf(m, s.starter, 0);
      hrtimerCancel(cur, s.second);
    },
    cpu0(m, s) {
      const cur = currentOf(m, s.cpu0, 0);
      cur.hrtimerFns.push((_cur, data) => {
        must(data === 1 || m[s.fired] === 0, 'the timer that was started later came first');
        m[s.fired]++;
      });
      cpuIdleLoop(cur);
    },
  },
  daemons: ['cpu0'],
  final(m, s) {
    must(m[s.fired] === 1 || m[s.fired] === 2, `fired ${m[s.fired]} times`);
  },
  forbids: 'a timer lost from the list while another is taken from it, or timers out of order',
  why: 'the list is sorted, and changes only under the lock of its base',
});

export const timerSorted: Litmus = litmus({
  name: 'hrtimer-sorted',
  memory: arena,
  setup(m, label) {
    const s = twoCpus(m, label);
    const second = kmalloc(m, HRTIMER.SIZE);
    label(m, second, HRTIMER, 'timer2');
    hrtimerSetup(m, second, 0, 1);
    return { ...s, second, clock: addWord(m, label, 'clock') };
  },
  threads: {
    clock: (m, s) => Atomics.store(m, s.clock, 5),
    starter: (m, s) => hrtimerStart(currentOf(m, s.starter, 0, clockAt(m, s.clock)), s.second, 5),
    cpu0(m, s) {
      const cur = currentOf(m, s.cpu0, 0, clockAt(m, s.clock));
      cur.hrtimerFns.push((_cur, data) => {
        must(data === 1, 'a timer that has not expired was called');
        m[s.fired]++;
      });
      hrtimerStart(cur, s.timer, 1000);
      cpuIdleLoop(cur);
    },
  },
  daemons: ['cpu0'],
  goal: (m, s, threads) =>
    (m[s.fired] === 1 || m[s.second + HRTIMER.expiresUs] === 10) && threads.asleep('cpu0'),
  forbids: 'a timer that waits behind one that expires later',
  why: 'the list is sorted by expiry, and a new first timer wakes the CPU',
});

export const timerBusy: Litmus = litmus({
  name: 'hrtimer-busy-cpu',
  memory: arena,
  setup: twoCpus,
  threads: {
    starter: (m, s) => hrtimerStart(currentOf(m, s.starter, 0), s.timer, 0),
    cpu0(m, s) {
      const cur = currentOf(m, s.cpu0, 0);
      cur.hrtimerFns.push(() => {
        m[s.fired]++;
      });
      // Softirq load without end.
      cur.softirqVec.push((c) => raiseSoftirqNoWake(c, c.cpu, NET_RX_SOFTIRQ));
      raiseSoftirqNoWake(cur, cur.cpu, NET_RX_SOFTIRQ);
      cpuIdleLoop(cur);
    },
  },
  daemons: ['cpu0'],
  goal: (m, s) => m[s.fired] === 1,
  forbids: 'a timer that never fires because its CPU is busy with softirqs',
  why: 'the CPU looks at its timers between rounds, too',
});

export const timerCancelMoving: Litmus = litmus({
  name: 'hrtimer-cancel-moving',
  memory: arena,
  setup: twoCpus,
  threads: {
    starter(m, s) {
      hrtimerStart(currentOf(m, s.starter, 0), s.timer, 0);
      hrtimerStart(currentOf(m, s.starter, 1), s.timer, 0);
    },
    canceller(m, s) {
      hrtimerCancel(currentOf(m, s.cpu0, 0), s.timer);
    },
  },
  final(m, s) {
    const cpus = m[KERNEL_AT + KERNEL.cpus];
    const here = [0, CPU.SIZE].filter((at) => m[cpus + at + CPU.timerFirst] === s.timer).length;
    must(here === m[s.timer + HRTIMER.enqueued], `the timer is in ${here} lists`);
    must(m[cpus + CPU.timerLock] === 0 && m[cpus + CPU.SIZE + CPU.timerLock] === 0, 'a base is still locked');
  },
  forbids:
    'a cancel that unlocks another base than it locked, or a timer in the list of a base it does not name',
  why: 'the base is looked at again under the lock that it names',
});
