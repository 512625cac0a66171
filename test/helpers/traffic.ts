// SPDX-License-Identifier: GPL-2.0-only
/** A booted machine with a device under traffic, and an application that checks the order of every flow. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import {
  type App,
  type BootOptions,
  boot,
  type Machine,
  type NetDevice,
  type NetDeviceOptions,
} from '../../dist/index.js';
import type { SinkResult } from '../../dist/threads/sink.js';

/** The application of `softnet replay`. */
export const SINK = new URL('../../dist/threads/sink.js', import.meta.url);
const CAPTURE = fileURLToPath(new URL('../fixtures/mixed.pcap.gz', import.meta.url));
/** A recording of real traffic: mostly TCP and UDP, fragments, tags, frames longer than a buffer. */
export const capture: string | null = existsSync(CAPTURE) ? CAPTURE : null;

/** State words of an instance that nobody needs to poll: idle, or polled without end. */
const RESTING =
  /^LISTED(\|THREADED(\|THREADED_BUSY_POLL)?)?$|^SCHED\|LISTED\|IN_BUSY_POLL\|THREADED\|SCHED_THREADED\|THREADED_BUSY_POLL$/;

/** One run of the wire. @returns the frames that came over it */
export type Feed = (eth0: NetDevice) => Promise<{ readonly frames: number }>;

/** Made-up UDP, as fast as it is taken. */
export const generated: Feed = (eth0) => eth0.generate({ count: 20_000, flows: 64 });
/** The recording, as fast as it is taken. */
export const replayed: Feed = (eth0) => (capture === null ? generated(eth0) : eth0.replay(capture));

/** What a run came to. */
export interface Outcome {
  /** Frames that came over the wire. */
  readonly sent: number;
  readonly sink: SinkResult;
  readonly drops: { [reason: string]: number };
  readonly states: string[];
}

/** Looks at the condition until it holds, and lets other threads run in between. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 1));
}

export class TrafficRig {
  readonly machine: Machine;
  readonly eth0: NetDevice;
  private readonly app: App<SinkResult>;
  private readonly poolSize: number;
  private sent = 0;
  private ended = false;

  private constructor(machine: Machine, eth0: NetDevice, app: App<SinkResult>, poolSize: number) {
    this.machine = machine;
    this.eth0 = eth0;
    this.app = app;
    this.poolSize = poolSize;
  }

  static async start(device: Partial<NetDeviceOptions>, options: BootOptions = {}): Promise<TrafficRig> {
    const machine = await boot(options);
    const eth0 = await machine.addDevice({ name: 'eth0', queues: 2, ...device });
    const sockets = [await machine.openUdp({ port: 9 }), await machine.openPacket(eth0)];
    const app = await machine.runApp<SinkResult>(SINK, {
      name: 'sink',
      sockets,
      args: { latency: false, order: true },
    });
    return new TrafficRig(machine, eth0, app, device.poolSize ?? 4096);
  }

  /** Runs `work` while the feed is repeated, then lets the last run end. Rejects at once if the machine breaks. */
  async during(feed: Feed, work: () => Promise<void>): Promise<void> {
    this.ended = false;
    const traffic = (async () => {
      do this.sent += (await feed(this.eth0)).frames;
      while (!this.ended);
    })();
    // A failure is reported by whichever is awaited first.
    traffic.catch(() => {});
    try {
      await Promise.race([work(), this.machine.panic]);
    } finally {
      this.ended = true;
    }
    await traffic;
  }

  /** Waits until everything rests, takes the machine down, and checks what must hold after any run. */
  async finish(): Promise<Outcome> {
    const { machine, eth0 } = this;
    await eth0.drained();
    await until(() => eth0.queueStats().every((q) => q.buffersFree === this.poolSize));
    const states = (await eth0.napis()).map((n) => n.state);
    await machine.shutdown();
    const sink = await this.app.result;
    const drops = machine.drops();
    const dropped = Object.values(drops).reduce((sum, n) => sum + n, 0);
    expect(sink.frames + dropped).toBe(this.sent);
    expect(sink.reordered).toBe(0);
    for (const state of states) expect(state).toMatch(RESTING);
    return { sent: this.sent, sink, drops, states };
  }
}

/** Whole numbers below `n`, the same ones for the same seed. */
export function seeded(seed: number): (n: number) => number {
  let x = seed;
  return (n) => {
    x = (Math.imul(x, 1103515245) + 12345) & 0x7fffffff;
    return (x >>> 8) % n;
  };
}
