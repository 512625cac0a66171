// SPDX-License-Identifier: GPL-2.0-only
/** A worker as a kernel thread: looks its function up and runs it under kernel/kthread.ts. */
import { type KthreadFn, kthread } from '../kernel/kthread.js';
import { smpbootThreadFn } from '../kernel/smpboot.js';
import { cpuIdleLoop, KSOFTIRQD } from '../kernel/softirq.js';
import { TASK } from '../kernel/task.js';
import { backlogThreads } from '../net/core/backlog_threads.js';
import {
  KTHREAD_BACKLOG_NAPI,
  KTHREAD_BACKLOG_POLL,
  KTHREAD_CPU_IDLE,
  KTHREAD_KSOFTIRQD,
  KTHREAD_NAPI_POLL,
} from '../net/core/ids.js';
import { napiThreadedPoll } from '../net/core/napi_poll.js';
import { type ThreadContext, threadContext } from './context.js';
import { setTimerSlack } from './os_thread.js';
import type { KthreadTask } from './tasks.js';

function threadFunction(ctx: ThreadContext, fn: number): KthreadFn {
  switch (fn) {
    case KTHREAD_CPU_IDLE:
      return cpuIdleLoop;
    case KTHREAD_KSOFTIRQD:
      return (cur, cpu) => smpbootThreadFn(cur, KSOFTIRQD, cpu);
    case KTHREAD_NAPI_POLL:
      return (_cur, node) => napiThreadedPoll(ctx.net, node);
    case KTHREAD_BACKLOG_NAPI:
      return (cur, cpu) => smpbootThreadFn(cur, backlogThreads(ctx.net), cpu);
    case KTHREAD_BACKLOG_POLL:
      ctx.net.floating = true;
      return (_cur, node) => napiThreadedPoll(ctx.net, node);
    default:
      throw new Error(`kernel thread with unknown function ${fn}`);
  }
}

/** Runs until the thread is stopped. @returns how often it slept */
export function runKthread(task: KthreadTask, tid: number): number {
  const ctx = threadContext(task.sab, task.taskAt);
  const fn = ctx.cur.m[task.taskAt + TASK.fn];
  // A CPU's sleep stands for waiting for an interrupt: it should end on time.
  if (fn === KTHREAD_CPU_IDLE) setTimerSlack(tid);
  kthread(ctx.cur, threadFunction(ctx, fn));
  return ctx.cur.nvcsw;
}
