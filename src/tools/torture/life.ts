// SPDX-License-Identifier: GPL-2.0-only
/** One machine of a run, from boot to shutdown: contexts that operate on it, rests in which it is checked. */
import { type BootOptions, boot, type Machine } from '../../index.js';
import type { ClientFaults } from './client_faults.js';
import { controlContext, onoffContext } from './contexts.js';
import type { Counts } from './counts.js';
import { newSlot, removeDevice } from './devices.js';
import { machineLines } from './diagnose.js';
import { faultContext } from './faults.js';
import { Gate } from './gate.js';
import { bury, sleep, tellsOf } from './life_end.js';
import { Operations, TortureFailure } from './operations.js';
import type { TortureOptions } from './options.js';
import { FAULT_NAMES, type FaultName, PROFILES } from './profiles.js';
import { Random } from './random.js';
import { Rest } from './rest.js';
import { shuffleContext } from './shuffle.js';
import { catchAll, type Reader, socketLives, xskLives } from './sockets.js';
import { traceLines } from './trace_lines.js';
import { Watchdog } from './watchdog.js';
import { loopback, wires } from './wires.js';
import { type Context, World } from './world.js';

const MIB = 1 << 20;
/** Heap of each thread where one is to die for want of it: what readers and collections need many times over. */
const HEAP_MIB = 64;
/** A cache line behind each object. */
const GUARD_WORDS = 16;

/** How a life ended. */
export interface LifeEnd {
  /** null: as it should. */
  readonly failure: { readonly message: string; readonly details: readonly string[] } | null;
  /** A thread was ended on purpose, and the machine with it. */
  readonly died: boolean;
}

/** Looks of the watchdog in which a machine must have told of a thread that died. */
const DEATH_LOOKS = 30;

export class Life {
  readonly world: World;
  readonly ops: Operations;
  readonly gate: Gate;
  readonly watch: Watchdog;
  private readonly o: TortureOptions;
  private readonly rest: Rest;
  private readonly seed: number;
  private readonly failed: Promise<never>;
  private fail: (error: Error) => void = () => {};
  private reader: Reader | null = null;
  /** How often each fault was injected. */
  readonly faults: { [name: string]: number } = {};
  /** The server whose clients go away. */
  clients: ClientFaults | null = null;
  /** The thread that is being ended on purpose, and the machine with it. */
  private dying: { thread: string; fault: FaultName; diedMs: Float64Array } | null = null;
  /** Applications that were run to die. */
  deaths = 0;
  private deathMs = 0;
  private died: Error | null = null;
  private onDeath: () => void = () => {};

  private constructor(o: TortureOptions, seed: number, machine: Machine, persist: 'off' | 'fixed') {
    this.o = o;
    this.seed = seed;
    this.ops = new Operations();
    this.gate = new Gate();
    this.failed = new Promise<never>((_, reject) => {
      this.fail = reject;
    });
    this.failed.catch(() => {});
    const profile = PROFILES[o.profile];
    this.world = new World(machine, { ops: this.ops, gate: this.gate, profile, persist, seed });
    this.watch = new Watchdog(this.world, o.stall, (error) => this.fault(error));
    this.world.until = this.watch.until.bind(this.watch);
    this.rest = new Rest(this.world, this.watch);
  }

  /** Boots a machine with options by chance. */
  static async begin(o: TortureOptions, seed: number): Promise<Life> {
    const random = Random.of(seed, 'boot');
    const cpus = o.cpus === 0 ? random.between(2, 4) : o.cpus;
    const persist = random.chance(0.7) ? 'fixed' : 'off';
    const options: BootOptions = {
      cpus,
      memoryBytes: 256 * MIB,
      controlWorkers: Math.min(64, o.threads + 2),
      maxThreads: 4 * cpus + 10 * o.devices + 3 * o.threads + 48,
      warmThreads: 4,
      napiKthreadPersist: persist,
      guardWords: o.guard ? GUARD_WORDS : 0,
      threadBacklogNapi: random.pick(['off', 'off', 'on', 'no-bypass'] as const),
      busyPollStop: random.pick(['linux', 'counted'] as const),
      netdevBudget: random.pick([64, 300]),
      clockFaults: (o.faults['clock-jump'] ?? 0) > 0,
      ...((o.faults['worker-oom'] ?? 0) > 0 ? { workerHeapMib: HEAP_MIB } : {}),
    };
    const life = new Life(o, seed, await boot(options), persist);
    const { world } = life;
    if (o.trace > 0) world.machine.recordLatest();
    world.machine.panic.catch((error: Error) => life.fault(error));
    return life;
  }

  /** Lives for `ms` from its boot on. @returns how it ended; never rejects */
  async run(ms: number, stopped: AbortSignal): Promise<LifeEnd> {
    const death = new Promise<'died'>((resolve) => {
      this.onDeath = () => resolve('died');
    });
    try {
      const living = this.live(performance.now() + ms, stopped);
      // After a death it rejects, too.
      living.catch((error: Error) => this.fault(error));
      const end = await Promise.race([living, this.failed, death]);
      if (end === 'died') {
        this.gate.end();
        await bury(this.world.machine, this.died as Error);
      }
      return { failure: null, died: end === 'died' };
    } catch (error) {
      const e = error instanceof Error ? error : new Error(String(error));
      const details = [
        ...(e instanceof TortureFailure ? e.details : []),
        ...machineLines(this.world),
        ...traceLines(this.world.machine, this.o.trace),
      ];
      this.gate.end();
      await this.world.machine.abandon(e);
      return { failure: { message: e.message, details }, died: false };
    } finally {
      this.watch.stop();
      await this.clients?.stop();
    }
  }

  /** What it has done so far. */
  counts(): Counts {
    const { world, ops } = this;
    return {
      operations: ops.total,
      refused: ops.refused,
      frames: world.arrived(),
      delivered: world.delivered(),
      dropped: world.dropped(),
      rests: this.rest.count,
      machines: 1,
      threads_made: world.machine.threadsMade,
      longest_operation_ms: Math.round(ops.slowestMs),
      longest_death_ms: Math.ceil(this.deathMs),
      faults: { ...this.faults },
    };
  }

  /**
   * Ends a thread on purpose. The machine must say so, with its name, at once; the life is over then.
   * @param kill ends it; false: it did not run any more
   * @param diedMs a double: when it was last alive, on the clock of the host, ms
   */
  async dieOf(thread: string, fault: FaultName, kill: () => boolean, diedMs: Float64Array): Promise<boolean> {
    if (this.dying !== null) return false;
    this.dying = { thread, fault, diedMs };
    const { world } = this;
    let alive = diedMs[0];
    let since = this.watch.looksSo;
    if (!kill()) {
      this.dying = null;
      return false;
    }
    while (this.died === null && !this.gate.over) {
      if (diedMs[0] !== alive) since = this.watch.looksSo;
      alive = diedMs[0];
      // One that has not begun to die yet may have to wait for a core.
      if (this.watch.looksSo - since > (alive === 0 ? this.watch.operationLimit : DEATH_LOOKS)) {
        // One that ended just then of its own accord is missed by nobody.
        if (!world.machine.threads().some((t) => t.running && t.name === thread)) break;
        throw new TortureFailure(`${thread} was ended, and the machine does not say so`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (this.died === null) this.dying = null;
    return this.died !== null;
  }

  /** Something is wrong, unless it is what a thread's end on purpose must lead to. */
  private fault(error: Error): void {
    if (this.dying !== null && tellsOf(error, this.dying)) {
      if (this.died === null)
        this.deathMs = performance.timeOrigin + performance.now() - this.dying.diedMs[0];
      this.died ??= error;
      this.faults[this.dying.fault] = 1;
      this.onDeath();
      return;
    }
    // What is under way when the machine has died rejects in its own way.
    if (this.died === null) this.fail(error);
  }

  private async live(untilMs: number, stopped: AbortSignal): Promise<void> {
    const { world, o, gate } = this;
    this.watch.start();
    this.reader = await catchAll(this.context('all'));
    world.lo = await world.machine.addLoopback();
    for (let i = 0; i < o.devices; i++) world.slots.push(newSlot(i));
    for (const run of this.contexts()) {
      void gate.enter(run).catch((error: Error) => this.fault(error));
    }
    while (performance.now() < untilMs && !stopped.aborted) {
      const leftMs = untilMs - performance.now();
      const workMs = o.stutter === 0 ? leftMs : Math.min(leftMs, o.stutter * 1000);
      await sleep(workMs, stopped);
      await this.stutter();
    }
    await this.end();
  }

  /** Everybody stops; everything is checked; everybody goes on. */
  private async stutter(): Promise<void> {
    await this.allAtTheGate();
    await this.rest.check();
    await this.clients?.check(this.context('rest'));
    this.world.nextEpoch();
    if (this.gate.over) return;
    this.gate.open();
  }

  private async allAtTheGate(): Promise<void> {
    let closed = false;
    void this.gate.close().then(() => {
      closed = true;
    });
    const { gate, watch } = this;
    const underWay = (): string[] => [...this.ops.underWay].map((o) => `${o.context} is at: ${o.what}`);
    await watch.until(
      'a context does not come to rest',
      () => closed,
      () => String(gate.away),
      underWay,
    );
  }

  /** Takes everything away and shuts the machine down; nothing is left. */
  private async end(): Promise<void> {
    const { world, ops, gate } = this;
    await this.allAtTheGate();
    const c = this.context('end');
    for (const slot of world.slots) await removeDevice(c, slot);
    const reader = this.reader;
    if (reader !== null) {
      await ops.run('end', 'socket', 'the last socket closed', () => reader.socket.close());
      await ops.run('end', 'app', 'its reader ends', () => reader.app.result);
    }
    gate.end();
    world.closeAccounts();
    await ops.run('end', 'shutdown', 'shutdown', () => world.machine.shutdown());
  }

  private context(name: string): Context {
    return { world: this.world, name, random: Random.of(this.seed, name) };
  }

  private contexts(): (() => Promise<void>)[] {
    const { world, o } = this;
    const { weights } = world.profile;
    const runs: (() => Promise<void>)[] = [];
    for (let i = 0; i < o.devices; i += 2) {
      runs.push(() => wires(this.context(`wire${i}`), world.slots.slice(i, i + 2)));
    }
    for (let i = 0; i < o.threads; i++) runs.push(() => controlContext(this.context(`control${i}`)));
    runs.push(() => loopback(this.context('lo')));
    if ((weights.socket ?? 0) > 0) runs.push(() => socketLives(this.context('socket')));
    if ((weights.xsk ?? 0) > 0) runs.push(() => xskLives(this.context('xsk')));
    if (o.shuffleInterval > 0) {
      const onShuffle = (): void => {
        this.faults.shuffles = (this.faults.shuffles ?? 0) + 1;
      };
      runs.push(() => shuffleContext(this.context('shuffle'), o.shuffleInterval, onShuffle));
    }
    for (const fault of FAULT_NAMES) {
      const rate = o.faults[fault] ?? 0;
      if (rate > 0) runs.push(() => faultContext(this.context(fault), this, fault, rate));
    }
    if (o.onoffInterval > 0) runs.push(() => onoffContext(this.context('onoff'), o.onoffInterval));
    return runs;
  }
}
