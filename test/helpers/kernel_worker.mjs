// SPDX-License-Identifier: GPL-2.0-only
//
// Worker thread of kernel_lab.ts: runs one thread of a bare kernel after the other.
//
// A scenario module exports functions (cur, args) for threads in process context, and optionally
//   kthreadFns   functions (cur, data) of kernel threads; word `fn` of a task is the place in this list
//   setup(cur)   fills the tables of `current` (softirqVec, hrtimerFns, irqHandlers) of every thread

import { parentPort } from 'node:worker_threads';
import { Current, cpuViews } from '../../dist/kernel/current.js';
import { kthread, taskListAdd, taskListDel } from '../../dist/kernel/kthread.js';
import { NodePlatform } from '../../dist/kernel/platform.js';
import { setCurrentState, TASK, TASK_DEAD, TASK_RUNNING } from '../../dist/kernel/task.js';
import { shakeAtomics } from './shake.mjs';

const platform = new NodePlatform();

parentPort.on('message', async ({ module, sab, taskAt, fn, args, shake }) => {
  const scenarios = await import(module);
  const m = new Int32Array(sab);
  const cur = new Current(m, platform, taskAt, cpuViews(m), m[taskAt + TASK.boundCpu]);
  scenarios.setup?.(cur);
  const steady = shake > 0 ? shakeAtomics(shake, taskAt) : () => {};
  let value = null;
  if (fn === null) {
    kthread(cur, scenarios.kthreadFns[m[taskAt + TASK.fn]]);
  } else {
    setCurrentState(cur.task, TASK_RUNNING);
    taskListAdd(m, taskAt);
    value = scenarios[fn](cur, args);
    taskListDel(m, taskAt);
    setCurrentState(cur.task, TASK_DEAD);
  }
  steady();
  parentPort.postMessage(value);
});
