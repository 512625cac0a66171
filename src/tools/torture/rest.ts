// SPDX-License-Identifier: GPL-2.0-only
/**
 * What must hold when nothing comes and nobody operates: everything drains, each frame and each buffer is accounted for,
 * nothing is owned without an owner, there are as many threads as the configuration wants.
 */
import { CPU } from '../../kernel/cpu.js';
import { KERNEL, KERNEL_AT } from '../../kernel/current.js';
import { TASK, TASK_INTERRUPTIBLE, TASK_PARKED } from '../../kernel/task.js';
import { perCpuPtr } from '../../mm/percpu.js';
import { TASK_KIND_BACKLOG, TASK_KIND_NAPI, TASK_KIND_NIC } from '../../net/core/ids.js';
import {
  NAPI,
  NAPIF_STATE_HAS_NOTIFIER,
  NAPIF_STATE_IN_BUSY_POLL,
  NAPIF_STATE_LISTED,
  NAPIF_STATE_MISSED,
  NAPIF_STATE_NO_BUSY_POLL,
  NAPIF_STATE_PREFER_BUSY_POLL,
  NAPIF_STATE_SCHED,
  NAPIF_STATE_SCHED_THREADED,
  NAPIF_STATE_THREADED,
  NAPIF_STATE_THREADED_BUSY_POLL,
} from '../../net/core/napi.js';
import { NAPI_THREAD_NODE } from '../../net/core/napi_thread.js';
import { NAPI_CONFIG, NET_DEVICE, napiConfigAt } from '../../net/core/net_device.js';
import { NET, SOFTNET_DATA, THREAD_BACKLOG_NAPI_OFF } from '../../net/core/softnet_data.js';
import { configErrors } from './config_check.js';
import { napisOf, pollListLength, stateBits, taskText } from './diagnose.js';
import { TortureFailure } from './operations.js';
import type { Watchdog } from './watchdog.js';
import type { World } from './world.js';

/** Bits that say nothing of who owns an instance. */
const NEUTRAL =
  NAPIF_STATE_LISTED | NAPIF_STATE_NO_BUSY_POLL | NAPIF_STATE_PREFER_BUSY_POLL | NAPIF_STATE_HAS_NOTIFIER;
/** Its thread will poll it without end from the next event on. */
const BUSY_IDLE = NAPIF_STATE_THREADED | NAPIF_STATE_THREADED_BUSY_POLL;
/** A thread polls it without end, in vain. */
const BUSY =
  NAPIF_STATE_SCHED |
  NAPIF_STATE_IN_BUSY_POLL |
  NAPIF_STATE_THREADED |
  NAPIF_STATE_SCHED_THREADED |
  NAPIF_STATE_THREADED_BUSY_POLL;

/** @returns true if nobody owns an instance of that state, or its busy thread does */
export function restful(state: number): boolean {
  const rest = state & ~NEUTRAL;
  if (rest === 0 || rest === NAPIF_STATE_THREADED || rest === BUSY_IDLE) return true;
  // An event that came while a busy thread has it stays noted until that completes, which it does not: it polls again anyway.
  return (rest & ~NAPIF_STATE_MISSED) === BUSY;
}

export class Rest {
  private readonly world: World;
  private readonly watch: Watchdog;
  private readonly m: Int32Array;
  /** Times that everything was found at rest. */
  count = 0;

  constructor(world: World, watch: Watchdog) {
    this.world = world;
    this.watch = watch;
    this.m = world.machine.arena.m;
  }

  /** Brings everything to rest, the contexts wait at the gate, and checks it. @throws TortureFailure */
  async check(): Promise<void> {
    const { world, watch } = this;
    // What waits in the rings of a link that is down would be missing.
    for (const slot of world.slots) {
      const wasUp = slot.model.up.isSurely(true);
      await world.device(
        'rest',
        slot,
        'link',
        'up',
        (d) => d.up(),
        (a) => {
          slot.model.up.write(true, a);
          if (!wasUp) slot.model.readded(a);
        },
      );
    }
    for (const { device, label } of world.slots) {
      if (device === null) continue;
      let drained = false;
      const done = device.drained().then(() => {
        drained = true;
      });
      done.catch(() => {});
      await watch.until(
        `${label} does not drain: work, and nobody at it`,
        () => drained,
        () => this.progress(),
      );
    }
    await this.settled('a socket has frames that nobody reads', () =>
      [...world.accounts.sockets].every((s) => s.queued === 0),
    );
    await this.balanced();
    await this.settled(
      'buffers are missing from a pool',
      () => this.poolsMissing().length === 0,
      () => this.poolsMissing(),
    );
    await this.settled(
      'something is owned that should rest',
      () => this.owned().length === 0,
      () => this.owned(),
    );
    this.checkThreads();
    await world.ops.run('rest', 'rcu', 'a grace period at rest', async () => {
      const socket = await world.machine.openUdp({ port: 1, capacity: 2 });
      await socket.close();
      await socket.released();
    });
    const errors = await configErrors(world);
    if (errors.length > 0) {
      throw new TortureFailure(`the configuration is not what the operations imply: ${errors[0]}`, errors);
    }
    this.count++;
  }

  private settled(what: string, condition: () => boolean, state?: () => readonly string[]): Promise<void> {
    return this.watch.until(what, condition, () => this.progress(), state);
  }

  private async balanced(): Promise<void> {
    const { world } = this;
    const missing = (): number => (world.arrived() - world.delivered() - world.dropped()) | 0;
    await this.watch.until(
      'frames are not accounted for',
      () => missing() === 0,
      () => String(missing()),
      () => [
        `${world.arrived()} came = ${world.delivered()} delivered + ${world.dropped()} dropped + ${missing()}`,
      ],
    );
  }

  /** Changes while anything is on its way. */
  private progress(): string {
    const { world, m } = this;
    let work = 0;
    for (const { device } of world.slots) {
      if (device === null) continue;
      for (const at of napisOf(m, device.at)) work = (work + m[at + NAPI.work]) | 0;
      for (const q of device.queueStats()) work = (work + q.buffersFree) | 0;
    }
    return `${work} ${world.arrived()} ${world.delivered()} ${world.dropped()}`;
  }

  private poolsMissing(): string[] {
    return this.world.slots.flatMap(({ device, label, poolSize }) =>
      device === null
        ? []
        : device
            .queueStats()
            .flatMap((q, i) =>
              q.buffersFree === poolSize
                ? []
                : [`${label} queue ${i}: ${q.buffersFree} of ${poolSize} buffers`],
            ),
    );
  }

  /** What is owned, or awake, or waits for a thread that sleeps. */
  private owned(): string[] {
    const { world, m } = this;
    const found: string[] = [];
    const state = (what: string, at: number): number => {
      const seen = Atomics.load(m, at + NAPI.state);
      if (!restful(seen)) found.push(`${what}: ${stateBits(seen)}`);
      return seen;
    };
    for (const { device, label } of world.slots) {
      if (device === null) continue;
      for (const at of napisOf(m, device.at)) {
        const what = `${label} napi ${m[at + NAPI.index]}`;
        const busy = (state(what, at) & NAPIF_STATE_THREADED_BUSY_POLL) !== 0;
        const node = m[at + NAPI.threadNode];
        if (node !== 0 && !busy) this.expect(found, m[node + NAPI_THREAD_NODE.task], TASK_INTERRUPTIBLE);
      }
      for (const node of this.parkedNodes(device.at)) {
        this.expect(found, m[node + NAPI_THREAD_NODE.task], TASK_PARKED);
      }
    }
    const net = m[KERNEL_AT + KERNEL.net];
    const threaded =
      m[net + NET.threadBacklogNapi] !== THREAD_BACKLOG_NAPI_OFF || m[net + NET.backlogThreaded] !== 0;
    for (let i = 0; i < world.machine.cpus; i++) {
      const sd = perCpuPtr(m[net + NET.softnetData], SOFTNET_DATA, i);
      const cpu = perCpuPtr(m[KERNEL_AT + KERNEL.cpus], CPU, i);
      const backlog = state(`backlog of CPU ${i}`, sd + SOFTNET_DATA.backlog);
      if (((backlog & NAPIF_STATE_THREADED) !== 0) !== threaded) {
        found.push(`backlog of CPU ${i} is ${threaded ? 'not ' : ''}its thread’s: ${stateBits(backlog)}`);
      }
      const frames = m[sd + SOFTNET_DATA.inputQlen] + m[sd + SOFTNET_DATA.processQlen];
      const listed = pollListLength(m, sd);
      if (frames > 0) found.push(`backlog of CPU ${i}: ${frames} frames`);
      if (listed > 0) found.push(`poll list of CPU ${i}: ${listed} instances`);
      // A bit that was raised while the CPU went is looked at when it is back.
      const online = Atomics.load(m, cpu + CPU.online) !== 0;
      if (online && Atomics.load(m, cpu + CPU.softirqPending) !== 0)
        found.push(`CPU ${i} has softirqs pending`);
    }
    return found;
  }

  private expect(found: string[], task: number, state: number): void {
    const { m } = this;
    if (Atomics.load(m, task + TASK.state) !== state) found.push(taskText(m, task));
  }

  private parkedNodes(dev: number): number[] {
    const { m } = this;
    const nodes: number[] = [];
    for (let i = 0; i < m[dev + NET_DEVICE.maxQueues]; i++) {
      const config = napiConfigAt(m, dev, i);
      const node = config === 0 ? 0 : m[config + NAPI_CONFIG.threadNode];
      if (node !== 0) nodes.push(node);
    }
    return nodes;
  }

  /** Threads kept for queue indices that are not to have one. */
  private parkedInVain(dev: number, label: string): string[] {
    const { m } = this;
    const lines: string[] = [];
    for (let i = 0; i < m[dev + NET_DEVICE.maxQueues]; i++) {
      const config = napiConfigAt(m, dev, i);
      if (config === 0 || m[config + NAPI_CONFIG.threadNode] === 0 || m[config + NAPI_CONFIG.threaded] !== 0)
        continue;
      lines.push(
        `${label} index ${i} is disabled: ${taskText(m, m[m[config + NAPI_CONFIG.threadNode] + NAPI_THREAD_NODE.task])}`,
      );
    }
    return lines;
  }

  /** There are as many threads as instances, configs and backlogs have. @throws TortureFailure */
  private checkThreads(): void {
    const { world, m } = this;
    let napi = 0;
    for (const { device } of world.slots) {
      if (device === null) continue;
      napi += napisOf(m, device.at).filter((at) => m[at + NAPI.threadNode] !== 0).length;
      napi += this.parkedNodes(device.at).length;
    }
    const net = m[KERNEL_AT + KERNEL.net];
    let backlog = 0;
    for (let i = 0; i < world.machine.cpus; i++) {
      const sd = perCpuPtr(m[net + NET.softnetData], SOFTNET_DATA, i);
      if (m[sd + SOFTNET_DATA.backlogTask] !== 0) backlog++;
    }
    const idle = world.slots.flatMap(({ device, label }) =>
      device === null ? [] : this.parkedInVain(device.at, label),
    );
    if (idle.length > 0) throw new TortureFailure('threads leaked: nothing will use them', idle);
    const wanted: [string, number, number][] = [
      ['NAPI', TASK_KIND_NAPI, napi],
      ['backlog', TASK_KIND_BACKLOG, backlog],
      ['NIC', TASK_KIND_NIC, 0],
    ];
    const wrong = wanted.flatMap(([name, kind, n]) => {
      const { alive } = world.machine.threadsOfKind(kind);
      return alive === n ? [] : [`${alive} ${name} threads, the configuration wants ${n}`];
    });
    if (wrong.length > 0) throw new TortureFailure('threads leaked, or are missing', wrong);
  }
}
