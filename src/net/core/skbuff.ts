// SPDX-License-Identifier: GPL-2.0-only
/**
 * Packet buffers (Linux: struct sk_buff and the page behind it). One cache line of description, then the bytes of
 * the frame; an "skb" is the word index of that line. Every access is plain: a buffer has one owner at a time, and
 * the rings and queues it travels through order the hand-over.
 *
 * Owners in turn: page pool → fill ring → NIC → receive ring → NAPI instance (also while GRO holds it) → socket
 * queue → application → page pool.
 */
import { f64, line, struct, word } from '../../mm/struct.js';

export const SKB = struct(
  'sk_buff',
  line('whoever owns the buffer', {
    next: word('link: receive list, GRO bucket, drop list'),
    len: word('length of the frame in bytes'),
    frags: word('next buffer of a frame longer than one buffer, 0: none; 0 in every buffer of a pool'),
    hash: word('receive hash, 0: none'),
    seq: word('number the wire gave the frame (wraps): order is checked by it'),
    pool: word('page pool the buffer belongs to'),
    tstampNs: f64('when the wire put it into the ring (CLOCK_MONOTONIC)'),
    headers: word('offsets of network and transport header from the frame start, 16 bits each'),
    payload: word(
      'offset of the transport payload from the frame start and its length, at most 65535, 16 bits each; 0: not known',
    ),
    ports: word('source and destination port, 16 bits each'),
    proto: word('EtherType 16 bits, IP protocol 8 bits, SKB_F_* 8 bits'),
    vlan: word('tag control word, 0: untagged'),
    segs: word('GRO, on a chain’s head: frames in it; on a reassembled datagram: fragments it came in'),
    fragList: word('next frame of those that GRO chained, 0: last; 0 outside a chain'),
    gro: word('GRO, on a chain’s head: its last frame; in a reassembled datagram: SKB_PART'),
  }),
);

/** Bytes of frame data a buffer holds. */
export const SKB_DATA_BYTES = 2048;
/** Words from one buffer to the next: the line and its data together, so that lines do not share cache sets. */
export const SKB_STRIDE = SKB.SIZE + SKB_DATA_BYTES / 4;

/** `proto` flags: an IP packet that was read whole; a fragment of one; a datagram put together from fragments. */
export const SKB_F_IP = 1;
export const SKB_F_FRAGMENT = 2;
/**
 * The frame reads as if it had come in one piece: headers of its first fragment, then all payload. `len`, `payload` and
 * `segs` of the head speak of the whole; what of it stands in each of its buffers, the head's too, is in SKB_PART.
 */
export const SKB_F_REASSEMBLED = 4;
/**
 * The word that says what of a reassembled datagram stands in a buffer: where it begins, bytes from the start of the
 * buffer's data, and how much it is, 16 bits each as in `payload`. GRO's word: a fragment is never in one of its chains.
 */
export const SKB_PART = SKB.gro;

/** @returns the byte offset of the buffer's data */
export function skbData(skb: number): number {
  return (skb + SKB.SIZE) << 2;
}

/** @returns frames an skb came in: the fragments of a reassembled datagram, else 1 */
export function skbFrames(m: Int32Array, skb: number): number {
  return ((m[skb + SKB.proto] >>> 24) & SKB_F_REASSEMBLED) === 0 ? 1 : m[skb + SKB.segs];
}

/** @returns how many buffers a frame of `len` bytes takes */
export function skbBuffersFor(len: number): number {
  return len <= SKB_DATA_BYTES ? 1 : Math.ceil(len / SKB_DATA_BYTES);
}
