// SPDX-License-Identifier: GPL-2.0-only
/** Applications: functions of a user's module, each in a thread of its own, with what they receive from and send by. */
import { checkInt, OptionError, SoftnetError } from './errors.js';
import { ENOMEM } from './kernel/errno.js';
import { putTaskStruct } from './kernel/kthread.js';
import { TASK } from './kernel/task.js';
import type { Machine } from './machine.js';
import { TASK_KIND_APP } from './net/core/ids.js';
import type { Sender } from './sender.js';
import type { Socket } from './socket.js';
import { type Kthreadd, newRecord } from './threads/kthreadd.js';
import type { Xsk } from './xsk.js';

/** An application to run in a thread of its own. */
export interface AppOptions {
  /** Its name, shown as `app/NAME`. */
  readonly name: string;
  /** Which export of the module to call; `default`. */
  readonly exportName?: string;
  /** Anything that can be cloned; `app.args` in the function. */
  readonly args?: unknown;
  /** What it receives from. */
  readonly sockets?: readonly Socket[];
  /** What it sends by. */
  readonly senders?: readonly Sender[];
  /** AF_XDP sockets it uses, each with its rings. */
  readonly xsks?: readonly Xsk[];
  /** Those of which it only makes the system calls: their rings are another thread's, or nobody's. */
  readonly xskPollers?: readonly Xsk[];
  /** The simulated CPU it counts as running on; the applications in turn. */
  readonly cpu?: number;
}

/** A running application. */
export interface App<T = unknown> {
  readonly name: string;
  /** What its function returned. Rejects when it throws or dies. */
  readonly result: Promise<T>;
}

/** How long applications get to return after their sockets were closed. */
const GRACE_MS = 5000;

/** What an application was given. */
interface Given {
  readonly sockets: readonly Socket[];
  readonly senders: readonly Sender[];
  readonly xsks: readonly Xsk[];
  readonly xskPollers: readonly Xsk[];
}

/** Those of one machine. */
export class Applications {
  private readonly machine: Machine;
  private readonly kthreadd: Kthreadd;
  private readonly running = new Set<Promise<unknown>>();

  constructor(machine: Machine, kthreadd: Kthreadd) {
    this.machine = machine;
    this.kthreadd = kthreadd;
  }

  /** See Machine.runApp. */
  async run<T>(module: string | URL, options: AppOptions): Promise<App<T>> {
    const { machine } = this;
    const { m, sab } = machine.arena;
    if (!this.kthreadd.hasRoom()) {
      throw new SoftnetError(`running app/${options.name}`, ENOMEM, 'allow more threads (maxThreads)');
    }
    const given = this.check(options);
    const name = `app/${options.name}`;
    const cpu = checkInt('cpu', options.cpu, this.running.size % machine.cpus, 0, machine.cpus - 1);
    const taskAt = machine.newTask(TASK_KIND_APP, name, cpu);
    const record = newRecord(name, TASK_KIND_APP, taskAt);
    take(given);
    const exit = this.kthreadd.run(
      {
        kind: 'app',
        sab,
        taskAt,
        module: module instanceof URL ? module.href : module,
        exportName: options.exportName ?? 'default',
        args: options.args,
        sockets: given.sockets.map((s) => s.at),
        senders: given.senders.map((s) => s.at),
        xsks: given.xsks.map((x) => x.at),
        xskPollers: given.xskPollers.map((x) => x.at),
        name: options.name,
      },
      record,
    );
    const result = machine.orDied(machine.lossIsFatal(record, exit)).then((e) => e.value as T);
    const ended = result
      .then(() => giveBack(given))
      // Its sockets are gone, with a grace period: nobody can be about to wake it.
      .then(() => putTaskStruct(m, taskAt))
      .catch(() => {})
      .finally(() => this.running.delete(ended));
    this.running.add(ended);
    await Promise.race([whenSet(m, taskAt + TASK.created), result]);
    return { name: options.name, result };
  }

  /** @returns what it is to have @throws OptionError for what it cannot have */
  private check(options: AppOptions): Given {
    const { sockets = [], senders = [], xsks = [], xskPollers = [] } = options;
    sockets.forEach((s, i) => {
      s.checkFreeFor(this.machine, sockets.indexOf(s) !== i);
    });
    try {
      structuredClone(options.args);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new OptionError('args', typeof options.args, `data that can be cloned (${why})`);
    }
    senders.forEach((s, i) => {
      s.checkFreeFor(this.machine, senders.indexOf(s) !== i);
    });
    xsks.forEach((x, i) => {
      x.checkFreeFor(this.machine, true, xsks.indexOf(x) !== i);
    });
    for (const x of xskPollers) x.checkFreeFor(this.machine, false, false);
    return { sockets, senders, xsks, xskPollers };
  }

  /** Waits until all have returned; the machine does not survive one that does not. */
  async ended(): Promise<void> {
    if (this.running.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve('late'), GRACE_MS);
    });
    const what = await Promise.race([Promise.allSettled([...this.running]), late]);
    clearTimeout(timer);
    if (what === 'late') {
      this.kthreadd.panic(
        new Error('an application did not return after its sockets were closed; return when recv gives null'),
      );
    }
  }
}

function take({ sockets, senders, xsks, xskPollers }: Given): void {
  for (const s of senders) s.take();
  for (const s of sockets) s.addReader();
  for (const x of xsks) x.addUser(true);
  for (const x of xskPollers) x.addUser(false);
}

async function giveBack({ sockets, senders, xsks, xskPollers }: Given): Promise<void> {
  await Promise.all([
    ...sockets.map((s) => s.readerGone()),
    ...senders.map((s) => s.gone()),
    ...xsks.map((x) => x.userGone(true)),
    ...xskPollers.map((x) => x.userGone(false)),
  ]);
}

/** Resolves when a word is no longer 0. */
async function whenSet(m: Int32Array, at: number): Promise<void> {
  while (Atomics.load(m, at) === 0) {
    const w = Atomics.waitAsync(m, at, 0);
    if (w.async) await w.value;
  }
}
