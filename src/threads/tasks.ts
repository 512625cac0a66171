// SPDX-License-Identifier: GPL-2.0-only
/** What the main thread tells a worker, and what it gets back. Plain data: it is cloned on the way. */
import type { ControlOp } from './control_ops.js';
import type { NicSource } from './feeds.js';

interface TaskBase {
  readonly sab: SharedArrayBuffer;
  /** The task_struct of the thread, filled in by whoever asked for it. */
  readonly taskAt: number;
}

/** A kernel thread: what it runs is in its task_struct. */
export interface KthreadTask extends TaskBase {
  readonly kind: 'kthread';
}

/** A control operation, in process context. */
export interface ControlTask extends TaskBase {
  readonly kind: 'control';
  readonly op: ControlOp;
}

/** The hardware of a NIC, fed from a source until that ends. */
export interface NicTask extends TaskBase {
  readonly kind: 'nic';
  /** The net_device's word index. */
  readonly dev: number;
  readonly source: NicSource;
  readonly whenFull: 'wait' | 'drop';
}

/** An application thread: a function of a module, with sockets to receive from. */
export interface AppTask extends TaskBase {
  readonly kind: 'app';
  /** Module URL and the name of its exported function. */
  readonly module: string;
  readonly exportName: string;
  readonly args: unknown;
  readonly sockets: readonly number[];
  readonly senders: readonly number[];
  readonly xsks: readonly number[];
  readonly xskPollers: readonly number[];
  readonly name: string;
}

export type ThreadTask = KthreadTask | ControlTask | NicTask | AppTask;

/** What a thread leaves behind. */
export interface ThreadExit {
  readonly value: unknown;
  readonly tid: number;
  readonly cpuNs: number | null;
  readonly runDelayNs: number | null;
  /** Times it went to sleep in schedule(). */
  readonly sleeps: number;
}

/** Words in which workers say, by number modulo these, that they have loaded; behind one that counts them. */
export const LOADED_SLOTS = 8192;

/** @returns the word of a worker */
export function loadedSlot(worker: number): number {
  return 1 + (worker % LOADED_SLOTS);
}
