// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of the life of a kernel thread, from its first wake-up to its exit: kthread.ts. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { EINTR } from '../kernel/errno.js';
import {
  kthread,
  kthreadPark,
  kthreadStop,
  kthreadUnpark,
  taskListAdd,
  taskListDel,
} from '../kernel/kthread.js';
import { synchronizeRcu } from '../kernel/rcu.js';
import { sleepOnCompletion } from '../kernel/sched.js';
import { TASK, wakeUpProcess } from '../kernel/task.js';
import { kmalloc } from '../mm/slab.js';
import { ARENA_WORDS, addRunningTask, addTask, addWord, boot, currentOf } from './world.js';

const arena = (): Int32Array => new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4));

interface Life {
  readonly main: number;
  readonly thread: number;
  readonly data: number;
  readonly pointer: number;
}

function life(m: Int32Array, label: Label): Life {
  boot(m, label, 1);
  const s = {
    main: addRunningTask(m, label, 'main'),
    thread: addTask(m, label, 'kthread'),
    data: addWord(m, label, 'data'),
    pointer: addWord(m, label, 'pointer'),
  };
  m[s.thread + TASK.data] = s.data;
  m[s.pointer] = s.data;
  taskListAdd(m, s.main);
  return s;
}

export const firstWake: Litmus = litmus({
  name: 'kthread-first-wake',
  memory: arena,
  setup: life,
  threads: {
    main(m, s) {
      const cur = currentOf(m, s.main);
      sleepOnCompletion(cur, s.thread + TASK.created);
      m[s.data] = 7; // it does not run yet
      wakeUpProcess(m, s.thread);
      // An end is awaited without touching the task again; what stop returns is the function's own.
      const result = kthreadStop(cur, s.thread);
      must(result === 5 || result === -EINTR, `the thread returned ${result}`);
      kmalloc(m, TASK.SIZE); // its memory is somebody else's now
      must(m[s.data] === (result === 5 ? 8 : 7), 'a thread that says -EINTR has run, or the other way round');
    },
    kthread(m, s) {
      kthread(currentOf(m, s.thread), (_cur, data) => {
        must(m[data] === 7, 'the thread runs before it was woken');
        m[data]++;
        return 5;
      });
    },
  },
  final(m) {
    must(m[KERNEL_AT + KERNEL.nrTasks] === 1, 'a thread that is gone is in the task list');
  },
  forbids: 'a thread that runs before its first wake-up, or whose result is not its own',
  why: 'it sleeps uninterruptibly once it has said that it exists',
});

export const stopUnborn: Litmus = litmus({
  name: 'kthread-stop-unborn',
  memory: arena,
  setup: life,
  threads: {
    main(m, s) {
      const cur = currentOf(m, s.main);
      sleepOnCompletion(cur, s.thread + TASK.created);
      must(kthreadStop(cur, s.thread) === -EINTR, 'a thread that never ran has a result');
    },
    kthread(m, s) {
      kthread(currentOf(m, s.thread), () => {
        must(false, 'a thread runs that was stopped before its first wake-up');
        return 0;
      });
    },
  },
  forbids: 'a thread that runs though it was stopped before its first wake-up',
  why: 'it looks at SHOULD_STOP before it calls its function',
});

export const parkUnborn: Litmus = litmus({
  name: 'kthread-park-unborn',
  memory: arena,
  setup: life,
  threads: {
    main(m, s) {
      const cur = currentOf(m, s.main);
      sleepOnCompletion(cur, s.thread + TASK.created);
      kthreadPark(cur, s.thread);
      m[s.data] = 7; // parked before it ran
      kthreadUnpark(m, s.thread);
      kthreadUnpark(m, s.thread); // nothing happens
    },
    kthread(m, s) {
      kthread(currentOf(m, s.thread), (_cur, data) => {
        must(m[data] === 7, 'the thread runs while it is parked');
        return 0;
      });
    },
  },
  forbids: 'a thread that runs its function before it was unparked',
  why: 'it parks, if asked, before it calls its function',
});

export const threadReads: Litmus = litmus({
  name: 'kthread-rcu',
  memory: arena,
  setup: life,
  threads: {
    main(m, s) {
      const cur = currentOf(m, s.main);
      sleepOnCompletion(cur, s.thread + TASK.created);
      wakeUpProcess(m, s.thread);
      Atomics.store(m, s.pointer, 0);
      synchronizeRcu(cur);
      m[s.data] = -1; // freed
    },
    kthread(m, s) {
      kthread(currentOf(m, s.thread), () => {
        const p = Atomics.load(m, s.pointer);
        if (p !== 0) must(m[p] === 0, 'a freed object is read');
        return 0;
      });
    },
  },
  forbids: 'a grace period that does not wait for a running kernel thread',
  why: 'a kernel thread is in a read section from its first wake-up to its exit, but where it sleeps',
});

function comeAndGo(m: Int32Array, t: number): void {
  taskListAdd(m, t);
  taskListDel(m, t);
}

export const taskList: Litmus = litmus({
  name: 'task-list',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const s = {
      first: addRunningTask(m, label, 'first'),
      a: addRunningTask(m, label, 'a'),
      b: addRunningTask(m, label, 'b'),
      last: addRunningTask(m, label, 'last'),
    };
    const wordOfNull = m[TASK.prev];
    taskListAdd(m, s.first);
    return { ...s, wordOfNull };
  },
  threads: {
    a: (m, s) => comeAndGo(m, s.a),
    b: (m, s) => comeAndGo(m, s.b),
    last: (m, s) => taskListAdd(m, s.last),
  },
  final(m, s) {
    let count = 0;
    let prev = 0;
    for (let t = m[KERNEL_AT + KERNEL.taskFirst]; t !== 0 && count < 8; t = m[t + TASK.next]) {
      must(t === s.first || t === s.last, 'a task that has gone is in the list');
      must(m[t + TASK.prev] === prev, 'a task names another one as the one before it');
      prev = t;
      count++;
    }
    must(m[TASK.prev] === s.wordOfNull, 'a task that is not there was written');
    must(count === 2 && m[KERNEL_AT + KERNEL.nrTasks] === 2, `${count} tasks are in the list, of 2`);
  },
  forbids: 'a task lost from the list that grace periods look at, or left in it',
  why: 'the list changes only under taskLock',
});
