// SPDX-License-Identifier: GPL-2.0-only
/** Bringing the simulated CPUs up and down: their own threads, and ksoftirqd (Linux: kernel/cpu.c). */
import { CPU } from '../kernel/cpu.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { kthreadRun, kthreadStop } from '../kernel/kthread.js';
import { smpbootCreateThread, smpbootDestroyThread, smpbootUnparkThread } from '../kernel/smpboot.js';
import { KTHREAD_CPU_IDLE, KTHREAD_KSOFTIRQD, TASK_KIND_CPU, TASK_KIND_KSOFTIRQD } from '../net/core/ids.js';
import { MAX_NETDEVS, NET } from '../net/core/softnet_data.js';
import type { ThreadContext } from './context.js';
import { delNetdev } from './control_netdev.js';

/** Starts every CPU. @returns 0 or -ENOMEM; after an error none is left */
export function bootCpus(ctx: ThreadContext): number {
  const { cur } = ctx;
  const { m } = cur;
  for (const cpu of cur.cpus) {
    const t = kthreadRun(cur, KTHREAD_CPU_IDLE, cpu.id, cpu.id, TASK_KIND_CPU, `cpu/${cpu.id}`);
    let err = Math.min(t, 0);
    if (err === 0) {
      Atomics.store(m, cpu.at + CPU.task, t);
      const store = cpu.at + CPU.ksoftirqd;
      const name = `ksoftirqd/${cpu.id}`;
      err = smpbootCreateThread(cur, store, KTHREAD_KSOFTIRQD, TASK_KIND_KSOFTIRQD, cpu.id, name);
      if (err === 0) smpbootUnparkThread(cur, store);
    }
    if (err !== 0) {
      stopCpus(ctx);
      return err;
    }
    Atomics.store(m, cpu.at + CPU.online, 1);
  }
  return 0;
}

/** Takes every device away and stops every CPU. @returns 0 */
export function shutdownCpus(ctx: ThreadContext): number {
  const { m } = ctx.cur;
  const net = m[KERNEL_AT + KERNEL.net];
  for (let i = 0; i < MAX_NETDEVS; i++) {
    const dev = Atomics.load(m, net + NET.netdevs + i);
    if (dev !== 0) delNetdev(ctx, dev);
  }
  stopCpus(ctx);
  return 0;
}

function stopCpus(ctx: ThreadContext): void {
  const { cur } = ctx;
  const { m } = cur;
  for (const cpu of cur.cpus) {
    Atomics.store(m, cpu.at + CPU.online, 0);
    smpbootDestroyThread(cur, cpu.at + CPU.ksoftirqd);
    const t = Atomics.load(m, cpu.at + CPU.task);
    if (t === 0) continue;
    kthreadStop(cur, t);
    Atomics.store(m, cpu.at + CPU.task, 0);
  }
}
