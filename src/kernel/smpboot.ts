// SPDX-License-Identifier: GPL-2.0-only
/**
 * Threads of which each CPU has one (Linux: kernel/smpboot.c). Created parked, unparked when the CPU comes up, parked
 * when it goes down.
 *
 * States of the thread (its own local variable): NONE → ACTIVE ⇄ PARKED; setup runs on the way from NONE to ACTIVE.
 *
 * Owners: the store word of each CPU belongs to whoever holds the CPU hotplug mutex; the state is the thread's.
 * Invariant: threadFn runs only while the CPU is up, and only when shouldRun said so after the task had set its
 * sleeping state.
 *
 * Ordering
 *   M1 thread: store TASK_INTERRUPTIBLE, then shouldRun   pairs with  M2
 *   M2 waker: make shouldRun true, then wakeUpProcess     pairs with  M1
 */
import type { Current } from './current.js';
import {
  kthreadCreate,
  kthreadPark,
  kthreadParkme,
  kthreadShouldPark,
  kthreadShouldStop,
  kthreadStop,
  kthreadUnpark,
} from './kthread.js';
import { schedule } from './sched.js';
import { setCurrentState, TASK_INTERRUPTIBLE, TASK_RUNNING } from './task.js';

/** What a per-CPU thread does (Linux: struct smp_hotplug_thread). */
export interface SmpHotplugThread {
  /** @returns true if threadFn has work */
  shouldRun(cur: Current, cpu: number): boolean;
  threadFn(cur: Current, cpu: number): void;
  setup?(cur: Current, cpu: number): void;
  cleanup?(cur: Current, cpu: number): void;
  park?(cur: Current, cpu: number): void;
  unpark?(cur: Current, cpu: number): void;
}

const HP_THREAD_NONE = 0;
const HP_THREAD_ACTIVE = 1;
const HP_THREAD_PARKED = 2;

/** Body of a per-CPU thread (Linux: smpboot_thread_fn). @returns 0 when stopped */
export function smpbootThreadFn(cur: Current, ht: SmpHotplugThread, cpu: number): number {
  let status = HP_THREAD_NONE;
  cur.pinned = true;
  for (;;) {
    setCurrentState(cur.task, TASK_INTERRUPTIBLE); // M1
    if (kthreadShouldStop(cur)) {
      setCurrentState(cur.task, TASK_RUNNING);
      if (status !== HP_THREAD_NONE) ht.cleanup?.(cur, cpu);
      return 0;
    }
    if (kthreadShouldPark(cur)) {
      setCurrentState(cur.task, TASK_RUNNING);
      if (status === HP_THREAD_ACTIVE) {
        ht.park?.(cur, cpu);
        status = HP_THREAD_PARKED;
      }
      kthreadParkme(cur);
      continue; // it may have been woken to stop
    }
    if (status !== HP_THREAD_ACTIVE) {
      setCurrentState(cur.task, TASK_RUNNING);
      if (status === HP_THREAD_NONE) ht.setup?.(cur, cpu);
      else ht.unpark?.(cur, cpu);
      status = HP_THREAD_ACTIVE;
      continue;
    }
    if (ht.shouldRun(cur, cpu)) {
      setCurrentState(cur.task, TASK_RUNNING);
      ht.threadFn(cur, cpu);
    } else {
      schedule(cur);
    }
  }
}

/**
 * Creates the thread of one CPU, parked (Linux: smpboot_create_threads).
 * @param store word that receives the task_struct's index
 * @returns 0 or -ENOMEM
 */
export function smpbootCreateThread(
  cur: Current,
  store: number,
  fn: number,
  kind: number,
  cpu: number,
  comm: string,
): number {
  const t = kthreadCreate(cur, fn, cpu, cpu, kind, comm);
  if (t < 0) return t;
  kthreadPark(cur, t);
  Atomics.store(cur.m, store, t);
  return 0;
}

/** The CPU comes up (Linux: smpboot_unpark_threads). */
export function smpbootUnparkThread(cur: Current, store: number): void {
  const t = Atomics.load(cur.m, store);
  if (t !== 0) kthreadUnpark(cur.m, t);
}

/** The CPU goes down; returns when the thread has parked (Linux: smpboot_park_threads). */
export function smpbootParkThread(cur: Current, store: number): void {
  const t = Atomics.load(cur.m, store);
  if (t !== 0) kthreadPark(cur, t);
}

/** Stops the thread of one CPU (Linux: smpboot_destroy_threads). */
export function smpbootDestroyThread(cur: Current, store: number): void {
  const t = Atomics.exchange(cur.m, store, 0);
  if (t !== 0) kthreadStop(cur, t);
}
