// SPDX-License-Identifier: GPL-2.0-only
/** A network device, as the main thread sees it: control operations, and the wire that feeds it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Cable } from './cable.js';
import { DEVICE_REMOVED, Inlet, type WireResult } from './device_inlet.js';
import { DeviceRest, type QueueStats, queueStats } from './device_rest.js';
import { checkChoice, checkGivenInt, checkInt, OptionError } from './errors.js';
import type { Machine } from './machine.js';
import {
  NET_DEVICE,
  NETDEV_NAPI_THREADED_BUSY_POLL,
  NETDEV_NAPI_THREADED_DISABLED,
  NETDEV_NAPI_THREADED_ENABLED,
  netdevName,
} from './net/core/net_device.js';
import { type NapiInfo, type NetdevParams, RING_FAULTS, type RingFault } from './threads/control_ops.js';
import { type CaptureFeed, type GeneratorFeed, maxFlows, type Pace } from './threads/feeds.js';
import { type TimedOptions, type TimedWire, timedParams } from './timed_wire.js';
import { type TxCounters, txCounters } from './uapi/devices.js';
import type { Vhost, VhostOptions } from './vhost.js';

/** What a device sent. */
export interface TxStats {
  /** Frames that left (wraps at 2^32), and their bytes. */
  readonly frames: number;
  readonly bytes: number;
  /** Frames that did not: the link was down. */
  readonly dropped: number;
}

const ONE_WIRE = 'feed it by one wire at a time, or boot with more memory (memoryBytes)';

export type { WireResult } from './device_inlet.js';
export type { QueueStats } from './device_rest.js';
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
  private readonly inlet: Inlet;

  constructor(machine: Machine, params: NetdevParams, at: number) {
    this.machine = machine;
    this.maxQueues = params.maxQueues;
    this.where = at;
    this.napi = params.napi;
    this.inlet = new Inlet(this, machine);
  }

  /** @returns true if it is a device of that machine. For Machine. */
  belongsTo(machine: Machine): boolean {
    return machine === this.machine;
  }

  /** Word index of its net_device. Throws once it was removed. */
  get at(): number {
    if (this.removed) throw new Error(DEVICE_REMOVED);
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
    await this.inlet.cable?.disconnect().catch(() => {});
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
    return this.inlet.feed(feed, options.whenFull ?? 'wait');
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
    return this.inlet.feed(feed, options.whenFull ?? 'wait');
  }

  /**
   * Plugs a timed wire in: the time of each arrival is fixed beforehand, and no thread is needed for it. Resolves when it is
   * plugged in; its `done` when every arrival was taken or missed.
   */
  async startTimed(options: TimedOptions): Promise<TimedWire> {
    return this.inlet.startTimed(timedParams(options, this.queues), this.remedy(ONE_WIRE));
  }

  /**
   * Has another machine bring the frames, that stands in front of this one. Resolves when it may. It ends with the sockets of
   * its tun devices (Vhost.stop, or the end of that machine).
   */
  async attachVhost(options: VhostOptions): Promise<Vhost> {
    return this.inlet.attachVhost(options);
  }

  /** Frames the source of the run under way has given so far. */
  get progress(): number {
    return this.inlet.progress;
  }

  /** Ends a run that is under way; resolves when its thread has ended. */
  stopWire(): Promise<void> {
    return this.inlet.stop();
  }

  /** A cable is plugged in. For Cable. Throws if the device is being removed, or has a wire or a cable (EBUSY). */
  plug(cable: Cable, what: string): void {
    this.inlet.plug(cable, what);
  }

  /** The cable is out. For Cable. */
  unplug(): void {
    this.inlet.cable = null;
  }

  /**
   * Resolves when everything the wire has put into the rings was polled and handed to the sockets (or dropped): rings
   * empty, instances idle, nothing held by GRO. Readers may still have frames queued.
   */
  async drained(): Promise<void> {
    const rest = new DeviceRest(this.machine.arena.m, this.at);
    while (!(rest.idle() && this.machine.backlogsIdle())) {
      await delay(1);
      this.machine.throwIfDown();
    }
  }

  /** What it sent, once it is removed, too. */
  txStats(): TxStats {
    const { packets, bytes, dropped } = this.lastSent ?? txCounters(this.machine.arena.m, this.at);
    return { frames: packets, bytes, dropped };
  }

  /** @returns true from the call of remove on. For Machine. */
  isGoing(): boolean {
    return this.removing !== null;
  }

  /** Counters of each queue, those not in use too; exact while no run is under way. */
  queueStats(): QueueStats[] {
    return queueStats(this.machine.arena.m, this.at);
  }
}

/** @returns NETDEV_NAPI_THREADED_* */
function modeNumber(threaded: unknown): number {
  if (threaded === 'busy-poll') return NETDEV_NAPI_THREADED_BUSY_POLL;
  if (typeof threaded !== 'boolean')
    throw new OptionError('threaded', threaded, "false, true or 'busy-poll'");
  return threaded ? NETDEV_NAPI_THREADED_ENABLED : NETDEV_NAPI_THREADED_DISABLED;
}

function checkPace(pace: Pace): Pace {
  if (pace === 'asap' || pace === 'capture') return pace;
  if (!Number.isFinite(pace) || pace <= 0) {
    throw new OptionError('pace', pace, "'asap', 'capture' or a rate in packets per second above 0");
  }
  return pace;
}
