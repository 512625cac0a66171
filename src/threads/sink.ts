// SPDX-License-Identifier: GPL-2.0-only
/**
 * The application of `softnet replay` and of the benches: reads everything, checks the order of every flow, measures
 * latency. An ordinary user of AppContext.
 */
import { LogHistogram } from '../kernel/histogram.js';
import type { AppContext } from './app_context.js';

/** What to check besides counting. */
export interface SinkArgs {
  readonly latency: boolean;
  readonly order: boolean;
}

/** What the sink saw. */
export interface SinkResult {
  readonly frames: number;
  readonly bytes: number;
  /** Frames that came before an earlier one of their flow. */
  readonly reordered: number;
  readonly flows: number;
  /** Counts of the latency histogram (see LogHistogram), and the largest latency, ns. */
  readonly counts: Int32Array;
  readonly maxNs: number;
  /** When the last frame was read, CLOCK_MONOTONIC ns; 0 without frames. */
  readonly lastNs: number;
}

/** Open-addressing table from flow to the newest sequence number seen. */
class FlowTable {
  private keys = new Int32Array(1 << 14);
  private seqs = new Int32Array(1 << 14);
  private used = new Uint8Array(1 << 14);
  size = 0;

  /** @returns true if `seq` comes after what the flow had */
  inOrder(key: number, seq: number): boolean {
    const mask = this.keys.length - 1;
    let i = Math.imul(key, 0x9e3779b1) >>> 8;
    for (;;) {
      i &= mask;
      if (this.used[i] === 0) {
        this.used[i] = 1;
        this.keys[i] = key;
        this.seqs[i] = seq;
        this.size++;
        if (this.size * 2 > mask) this.grow();
        return true;
      }
      if (this.keys[i] === key) {
        const ok = ((seq - this.seqs[i]) | 0) > 0;
        if (ok) this.seqs[i] = seq;
        return ok;
      }
      i++;
    }
  }

  private grow(): void {
    const { keys, seqs, used } = this;
    this.keys = new Int32Array(keys.length * 2);
    this.seqs = new Int32Array(keys.length * 2);
    this.used = new Uint8Array(keys.length * 2);
    this.size = 0;
    for (let i = 0; i < keys.length; i++) if (used[i] === 1) this.inOrder(keys[i], seqs[i]);
  }
}

/** Reads until every socket is closed. */
export default function sink(app: AppContext): SinkResult {
  const args = app.args as SinkArgs;
  const histogram = new LogHistogram();
  const table = new FlowTable();
  let frames = 0;
  let bytes = 0;
  let reordered = 0;
  let lastNs = 0;
  for (;;) {
    const batch = app.recv(256);
    if (batch === null) break;
    const { count } = batch;
    frames += count;
    for (let i = 0; i < count; i++) bytes += batch.length(i);
    if (args.order) {
      for (let i = 0; i < count; i++) if (!table.inOrder(batch.flow(i), batch.seq(i))) reordered++;
    }
    const nowNs = app.nowNs();
    lastNs = nowNs;
    if (args.latency) {
      for (let i = 0; i < count; i++) histogram.record(nowNs - batch.tstampNs(i));
    }
  }
  return {
    frames,
    bytes,
    reordered,
    flows: table.size,
    counts: histogram.counts,
    maxNs: histogram.max,
    lastNs,
  };
}
