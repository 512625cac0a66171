// SPDX-License-Identifier: GPL-2.0-only
//
// A kernel without a network, for tests of mm/ and kernel/: an arena with the allocator, RCU and per-CPU areas laid
// out, threads that run functions of a scenario module (kernel_worker.mjs says what such a module exports), and
// kthreadd. Workers stay warm from test to test; what hangs is ended by `stopLabs`.

import { Worker } from 'node:worker_threads';
import { CPU } from '../../dist/kernel/cpu.js';
import { Current, cpuViews, KERNEL, KERNEL_AT } from '../../dist/kernel/current.js';
import { ENOMEM } from '../../dist/kernel/errno.js';
import { allocTask, kthreaddFail, kthreaddTakeRequests } from '../../dist/kernel/kthread.js';
import { NodePlatform, type Platform } from '../../dist/kernel/platform.js';
import { rcuInit } from '../../dist/kernel/rcu.js';
import { TASK, taskComm } from '../../dist/kernel/task.js';
import { allocPercpu, perCpuPtr } from '../../dist/mm/percpu.js';
import { kfree, kmalloc, mmInit } from '../../dist/mm/slab.js';

/** Words of an arena, unless a test wants more: 1 MiB, of which the guard at the end takes a quarter. */
const ARENA_WORDS = 1 << 18;

/** A thread that is no kernel thread is of no kind here. */
const KIND = 0;

interface Job {
  readonly module: string;
  readonly sab: SharedArrayBuffer;
  readonly taskAt: number;
  /** Name of the exported function; null: a kernel thread. */
  readonly fn: string | null;
  readonly args: unknown;
  /** Threads are shaken (shake.mjs): a pause in one of so many atomic operations; 0: never. */
  readonly shake: number;
}

const idle: Worker[] = [];
const busy = new Set<Worker>();

/** Runs a job on a warm worker. Rejects if the job throws or the worker ends. */
function runJob(job: Job): Promise<unknown> {
  const worker = idle.pop() ?? new Worker(new URL('./kernel_worker.mjs', import.meta.url));
  busy.add(worker);
  worker.ref();
  return new Promise((resolve, reject) => {
    const lost = (error: unknown): void => {
      busy.delete(worker);
      reject(
        error instanceof Error ? error : new Error(`${job.fn ?? 'kernel thread'}: worker ended, ${error}`),
      );
    };
    worker.once('error', lost);
    worker.once('exit', lost);
    worker.once('message', (value) => {
      worker.off('error', lost);
      worker.off('exit', lost);
      worker.unref();
      // One that stopLabs ends at this moment is no longer in there, and not to be used again.
      if (busy.delete(worker)) idle.push(worker);
      resolve(value);
    });
    worker.postMessage(job);
  });
}

/** Lays an arena out as src/machine.ts does, without the network. */
export function layOutKernel(cpus: number, words: number = ARENA_WORDS): Int32Array<SharedArrayBuffer> {
  const m = new Int32Array(new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT));
  mmInit(m);
  rcuInit(m);
  m[KERNEL_AT + KERNEL.nrCpus] = cpus;
  m[KERNEL_AT + KERNEL.cpus] = allocPercpu(m, CPU, cpus);
  for (let i = 0; i < cpus; i++) m[perCpuPtr(m[KERNEL_AT + KERNEL.cpus], CPU, i) + CPU.online] = 1;
  return m;
}

/** `current` of a thread that never sleeps in the kernel: for tests of one thread only. */
export function loneCurrent(m: Int32Array, platform: Platform = new NodePlatform(), cpu = 0): Current {
  return new Current(m, platform, allocTask(m, 0, 0, cpu, KIND, 'test'), cpuViews(m), cpu);
}

export class KernelLab {
  readonly m: Int32Array<SharedArrayBuffer>;
  /** Kernel threads made so far, by name, in the order they were asked for. */
  readonly created: string[] = [];
  private readonly module: string;
  private readonly shake: number;
  private readonly died: Promise<never>;
  private onDeath: (error: unknown) => void = () => {};
  private stopped = false;
  private refusals = 0;

  /**
   * @param scenarios file name of the scenario module, beside this file
   * @param options `shake`: pause in one of so many atomic operations (shake.mjs), for races that need a third thread
   *   in a window of nanoseconds
   */
  constructor(scenarios: string, { cpus = 2, words = ARENA_WORDS, shake = 0 } = {}) {
    this.shake = shake;
    this.module = new URL(`./${scenarios}`, import.meta.url).href;
    this.m = layOutKernel(cpus, words);
    this.died = new Promise<never>((_, reject) => {
      this.onDeath = reject;
    });
    this.died.catch(() => {});
    labs.add(this);
    this.serve();
  }

  /** Zeroed words for the test's own use, on a cache line. */
  words(count: number): number {
    const at = kmalloc(this.m, count);
    if (at === 0) throw new Error(`the arena of the test is full: no room for ${count} words`);
    return at;
  }

  /** Runs an exported function as a thread in process context. Rejects as well when another thread dies. */
  run<T = unknown>(fn: string, args: object = {}, cpu = 0): Promise<T> {
    const taskAt = allocTask(this.m, 0, 0, cpu, KIND, fn);
    const job = { module: this.module, sab: this.m.buffer, taskAt, fn, args, shake: this.shake };
    const result = runJob(job).then((value) => {
      kfree(this.m, taskAt, TASK.SIZE);
      return value as T;
    });
    const raced = Promise.race([result, this.died]);
    // A test that failed before it looked is enough: no second report for the thread it left behind.
    raced.catch(() => {});
    return raced;
  }

  /** Runs it on `count` threads; each gets `id` (1 to count), `count` and a `gate` to meet at. */
  runAll<T = unknown>(count: number, fn: string, args: object = {}): Promise<T[]> {
    const gate = this.words(1);
    const ids = Array.from({ length: count }, (_, i) => i + 1);
    return Promise.all(ids.map((id) => this.run<T>(fn, { ...args, id, count, gate })));
  }

  /** Refuses the next `n` kernel threads that are asked for. */
  refuse(n: number): void {
    this.refusals = n;
  }

  /** Kernel threads serve until then. */
  stop(): void {
    this.stopped = true;
  }

  private serve(): void {
    const doorbell = KERNEL_AT + KERNEL.createDoorbell;
    const step = (): void => {
      if (this.stopped) return;
      const seen = Atomics.load(this.m, doorbell);
      const order: number[] = [];
      for (let t = kthreaddTakeRequests(this.m); t !== 0; t = this.m[t + TASK.createNext]) order.unshift(t);
      for (const t of order) this.create(t);
      const wait = Atomics.waitAsync(this.m, doorbell, seen);
      if (wait.async) void wait.value.then(step);
      else queueMicrotask(step);
    };
    step();
  }

  private create(t: number): void {
    if (this.refusals > 0) {
      this.refusals--;
      kthreaddFail(this.m, t, ENOMEM);
      return;
    }
    this.created.push(taskComm(this.m, t));
    const job = { module: this.module, sab: this.m.buffer, taskAt: t, fn: null, args: {}, shake: this.shake };
    runJob(job).catch((error) => {
      if (!this.stopped) this.onDeath(error);
    });
  }
}

const labs = new Set<KernelLab>();

/** Ticks of the clock that a worker gets to report the end of its job. */
const GRACE_TICKS = 20;

/** Ends what still runs, asleep or not: for afterEach. What has just come to its end stays warm. */
export async function stopLabs(): Promise<void> {
  for (const lab of labs) lab.stop();
  labs.clear();
  for (let i = 0; i < GRACE_TICKS && busy.size > 0; i++)
    await new Promise((resolve) => setTimeout(resolve, 1));
  const ending = [...busy];
  busy.clear();
  await Promise.all(ending.map((worker) => worker.terminate()));
}

/** Ends the warm workers, too: for afterAll. */
export async function endWorkers(): Promise<void> {
  await stopLabs();
  await Promise.all(idle.splice(0).map((worker) => worker.terminate()));
}
