// SPDX-License-Identifier: GPL-2.0-only
/** The main thread's side of threads/udp_flood.ts: an application that sends over the loopback device on command. */
import type { Loopback } from '../loopback.js';
import type { App, Machine } from '../machine.js';
import type { Sender } from '../sender.js';
import type { Socket } from '../socket.js';
import { FLOOD, type FloodArgs } from '../threads/udp_flood.js';

const MODULE = new URL('../threads/udp_flood.js', import.meta.url);
/** How often the main thread looks whether the machine still lives, ms. */
const LOOK_MS = 1000;

/** What an order came to. */
export interface Flooded {
  readonly frames: number;
  readonly startNs: number;
  readonly endNs: number;
}

export class Flood {
  private readonly machine: Machine;
  private readonly sender: Sender;
  private readonly app: App<void>;
  private readonly words: Int32Array;
  private readonly doubles: Float64Array;
  private orders = 0;

  private constructor(machine: Machine, sender: Sender, app: App<void>, sab: SharedArrayBuffer) {
    this.machine = machine;
    this.sender = sender;
    this.app = app;
    this.words = new Int32Array(sab);
    this.doubles = new Float64Array(sab);
  }

  /**
   * Starts the application on a CPU, with a sender of its own.
   * @param options `buffers`: datagrams on their way at most; a power of two. `module`: another application that obeys
   *   FLOOD; `sockets`: what it reads from
   */
  static async open(
    machine: Machine,
    lo: Loopback,
    options: Omit<FloodArgs, 'sab'> & {
      readonly name: string;
      readonly cpu: number;
      readonly buffers: number;
      readonly module?: URL;
      readonly sockets?: readonly Socket[];
    },
  ): Promise<Flood> {
    const { name, cpu, buffers, module = MODULE, sockets = [], ...rest } = options;
    const sab = new SharedArrayBuffer(FLOOD.BYTES);
    const sender = await machine.openSender(lo, { buffers, cpu });
    const args: FloodArgs = { sab, ...rest };
    const app = await machine.runApp<void>(module, { name, sockets, senders: [sender], cpu, args });
    return new Flood(machine, sender, app, sab);
  }

  /** Has it send up to `count` datagrams, for `ns` at most. */
  async send(limits: { readonly count?: number; readonly ns?: number }): Promise<Flooded> {
    const { words, doubles } = this;
    doubles[FLOOD.count] = limits.count ?? Number.MAX_SAFE_INTEGER;
    doubles[FLOOD.ns] = limits.ns ?? Number.MAX_SAFE_INTEGER;
    Atomics.store(words, FLOOD.order, ++this.orders);
    Atomics.notify(words, FLOOD.order);
    for (;;) {
      const done = Atomics.load(words, FLOOD.done);
      if (done === this.orders) break;
      const wait = Atomics.waitAsync(words, FLOOD.done, done, LOOK_MS);
      if (wait.async) await Promise.race([wait.value, this.machine.panic]);
    }
    return {
      frames: doubles[FLOOD.sent],
      startNs: doubles[FLOOD.startNs],
      endNs: doubles[FLOOD.endNs],
    };
  }

  /** Ends the order under way: what there is, is reported. It sends nothing more. */
  async stop(): Promise<void> {
    await this.sender.close();
  }

  /** Ends the application. No order is under way. */
  async end(): Promise<void> {
    Atomics.store(this.words, FLOOD.order, -1);
    Atomics.notify(this.words, FLOOD.order);
    await this.app.result;
  }
}
