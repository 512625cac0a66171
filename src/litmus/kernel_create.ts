// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of thread creation by several creators: kernel/kthread.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { KERNEL, KERNEL_AT, newObjectId } from '../kernel/current.js';
import { ENOMEM } from '../kernel/errno.js';
import { kthreadCreate, kthreaddFail, kthreaddTakeRequests } from '../kernel/kthread.js';
import { TASK } from '../kernel/task.js';
import { ARENA_WORDS, addRunningTask, addWord, boot, currentOf } from './world.js';

const DOORBELL = KERNEL_AT + KERNEL.createDoorbell;

interface Creators {
  readonly creator: number;
  /** Requests that kthreadd saw. */
  readonly seen: number;
}

function create(m: Int32Array, s: Creators): void {
  must(kthreadCreate(currentOf(m, s.creator), 0, 0, 0, 0, 'made') === -ENOMEM, 'a refusal is ENOMEM');
}

export const kthreadTwoCreators: Litmus = litmus({
  name: 'kthread-create-two',
  memory: () => new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4)),
  setup(m, label): Creators {
    boot(m, label, 1);
    return { creator: addRunningTask(m, label, 'creator'), seen: addWord(m, label, 'seen') };
  },
  threads: {
    creatorA: create,
    creatorB: create,
    kthreadd(m, s) {
      for (;;) {
        const rung = Atomics.load(m, DOORBELL);
        let t = kthreaddTakeRequests(m);
        if (t === 0) Atomics.wait(m, DOORBELL, rung);
        while (t !== 0) {
          const next = m[t + TASK.createNext];
          m[s.seen]++;
          kthreaddFail(m, t, ENOMEM);
          t = next;
        }
      }
    },
  },
  daemons: ['kthreadd'],
  final(m, s) {
    must(m[s.seen] === 2, `kthreadd saw ${m[s.seen]} requests of 2`);
  },
  forbids: 'a request that another one pushes out of the list, or that kthreadd takes twice',
  why: 'requests are pushed by compare-and-swap and taken all at once by exchange (K5, K6)',
});

export const objectIds: Litmus = litmus({
  name: 'object-ids',
  memory: () => new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4)),
  setup(m, label) {
    boot(m, label, 1);
    return { a: addWord(m, label, 'a'), b: addWord(m, label, 'b') };
  },
  threads: {
    a(m, s) {
      m[s.a] = newObjectId(m);
    },
    b(m, s) {
      m[s.b] = newObjectId(m);
    },
  },
  final(m, s) {
    must(m[s.a] !== m[s.b], `two objects have the number ${m[s.a]}`);
  },
  forbids: 'two objects with one number: a stale view would pass for a fresh one',
  why: 'numbers come from fetch-and-add',
});
