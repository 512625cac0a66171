// SPDX-License-Identifier: GPL-2.0-only
/** The thread that wakes: schedules the instance, or notifies, when the sleeper has slept for a while. */
import { workerData } from 'node:worker_threads';
import { kthreadStop } from '../../dist/kernel/kthread.js';
import { rcuReadLock, rcuReadUnlock } from '../../dist/kernel/rcu.js';
import { TASK, TASK_INTERRUPTIBLE } from '../../dist/kernel/task.js';
import { NAPI } from '../../dist/net/core/napi.js';
import { napiSchedule } from '../../dist/net/core/napi_schedule.js';
import { threadContext } from '../../dist/threads/context.js';
import { Backoff } from '../lib/backoff.js';
import { nowNs } from '../lib/clock.js';
import { addInstances, enableThreaded } from '../lib/protocol.js';
import { ANSWERS, BARE, READY, WOKEN_NS } from '../lib/wake_layout.js';
import { serve } from './serve.js';

const { sab, taskAt, shared } = workerData;
const { cur, net } = threadContext(sab, taskAt);
const m = new Int32Array(shared);
const f = new Float64Array(shared);
const backoff = new Backoff();
const parking = new Int32Array(new SharedArrayBuffer(4));
let napiAt = 0;
let sleeper = 0;

/** Waits until the sleeper sleeps: it has said where it is going, and then some time has passed. */
function settle(asleep, gapMs) {
  while (!asleep()) backoff.idle();
  backoff.busy();
  if (gapMs > 0) Atomics.wait(parking, 0, 0, gapMs);
}

/** Wakes and waits for the answer. @returns how long the sleeper took, ns */
function measure(wake) {
  const before = Atomics.load(m, ANSWERS);
  const startNs = nowNs();
  wake();
  while (Atomics.load(m, ANSWERS) === before) Atomics.wait(m, ANSWERS, before);
  return f[WOKEN_NS] - startNs;
}

function schedule() {
  if (!napiSchedule(net, net.napi(napiAt))) throw new Error('wake: the instance was not idle');
}

function notify() {
  Atomics.store(m, BARE, 1);
  Atomics.notify(m, BARE);
}

serve({
  /** Makes the instance. @returns its word index */
  prepare() {
    net.napiPollFns.push(() => 0); // the sleeper has its own under this number
    [napiAt] = addInstances(net, 1, net.napiPollFns.length - 1);
    return napiAt;
  },
  /** Makes `task` the instance's thread. */
  enable({ task }) {
    sleeper = task;
    enableThreaded(net, napiAt, task);
  },
  /** @returns samples of both peers, ns, taken in turn */
  measure({ pairs, gapMs }) {
    const scheduled = new Float64Array(pairs);
    const bare = new Float64Array(pairs);
    for (let i = 0; i < pairs; i++) {
      settle(() => Atomics.load(net.m, sleeper + TASK.state) === TASK_INTERRUPTIBLE, gapMs);
      rcuReadLock(cur); // as an interrupt handler does
      scheduled[i] = measure(schedule);
      rcuReadUnlock(cur);
      settle(() => Atomics.load(m, READY) === 1, gapMs);
      bare[i] = measure(notify);
    }
    return { scheduled, bare, polls: net.m[napiAt + NAPI.polls] };
  },
  /** Stops the instance's thread. */
  stop() {
    Atomics.store(net.m, napiAt + NAPI.threadNode, 0);
    return kthreadStop(cur, sleeper);
  },
});
