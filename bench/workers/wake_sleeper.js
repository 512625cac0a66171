// SPDX-License-Identifier: GPL-2.0-only
/**
 * The thread that is woken: an instance's kernel thread, which after each poll waits once for a bare hand-over. One
 * thread for both, so that placement, caches and host are the same for the peers.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { kthread } from '../../dist/kernel/kthread.js';
import { napiThreadedPollLoop, napiThreadWait } from '../../dist/net/core/napi_poll.js';
import { napiCompleteDone } from '../../dist/net/core/napi_schedule.js';
import { threadContext } from '../../dist/threads/context.js';
import { nowNs } from '../lib/clock.js';
import { ANSWERS, BARE, READY, WOKEN_NS } from '../lib/wake_layout.js';

const { sab, taskAt, shared } = workerData;
const { cur, net } = threadContext(sab, taskAt);
const m = new Int32Array(shared);
const f = new Float64Array(shared);

function answer(wokenNs) {
  f[WOKEN_NS] = wokenNs;
  Atomics.store(m, READY, 0);
  Atomics.add(m, ANSWERS, 1);
  Atomics.notify(m, ANSWERS);
}

/** The poll function: its first instruction is what the row waits for. */
function poll(nc, n) {
  const wokenNs = nowNs();
  napiCompleteDone(nc, n, 0);
  answer(wokenNs);
  return 0;
}

function waitBare() {
  Atomics.store(m, READY, 1);
  while (Atomics.load(m, BARE) === 0) Atomics.wait(m, BARE, 0);
  const wokenNs = nowNs();
  Atomics.store(m, BARE, 0);
  answer(wokenNs);
}

net.napiPollFns.push(poll);
kthread(cur, (_cur, node) => {
  // napi_threaded_poll, with the peer's wait between two polls.
  for (;;) {
    const n = napiThreadWait(net, node);
    if (n === null) return 0;
    napiThreadedPollLoop(net, n);
    waitBare();
  }
});
parentPort.postMessage('stopped');
