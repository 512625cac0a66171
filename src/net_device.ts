// SPDX-License-Identifier: GPL-2.0-only
/** A network device, as the main thread sees it: control operations, and the wire that feeds it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Cable } from './cable.js';
import { CaptureError } from './drivers/net/capture/capture_error.js';
import { NIC_QUEUE, NIC_STOP, nicQueueAt, POLL_SIZES, SIM_NIC } from './drivers/net/sim_nic.js';
import type { TimedParams } from './drivers/net/sim_nic_timed_make.js';
import { checkChoice, checkGivenInt, checkInt, OptionError, SoftnetError } from './errors.js';
import { EBUSY, ENOMEM } from './kernel/errno.js';
import { IRQ_DESC } from './kernel/irq.js';
import { putTaskStruct } from './kernel/kthread.js';
import type { Machine } from './machine.js';
import { ringLength } from './mm/ring.js';
import { TASK_KIND_NIC } from './net/core/ids.js';
import { NAPI, NAPIF_STATE_IN_BUSY_POLL, NAPIF_STATE_SCHED } from './net/core/napi.js';
import {
  NET_DEVICE,
  NETDEV_NAPI_THREADED_BUSY_POLL,
  NETDEV_NAPI_THREADED_DISABLED,
  NETDEV_NAPI_THREADED_ENABLED,
  netdevName,
} from './net/core/net_device.js';
import { pagePoolInside } from './net/core/page_pool.js';
import { type NapiInfo, type NetdevParams, RING_FAULTS, type RingFault } from './threads/control_ops.js';
import {
  type CaptureFeed,
  type GeneratorFeed,
  maxFlows,
  type NicResult,
  type NicSource,
  type Pace,
} from './threads/feeds.js';
import { newRecord } from './threads/kthreadd.js';
import { type TimedOptions, TimedWire, timedParams } from './timed_wire.js';
import { type TxCounters, txCounters } from './uapi/devices.js';
import { Vhost, type VhostOptions } from './vhost.js';

/** What feeding a device came to. */
export interface WireResult {
  /** Frames that came over the wire. */
  readonly frames: number;
  readonly bytes: number;
  readonly durationNs: number;
  readonly startNs: number;
  readonly endNs: number;
  readonly stopped: boolean;
  readonly warnings: readonly string[];
}

/** Counters of one queue. */
export interface QueueStats {
  readonly interrupts: number;
  readonly handled: number;
  readonly frames: number;
  /** Buffers that are in the pool or posted; the others are on their way or with applications. */
  readonly buffersFree: number;
  /** Polls that took 0, 1, 2 to 3, 4 to 7, 8 to 15, 16 to 31, 32 to 63, 64 and more frames (each wraps at 2^32). */
  readonly pollSizes: readonly number[];
  /** Descriptors dropped because they reported what the device cannot have received (wraps); drops() has them as rx_bad_desc. */
  readonly badDescs: number;
  /** Looks at a ring whose index the device had set wrong (wraps). */
  readonly badIndices: number;
  /** Interrupts and descriptors that injected faults swallowed and made up (wrap). */
  readonly lostInterrupts: number;
  readonly madeUpDescs: number;
}

/** What a device sent. */
export interface TxStats {
  /** Frames that left (wraps at 2^32), and their bytes. */
  readonly frames: number;
  readonly bytes: number;
  /** Frames that did not: the link was down. */
  readonly dropped: number;
}

const REMOVED = 'the device was removed; add another one';

export type { NetDeviceOptions } from './net_device_options.js';

export class NetDevice {
  /** Most channels it can have. */
  readonly maxQueues: number;
  private readonly machine: Machine;
  private readonly where: number;
  private readonly napi: boolean;
  private removed = false;
  /** What it had sent when it was removed. */
  private lastSent: TxCounters | null = null;
  private removing: Promise<void> | null = null;
  private feeding: Promise<unknown> | null = null;
  private cable: Cable | null = null;
  /** What `drained` saw of instances that are polled without end. */
  private readonly looks = new Map<number, { readonly work: number; readonly emptyPolls: number }>();
  /** The timed wire that is plugged in or about to be. */
  private timed: Promise<TimedWire> | null = null;
  /** The machine in front, if it has one or is about to. */
  private vhost: Promise<Vhost> | null = null;

  constructor(machine: Machine, params: NetdevParams, at: number) {
    this.machine = machine;
    this.maxQueues = params.maxQueues;
    this.where = at;
    this.napi = params.napi;
  }

  /** @returns true if it is a device of that machine. For Machine. */
  belongsTo(machine: Machine): boolean {
    return machine === this.machine;
  }

  /** Word index of its net_device. Throws once it was removed. */
  get at(): number {
    if (this.removed) throw new Error(REMOVED);
    return this.where;
  }

  /** Its name now. */
  get name(): string {
    return netdevName(this.machine.arena.m, this.at);
  }

  /** Channels in use. */
  get queues(): number {
    return this.machine.arena.m[this.at + NET_DEVICE.queues];
  }

  /** Another number of channels, under traffic or not (ethtool -L combined). */
  async setChannels(combined: number): Promise<void> {
    await this.machine.change(
      {
        name: 'netdev-channels',
        dev: this.at,
        combined: checkGivenInt('combined', combined, 1, this.maxQueues),
      },
      `changing the channels of ${this.name}`,
      this.remedy('boot with more memory, or allow more threads (maxThreads)'),
    );
  }

  /** Another number of descriptors a receive ring, under traffic or not (ethtool -G rx). */
  async setRing(rx: number): Promise<void> {
    const max = this.machine.arena.m[this.at + NET_DEVICE.rxMax];
    await this.machine.change(
      { name: 'netdev-ring', dev: this.at, rx: checkGivenInt('rx', rx, 1, max) },
      `changing the rings of ${this.name}`,
      this.remedy(''),
    );
  }

  /** What to do about a refusal. */
  private remedy(usual: string): string {
    return this.napi ? usual : "its driver has no NAPI; add a device with receive: 'napi'";
  }

  /** Another name (ip link set DEV name NAME). */
  async rename(name: string): Promise<void> {
    await this.machine.change(
      { name: 'netdev-rename', dev: this.at, to: name },
      `renaming ${this.name} to ${name}`,
      'take a name of 1 to 15 characters without spaces, slashes and colons, that no other device has',
    );
  }

  /** Switches every instance between softirq (false) and a thread of its own (true), under traffic or not. */
  async setThreaded(threaded: boolean): Promise<void> {
    await this.machine.change(
      { name: 'netdev-threaded', dev: this.at, threaded: threaded ? 1 : 0 },
      `setting ${this.name} threaded`,
      this.remedy('bring the link up first, or allow more threads (maxThreads)'),
    );
  }

  /** Sets one instance's mode, deferral or suspension. Busy polling is for single instances, as in Linux. */
  async setNapi(
    index: number,
    values: {
      threaded?: boolean | 'busy-poll';
      deferHardIrqs?: number;
      groFlushTimeoutNs?: number;
      irqSuspendTimeoutNs?: number;
    },
  ): Promise<void> {
    const { threaded, irqSuspendTimeoutNs } = values;
    await this.machine.change(
      {
        name: 'napi-set',
        dev: this.at,
        index: checkGivenInt('index', index, 0, this.queues - 1),
        ...(threaded === undefined ? {} : { threaded: modeNumber(threaded) }),
        ...(irqSuspendTimeoutNs === undefined
          ? {}
          : {
              irqSuspendTimeoutNs: checkGivenInt('irqSuspendTimeoutNs', irqSuspendTimeoutNs, 0, 0x7fffffff),
            }),
        ...(values.deferHardIrqs === undefined
          ? {}
          : { deferHardIrqs: checkGivenInt('deferHardIrqs', values.deferHardIrqs, 0, 0x7fffffff) }),
        ...(values.groFlushTimeoutNs === undefined
          ? {}
          : {
              groFlushTimeoutNs: checkGivenInt('groFlushTimeoutNs', values.groFlushTimeoutNs, 0, 0x7fffffff),
            }),
      },
      `setting NAPI ${index} of ${this.name}`,
      this.remedy('bring the link up first, or allow more threads (maxThreads)'),
    );
  }

  /** The NAPI instances, newest first; none while the link is down. */
  async napis(): Promise<NapiInfo[]> {
    return (await this.machine.change({ name: 'napi-get', dev: this.at }, 'napi-get')) as NapiInfo[];
  }

  /** Link up. */
  async up(): Promise<void> {
    await this.machine.change({ name: 'netdev-up', dev: this.at }, `bringing ${this.name} up`);
  }

  /** Link down: the instances are deleted; frames that come are dropped (dev_ready). */
  async down(): Promise<void> {
    await this.machine.change({ name: 'netdev-down', dev: this.at }, `bringing ${this.name} down`);
  }

  /**
   * Takes the device away: its wire ends or its cable is taken out, what sends by it is closed, its instances are deleted, its frames in backlogs are dropped (dev_ready). What
   * waits in sockets can still be read.
   */
  remove(): Promise<void> {
    this.removing ??= this.doRemove();
    return this.removing;
  }

  private async doRemove(): Promise<void> {
    const { name } = this;
    await this.stopWire();
    await this.cable?.disconnect().catch(() => {});
    await this.machine.closeSenders(this.where);
    const gone = this.machine.change({ name: 'netdev-del', dev: this.at }, `removing ${name}`);
    this.removed = true;
    this.lastSent = (await gone) as TxCounters;
    this.machine.forgetDevice(this);
  }

  /** Interrupt moderation (ethtool -C). */
  async setCoalesce(rxUsecs: number, rxFrames: number): Promise<void> {
    const op = {
      name: 'netdev-coalesce',
      dev: this.at,
      rxUsecs: checkGivenInt('rxUsecs', rxUsecs, 0, 1_000_000),
      rxFrames: checkGivenInt('rxFrames', rxFrames, 0, 1 << 16),
    } as const;
    await this.machine.change(op, `setting the moderation of ${this.name}`);
  }

  /** Moves a queue's interrupt to another simulated CPU. */
  async setIrqAffinity(index: number, cpu: number): Promise<void> {
    const op = {
      name: 'irq-affinity',
      dev: this.at,
      index: checkGivenInt('index', index, 0, this.queues - 1),
      cpu: checkGivenInt('cpu', cpu, 0, this.machine.cpus - 1),
    } as const;
    await this.machine.change(op, `moving interrupt ${index} of ${this.name}`);
  }

  /**
   * Fault injection: queue `index`'s interrupt is held back for `holdUs`, then raised `raises` times though nothing may be
   * behind it. With `lose` the first one that is raised meanwhile ends that, and is never delivered: the next one makes it good.
   */
  async faultIrq(index: number, holdUs: number, raises: number, lose = false): Promise<void> {
    const op = {
      name: 'irq-fault',
      dev: this.at,
      index: checkGivenInt('index', index, 0, this.maxQueues - 1),
      holdUs: checkGivenInt('holdUs', holdUs, 0, 1_000_000),
      raises: checkGivenInt('raises', raises, 0, 1_000_000),
      lose,
    } as const;
    await this.machine.change(op, `injecting faults into interrupt ${index} of ${this.name}`);
  }

  /**
   * Fault injection: the device reports up to `count` times on the rings of queue `index` what is not so. The driver counts
   * what it does not believe (QueueStats.badDescs, badIndices).
   */
  async faultRing(index: number, what: RingFault, count: number): Promise<void> {
    const op = {
      name: 'ring-fault',
      dev: this.at,
      index: checkGivenInt('index', index, 0, this.maxQueues - 1),
      what: checkChoice('what', what, RING_FAULTS, 'id'),
      count: checkGivenInt('count', count, 1, 1 << 16),
    } as const;
    await this.machine.change(op, `injecting faults into the rings of queue ${index} of ${this.name}`);
  }

  /** Steers what queue `index` receives to these CPUs by the frames' hash (rps_cpus); none: no steering. */
  async setRpsCpus(index: number, cpus: readonly number[]): Promise<void> {
    await this.machine.change(
      {
        name: 'rps-cpus',
        dev: this.at,
        index: checkGivenInt('index', index, 0, this.maxQueues - 1),
        cpus: cpus.map((cpu) => checkGivenInt('cpus', cpu, 0, this.machine.cpus - 1)),
      },
      `setting rps_cpus of ${this.name}`,
      'boot with more memory (memoryBytes)',
    );
  }

  /** Entries of the flow table of queue `index` (rps_flow_cnt); 0: none. */
  async setRpsFlowCnt(index: number, entries: number): Promise<void> {
    await this.machine.change(
      {
        name: 'rps-flow-cnt',
        dev: this.at,
        index: checkGivenInt('index', index, 0, this.maxQueues - 1),
        entries: checkGivenInt('entries', entries, 0, 1 << 24),
      },
      `setting rps_flow_cnt of ${this.name}`,
      'boot with more memory (memoryBytes)',
    );
  }

  /** Plays a capture (pcap or pcapng, plain or gzip) into the device. Rejects with CaptureError on bad input. */
  async replay(
    file: string,
    options: { loops?: number; pace?: Pace; whenFull?: 'wait' | 'drop' } = {},
  ): Promise<WireResult> {
    const feed: CaptureFeed = {
      type: 'capture',
      file,
      loops: checkInt('loops', options.loops, 1, 1, 1e9),
      pace: checkPace(options.pace ?? 'asap'),
    };
    return this.feed(feed, options.whenFull ?? 'wait');
  }

  /**
   * Sends made-up UDP frames into the device.
   * @param options `srcPorts`: the source port of each flow, and so its hash; `forNs`: ends after so long
   */
  async generate(options: {
    count: number;
    flows?: number;
    frameBytes?: number;
    port?: number;
    ports?: number;
    srcPorts?: readonly number[];
    forNs?: number;
    pace?: 'asap' | number;
    whenFull?: 'wait' | 'drop';
  }): Promise<WireResult> {
    const pace = checkPace(options.pace ?? 'asap');
    const frameBytes = checkInt('frameBytes', options.frameBytes, 64, 60, 9014);
    const flows = checkInt('flows', options.flows, 1, 1, maxFlows(frameBytes));
    const { srcPorts } = options;
    if (srcPorts !== undefined && srcPorts.length !== flows) {
      throw new OptionError('srcPorts', `${srcPorts.length} ports`, `one for each of the ${flows} flows`);
    }
    for (const port of srcPorts ?? []) checkGivenInt('srcPorts', port, 1, 65535);
    const feed: GeneratorFeed = {
      type: 'generator',
      count: checkInt('count', options.count, 0, 0, Number.MAX_SAFE_INTEGER),
      flows,
      frameBytes,
      ...(srcPorts === undefined ? {} : { srcPorts }),
      ...(options.forNs === undefined ? {} : { forNs: options.forNs }),
      port: checkInt('port', options.port, 9, 1, 65535),
      ports: checkInt('ports', options.ports, 1, 1, 4096),
      pace: pace === 'capture' ? 'asap' : pace,
    };
    return this.feed(feed, options.whenFull ?? 'wait');
  }

  /**
   * Plugs a timed wire in: the time of each arrival is fixed beforehand, and no thread is needed for it. Resolves when it is
   * plugged in; its `done` when every arrival was taken or missed.
   */
  async startTimed(options: TimedOptions): Promise<TimedWire> {
    this.throwIfFed();
    const timed = this.plugIn(timedParams(options, this.queues));
    this.timed = timed;
    this.feeding = timed.then((wire) => wire.done);
    this.feeding.catch(() => {});
    return timed;
  }

  private async plugIn(params: TimedParams): Promise<TimedWire> {
    const ended = (): void => {
      this.timed = null;
      this.feeding = null;
    };
    const { name, at } = this;
    try {
      const begun = (await this.machine.control(
        { name: 'wire-attach', dev: at, params },
        `plugging a timed wire into ${name}`,
        this.remedy('feed it by one wire at a time, or boot with more memory (memoryBytes)'),
      )) as { at: number; startNs: number };
      return new TimedWire(this.machine, at, name, begun.at, begun.startNs, ended);
    } catch (error) {
      ended();
      throw error;
    }
  }

  /**
   * Has another machine bring the frames, that stands in front of this one. Resolves when it may. It ends with the sockets of
   * its tun devices (Vhost.stop, or the end of that machine).
   */
  async attachVhost(options: VhostOptions): Promise<Vhost> {
    this.throwIfFed();
    const { arena } = this.machine;
    const nic = arena.m[this.at + NET_DEVICE.priv];
    Atomics.and(arena.m, nic + SIM_NIC.doorbell, ~NIC_STOP);
    Atomics.store(arena.m, nic + SIM_NIC.frames, 0);
    const taskAt = this.machine.newTask(TASK_KIND_NIC, `nic/${this.name}`, 0);
    const vhost = Vhost.run(this.machine, this, taskAt, options);
    const ended = vhost
      .then((v) => v.done)
      .finally(() => {
        putTaskStruct(arena.m, taskAt);
        this.feeding = null;
        this.vhost = null;
      });
    ended.catch(() => {});
    this.feeding = ended;
    this.vhost = vhost;
    return vhost;
  }

  /** Frames the source of the run under way has given so far. */
  get progress(): number {
    return (
      Atomics.load(this.machine.arena.m, this.machine.arena.m[this.at + NET_DEVICE.priv] + SIM_NIC.frames) >>>
      0
    );
  }

  /** Ends a run that is under way; resolves when its thread has ended. */
  async stopWire(): Promise<void> {
    if (this.feeding === null) return;
    if (this.timed !== null) {
      await this.timed.then((wire) => wire.stop()).catch(() => {});
      return;
    }
    const word = this.machine.arena.m[this.at + NET_DEVICE.priv] + SIM_NIC.doorbell;
    Atomics.or(this.machine.arena.m, word, NIC_STOP);
    Atomics.notify(this.machine.arena.m, word);
    await this.vhost?.then((v) => v.stop()).catch(() => {});
    await this.feeding?.catch(() => {});
  }

  /**
   * Resolves when everything the wire has put into the rings was polled and handed to the sockets (or dropped): rings
   * empty, instances idle, nothing held by GRO. Readers may still have frames queued.
   */
  async drained(): Promise<void> {
    this.looks.clear();
    while (!this.idle()) {
      await delay(1);
      this.machine.throwIfDown();
    }
  }

  private idle(): boolean {
    const { m } = this.machine.arena;
    const nic = m[this.at + NET_DEVICE.priv];
    for (let i = 0; i < this.maxQueues; i++) {
      const q = nicQueueAt(m, nic, i);
      const napi = Atomics.load(m, q + NIC_QUEUE.napi);
      // Link down: what is in the ring waits for the link.
      if (napi === 0 && Atomics.load(m, q + NIC_QUEUE.service) === 0) continue;
      if (napi === 0 && ringLength(m, m[q + NIC_QUEUE.rxRing]) > 0) return false;
      if (napi === 0) continue;
      if (ringLength(m, m[q + NIC_QUEUE.rxRing]) > 0) return false;
      if (Atomics.load(m, napi + NAPI.groBitmask) !== 0) return false;
      const state = Atomics.load(m, napi + NAPI.state);
      if ((state & NAPIF_STATE_IN_BUSY_POLL) !== 0) {
        if (!this.pollsInVain(napi)) return false;
      } else if ((state & NAPIF_STATE_SCHED) !== 0) return false;
    }
    return this.machine.backlogsIdle();
  }

  /** What it sent, once it is removed, too. */
  txStats(): TxStats {
    const { packets, bytes, dropped } = this.lastSent ?? txCounters(this.machine.arena.m, this.at);
    return { frames: packets, bytes, dropped };
  }

  /** A cable is plugged in. For Cable. Throws if the device is being removed, or has a wire or a cable (EBUSY). */
  plug(cable: Cable, what: string): void {
    this.checkUnplugged(what);
    this.cable = cable;
  }

  /** The cable is out. For Cable. */
  unplug(): void {
    this.cable = null;
  }

  /** @returns true from the call of remove on. For Machine. */
  isGoing(): boolean {
    return this.removing !== null;
  }

  /** Throws if the device is being removed, or something feeds it. */
  private checkUnplugged(what: string): void {
    if (this.removing !== null) throw new Error(REMOVED);
    if (this.feeding !== null) {
      throw new SoftnetError(what, EBUSY, 'wait for the run under way, or stop it (stopWire)');
    }
    if (this.cable !== null) {
      const [a, b] = this.cable.ends;
      const other = a === this ? b : a;
      throw new SoftnetError(
        what,
        EBUSY,
        `${this.name} has a cable to ${other.name}: take it out (disconnect)`,
      );
    }
  }

  /** One that is polled without end never rests: @returns true if it took nothing since the look before, in two polls */
  private pollsInVain(napi: number): boolean {
    const { m } = this.machine.arena;
    const before = this.looks.get(napi);
    const work = Atomics.load(m, napi + NAPI.work);
    const emptyPolls = Atomics.load(m, napi + NAPI.emptyPolls);
    this.looks.set(napi, { work, emptyPolls });
    return before !== undefined && before.work === work && ((emptyPolls - before.emptyPolls) | 0) >= 2;
  }

  /** Counters of each queue, those not in use too; exact while no run is under way. */
  queueStats(): QueueStats[] {
    const { m } = this.machine.arena;
    const nic = m[this.at + NET_DEVICE.priv];
    return Array.from({ length: this.maxQueues }, (_, i) => {
      const q = nicQueueAt(m, nic, i);
      const fill = m[q + NIC_QUEUE.fillRing];
      return {
        interrupts: m[q + NIC_QUEUE.interrupts] >>> 0,
        handled: m[m[q + NIC_QUEUE.irq] + IRQ_DESC.count] >>> 0,
        frames: m[q + NIC_QUEUE.rxFramesTotal] >>> 0,
        buffersFree: pagePoolInside(m, m[q + NIC_QUEUE.pool]) + ringLength(m, fill),
        pollSizes: Array.from({ length: POLL_SIZES }, (_, k) => m[q + NIC_QUEUE.pollSizes + k] >>> 0),
        badDescs: m[q + NIC_QUEUE.badDescs] >>> 0,
        badIndices: m[q + NIC_QUEUE.badIndices] >>> 0,
        lostInterrupts: m[q + NIC_QUEUE.lostIrqs] >>> 0,
        madeUpDescs: m[q + NIC_QUEUE.madeUp] >>> 0,
      };
    });
  }

  private async feed(source: NicSource, whenFull: 'wait' | 'drop'): Promise<WireResult> {
    this.throwIfFed();
    if (!this.machine.hasRoom()) {
      throw new SoftnetError(`feeding ${this.name}`, ENOMEM, 'allow more threads (maxThreads)');
    }
    return this.feedBy(source, whenFull);
  }

  /** Throws why nothing can be plugged in. */
  private throwIfFed(): void {
    this.machine.throwIfEnding();
    this.checkUnplugged(`feeding ${this.name}`);
  }

  private async feedBy(source: NicSource, whenFull: 'wait' | 'drop'): Promise<WireResult> {
    const { arena } = this.machine;
    const nic = arena.m[this.at + NET_DEVICE.priv];
    Atomics.and(arena.m, nic + SIM_NIC.doorbell, ~NIC_STOP);
    Atomics.store(arena.m, nic + SIM_NIC.frames, 0);
    const name = `nic/${this.name}`;
    const taskAt = this.machine.newTask(TASK_KIND_NIC, name, 0);
    const record = newRecord(name, TASK_KIND_NIC, taskAt);
    const task = { kind: 'nic', sab: arena.sab, taskAt, dev: this.at, source, whenFull } as const;
    this.feeding = this.machine.runNic(record, task);
    try {
      const r = (await this.feeding) as NicResult;
      if (r.error !== null) throw rebuilt(r.error);
      return { ...r, durationNs: r.endNs - r.startNs };
    } finally {
      this.feeding = null;
    }
  }
}

/** @returns NETDEV_NAPI_THREADED_* */
function modeNumber(threaded: unknown): number {
  if (threaded === 'busy-poll') return NETDEV_NAPI_THREADED_BUSY_POLL;
  if (typeof threaded !== 'boolean')
    throw new OptionError('threaded', threaded, "false, true or 'busy-poll'");
  return threaded ? NETDEV_NAPI_THREADED_ENABLED : NETDEV_NAPI_THREADED_DISABLED;
}

/** A CaptureError that came from another thread as plain data. */
function rebuilt(error: { fileName: string; message: string; offset: number }): CaptureError {
  const e = new CaptureError(error.fileName, '', error.offset);
  e.message = error.message;
  return e;
}

function checkPace(pace: Pace): Pace {
  if (pace === 'asap' || pace === 'capture') return pace;
  if (!Number.isFinite(pace) || pace <= 0) {
    throw new OptionError('pace', pace, "'asap', 'capture' or a rate in packets per second above 0");
  }
  return pace;
}
