// SPDX-License-Identifier: GPL-2.0-only
/** A timed wire, as the main thread sees it: what it brings, how far it is, its end. */
import { udp4Frames } from './drivers/net/frame_builder.js';
import { TIMED_MAX_COUNT, TIMED_WIRE } from './drivers/net/sim_nic_timed.js';
import type { TimedCounts } from './drivers/net/sim_nic_timed_main.js';
import type { TimedParams } from './drivers/net/sim_nic_timed_make.js';
import { checkGivenInt, checkInt, OptionError } from './errors.js';
import type { Machine } from './machine.js';
import { ETH_HLEN, IPV4_HLEN, UDP_HLEN } from './net/core/headers/protocols.js';
import { SKB_DATA_BYTES } from './net/core/skbuff.js';
import { FLOW_DST_IP, flowSrcIp, flowSrcPort } from './threads/generator_flow.js';

/** When frames arrive: one of the three. */
export type TimedSchedule =
  /** Arrival i at startNs + i * periodNs. */
  | { readonly periodNs: number; readonly count: number }
  /** Arrival i at startNs + timesNs[i]; sorted. */
  | { readonly timesNs: Float64Array }
  /** Each frame that the driver sends by the queue comes back so much later; ends after `count`, or by stop(). */
  | { readonly echo: { readonly turnaroundNs: number }; readonly count?: number };

/**
 * What arrives: UDP over IPv4, as the generator makes it, with the frame's number in the first 4 bytes of its payload; where a
 * datagram comes in several frames, that of the first of them.
 */
export type TimedOptions = TimedSchedule & {
  /** Length of each frame, bytes; 64. */
  readonly frameBytes?: number;
  /**
   * Instead: payload of each datagram, 1 to 65507 bytes. What does not fit the MTU comes as a train of fragments
   * (`datagramFrames` of them): each arrival is the next frame, and the flows take turns by the datagram. Not for an echo.
   */
  readonly datagramBytes?: number;
  /** With `datagramBytes`: the longest IP packet of the link, 68 to 2034 bytes; 1500. */
  readonly mtu?: number;
  /** Destination port of flow i: `port + i % ports`; 9 and 1. */
  readonly port?: number;
  readonly ports?: number;
  /** Flows in turn; 1. */
  readonly flows?: number;
  /** The schedule begins so long after the call has reached the device, ns; 1 ms. */
  readonly startInNs?: number;
  /** The queue it feeds; 0. */
  readonly queue?: number;
};

/** What came of it: without stop(), arrived + missed + dropped is the count. */
export interface TimedResult extends TimedCounts {
  /** true if it was ended before its schedule did. */
  readonly stopped: boolean;
}

const MIN_FRAME_BYTES = 60;
const MAX_FLOWS = 4096;
const DEFAULT_MTU = 1500;
const MIN_MTU = 68;
const MAX_DATAGRAM_BYTES = 65535 - IPV4_HLEN - UDP_HLEN;
const DEFAULT_START_IN_NS = 1e6;

/** @returns frames that a datagram of so many bytes of payload takes on a link of that MTU */
export function datagramFrames(datagramBytes: number, mtu = DEFAULT_MTU): number {
  const bytes = checkGivenInt('datagramBytes', datagramBytes, 0, MAX_DATAGRAM_BYTES);
  return udp4Frames(bytes, checkGivenInt('mtu', mtu, MIN_MTU, 65535));
}

/** The datagrams a user wants instead of frames, if he does. */
function datagramParams(options: TimedOptions): TimedParams['datagram'] {
  if (options.datagramBytes === undefined) {
    if (options.mtu === undefined) return undefined;
    throw new OptionError('mtu', options.mtu, 'it together with datagramBytes');
  }
  if (options.frameBytes !== undefined) {
    throw new OptionError('frameBytes', options.frameBytes, 'either it or datagramBytes');
  }
  if ('echo' in options)
    throw new OptionError('datagramBytes', options.datagramBytes, 'frameBytes to an echo');
  return {
    bytes: checkInt('datagramBytes', options.datagramBytes, 1, 1, MAX_DATAGRAM_BYTES),
    mtu: checkInt('mtu', options.mtu, DEFAULT_MTU, MIN_MTU, SKB_DATA_BYTES - ETH_HLEN),
  };
}

/** Checks a user's options. */
export function timedParams(options: TimedOptions, queues: number): TimedParams {
  const flows = checkInt('flows', options.flows, 1, 1, MAX_FLOWS);
  const port = checkInt('port', options.port, 9, 1, 65535);
  const ports = checkInt('ports', options.ports, 1, 1, Math.min(MAX_FLOWS, 65536 - port));
  const datagram = datagramParams(options);
  const common = {
    ...(datagram === undefined ? {} : { datagram }),
    queue: checkInt('queue', options.queue, 0, 0, queues - 1),
    frameBytes: checkInt('frameBytes', options.frameBytes, 64, MIN_FRAME_BYTES, SKB_DATA_BYTES),
    flows: Array.from({ length: flows }, (_, i) => ({
      srcIp: flowSrcIp(i),
      srcPort: flowSrcPort(i),
      dstPort: port + (i % ports),
    })),
    dstIp: FLOW_DST_IP,
    startInNs: checkNs('startInNs', options.startInNs ?? DEFAULT_START_IN_NS, 0),
  };
  const given = ['periodNs', 'timesNs', 'echo'].filter((key) => key in options);
  if (given.length !== 1) {
    throw new OptionError('schedule', given.join(' and ') || 'none', 'one of periodNs, timesNs and echo');
  }
  if ('periodNs' in options) {
    return {
      ...common,
      periodNs: checkNs('periodNs', options.periodNs, 1),
      count: checkGivenInt('count', options.count, 1, TIMED_MAX_COUNT),
    };
  }
  if ('timesNs' in options) {
    const { timesNs } = options;
    if (!(timesNs instanceof Float64Array) || timesNs.length === 0) {
      throw new OptionError('timesNs', typeof timesNs, 'a Float64Array of one time or more');
    }
    for (let i = 0; i < timesNs.length; i++) {
      checkNs(`timesNs[${i}]`, timesNs[i], 0);
      if (i > 0 && timesNs[i] < timesNs[i - 1]) {
        throw new OptionError(`timesNs[${i}]`, timesNs[i], 'a time not before the one in front of it');
      }
    }
    return { ...common, timesNs, count: timesNs.length };
  }
  return {
    ...common,
    turnaroundNs: checkNs('turnaroundNs', options.echo.turnaroundNs, 0),
    count: checkInt('count', options.count, 0, 0, TIMED_MAX_COUNT),
  };
}

function checkNs(name: string, value: number, min: number): number {
  if (Number.isFinite(value) && value >= min && value <= 1e18) return value;
  throw new OptionError(name, value, `nanoseconds, ${min} and more`);
}

/** A wire that is plugged in. */
export class TimedWire {
  /** When its schedule began or begins, CLOCK_MONOTONIC ns. */
  readonly startNs: number;
  /** Resolves when every arrival was taken, missed or dropped, or after stop(). Rejects if a thread of the machine died. */
  readonly done: Promise<TimedResult>;
  private readonly machine: Machine;
  private readonly at: number;
  private readonly onEnd: () => void;
  private stopping = false;
  /** What it came to, once it is unplugged. */
  private last: { readonly progress: number; readonly missed: number } | null = null;

  /** For NetDevice. `onEnd` is called when the device can be fed by something else. */
  constructor(machine: Machine, dev: number, name: string, at: number, startNs: number, onEnd: () => void) {
    this.machine = machine;
    this.at = at;
    this.startNs = startNs;
    this.onEnd = onEnd;
    this.done = this.run(dev, name);
    this.done.catch(() => {});
  }

  /** Arrivals taken, missed or dropped so far. */
  get progress(): number {
    return this.last?.progress ?? Atomics.load(this.machine.arena.m, this.at + TIMED_WIRE.next);
  }

  /** Arrivals for which no buffer was posted, so far. */
  get missed(): number {
    return this.last?.missed ?? this.machine.arena.m[this.at + TIMED_WIRE.missed];
  }

  /** Unplugs it; resolves when the device can be fed by something else. */
  async stop(): Promise<TimedResult> {
    if (this.last === null && !this.stopping) {
      this.stopping = true;
      Atomics.store(this.machine.arena.m, this.at + TIMED_WIRE.done, 1);
      Atomics.notify(this.machine.arena.m, this.at + TIMED_WIRE.done);
    }
    return this.done;
  }

  private async run(dev: number, name: string): Promise<TimedResult> {
    const { m } = this.machine.arena;
    try {
      // Without looking now and then: that would take a core from those who are measured.
      const ends = Atomics.waitAsync(m, this.at + TIMED_WIRE.done, 0);
      if (ends.async) await this.machine.orDied(ends.value);
      const { stopping } = this;
      this.last = { progress: this.progress, missed: this.missed };
      const op = { name: 'wire-detach', dev } as const;
      const counts = (await this.machine.control(op, `unplugging the timed wire of ${name}`)) as TimedCounts;
      const progress = counts.arrived + counts.missed + counts.dropped;
      this.last = { progress, missed: counts.missed };
      return { ...counts, stopped: stopping };
    } finally {
      this.onEnd();
    }
  }
}
