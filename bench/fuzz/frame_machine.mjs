// SPDX-License-Identifier: GPL-2.0-only
/**
 * The machine that the fuzzed frames come to, and what must hold behind each batch of them.
 *
 *   capture ─► nic/eth0 (2 queues, GRO) ──────┐ softirq, thread,    ┌─ UDP, any port ─┐
 *              nic/eth1 (GRO for UDP, 2 queues) ├ busy polling; RPS ─►│  packet sockets ├─► app/reader
 *              nic/eth2 (netif_rx, no NAPI) ───┘ or not; reassembly   └─────────────────┘
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { boot } from '../../dist/index.js';
import { MM_AT, MM_STRUCT } from '../../dist/mm/slab.js';
import { caseRandom, FuzzFailure, inTime } from './campaign.mjs';
import { GROUP } from './frame_cases.mjs';
import { FrameTable } from './frame_table.mjs';

const READER = new URL('./frame_reader.mjs', import.meta.url);
const CPUS = 2;
const POOL = 2048;
/** A step that takes so long hangs. */
export const STUCK_MS = 60_000;
/** Nothing that is on its way moves for so many looks of a millisecond, then it is lost. */
const STILL_LOOKS = 5000;

export class FrameMachine {
  /** Frames put on each wire so far. */
  #sent = new Map();
  #drops = 0;

  static async boot(batch) {
    const self = new FrameMachine();
    self.machine = await boot({ cpus: CPUS, ipDefrag: true, maxThreads: 64, guardWords: 16 });
    const { machine } = self;
    const common = { ringSize: 512, poolSize: POOL };
    self.devices = [
      await machine.addDevice({ name: 'eth0', queues: 2, ...common }),
      await machine.addDevice({ name: 'eth1', queues: 2, rxGroList: true, ...common }),
      await machine.addDevice({ name: 'eth2', receive: 'netif_rx', ...common }),
    ];
    // What RPS steers and what netif_rx takes is to get on, and not to fall out of a backlog.
    await machine.setSysctl('net.core.netdev_max_backlog', 1 << 16);
    self.table = new FrameTable(batch);
    self.sockets = [await machine.openUdp({ port: 0, capacity: 1 << 16 })];
    for (const device of self.devices)
      self.sockets.push(await machine.openPacket(device, { capacity: 1 << 16 }));
    self.app = await machine.runApp(READER, {
      name: 'reader',
      sockets: self.sockets,
      args: { table: self.table.shared },
    });
    return self;
  }

  /** Sets the device up that batch `number` comes through. @returns it, and how it is fed */
  async configure(seed, number) {
    const random = caseRandom(seed, 'frame-batch', number);
    const device = random.pick(this.devices);
    const rps = random.pick([[], [0], [1], [0, 1]]);
    if (device.name !== 'eth2') {
      const mode = random.pick([false, true, 'busy-poll']);
      await device.setThreaded(mode !== false);
      if (mode === 'busy-poll') await device.setNapi(0, { threaded: mode });
      const held = random.chance(0.3);
      await device.setNapi(0, { deferHardIrqs: held ? 2 : 0, groFlushTimeoutNs: held ? 200_000 : 0 });
    }
    await device.setRpsCpus(0, rps);
    await this.machine.setBacklogThreaded(random.chance(0.3));
    return { device, whenFull: random.chance(0.2) ? 'drop' : 'wait' };
  }

  /** Lets the frames of `file` come, and waits until everything rests. @throws FuzzFailure with `from`, `count` */
  async batch({ device, whenFull }, file, frames, from) {
    const fail = (what, details = []) => new FuzzFailure(what, from, frames.length, details);
    const step = (what, promise) =>
      inTime(Promise.race([promise, this.machine.panic]), STUCK_MS, () =>
        fail(`a hang: ${what} of ${device.name} takes more than ${STUCK_MS / 1e3} s`, this.state()),
      );
    const base = this.#sent.get(device) ?? 0;
    this.table.begin(base, frames);
    this.#sent.set(device, base + frames.length);
    try {
      const { frames: fed } = await step('the wire', device.replay(file, { whenFull }));
      if (fed !== frames.length) throw fail(`${frames.length} frames, of which ${fed} were read`);
      await step('the queues', device.drained());
      await step('what waits for fragments', this.machine.flushFragments());
      await step('the queues', device.drained());
      await this.rest(frames.length, fail);
    } catch (error) {
      if (error instanceof FuzzFailure) throw error;
      throw fail(`the machine died: ${error.message}`);
    }
    const wrong = this.table.wrong();
    if (wrong === null) return;
    const at = from + wrong.index;
    throw fail(`frame ${at}: ${wrong.text}`, this.state())
      .suspect(at, 1)
      .suspect(at - (at % GROUP), GROUP);
  }

  /** Waits until every frame is accounted for and every buffer is back. */
  async rest(sent, fail) {
    let still = 0;
    let last = '';
    for (;;) {
      const dropped = this.dropped() - this.#drops;
      const missing = sent - this.table.received() - dropped;
      const away = this.buffersAway();
      const fragments = this.machine.reassembly();
      const held = fragments.queues + fragments.memBytes;
      if (missing === 0 && away === 0 && held === 0) break;
      const now = `${missing} ${away} ${held}`;
      still = now === last ? still + 1 : 0;
      last = now;
      if (still > STILL_LOOKS) {
        throw fail(
          `${missing} of ${sent} frames are not accounted for, ${away} buffers are away, ${held} bytes of fragments held`,
          this.state(),
        );
      }
      await delay(1);
      this.machine.throwIfDown();
    }
    this.#drops = this.dropped();
  }

  dropped() {
    return Object.values(this.machine.drops()).reduce((a, b) => a + b, 0);
  }

  buffersAway() {
    return this.devices.flatMap((d) => d.queueStats()).reduce((n, q) => n + POOL - q.buffersFree, 0);
  }

  /** Words of shared memory that were ever handed out. */
  memoryWords() {
    return this.machine.arena.m[MM_AT + MM_STRUCT.brk];
  }

  state() {
    return [
      `received ${this.table.received()}, drops ${JSON.stringify(this.machine.drops())}`,
      `reassembly ${JSON.stringify(this.machine.reassembly())}`,
      ...this.devices.map(
        (d) =>
          `${d.name}: ${d
            .queueStats()
            .map((q) => `${q.buffersFree} of ${POOL} buffers`)
            .join(', ')}`,
      ),
    ];
  }

  async stop() {
    await this.machine.shutdown();
    await this.app.result;
  }

  /** Ends it, whatever it is doing. */
  async abandon() {
    await this.machine.abandon(new Error('the campaign ends')).catch(() => {});
    await this.app?.result.catch(() => {});
  }
}

/** Writes frames as a capture. */
export function writeCapture(folder, number, frames) {
  const bytes = frames.reduce((n, f) => n + 16 + f.bytes.length, 24);
  const out = Buffer.alloc(bytes);
  out.writeUInt32LE(0xa1b2c3d4, 0);
  out.writeUInt16LE(2, 4);
  out.writeUInt16LE(4, 6);
  out.writeUInt32LE(262_144, 16);
  out.writeUInt32LE(1, 20);
  let at = 24;
  for (const { bytes: frame } of frames) {
    out.writeUInt32LE(frame.length, at + 8);
    out.writeUInt32LE(frame.length, at + 12);
    out.set(frame, at + 16);
    at += 16 + frame.length;
  }
  const file = join(folder, `${number % 2}.pcap`);
  writeFileSync(file, out);
  return file;
}
