// SPDX-License-Identifier: GPL-2.0-only
/**
 * Bringing the simulated CPUs up and down (Linux: kernel/cpu.c, smp_init): their own threads, ksoftirqd, the boot-time
 * threads of backlogs.
 */
import { CPU, type Cpu } from '../kernel/cpu.js';
import { type CpuhpStep, cpuDown, cpuUp } from '../kernel/cpu_hotplug.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { kthreadCreate, kthreadStop } from '../kernel/kthread.js';
import {
  smpbootCreateThread,
  smpbootDestroyThread,
  smpbootParkThread,
  smpbootUnparkThread,
} from '../kernel/smpboot.js';
import { wakeUpProcess } from '../kernel/task.js';
import { backlogThreadCreate, backlogThreadStep, backlogThreadStop } from '../net/core/backlog_threads.js';
import { devCpuDeadStep } from '../net/core/cpu_dead.js';
import { KTHREAD_CPU_IDLE, KTHREAD_KSOFTIRQD, TASK_KIND_CPU, TASK_KIND_KSOFTIRQD } from '../net/core/ids.js';
import type { NetContext } from '../net/core/net_context.js';
import { MAX_NETDEVS, NET } from '../net/core/softnet_data.js';
import { fragExit } from '../net/ipv4/inet_fragment.js';
import type { ThreadContext } from './context.js';
import { delNetdev } from './control_netdev.js';

const KSOFTIRQD_STEP: CpuhpStep = {
  startup: (cur, cpu) => smpbootUnparkThread(cur, cpu.at + CPU.ksoftirqd),
  teardown: (cur, cpu) => smpbootParkThread(cur, cpu.at + CPU.ksoftirqd),
};

/** What is done when a CPU comes, in this order; when it goes, backwards. */
function hotplugSteps(net: NetContext): CpuhpStep[] {
  return [KSOFTIRQD_STEP, backlogThreadStep(net), devCpuDeadStep(net)];
}

/** Starts every CPU. @returns 0 or -ENOMEM; after an error none is left */
export function bootCpus(ctx: ThreadContext): number {
  const { cur, net } = ctx;
  const steps = hotplugSteps(net);
  for (const cpu of cur.cpus) {
    const err = bootCpu(ctx, cpu);
    if (err !== 0) {
      stopCpus(ctx);
      return err;
    }
    for (const step of steps) step.startup?.(cur, cpu);
  }
  return 0;
}

function bootCpu(ctx: ThreadContext, cpu: Cpu): number {
  const { cur, net } = ctx;
  const { m } = cur;
  // Before its thread looks: one that starts offline would report so.
  Atomics.store(m, cpu.online, 1);
  const t = kthreadCreate(cur, KTHREAD_CPU_IDLE, cpu.id, cpu.id, TASK_KIND_CPU, `cpu/${cpu.id}`);
  if (t < 0) return t;
  m[cpu.at + CPU.ownTask] = t;
  Atomics.store(m, cpu.at + CPU.task, t);
  wakeUpProcess(m, t);
  const store = cpu.at + CPU.ksoftirqd;
  const name = `ksoftirqd/${cpu.id}`;
  const err = smpbootCreateThread(cur, store, KTHREAD_KSOFTIRQD, TASK_KIND_KSOFTIRQD, cpu.id, name);
  return err === 0 ? backlogThreadCreate(net, cpu) : err;
}

/** Takes a CPU offline or brings it back. @returns 0, or -EBUSY for the last one online */
export function setCpuOnline(ctx: ThreadContext, id: number, online: boolean): number {
  const { cur, net } = ctx;
  const cpu = cur.cpus[id];
  return online ? cpuUp(cur, cpu, hotplugSteps(net)) : cpuDown(cur, cpu, hotplugSteps(net));
}

/** Takes every device away and stops every CPU. @returns 0 */
export function shutdownCpus(ctx: ThreadContext): number {
  const { m } = ctx.cur;
  const net = m[KERNEL_AT + KERNEL.net];
  for (let i = 0; i < MAX_NETDEVS; i++) {
    const dev = Atomics.load(m, net + NET.netdevs + i);
    if (dev !== 0) delNetdev(ctx, dev);
  }
  fragExit(ctx.net);
  stopCpus(ctx);
  return 0;
}

function stopCpus(ctx: ThreadContext): void {
  const { cur, net } = ctx;
  const { m } = cur;
  for (const cpu of cur.cpus) {
    backlogThreadStop(net, cpu);
    smpbootDestroyThread(cur, cpu.at + CPU.ksoftirqd);
    const t = m[cpu.at + CPU.ownTask];
    if (t === 0) continue;
    kthreadStop(cur, t);
    m[cpu.at + CPU.ownTask] = 0;
    Atomics.store(m, cpu.at + CPU.task, 0);
  }
  for (const cpu of cur.cpus) Atomics.store(m, cpu.online, 0);
}
