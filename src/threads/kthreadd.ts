// SPDX-License-Identifier: GPL-2.0-only
/**
 * kthreadd: the main thread's part in making threads (Linux: kernel/kthread.c). It owns the pool of workers; threads
 * that end go back to it warm. It never blocks.
 */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { ENOMEM } from '../kernel/errno.js';
import { getTaskStruct, kthreaddFail, kthreaddTakeRequests, putTaskStruct } from '../kernel/kthread.js';
import { TASK, TASK_DEAD, taskComm } from '../kernel/task.js';
import { LOADED_SLOTS, loadedSlot, type ThreadExit, type ThreadTask } from './tasks.js';
import type { TraceHello } from './trace_ring.js';

/** Most time that the end waits for workers to load, ms: on a host with many times more to do than it has cores, too. */
const LOAD_MS = 60_000;

/** Most time between two looks at who still loads, ms. */
const LOAD_LOOK_MS = 50;

/** Threads remembered after they have ended: the latest ones. */
const ENDED_THREADS = 1024;

/** A thread the machine has or had. */
export interface ThreadRecord {
  readonly name: string;
  /** TASK_KIND_* */
  readonly kind: number;
  /** Kernel thread id; 0 until it runs, and where it is not available. */
  tid: number;
  /** Which of all threads it was, counted from 1. */
  serial: number;
  /** Its task_struct until its worker has reported its end (kthreadd holds a reference so long), 0 afterwards. */
  taskAt: number;
  /** Times it went to sleep, CPU time and run delay: final ones once it has ended. */
  sleeps: number;
  cpuNs: number | null;
  runDelayNs: number | null;
}

/** Called once when a thread dies that should not. */
export type PanicFn = (error: Error) => void;

export class Kthreadd {
  threads: ThreadRecord[] = [];
  private made = 0;
  /** Threads made so far, by TASK_KIND_*. */
  readonly madeByKind: number[] = [];
  private readonly m: Int32Array;
  private readonly sab: SharedArrayBuffer;
  /** Who has loaded its modules (worker.ts): how many in all, and by number, modulo, who did. */
  private readonly loaded = new Int32Array(new SharedArrayBuffer((1 + LOADED_SLOTS) * 4));
  private readonly pool: Piscina;
  private readonly maxThreads: number;
  /** Workers that stay free for control operations. */
  private readonly controlWorkers: number;
  private readonly onPanic: PanicFn;
  /** A thread has made its ring of trace events. */
  onTrace: (hello: TraceHello) => void = () => {};
  private running = 0;
  private requests = 0;
  private failAt: number;
  private stopped = false;
  private stopping: Promise<void> | null = null;

  /**
   * @param controlWorkers control operations that run at a time: so many workers stay free for them
   * @param heapMib most MiB of heap that a worker may have, 0: Node's own limit
   * @param failAt the how manieth request for a kernel thread is refused (fault injection), 0: none
   */
  constructor(
    sab: SharedArrayBuffer,
    minThreads: number,
    maxThreads: number,
    controlWorkers: number,
    failAt: number,
    heapMib: number,
    onPanic: PanicFn,
  ) {
    this.sab = sab;
    this.m = new Int32Array(sab);
    this.maxThreads = maxThreads;
    this.controlWorkers = controlWorkers;
    this.failAt = failAt;
    this.onPanic = onPanic;
    this.pool = new Piscina({
      filename: new URL('./worker.js', import.meta.url).href,
      minThreads: Math.min(minThreads, maxThreads),
      maxThreads,
      idleTimeout: Number.POSITIVE_INFINITY,
      concurrentTasksPerWorker: 1,
      atomics: 'sync',
      trackUnmanagedFds: false,
      recordTiming: false,
      workerData: this.loaded.buffer,
      ...(heapMib === 0 ? {} : { resourceLimits: { maxOldGenerationSizeMb: heapMib } }),
    });
    this.pool.on('error', (error: unknown) => this.onPanic(asError(error)));
    this.pool.on('message', (message: Partial<TraceHello>) => {
      if (message.softnetTrace !== undefined) this.onTrace(message as TraceHello);
    });
  }

  /** Serves requests for kernel threads until `stop`. */
  serve(): void {
    const word = KERNEL_AT + KERNEL.createDoorbell;
    const step = (): void => {
      if (this.stopped) return;
      const seen = Atomics.load(this.m, word);
      this.takeRequests();
      const w = Atomics.waitAsync(this.m, word, seen);
      if (w.async) void w.value.then(step);
      else queueMicrotask(step);
    };
    step();
  }

  /** Lets the next `n`th request for a kernel thread fail (fault injection); 0: none. */
  failNth(n: number): void {
    this.requests = 0;
    this.failAt = n;
  }

  /**
   * Fault injection: ends the worker of a thread in the middle of whatever it does.
   * @param serial the thread's number (ThreadRecord.serial)
   * @returns false if it does not run
   */
  endWorker(serial: number): boolean {
    const record = this.threads.find((r) => r.serial === serial);
    if (record === undefined || record.taskAt === 0) return false;
    const { taskAt } = record;
    if (Atomics.load(this.m, taskAt + TASK.started) === 0) return false;
    if (Atomics.load(this.m, taskAt + TASK.state) === TASK_DEAD) return false;
    const worker = this.pool.threads.find((w) => w.threadId === this.m[taskAt + TASK.worker]);
    void worker?.terminate();
    return worker !== undefined;
  }

  /** @returns the number of the worker that runs a thread, or null if it does not run */
  workerOf(serial: number): number | null {
    const record = this.threads.find((r) => r.serial === serial);
    if (record === undefined || record.taskAt === 0) return null;
    if (Atomics.load(this.m, record.taskAt + TASK.started) === 0) return null;
    return this.m[record.taskAt + TASK.worker];
  }

  /** @returns workers that exist */
  get workers(): number {
    return this.pool.threads.length;
  }

  /** @returns true if one more thread can be had beside those reserved for control */
  hasRoom(): boolean {
    return this.running < this.maxThreads - this.controlWorkers;
  }

  /**
   * Runs a thread that is no kernel thread (application, NIC, control).
   * @returns what it left; rejects if it died
   */
  async run(task: ThreadTask, record: ThreadRecord): Promise<ThreadExit> {
    // Control operations have a worker reserved, and are no threads that anybody counts.
    const counted = task.kind === 'control' ? 0 : 1;
    if (counted === 1) this.remember(record);
    this.running += counted;
    try {
      const exit = await this.start(task);
      this.finish(record, exit);
      return exit;
    } finally {
      this.running -= counted;
    }
  }

  /** A thread was lost, or the machine cannot go on: the machine is told, once. */
  panic(error: Error): void {
    if (!this.stopped) this.onPanic(error);
  }

  /** Ends all workers, whatever they do. Once: a second call waits for the first. */
  stop(): Promise<void> {
    this.stopping ??= this.doStop();
    return this.stopping;
  }

  private async doStop(): Promise<void> {
    this.stopped = true;
    Atomics.add(this.m, KERNEL_AT + KERNEL.createDoorbell, 1);
    Atomics.notify(this.m, KERNEL_AT + KERNEL.createDoorbell);
    // A worker that dies from here on must not be replaced.
    (this.pool.options as { minThreads: number }).minThreads = 0;
    await this.workersLoaded();
    await this.pool.destroy();
    // Those that reported too late to be heard have ended, too.
    for (const record of this.threads) {
      record.sleeps = record.taskAt === 0 ? record.sleeps : this.m[record.taskAt + TASK.nvcsw];
      record.taskAt = 0;
    }
  }

  /** To end a worker while it loads modules can bring the whole process down (Node 20): waits for those that do. */
  private async workersLoaded(): Promise<void> {
    const deadlineMs = performance.now() + LOAD_MS;
    for (;;) {
      const seen = Atomics.load(this.loaded, 0);
      const leftMs = deadlineMs - performance.now();
      // One that took the place of one that died may be loading yet, so they are looked for one by one. Below 0: it has ended.
      const loading = this.pool.threads.some(
        ({ threadId: id }) => id > 0 && Atomics.load(this.loaded, loadedSlot(id)) !== id,
      );
      if (!loading || leftMs <= 0) return;
      // One that dies while it loads tells nobody.
      const w = Atomics.waitAsync(this.loaded, 0, seen, Math.min(leftMs, LOAD_LOOK_MS));
      if (w.async) await w.value;
    }
  }

  private takeRequests(): void {
    // The chain is newest first; threads are made in the order they were asked for.
    const order: number[] = [];
    for (let t = kthreaddTakeRequests(this.m); t !== 0; t = this.m[t + TASK.createNext]) order.unshift(t);
    for (const t of order) this.create(t);
  }

  private create(t: number): void {
    this.requests++;
    if (!this.hasRoom() || this.requests === this.failAt) {
      kthreaddFail(this.m, t, ENOMEM);
      return;
    }
    const record = newRecord(taskComm(this.m, t), this.m[t + TASK.kind], t);
    this.remember(record);
    this.running++;
    // Whoever stops the thread may be done with it before its worker reports: the record must not lead to freed memory.
    getTaskStruct(this.m, t);
    this.start({ kind: 'kthread', sab: this.sab, taskAt: t }).then(
      (exit) => {
        this.running--;
        this.finish(record, exit);
        putTaskStruct(this.m, t);
      },
      (error: unknown) => {
        this.running--;
        if (this.stopped) return;
        if (Atomics.load(this.m, t + TASK.started) === 0) {
          this.threads.splice(this.threads.indexOf(record), 1);
          putTaskStruct(this.m, t);
          kthreaddFail(this.m, t, ENOMEM);
        } else {
          this.onPanic(threadDied(record.name, error));
        }
      },
    );
  }

  /** Async, so that a worker the system refuses (which throws at once) rejects like one that dies later. */
  private async start(task: ThreadTask): Promise<ThreadExit> {
    if (this.stopped) throw new Error('the pool of threads is stopped');
    return (await this.pool.run(task)) as ThreadExit;
  }

  /** Notes a thread; of those that have ended only so many are kept. */
  private remember(record: ThreadRecord): void {
    record.serial = ++this.made;
    this.madeByKind[record.kind] = (this.madeByKind[record.kind] ?? 0) + 1;
    this.threads.push(record);
    if (this.threads.length < 2 * ENDED_THREADS) return;
    const ended = this.threads.filter((r) => r.taskAt === 0).slice(0, -ENDED_THREADS);
    const dropped = new Set(ended);
    this.threads = this.threads.filter((r) => !dropped.has(r));
  }

  private finish(record: ThreadRecord, exit: ThreadExit): void {
    record.tid = exit.tid;
    record.sleeps = exit.sleeps;
    record.cpuNs = exit.cpuNs;
    record.runDelayNs = exit.runDelayNs;
    record.taskAt = 0;
  }
}

/** Makes the record of a thread about to run. */
export function newRecord(name: string, kind: number, taskAt: number): ThreadRecord {
  return { name, kind, tid: 0, serial: 0, taskAt, sleeps: 0, cpuNs: null, runDelayNs: null };
}

/** The error of a run that lost a thread: names thread and cause. */
export function threadDied(name: string, error: unknown): Error {
  const cause = asError(error);
  return new Error(`thread ${name} died: ${cause.message}`, { cause });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Threads a pool may have at most by default: memory, at about 10 MB each, is what limits them. */
export const DEFAULT_MAX_THREADS = Math.max(64, 4 * availableParallelism());
