// SPDX-License-Identifier: GPL-2.0-only
/**
 * What a timed wire brings: frames copied from its templates, each with its number in the payload and the checksums set
 * right. By the owner of the buffer; who owns what is said in sim_nic_timed.ts.
 */
import type { NetContext } from '../../net/core/net_context.js';
import { skbData } from '../../net/core/skbuff.js';
import { copyFrame } from './copy_frame.js';
import type { TimedWire } from './sim_nic_timed.js';

/** From the start of a frame: where the IPv4 header begins. */
const L3_OFF = 14;

/** Copies a flow's frame into a buffer and writes its number into the payload, big-endian. */
export function writeFrame(net: NetContext, w: TimedWire, skb: number, flow: number, seq: number): void {
  copyFrame(net.m, net.b, skb, (w.template + flow * w.stride) << 2, w.frameBytes);
  if (w.seqOff !== 0) writeNumber(net.b, skbData(skb) + w.seqOff, seq);
}

/**
 * Copies a frame of a train into a buffer. Arrival `index` is fragment `index % train` of datagram `index / train`. Each
 * datagram has an identification of its own among those of its flow, as far as 16 bits go; its first fragment carries the
 * number of its frame.
 * @returns the length of the frame
 */
export function writeTrainFrame(net: NetContext, w: TimedWire, skb: number, index: number): number {
  const { b } = net;
  const datagram = Math.floor(index / w.train);
  const k = index - datagram * w.train;
  const len = k === w.train - 1 ? w.lastBytes : w.frameBytes;
  copyFrame(net.m, b, skb, (w.template + ((datagram % w.flows) * w.train + k) * w.stride) << 2, len);
  const l3 = skbData(skb) + L3_OFF;
  const id = (w.seqBase + Math.floor(datagram / w.flows)) & 0xffff;
  b[l3 + 4] = id >>> 8;
  b[l3 + 5] = id;
  // RFC 1624: it stood as 0 when the header's checksum was made, which is 0xffff for no header.
  let sum = (~((b[l3 + 10] << 8) | b[l3 + 11]) & 0xffff) + id;
  sum = (sum & 0xffff) + (sum >>> 16);
  b[l3 + 10] = ~sum >>> 8;
  b[l3 + 11] = ~sum;
  if (k === 0 && w.seqOff !== 0) writeNumber(b, skbData(skb) + w.seqOff, (w.seqBase + index) | 0);
  return len;
}

/** Writes a frame's number where the UDP payload begins, and sets the checksum in front of it right. */
function writeNumber(b: Uint8Array, off: number, seq: number): void {
  b[off] = seq >>> 24;
  b[off + 1] = seq >>> 16;
  b[off + 2] = seq >>> 8;
  b[off + 3] = seq;
  // RFC 1624: the number stood as 0 when the checksum in front of it was made.
  let sum = (~((b[off - 2] << 8) | b[off - 1]) & 0xffff) + (seq >>> 16) + (seq & 0xffff);
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  const check = sum === 0xffff ? 0xffff : ~sum & 0xffff;
  b[off - 2] = check >>> 8;
  b[off - 1] = check;
}
