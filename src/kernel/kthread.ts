// SPDX-License-Identifier: GPL-2.0-only
/**
 * Kernel threads (Linux: kernel/kthread.c). kthreadd is the main thread: it owns the pool of workers.
 *
 * States: requested → created (waits uninterruptibly for its first wake-up) → running ⇄ parked → exited.
 *
 * Owners
 *   createList    requesters push by CAS, kthreadd takes all by exchange
 *   createResult  kthreadd until `created` completes, then the creator
 *   kthreadFlags  any controller, by atomic or/and; the thread only reads
 *   parked        the thread completes it once for each time it is asked to park, also when it exits instead; the
 *                 parker waits
 *   exited        the thread completes it as the last thing it does to its task_struct
 *   task_struct   whoever gives the last reference back frees it; kthreadStop gives the creator's back, after a grace
 *                 period (a waker may still hold the pointer)
 *
 * Invariants: one park at a time; nobody parks or stops a thread that is being stopped; SHOULD_STOP is never cleared.
 *
 * Ordering
 *   K1 controller: flag, then wakeUpProcess (loads state)        pairs with  K2
 *   K2 thread: store state, then load kthreadFlags               pairs with  K1
 *   K3 parker: SHOULD_PARK off, then wakeUpState(PARKED)         pairs with  K4
 *   K4 parkme: store TASK_PARKED, then load kthreadFlags         pairs with  K3
 *   K5 requester: fields (plain), then CAS of createList         pairs with  K6
 *   K6 kthreadd: exchange of createList, then fields (plain)     pairs with  K5
 *   K7 exiting thread: store TASK_DEAD, then load kthreadFlags   pairs with  K8
 *   K8 parker: SHOULD_PARK on, then load state                   pairs with  K7
 *      (either the parker sees that the thread is dead, or the thread sees that somebody waits)
 *   K9 holder of a reference: last access, then sub of usage     pairs with  K10
 *   K10 last holder: sub of usage, then kfree                    pairs with  K9
 */
import { writeName } from '../mm/arena.js';
import { kfree, kmalloc } from '../mm/slab.js';
import { complete } from './completion.js';
import { type Current, KERNEL, KERNEL_AT } from './current.js';
import { EBUSY, EINTR, ENOMEM, ENOSYS } from './errno.js';
import { spinLock, spinUnlock } from './locking/spinlock.js';
import { rcuReadLock, rcuReadUnlock, synchronizeRcu } from './rcu.js';
import { schedule, sleepOnCompletion, tryToWakeUp } from './sched.js';
import {
  setCurrentState,
  TASK,
  TASK_COMM_WORDS,
  TASK_DEAD,
  TASK_PARKED,
  TASK_RUNNING,
  TASK_UNINTERRUPTIBLE,
  wakeUpState,
} from './task.js';
import { TP_KTHREAD_PARK, TP_KTHREAD_UNPARK, trace } from './trace.js';

export const KTHREAD_SHOULD_STOP = 1;
export const KTHREAD_SHOULD_PARK = 2;

/** A thread's function. @returns the exit code */
export type KthreadFn = (cur: Current, data: number) => number;

const CREATE_LIST = KERNEL_AT + KERNEL.createList;
const DOORBELL = KERNEL_AT + KERNEL.createDoorbell;

/**
 * Allocates and fills a task_struct that no thread runs yet; the caller has the one reference to it.
 * @returns its word index or 0 (ENOMEM)
 */
export function allocTask(
  m: Int32Array,
  fn: number,
  data: number,
  cpu: number,
  kind: number,
  comm: string,
): number {
  const t = kmalloc(m, TASK.SIZE);
  if (t === 0) return 0;
  m[t + TASK.state] = TASK_UNINTERRUPTIBLE;
  m[t + TASK.fn] = fn;
  m[t + TASK.data] = data;
  m[t + TASK.boundCpu] = cpu;
  m[t + TASK.cpu] = cpu;
  m[t + TASK.kind] = kind;
  m[t + TASK.usage] = 1;
  writeName(m, t + TASK.comm, TASK_COMM_WORDS, comm);
  return t;
}

/** Takes one more reference to a task_struct that cannot go away meanwhile (Linux: get_task_struct). */
export function getTaskStruct(m: Int32Array, t: number): void {
  Atomics.add(m, t + TASK.usage, 1);
}

/** Gives a reference to a task_struct back; the last one frees it (Linux: put_task_struct). */
export function putTaskStruct(m: Int32Array, t: number): void {
  if (Atomics.sub(m, t + TASK.usage, 1) === 1) kfree(m, t, TASK.SIZE); // K9, K10
}

/**
 * Creates a kernel thread and blocks until it waits for its first wake-up (Linux: kthread_create).
 * @param fn which function it runs (an entry of the worker's table)
 * @param data its argument
 * @param cpu the simulated CPU it counts as running on
 * @param kind TASK_KIND_* for statistics
 * @param comm its name, cut to 31 characters
 * @returns the task_struct's word index, or -ENOMEM when no thread can be had
 */
export function kthreadCreate(
  cur: Current,
  fn: number,
  data: number,
  cpu: number,
  kind: number,
  comm: string,
): number {
  const { m } = cur;
  const t = allocTask(m, fn, data, cpu, kind, comm);
  if (t === 0) return -ENOMEM;
  let head = Atomics.load(m, CREATE_LIST);
  for (;;) {
    m[t + TASK.createNext] = head;
    const was = Atomics.compareExchange(m, CREATE_LIST, head, t); // K5
    if (was === head) break;
    head = was;
  }
  Atomics.add(m, DOORBELL, 1);
  Atomics.notify(m, DOORBELL);
  sleepOnCompletion(cur, t + TASK.created);
  const result = m[t + TASK.createResult];
  if (result !== 0) {
    putTaskStruct(m, t);
    return result;
  }
  return t;
}

/** Creates a kernel thread and starts it (Linux: kthread_run). @returns as kthreadCreate */
export function kthreadRun(
  cur: Current,
  fn: number,
  data: number,
  cpu: number,
  kind: number,
  comm: string,
): number {
  const t = kthreadCreate(cur, fn, data, cpu, kind, comm);
  if (t > 0) tryToWakeUp(cur, t);
  return t;
}

/** kthreadd: takes all requests. @returns the newest task of the chain linked by `createNext`, or 0 */
export function kthreaddTakeRequests(m: Int32Array): number {
  return Atomics.exchange(m, CREATE_LIST, 0); // K6
}

/** kthreadd: no thread could be had for this request. */
export function kthreaddFail(m: Int32Array, t: number, err: number): void {
  m[t + TASK.createResult] = -err;
  complete(m, t + TASK.created);
}

/** Puts the running thread into the task list: from here on grace periods look at it. */
export function taskListAdd(m: Int32Array, t: number): void {
  spinLock(m, KERNEL_AT + KERNEL.taskLock);
  const first = m[KERNEL_AT + KERNEL.taskFirst];
  m[t + TASK.next] = first;
  m[t + TASK.prev] = 0;
  if (first !== 0) m[first + TASK.prev] = t;
  m[KERNEL_AT + KERNEL.taskFirst] = t;
  m[KERNEL_AT + KERNEL.nrTasks]++;
  spinUnlock(m, KERNEL_AT + KERNEL.taskLock);
}

/** Takes the running thread out of the task list. It must be in an extended quiescent state. */
export function taskListDel(m: Int32Array, t: number): void {
  spinLock(m, KERNEL_AT + KERNEL.taskLock);
  const next = m[t + TASK.next];
  const prev = m[t + TASK.prev];
  if (next !== 0) m[next + TASK.prev] = prev;
  if (prev !== 0) m[prev + TASK.next] = next;
  else m[KERNEL_AT + KERNEL.taskFirst] = next;
  m[KERNEL_AT + KERNEL.nrTasks]--;
  spinUnlock(m, KERNEL_AT + KERNEL.taskLock);
}

/**
 * Body of every kernel thread (Linux: kthread()): reports that it exists, waits to be woken, runs `fn` unless it was
 * stopped before, exits.
 */
export function kthread(cur: Current, fn: KthreadFn): void {
  const { m, task } = cur;
  taskListAdd(m, task.at);
  rcuReadLock(cur);
  setCurrentState(task, TASK_UNINTERRUPTIBLE);
  complete(m, task.at + TASK.created);
  schedule(cur);
  let result = -EINTR;
  if (!kthreadShouldStop(cur)) {
    kthreadParkme(cur);
    result = fn(cur, m[task.at + TASK.data]);
  }
  rcuReadUnlock(cur);
  kthreadExit(cur, result);
}

/** Leaves for good: the last thing a thread does to its task_struct (Linux: kthread_exit). */
export function kthreadExit(cur: Current, result: number): void {
  const { m, task } = cur;
  m[task.at + TASK.result] = result;
  taskListDel(m, task.at);
  Atomics.store(m, task.state, TASK_DEAD); // K7
  if (kthreadShouldPark(cur)) complete(m, task.at + TASK.parked);
  complete(m, task.at + TASK.exited);
}

/** @returns true once somebody called kthreadStop on the running thread */
export function kthreadShouldStop(cur: Current): boolean {
  return (Atomics.load(cur.m, cur.task.at + TASK.kthreadFlags) & KTHREAD_SHOULD_STOP) !== 0; // K2
}

/** @returns true while somebody wants the running thread parked */
export function kthreadShouldPark(cur: Current): boolean {
  return (Atomics.load(cur.m, cur.task.at + TASK.kthreadFlags) & KTHREAD_SHOULD_PARK) !== 0; // K2
}

/** @returns true if somebody wants the running thread parked or stopped: one look for both */
export function kthreadShouldParkOrStop(cur: Current): boolean {
  const flags = Atomics.load(cur.m, cur.task.at + TASK.kthreadFlags); // K2
  return (flags & (KTHREAD_SHOULD_STOP | KTHREAD_SHOULD_PARK)) !== 0;
}

/** Parks the running thread for as long as somebody wants it parked (Linux: kthread_parkme). */
export function kthreadParkme(cur: Current): void {
  for (;;) {
    setCurrentState(cur.task, TASK_PARKED); // K4
    if (!kthreadShouldPark(cur)) break;
    complete(cur.m, cur.task.at + TASK.parked);
    trace(cur, TP_KTHREAD_PARK, cur.task.at);
    schedule(cur);
    trace(cur, TP_KTHREAD_UNPARK, cur.task.at);
  }
  setCurrentState(cur.task, TASK_RUNNING);
}

/**
 * Asks a thread to park and waits until it has (Linux: kthread_park). Also on a thread never woken before.
 * @returns 0, -EBUSY if it was asked before, -ENOSYS if it has returned by itself
 */
export function kthreadPark(cur: Current, t: number): number {
  const { m } = cur;
  const was = Atomics.or(m, t + TASK.kthreadFlags, KTHREAD_SHOULD_PARK);
  if (taskDead(m, t)) return -ENOSYS; // K8
  if ((was & KTHREAD_SHOULD_PARK) !== 0) return -EBUSY;
  tryToWakeUp(cur, t); // K1
  sleepOnCompletion(cur, t + TASK.parked);
  return taskDead(m, t) ? -ENOSYS : 0;
}

function taskDead(m: Int32Array, t: number): boolean {
  return Atomics.load(m, t + TASK.state) === TASK_DEAD;
}

/** Lets a parked thread run again (Linux: kthread_unpark). Nothing happens if it was not asked to park. */
export function kthreadUnpark(m: Int32Array, t: number): void {
  if ((Atomics.load(m, t + TASK.kthreadFlags) & KTHREAD_SHOULD_PARK) === 0) return;
  Atomics.and(m, t + TASK.kthreadFlags, ~KTHREAD_SHOULD_PARK);
  wakeUpState(m, t, TASK_PARKED); // K3
}

/**
 * Stops a thread, waits until it has exited and gives its task_struct back (Linux: kthread_stop). The caller must have
 * unpublished every pointer to it; process context only.
 * @returns what the thread function returned, -EINTR if it never ran
 */
export function kthreadStop(cur: Current, t: number): number {
  const { m } = cur;
  Atomics.or(m, t + TASK.kthreadFlags, KTHREAD_SHOULD_STOP);
  kthreadUnpark(m, t);
  tryToWakeUp(cur, t); // K1
  sleepOnCompletion(cur, t + TASK.exited);
  const result = m[t + TASK.result];
  synchronizeRcu(cur);
  putTaskStruct(m, t);
  return result;
}
