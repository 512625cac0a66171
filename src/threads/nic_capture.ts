// SPDX-License-Identifier: GPL-2.0-only
/** Feeds the wire from a capture file: streams it, so its size does not matter. */
import { CaptureError } from '../drivers/net/capture/capture_error.js';
import { CaptureParser, CaptureRecord, MIN_WORK_BYTES } from '../drivers/net/capture/capture_parser.js';
import { openCapture } from '../drivers/net/capture/open_capture.js';
import { SIM_NIC } from '../drivers/net/sim_nic.js';
import type { Wire } from '../drivers/net/sim_nic_wire.js';
import type { ThreadContext } from './context.js';
import type { CaptureFeed, Fed, FeedError } from './feeds.js';
import type { Pacer } from './pacer.js';

/** Frames between two reports of progress. */
const PROGRESS_FRAMES = 1024;

class Feed {
  frames = 0;
  bytes = 0;
  ended = false;
  private readonly wire: Wire;
  private readonly pacer: Pacer;
  private readonly pace: CaptureFeed['pace'];
  private readonly base: number;
  private readonly m: Int32Array;
  private readonly progress: number;
  private readonly startNs: number;
  /** Capture clock of this loop's first frame, and when that was sent. */
  private firstSec = -1;
  private firstNsec = 0;
  private loopStartNs = 0;

  constructor(ctx: ThreadContext, wire: Wire, pacer: Pacer, nic: number, base: number, feed: CaptureFeed) {
    this.wire = wire;
    this.pacer = pacer;
    this.pace = feed.pace;
    this.base = base;
    this.m = ctx.arena.m;
    this.progress = nic + SIM_NIC.frames;
    this.startNs = wire.tick();
  }

  /** A pass over the file begins. */
  beginLoop(): void {
    this.firstSec = -1;
    this.loopStartNs = this.wire.tick();
  }

  /** Sends one record. @returns false if the run is to end */
  send(rec: CaptureRecord): boolean {
    if (this.pace !== 'asap' && !this.pacer.waitUntil(this.dueNs(rec))) return false;
    const off = this.base + rec.off;
    this.wire.receive(off, rec.capLen, this.wire.hash(off, rec.capLen));
    this.frames++;
    this.bytes += rec.capLen;
    if (this.frames % PROGRESS_FRAMES === 0) {
      Atomics.store(this.m, this.progress, this.frames | 0);
      if (this.wire.stopped()) return false;
    }
    return true;
  }

  private dueNs(rec: CaptureRecord): number {
    if (typeof this.pace === 'number') return this.startNs + (this.frames / this.pace) * 1e9;
    if (this.firstSec < 0) {
      this.firstSec = rec.tsSec;
      this.firstNsec = rec.tsNsec;
    }
    return this.loopStartNs + (rec.tsSec - this.firstSec) * 1e9 + (rec.tsNsec - this.firstNsec);
  }
}

/** The uncompressed bytes of a small capture, kept so that the next pass need not read and unpack it again. */
class KeptChunks {
  /** Most bytes kept: above it every pass reads the file. */
  private static readonly MAX_BYTES = 32 << 20;
  chunks: Uint8Array[] = [];
  /** All of it is here. */
  whole = false;
  private keeping: boolean;
  private bytes = 0;

  constructor(wanted: boolean) {
    this.keeping = wanted;
  }

  /** Keeps a copy of a chunk of the first pass: its bytes are valid only until the next one comes. */
  keep(chunk: Uint8Array): void {
    if (!this.keeping) return;
    this.bytes += chunk.length;
    if (this.bytes > KeptChunks.MAX_BYTES) {
      this.keeping = false;
      this.chunks = [];
    } else {
      this.chunks.push(chunk.slice());
    }
  }

  /** The first pass has come to its end. */
  end(): void {
    this.whole = this.whole || this.keeping;
    this.keeping = false;
  }
}

/** Sends the file's frames `loops` times. `base` is the byte offset of the staging buffer in the arena. */
export async function feedCapture(
  ctx: ThreadContext,
  wire: Wire,
  pacer: Pacer,
  nic: number,
  base: number,
  feed: CaptureFeed,
): Promise<Fed> {
  const workBuf = new Uint8Array(ctx.arena.sab, base, MIN_WORK_BYTES);
  const rec = new CaptureRecord();
  const state = new Feed(ctx, wire, pacer, nic, base, feed);
  const warnings: string[] = [];
  const kept = new KeptChunks(feed.loops > 1);
  let error: FeedError | null = null;
  try {
    for (let loop = 0; loop < feed.loops && !state.ended; loop++) {
      await sendOnce(wire, workBuf, rec, state, feed.file, kept, warnings);
    }
  } catch (e) {
    if (!(e instanceof CaptureError)) throw e;
    error = { fileName: e.fileName, message: e.message, offset: e.offset };
  }
  Atomics.store(ctx.arena.m, nic + SIM_NIC.frames, state.frames | 0);
  return { frames: state.frames, bytes: state.bytes, warnings, error };
}

async function sendOnce(
  wire: Wire,
  workBuf: Uint8Array,
  rec: CaptureRecord,
  state: Feed,
  file: string,
  kept: KeptChunks,
  warnings: string[],
): Promise<void> {
  const source = openCapture(file);
  const parser = new CaptureParser(workBuf, source.fileName);
  state.beginLoop();
  wire.rest();
  for await (const chunk of kept.whole ? kept.chunks : source) {
    wire.resume();
    parser.compressed = source.gzip;
    kept.keep(chunk);
    for (let at = 0; at < chunk.length && !state.ended; ) {
      at += parser.push(at === 0 ? chunk : chunk.subarray(at));
      while (!state.ended && parser.next(rec)) state.ended = !state.send(rec);
    }
    // The next chunk may take its time to come (a pipe, a disk).
    wire.rest();
    if (state.ended) return;
  }
  wire.resume();
  kept.end();
  parser.end();
  while (!state.ended && parser.next(rec)) state.ended = !state.send(rec);
  for (const warning of [parser.warning, source.warning]) {
    if (warning !== null && !warnings.includes(warning)) warnings.push(warning);
  }
}
