// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of RCU against threads that never rest, and with two updaters: kernel/rcu.ts and who reports for them. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { taskListAdd } from '../kernel/kthread.js';
import { rcuQuiescentState, rcuReadLock, rcuReadUnlock, synchronizeRcu } from '../kernel/rcu.js';
import { smpbootThreadFn } from '../kernel/smpboot.js';
import { cpuIdleLoop, KSOFTIRQD, NET_RX_SOFTIRQ, raiseSoftirqNoWake } from '../kernel/softirq.js';
import { ARENA_WORDS, addRunningTask, addWord, boot, currentOf, ownCpu } from './world.js';

const arena = (): Int32Array => new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4));

interface Busy {
  readonly updater: number;
  readonly busy: number;
  readonly over: number;
}

function busySetup(m: Int32Array, label: Label): Busy {
  boot(m, label, 1);
  const s = {
    updater: addRunningTask(m, label, 'updater'),
    busy: addRunningTask(m, label, 'busy'),
    over: addWord(m, label, 'over'),
  };
  taskListAdd(m, s.updater);
  taskListAdd(m, s.busy);
  return s;
}

function update(m: Int32Array, s: Busy): void {
  synchronizeRcu(currentOf(m, s.updater));
  m[s.over] = 1;
}

/** A thread that never rests: whatever it does in between, it must report quiescent states. */
function busyThread(name: string, busy: (m: Int32Array, s: Busy) => void): Litmus {
  return litmus({
    name: `rcu-busy-${name}`,
    memory: arena,
    setup: busySetup,
    threads: { updater: update, busy },
    daemons: ['busy'],
    goal: (m, s) => m[s.over] === 1,
    forbids: 'a grace period that never ends because a thread never rests',
    why: 'loops without a sleep report quiescent states on the way, and wake who waits',
  });
}

/** Softirq load without end: each run raises the softirq again. */
function endlessSoftirq(m: Int32Array, s: Busy): ReturnType<typeof currentOf> {
  const cur = currentOf(m, s.busy);
  cur.softirqVec.push((c) => raiseSoftirqNoWake(c, c.cpu, NET_RX_SOFTIRQ));
  rcuReadLock(cur);
  raiseSoftirqNoWake(cur, cur.cpu, NET_RX_SOFTIRQ);
  return cur;
}

export const rcuBusy: readonly Litmus[] = Object.freeze([
  busyThread('reader', (m, s) => {
    const cur = currentOf(m, s.busy);
    rcuReadLock(cur);
    for (;;) rcuQuiescentState(cur);
  }),
  busyThread('cpu', (m, s) => {
    ownCpu(m, 0, s.busy);
    cpuIdleLoop(endlessSoftirq(m, s));
  }),
  busyThread('ksoftirqd', (m, s) => {
    ownCpu(m, 0, s.busy);
    smpbootThreadFn(endlessSoftirq(m, s), KSOFTIRQD, 0);
  }),
]);

export const rcuTwoUpdaters: Litmus = litmus({
  name: 'rcu-two-updaters',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const s = {
      a: addRunningTask(m, label, 'a'),
      b: addRunningTask(m, label, 'b'),
      pointer: addWord(m, label, 'pointer'),
      object: addWord(m, label, 'object'),
    };
    taskListAdd(m, s.a);
    taskListAdd(m, s.b);
    m[s.object] = 7;
    m[s.pointer] = s.object;
    return s;
  },
  threads: {
    readsAfter(m, s) {
      const cur = currentOf(m, s.a);
      rcuReadLock(cur);
      synchronizeRcu(cur);
      const p = Atomics.load(m, s.pointer);
      if (p !== 0) must(m[p] === 7, 'a freed object is read');
      rcuReadUnlock(cur);
    },
    frees(m, s) {
      const cur = currentOf(m, s.b);
      Atomics.store(m, s.pointer, 0);
      synchronizeRcu(cur);
      m[s.object] = -1;
      synchronizeRcu(cur);
    },
  },
  forbids: 'two grace periods that take one another for theirs, or a reader forgotten behind its own',
  why: 'one grace period at a time, and whoever waited for one is a reader again',
});
