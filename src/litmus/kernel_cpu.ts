// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of what a CPU does: rcu.ts, softirq.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { taskListAdd } from '../kernel/kthread.js';
import { rcuQuiescentState, rcuReadLock, rcuReadUnlock, synchronizeRcu } from '../kernel/rcu.js';
import { cpuIdleLoop, NET_RX_SOFTIRQ, raiseSoftirq } from '../kernel/softirq.js';
import { addCpuTask, addRunningTask, addWord, arena, boot, currentOf, take } from './world.js';

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
