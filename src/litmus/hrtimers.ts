// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of timers: hrtimer.ts. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import type { Current } from '../kernel/current.js';
import { HRTIMER, hrtimerCancel, hrtimerRunQueues, hrtimerSetup, hrtimerStart } from '../kernel/hrtimer.js';
import { cpuIdleLoop } from '../kernel/softirq.js';
import { kmalloc } from '../mm/slab.js';
import { addCpuTask, addRunningTask, addWord, arena, boot, currentOf } from './world.js';

interface TimerSetup {
  readonly cpu: number;
  readonly owner: number;
  readonly timer: number;
  /** Plain: the timer's function and whoever has cancelled it own it in turn. */
  readonly fired: number;
}

function timerSetup(m: Int32Array, label: Label): TimerSetup {
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
}

/** The CPU's own thread, with the timer's function. */
function timerCpu(m: Int32Array, s: TimerSetup): Current {
  const cur = currentOf(m, s.cpu);
  cur.hrtimerFns.push(() => {
    m[s.fired]++;
  });
  return cur;
}

export const timerCancel: Litmus = litmus({
  name: 'hrtimer-start-cancel',
  memory: arena,
  setup: timerSetup,
  threads: {
    owner(m, s) {
      const cur = currentOf(m, s.owner);
      hrtimerStart(cur, s.timer, 0);
      hrtimerCancel(cur, s.timer);
      m[s.fired] += 100; // the function is not running
    },
    cpu(m, s) {
      const cur = timerCpu(m, s);
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

export const timerIdle: Litmus = litmus({
  name: 'hrtimer-idle-cpu',
  memory: arena,
  setup: timerSetup,
  threads: {
    owner: (m, s) => hrtimerStart(currentOf(m, s.owner), s.timer, 0),
    cpu(m, s) {
      const cur = timerCpu(m, s);
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
