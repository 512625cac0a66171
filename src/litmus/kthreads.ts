// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of starting, parking and stopping kernel threads: kthread.ts, smpboot.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { kthread, kthreadPark, kthreadStop, kthreadUnpark, taskListAdd } from '../kernel/kthread.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { type SmpHotplugThread, smpbootThreadFn } from '../kernel/smpboot.js';
import { TASK, wakeUpProcess } from '../kernel/task.js';
import { controller, starter, workerSetup, workerThread } from './kthread_world.js';
import { addRunningTask, addWord, arena, currentOf } from './world.js';

export const kthreadStopNew: Litmus = litmus({
  name: 'kthread-stop',
  memory: arena,
  setup: workerSetup,
  threads: {
    main(m, s) {
      const cur = starter(m, s);
      kthreadStop(cur, s.thread);
      m[s.done] += 100; // the thread is gone: its data is ours
    },
    kthread: workerThread,
  },
  final(m, s) {
    must(m[s.done] === 100, 'the thread has worked on nothing');
  },
  forbids: 'a stop that never returns, or returns before the thread is gone',
  why: 'the flag is set before the wake-up, and looked at behind the sleeping state (K1, K2)',
});

export const kthreadParking: Litmus = litmus({
  name: 'kthread-park-unpark',
  memory: arena,
  setup: workerSetup,
  threads: {
    main(m, s) {
      const cur = starter(m, s);
      must(kthreadPark(cur, s.thread) === 0, 'park was refused');
      m[s.done] += 100; // parked: its data is ours
      kthreadUnpark(m, s.thread);
      Atomics.store(m, s.work, 1);
      wakeUpProcess(m, s.thread);
    },
    kthread: workerThread,
  },
  daemons: ['kthread'],
  final(m, s) {
    must(m[s.done] === 101, `work sent after unpark was lost: ${m[s.done]}`);
  },
  forbids: 'a parked thread that works, or one that stays parked after unpark',
  why: 'unpark clears the flag before it wakes; parkme sets its state before it looks (K3, K4)',
});

export const kthreadParkStop: Litmus = litmus({
  name: 'kthread-park-stop',
  memory: arena,
  setup(m, label) {
    const s = workerSetup(m, label);
    const waker = addRunningTask(m, label, 'waker');
    taskListAdd(m, waker);
    const published = addWord(m, label, 'published');
    m[published] = s.thread;
    return { ...s, waker, published };
  },
  threads: {
    main(m, s) {
      const cur = controller(m, s);
      kthreadPark(cur, s.thread);
      Atomics.store(m, s.published, 0);
      kthreadStop(cur, s.thread);
      m[s.done] += 100;
    },
    waker(m, s) {
      const cur = currentOf(m, s.waker);
      rcuReadLock(cur);
      const thread = Atomics.load(m, s.published);
      if (thread !== 0) wakeUpProcess(m, thread);
      rcuReadUnlock(cur);
    },
    kthread: workerThread,
  },
  forbids:
    'a thread that was parked before it ran cannot be stopped, or a waker that touches it after it is freed',
  why: 'kthreadStop unparks first, and waits for a grace period before it frees',
});

const PER_CPU: SmpHotplugThread = {
  shouldRun: (cur) => Atomics.load(cur.m, cur.m[cur.task.at + TASK.data]) !== 0,
  threadFn(cur) {
    const work = cur.m[cur.task.at + TASK.data];
    Atomics.store(cur.m, work, 0);
    Atomics.add(cur.m, work + 1, 1);
  },
};

export const smpboot: Litmus = litmus({
  name: 'smpboot-park-run',
  memory: arena,
  setup(m, label) {
    const s = workerSetup(m, label);
    label(m, s.work, ['work', 'ran']);
    m[s.thread + TASK.data] = s.work;
    return s;
  },
  threads: {
    main(m, s) {
      const cur = controller(m, s);
      kthreadPark(cur, s.thread);
      kthreadUnpark(m, s.thread);
      Atomics.store(m, s.work, 1);
      wakeUpProcess(m, s.thread);
    },
    kthread(m, s) {
      kthread(currentOf(m, s.thread), (c) => smpbootThreadFn(c, PER_CPU, 0));
    },
  },
  daemons: ['kthread'],
  final(m, s) {
    must(m[s.work] === 0 && m[s.work + 1] === 1, `work was left: ${m[s.work]}, ran ${m[s.work + 1]} times`);
  },
  forbids: 'a per-CPU thread sleeps though it should run',
  why: 'it sets its state before it asks shouldRun (M1, M2)',
});
