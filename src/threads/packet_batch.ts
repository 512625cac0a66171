// SPDX-License-Identifier: GPL-2.0-only
/** Received frames, as an application sees them: numbers to read by index, no object per frame. */
import type { Arena } from '../mm/arena.js';
import { SKB, SKB_DATA_BYTES, SKB_F_REASSEMBLED, SKB_PART, skbData, skbFrames } from '../net/core/skbuff.js';

/** Most frames of a batch. */
const MAX_BATCH = 256;

export class PacketBatch {
  /** Frames in the batch. */
  count = 0;
  /** Index of the socket they came from. */
  socket = 0;
  /** The shared bytes that offsets refer to. */
  readonly bytes: Uint8Array;
  /** The buffers, for code that knows struct sk_buff. */
  readonly skbs = new Int32Array(MAX_BATCH);
  private readonly m: Int32Array;
  private readonly f: Float64Array;

  constructor(arena: Arena) {
    this.bytes = arena.b;
    this.m = arena.m;
    this.f = arena.f;
  }

  /** Frames that frame `i` came in: 1, or the fragments of a datagram that was put together. */
  frames(i: number): number {
    return skbFrames(this.m, this.skbs[i]);
  }

  /** Length of frame `i` in bytes: of a datagram that was put together, as if it had come in one piece. */
  length(i: number): number {
    return this.m[this.skbs[i] + SKB.len];
  }

  /** Where frame `i` starts in `bytes`. Contiguous up to 2048 bytes if it came in one piece; `copy` handles all. */
  offset(i: number): number {
    return skbData(this.skbs[i]);
  }

  /** Offset of the transport payload from the frame's start, bytes; 0 for a frame whose headers cannot be read. */
  payloadOffset(i: number): number {
    return this.m[this.skbs[i] + SKB.payload] & 0xffff;
  }

  /** Length of the transport payload, bytes, padding excluded; at most 65535, which a longer one has, too. */
  payloadLength(i: number): number {
    return this.m[this.skbs[i] + SKB.payload] >>> 16;
  }

  /** UDP or TCP source port, 0 without. */
  srcPort(i: number): number {
    return this.m[this.skbs[i] + SKB.ports] >>> 16;
  }

  /** UDP or TCP destination port, 0 without. */
  dstPort(i: number): number {
    return this.m[this.skbs[i] + SKB.ports] & 0xffff;
  }

  /** Receive hash, int32; 0 for what is not IP. */
  hash(i: number): number {
    return this.m[this.skbs[i] + SKB.hash];
  }

  /** Identifies the flow of frame `i` for a check of its order: hash, protocol and VLAN mixed, int32. */
  flow(i: number): number {
    const skb = this.skbs[i];
    const { m } = this;
    return m[skb + SKB.hash] ^ Math.imul(m[skb + SKB.proto], 0x9e3779b1) ^ (m[skb + SKB.vlan] << 13);
  }

  /** Number the wire gave the frame (wraps); the first fragment, if there are more. */
  seq(i: number): number {
    return this.m[this.skbs[i] + SKB.seq];
  }

  /** When the frame was put into the receive ring, CLOCK_MONOTONIC ns; of fragments the one that came last. */
  tstampNs(i: number): number {
    return this.f[(this.skbs[i] + SKB.tstampNs) >> 1];
  }

  /**
   * Copies frame `i`, or part of it.
   * @param from offset from the frame's start, bytes
   * @returns a new array
   */
  copy(i: number, from = 0, length: number = this.length(i) - from): Uint8Array {
    const { m } = this;
    const out = new Uint8Array(Math.max(0, Math.min(length, this.length(i) - from)));
    const inParts = ((m[this.skbs[i] + SKB.proto] >>> 24) & SKB_F_REASSEMBLED) !== 0;
    let done = 0;
    let skip = from;
    for (let skb = this.skbs[i]; skb !== 0 && done < out.length; skb = m[skb + SKB.frags]) {
      const part = inParts ? m[skb + SKB_PART] : SKB_DATA_BYTES << 16;
      const here = part >>> 16;
      if (skip >= here) {
        skip -= here;
        continue;
      }
      const at = skbData(skb) + (part & 0xffff) + skip;
      const n = Math.min(here - skip, out.length - done);
      out.set(this.bytes.subarray(at, at + n), done);
      done += n;
      skip = 0;
    }
    return out;
  }

  /** Copies the transport payload of frame `i`. @returns a new array */
  payload(i: number): Uint8Array {
    return this.copy(i, this.payloadOffset(i), this.payloadLength(i));
  }
}
