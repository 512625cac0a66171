// SPDX-License-Identifier: GPL-2.0-only
/** What a reader checks in each frame: its order in the flow, that it came once, that nobody else writes to its buffer. */
import type { PacketBatch } from '../../threads/packet_batch.js';
import { APP_WORD, FIRST_PORT, LAST_PORT, PORT_STEADY, PORT_TIMED } from './reader_words.js';

/** Numbers remembered for each port, to tell what comes twice. */
const WINDOW = 4096;
/** Where an IPv4 frame without a tag has its destination address. */
const DST_IP = 30;

export class FrameCheck {
  readonly words: Int32Array;
  private readonly flows = new Map<number, number>();
  private readonly seen = new Map<number, Int32Array>();
  private readonly seqs = new Int32Array(256);
  private epoch = 0;

  constructor(words: SharedArrayBuffer) {
    this.words = new Int32Array(words);
  }

  /** Looks at every frame of a batch. */
  batch(batch: PacketBatch): void {
    const { words, seqs } = this;
    const { count } = batch;
    const epoch = Atomics.load(words, APP_WORD.epoch);
    if (epoch !== this.epoch) this.forget(epoch);
    for (let i = 0; i < count; i++) {
      seqs[i] = batch.seq(i);
      if (ours(batch, i)) this.frame(batch, i, seqs[i]);
    }
    // The buffers are this thread's: what it reads of them a little later is the same.
    for (let i = 0; i < count; i++) {
      if (batch.seq(i) !== seqs[i]) this.note(APP_WORD.changed, batch.dstPort(i), batch.seq(i), seqs[i]);
    }
    Atomics.add(words, APP_WORD.frames, count);
  }

  /** Does what the run has asked for: collects garbage for a while. */
  service(): void {
    if (Atomics.load(this.words, APP_WORD.collect) === 0) return;
    Atomics.store(this.words, APP_WORD.collect, 0);
    collectGarbage();
  }

  private frame(batch: PacketBatch, i: number, seq: number): void {
    const port = batch.dstPort(i);
    let seen = this.seen.get(port);
    if (seen === undefined) {
      seen = new Int32Array(WINDOW).fill(-1);
      this.seen.set(port, seen);
    }
    const slot = seq & (WINDOW - 1);
    if (seen[slot] === seq) this.note(APP_WORD.duplicated, port, seq, seq);
    seen[slot] = seq;
    if ((port & PORT_TIMED) !== 0 && numberIn(batch, i) !== seq) {
      this.note(APP_WORD.changed, port, numberIn(batch, i), seq);
    }
    if ((port & PORT_STEADY) === 0) return;
    const flow = batch.flow(i);
    const before = this.flows.get(flow);
    if (before !== undefined && ((seq - before) | 0) <= 0) this.note(APP_WORD.reordered, port, seq, before);
    else this.flows.set(flow, seq);
  }

  private note(word: number, port: number, seq: number, before: number): void {
    const { words } = this;
    if (Atomics.add(words, word, 1) === 0) {
      words[APP_WORD.port] = port;
      words[APP_WORD.seq] = seq;
      words[APP_WORD.before] = before;
    }
  }

  private forget(epoch: number): void {
    this.epoch = epoch;
    this.flows.clear();
    this.seen.clear();
  }
}

/** true for frames that a wire or a sender of the run made; a capture has others. */
function ours(batch: PacketBatch, i: number): boolean {
  const port = batch.dstPort(i);
  if (port < FIRST_PORT || port > LAST_PORT || batch.length(i) < DST_IP + 12) return false;
  const at = batch.offset(i) + DST_IP;
  const { bytes } = batch;
  return bytes[at] === 198 && bytes[at + 1] === 19 && bytes[at + 2] === 0 && bytes[at + 3] === 1;
}

/** The number that a timed wire put into the payload. */
function numberIn(batch: PacketBatch, i: number): number {
  const at = batch.offset(i) + batch.payloadOffset(i);
  const { bytes } = batch;
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}

/** Objects that live through collections, so that these take long. */
const GARBAGE_OBJECTS = 300_000;

/** Makes this thread's V8 collect garbage for some ten milliseconds. */
export function collectGarbage(): void {
  let list: object[] = [];
  for (let i = 0; i < GARBAGE_OBJECTS; i++) list.push({ i, next: list[i >> 1] });
  list = [];
}
