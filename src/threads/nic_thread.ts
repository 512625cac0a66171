// SPDX-License-Identifier: GPL-2.0-only
/** A worker as NIC hardware: feeds a device from a capture file or a generator, at the pace that was asked for. */
import { SIM_NIC } from '../drivers/net/sim_nic.js';
import { Wire } from '../drivers/net/sim_nic_wire.js';
import { taskListAdd, taskListDel } from '../kernel/kthread.js';
import { setCurrentState, TASK_DEAD, TASK_RUNNING } from '../kernel/task.js';
import { kfree, kmalloc } from '../mm/slab.js';
import { NET_DEVICE } from '../net/core/net_device.js';
import { threadContext } from './context.js';
import { type NicResult, STAGING_BYTES } from './feeds.js';
import { feedCapture } from './nic_capture.js';
import { feedGenerator } from './nic_generator.js';
import { setTimerSlack } from './os_thread.js';
import { Pacer } from './pacer.js';
import type { NicTask } from './tasks.js';

/** Feeds the device to the end of the source. */
export async function runNicThread(task: NicTask, tid: number): Promise<NicResult> {
  const ctx = threadContext(task.sab, task.taskAt);
  const { m } = ctx.arena;
  setTimerSlack(tid);
  setCurrentState(ctx.cur.task, TASK_RUNNING);
  taskListAdd(m, task.taskAt);
  const nic = m[task.dev + NET_DEVICE.priv];
  const staging = kmalloc(m, STAGING_BYTES / 4);
  if (staging === 0)
    throw new Error('the arena is full: no room for the wire’s staging buffer; boot with more memory');
  const wire = new Wire(ctx.net, nic, task.whenFull);
  wire.begin();
  const pacer = new Pacer(ctx.cur, wire, nic + SIM_NIC.doorbell);
  const startNs = wire.tick();
  const fed =
    task.source.type === 'capture'
      ? await feedCapture(ctx, wire, pacer, nic, staging * 4, task.source)
      : feedGenerator(ctx, wire, pacer, nic, staging * 4, task.source);
  wire.finish();
  const endNs = wire.tick();
  kfree(m, staging, STAGING_BYTES / 4);
  taskListDel(m, task.taskAt);
  setCurrentState(ctx.cur.task, TASK_DEAD);
  return { ...fed, startNs, endNs, stopped: wire.stopped() };
}
