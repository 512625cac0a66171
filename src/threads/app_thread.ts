// SPDX-License-Identifier: GPL-2.0-only
/** A worker as an application thread: imports the user's module and calls its function with an AppContext. */
import { complete } from '../kernel/completion.js';
import { taskListAdd, taskListDel } from '../kernel/kthread.js';
import { setCurrentState, TASK, TASK_DEAD, TASK_RUNNING } from '../kernel/task.js';
import { AppContext } from './app_context.js';
import { threadContext } from './context.js';
import type { AppTask } from './tasks.js';

/** Runs the function to its end. @returns what it returned, and how often it slept */
export async function runAppThread(task: AppTask): Promise<{ value: unknown; sleeps: number }> {
  const ctx = threadContext(task.sab, task.taskAt);
  setCurrentState(ctx.cur.task, TASK_RUNNING);
  taskListAdd(ctx.arena.m, task.taskAt);
  const module = (await import(task.module)) as { readonly [name: string]: unknown };
  const fn = module[task.exportName];
  if (typeof fn !== 'function') {
    throw new Error(`${task.module} does not export a function named ${task.exportName}`);
  }
  const app = new AppContext(
    ctx,
    task.name,
    task.args,
    task.sockets,
    task.senders,
    task.xsks,
    task.xskPollers,
  );
  app.begin();
  complete(ctx.arena.m, task.taskAt + TASK.created);
  const value: unknown = await fn(app);
  app.end();
  taskListDel(ctx.arena.m, task.taskAt);
  setCurrentState(ctx.cur.task, TASK_DEAD);
  return { value, sleeps: ctx.cur.nvcsw };
}
