// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of park, unpark and stop on a kernel thread in each of its states: created, running, parked, returned. */
import { type Litmus, litmus, must } from '../check/index.js';
import { EINTR, ENOSYS } from '../kernel/errno.js';
import {
  getTaskStruct,
  kthread,
  kthreadPark,
  kthreadStop,
  kthreadUnpark,
  putTaskStruct,
} from '../kernel/kthread.js';
import { TASK, TASK_UNINTERRUPTIBLE, wakeUpProcess } from '../kernel/task.js';
import { kmalloc, MM_AT, MM_STRUCT } from '../mm/slab.js';
import { controller, starter, type WorkerSetup, worker, workerSetup, workerThread } from './kthread_world.js';
import { addWord, arena, currentOf } from './world.js';

const RESULT = 7;

/** A thread that does something and returns by itself. */
function briefThread(m: Int32Array, s: WorkerSetup): void {
  kthread(currentOf(m, s.thread), () => {
    m[s.done]++;
    return RESULT;
  });
}

export const kthreadStopCreated: Litmus = litmus({
  name: 'kthread-stop-created',
  memory: arena,
  setup: workerSetup,
  threads: {
    main(m, s) {
      const cur = controller(m, s);
      const result = kthreadStop(cur, s.thread);
      must(result === -EINTR, `a thread that was never woken returned ${result}`);
      must(m[s.done] === 0, 'a thread that was never woken ran');
    },
    kthread: briefThread,
  },
  forbids: 'a thread stopped before it was woken that runs, or a stop of it that never returns',
  why: 'stop wakes it, and it looks at the flag before it calls its function (K1, K2)',
});

export const kthreadParkCreated: Litmus = litmus({
  name: 'kthread-park-created',
  memory: arena,
  setup: workerSetup,
  threads: {
    main(m, s) {
      const cur = controller(m, s);
      must(kthreadPark(cur, s.thread) === 0, 'park was refused');
      must(m[s.done] === 0, 'a thread that was parked before it first ran has run');
      m[s.done] = 100;
      kthreadUnpark(m, s.thread);
    },
    kthread(m, s) {
      kthread(currentOf(m, s.thread), (cur) => {
        m[s.done]++;
        return worker(cur, s.work, s.done);
      });
    },
  },
  daemons: ['kthread'],
  final(m, s) {
    must(m[s.done] === 101, `the thread did not run after unpark: ${m[s.done]}`);
  },
  forbids: 'a thread that runs though it was parked before it was woken, or never runs afterwards',
  why: 'park wakes it, and it parks before it calls its function (K1, K2)',
});

export const kthreadStopParked: Litmus = litmus({
  name: 'kthread-stop-parked',
  memory: arena,
  setup: workerSetup,
  threads: {
    main(m, s) {
      const cur = starter(m, s);
      Atomics.store(m, s.work, 1);
      wakeUpProcess(m, s.thread);
      must(kthreadPark(cur, s.thread) === 0, 'park was refused');
      m[s.done] += 100; // parked: its data is ours
      const result = kthreadStop(cur, s.thread);
      must(result === 0, `a thread that was parked returned ${result}`);
    },
    kthread: workerThread,
  },
  final(m, s) {
    // Work sent just before may have been done or not.
    must(m[s.done] === 101 - m[s.work], `done ${m[s.done]}, left ${m[s.work]}`);
  },
  forbids: 'park that returns while the thread still works, or a parked thread that cannot be stopped',
  why: 'park waits for the thread to say that it has parked; stop unparks it (K3, K4)',
});

export const kthreadParkReturned: Litmus = litmus({
  name: 'kthread-park-returned',
  memory: arena,
  setup: workerSetup,
  threads: {
    main(m, s) {
      const cur = starter(m, s);
      const err = kthreadPark(cur, s.thread);
      if (err === 0) must(m[s.done] === 0, 'park of a thread that has run said that it is parked');
      else must(err === -ENOSYS && kthreadPark(cur, s.thread) === -ENOSYS, `park failed with ${err}`);
      const result = kthreadStop(cur, s.thread);
      must(result === RESULT, `the thread returned ${result}`);
    },
    kthread: briefThread,
  },
  final(m, s) {
    must(m[s.done] === 1, `the thread ran ${m[s.done]} times`);
  },
  forbids: 'park of a thread that returns by itself: it never returns, or says that the thread is parked',
  why: 'who exits looks whether somebody waits for it to park; who parks looks whether it has exited (K7, K8)',
});

export const kthreadReturns: Litmus = litmus({
  name: 'kthread-unpark-stop-returned',
  memory: arena,
  setup: workerSetup,
  threads: {
    main(m, s) {
      const cur = controller(m, s);
      kthreadUnpark(m, s.thread);
      must(
        Atomics.load(m, s.thread + TASK.state) === TASK_UNINTERRUPTIBLE,
        'unpark woke a thread just created',
      );
      wakeUpProcess(m, s.thread);
      kthreadUnpark(m, s.thread);
      const result = kthreadStop(cur, s.thread);
      must(result === (m[s.done] === 0 ? -EINTR : RESULT), `the thread returned ${result}`);
    },
    kthread: briefThread,
  },
  forbids: 'a thread that returns by itself and cannot be stopped, or one that unpark starts',
  why: 'it completes `exited` whoever ended it; unpark wakes only what is parked',
});

const KIND = 5;

export const taskLastPut: Litmus = litmus({
  name: 'task-struct-last-put',
  memory: arena,
  setup(m, label) {
    const s = workerSetup(m, label);
    m[s.thread + TASK.kind] = KIND;
    getTaskStruct(m, s.thread); // kthreadd's
    return { ...s, again: addWord(m, label, 'again') };
  },
  threads: {
    main(m, s) {
      const cur = starter(m, s);
      kthreadStop(cur, s.thread);
      // What is free is used for something else.
      const t = kmalloc(m, TASK.SIZE);
      m[t + TASK.kind] = 0;
      m[s.again] = t;
    },
    kthreadd(m, s) {
      must(m[s.thread + TASK.kind] === KIND, 'a task_struct that somebody has a reference to is freed');
      getTaskStruct(m, s.thread); // a worker's
      putTaskStruct(m, s.thread);
      putTaskStruct(m, s.thread);
    },
    kthread: briefThread,
  },
  final(m, s) {
    const lists = m.subarray(MM_AT + MM_STRUCT.freeList, MM_AT + MM_STRUCT.end);
    must(lists.includes(s.thread) !== (m[s.again] === s.thread), 'it was not freed, or freed twice');
  },
  forbids: 'a task_struct freed while somebody holds a reference, never, or twice',
  why: 'each gives its reference back behind its last access, and one of them is the last (K9, K10)',
});
