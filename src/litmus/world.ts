// SPDX-License-Identifier: GPL-2.0-only
/** What the litmus tests of this project share: a small machine (arena, CPUs, tasks) and the clock that stands still. */
import type { Label } from '../check/index.js';
import { CPU } from '../kernel/cpu.js';
import { Current, cpuViews, KERNEL, KERNEL_AT } from '../kernel/current.js';
import { allocTask, kthreaddTakeRequests } from '../kernel/kthread.js';
import type { Platform } from '../kernel/platform.js';
import { rcuInit } from '../kernel/rcu.js';
import { TASK } from '../kernel/task.js';
import { allocPercpu, perCpuPtr } from '../mm/percpu.js';
import { kmalloc, MM_AT, MM_STRUCT, mmInit } from '../mm/slab.js';

/** Words of a test's arena, the allocator's guard included. */
export const ARENA_WORDS = (1 << 16) + (1 << 13);

/** A test's memory. */
export function arena(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4));
}

/** A clock that stands still and a sleep that does not: whoever polls a condition goes round its loop. */
export const STILL: Platform = Object.freeze({
  nowNs: () => 0,
  nowUs: () => 0,
  usleep: () => undefined,
  setComm: () => undefined,
});

/** A clock that another thread moves: the word at `at`, in microseconds. */
export function clockAt(m: Int32Array, at: number): Platform {
  return {
    nowNs: () => Atomics.load(m, at) * 1e3,
    nowUs: () => Atomics.load(m, at),
    usleep: () => undefined,
    setComm: () => undefined,
  };
}

/** Boots the kernel's words: allocator, roots, `nrCpus` CPUs. */
export function boot(m: Int32Array, label: Label, nrCpus: number): void {
  mmInit(m);
  rcuInit(m);
  m[KERNEL_AT + KERNEL.nrCpus] = nrCpus;
  m[KERNEL_AT + KERNEL.cpus] = allocPercpu(m, CPU, nrCpus);
  label(m, MM_AT, MM_STRUCT);
  label(m, KERNEL_AT, KERNEL);
  for (let i = 0; i < nrCpus; i++) {
    const cpu = perCpuPtr(m[KERNEL_AT + KERNEL.cpus], CPU, i);
    m[cpu + CPU.online] = 1;
    label(m, cpu, CPU, `cpu${i}`);
  }
}

/** Makes a task_struct. @returns its word index */
export function addTask(m: Int32Array, label: Label, name: string, cpu = 0): number {
  const t = allocTask(m, 0, 0, cpu, 0, name);
  label(m, t, TASK, name);
  return t;
}

/** Makes a task that runs: one that is in the middle of process context. @returns its word index */
export function addRunningTask(m: Int32Array, label: Label, name: string, cpu = 0): number {
  const t = addTask(m, label, name, cpu);
  m[t + TASK.state] = 0;
  return t;
}

/** Makes a task the own thread of a CPU, which serves it. */
export function ownCpu(m: Int32Array, id: number, task: number): void {
  const cpu = perCpuPtr(m[KERNEL_AT + KERNEL.cpus], CPU, id);
  m[cpu + CPU.task] = task;
  m[cpu + CPU.ownTask] = task;
}

/** Makes CPU 0's own thread, in the middle of its idle loop. @returns its word index */
export function addCpuTask(m: Int32Array, label: Label): number {
  const t = addRunningTask(m, label, 'cpu/0');
  ownCpu(m, 0, t);
  return t;
}

/** Makes a zeroed word on a cache line of its own. */
export function addWord(m: Int32Array, label: Label, name: string): number {
  const at = kmalloc(m, 1);
  label(m, at, name);
  return at;
}

/** What a thread's code calls `current`. */
export function currentOf(m: Int32Array, task: number, cpu = 0, platform: Platform = STILL): Current {
  return new Current(m, platform, task, cpuViews(m), cpu);
}

/** A handler's work: takes all events. Its counter is plain: two handlers at once are a data race. */
export function take(m: Int32Array, from: number, into: number): void {
  const n = Atomics.exchange(m, from, 0);
  m[into] += n;
}

/** kthreadd: waits for the next request to create a thread. @returns its task */
export function takeRequest(m: Int32Array): number {
  for (;;) {
    const seen = Atomics.load(m, KERNEL_AT + KERNEL.createDoorbell);
    const t = kthreaddTakeRequests(m);
    if (t !== 0) return t;
    Atomics.wait(m, KERNEL_AT + KERNEL.createDoorbell, seen);
  }
}
