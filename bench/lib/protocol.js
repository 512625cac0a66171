// SPDX-License-Identifier: GPL-2.0-only
/** Protocol objects for rows that call src/net/core directly, on the arena of a booted machine. */

import { NIC_QUEUE, nicQueueAt } from '../../dist/drivers/net/sim_nic.js';
import { TASK, wakeUpProcess } from '../../dist/kernel/task.js';
import { kmalloc } from '../../dist/mm/slab.js';
import { TASK_KIND_APP, TASK_KIND_NAPI } from '../../dist/net/core/ids.js';
import { NAPI, NAPI_POLL_WEIGHT, NAPIF_STATE_THREADED } from '../../dist/net/core/napi.js';
import { napiEnable, netifNapiAdd } from '../../dist/net/core/napi_control.js';
import { NAPI_THREAD_NODE } from '../../dist/net/core/napi_thread.js';
import { allocNetdev, NET_DEVICE } from '../../dist/net/core/net_device.js';

/** A task_struct for a bench thread in process context. @returns its word index */
export function newProcess(machine, name) {
  return machine.newTask(TASK_KIND_APP, name, 0);
}

/** A task_struct for a bench thread that serves `napiAt` as its kernel thread would. @returns its word index */
export function newNapiTask(machine, name, napiAt) {
  const task = machine.newTask(TASK_KIND_NAPI, name, 0);
  machine.arena.m[task + TASK.data] = newThreadNode(machine.arena.m, napiAt, task);
  return task;
}

/** What stands between an instance and its thread: the argument of the thread's function. @returns its word index */
export function newThreadNode(m, napiAt, task) {
  const node = kmalloc(m, NAPI_THREAD_NODE.SIZE);
  if (node === 0) throw new Error('newThreadNode: no memory');
  m[node + NAPI_THREAD_NODE.napi] = napiAt;
  m[node + NAPI_THREAD_NODE.task] = task;
  return node;
}

/**
 * A device in no list with `count` instances, added and not enabled. Process context; their memory goes with the
 * machine.
 * @param pollFn index of its poll function in `net.napiPollFns`
 * @returns the instances' word indices
 */
export function addInstances(net, count, pollFn) {
  const dev = ok('allocNetdev', allocNetdev(net.m, 'bench', 0, count));
  return Array.from({ length: count }, (_, i) =>
    ok('netifNapiAdd', netifNapiAdd(net, dev, pollFn, 0, NAPI_POLL_WEIGHT, i)),
  );
}

/** Enables an instance whose thread is `task`: from now on scheduling it wakes that task. */
export function enableThreaded(net, napiAt, task) {
  const n = net.napi(napiAt);
  ok('napiEnable', napiEnable(net, n));
  adopt(net.m, n.at, task);
}

/** Makes `task` the thread of an enabled instance that rests (what napi_set_threaded does with one it creates). */
export function adopt(m, napiAt, task) {
  const node = m[task + TASK.data] || newThreadNode(m, napiAt, task);
  Atomics.store(m, napiAt + NAPI.threadNode, node);
  Atomics.or(m, napiAt + NAPI.state, NAPIF_STATE_THREADED);
}

/** @returns the napi_struct of a device's queue; the link is up */
export function queueNapi(machine, device, index) {
  const { m } = machine.arena;
  return m[nicQueueAt(m, m[device.at + NET_DEVICE.priv], index) + NIC_QUEUE.napi];
}

/** Waits until the kernel thread of `task` exists, then starts it. For the main thread, which must not block. */
export async function startThread(m, task) {
  while (Atomics.load(m, task + TASK.created) === 0) {
    const wait = Atomics.waitAsync(m, task + TASK.created, 0);
    if (wait.async) await wait.value;
  }
  wakeUpProcess(m, task);
}

function ok(what, result) {
  if (result < 0) throw new Error(`${what}: errno ${-result}`);
  return result;
}
