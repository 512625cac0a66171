// SPDX-License-Identifier: GPL-2.0-only
/**
 * GRO's rules: may this packet be merged with the one that is held? Pure comparisons over the bytes of two
 * dissected packets in one array; holding, chaining and delivering are the caller's. The rules are Linux 6.18's.
 *
 * How a receive function uses them, `k` being the new packet's keys:
 *
 *   groClassify(b, off, len, k)     GRO_BYPASS            deliver it alone; what is held stays
 *                                   GRO_FLUSH_AND_BYPASS  deliver the held packet of its flow, then it, alone
 *                                   GRO_CANDIDATE         go on
 *   sameFlow(b, head..., off, k)    for each held packet with the same hash, until one matches
 *   tcp|udp..CanAppend(b, head..., k)
 *                                   GRO_APPEND            chain it to the held packet
 *                                   GRO_APPEND_AND_FLUSH  chain it, then deliver
 *                                   GRO_FLUSH_FIRST       deliver the held packet, then as without one:
 *   groCanHold(k)                   true: hold it; false: deliver it alone
 *
 * A caller keeps these five numbers of a held packet ("head" below):
 *   l3Off, l4Off   where the headers of its first segment stand; the bytes must not change while it is held
 *   count          segments chained so far, 1 at first
 *   gsoSize        payload of its first segment, bytes; each further one has as much, a shorter one is the last
 *   idStep         how the IPv4 id moves from segment to segment: `groIdStep` at the first append
 * and for TCP the sequence number behind the held data (the first segment's, and `payloadLen` of each).
 *
 * TCP: on GRO_APPEND_AND_FLUSH the new packet's FIN and PSH go into the merged header (`tcp_gro_receive`).
 *
 * UDP packets are merged only where somebody asked for it: a socket with UDP_GRO, or a device that forwards
 * (NETIF_F_GRO_UDP_FWD, NETIF_F_GRO_FRAGLIST). That test (`udp_gro_receive`) is the caller's, as are three
 * that concern the device: the TCP and UDP checksum (`skb_gro_checksum_validate`; here the NIC has checked
 * it), the hash, and the device itself (`gro_list_prepare`). Tunnels, GSO packets from the NIC and TLS marks
 * do not occur here.
 */
import { ipv4HeaderChecksumOk } from './headers/checksum.js';
import {
  DISSECT_OK,
  type FlowKeys,
  IPV6_EXT_DEST,
  IPV6_EXT_HOP,
  IPV6_EXT_ROUTING,
} from './headers/flow_keys.js';
import {
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV6_HLEN,
  TCP_FLAG_CWR,
  TCP_FLAG_FIN,
  TCP_FLAG_PSH,
  TCP_FLAG_RST,
  TCP_FLAG_SYN,
  TCP_FLAG_URG,
  TCP_HLEN,
  UDP_HLEN,
} from './headers/protocols.js';

/** `groClassify`: not for GRO; it passes what is held. */
export const GRO_BYPASS = 0;
/** `groClassify`: not for GRO, but the held packet of its flow goes first, so that the order stays. */
export const GRO_FLUSH_AND_BYPASS = 1;
/** `groClassify`: may be merged or held. */
export const GRO_CANDIDATE = 2;

/** `...CanAppend`: of the flow, but not mergeable: the held packet must go first. */
export const GRO_FLUSH_FIRST = 0;
/** `...CanAppend`: merge it, go on holding. */
export const GRO_APPEND = 1;
/** `...CanAppend`: merge it; it is the last one. */
export const GRO_APPEND_AND_FLUSH = 2;

/** Most segments in a merged UDP packet (Linux: UDP_GRO_CNT_MAX), and in a list of TCP packets. */
export const UDP_GRO_CNT_MAX = 64;
/** A merged packet stays below this, IP header included, bytes (Linux: GRO_LEGACY_MAX_SIZE, the default). */
export const GRO_MAX_SIZE = 65536;

/** Flags that never wait (end of `tcp_gro_receive`). */
const TCP_FLUSH_FLAGS = TCP_FLAG_URG | TCP_FLAG_PSH | TCP_FLAG_RST | TCP_FLAG_SYN | TCP_FLAG_FIN;
/** Extension headers that GRO steps over (`ipv6_gro_pull_exthdrs`: those with INET6_PROTO_GSO_EXTHDR). */
const GRO_EXT_HDRS = IPV6_EXT_HOP | IPV6_EXT_ROUTING | IPV6_EXT_DEST;

/**
 * May GRO touch the frame of `len` bytes at `off`, dissected into `keys`?
 *
 * GRO_BYPASS:
 * - not TCP or UDP over IP, or with a fault (no `gro_receive` callback, `tcp_gro_pull_header`);
 * - IPv4 with options, a fragment, or a wrong header checksum (`inet_gro_receive`);
 * - IPv6 with a fragment or authentication header (`ipv6_gro_receive`);
 * - UDP without checksum, without payload, or with bytes behind the datagram (`udp_gro_receive_segment`).
 *
 * GRO_FLUSH_AND_BYPASS:
 * - bytes behind the IP packet, that is, padding (`inet_gro_receive`, `ipv6_gro_receive`);
 * - the reserved bit of the IPv4 fragment word set (`inet_gro_receive`).
 */
export function groClassify(b: Uint8Array, off: number, len: number, keys: FlowKeys): number {
  if (keys.status !== DISSECT_OK || keys.isFragment !== 0) return GRO_BYPASS;
  if (keys.ipProto !== IPPROTO_TCP && keys.ipProto !== IPPROTO_UDP) return GRO_BYPASS;
  const l3Off = keys.l3Off;
  const l4Off = keys.l4Off;
  let flush = off + len !== l3Off + keys.ipTotLen;
  if (keys.ipVersion === 4) {
    if (b[l3Off] !== 0x45 || !ipv4HeaderChecksumOk(b, l3Off)) return GRO_BYPASS;
    if ((b[l3Off + 6] & 0x80) !== 0) flush = true;
  } else if (keys.ipVersion === 6) {
    if ((keys.ipv6Ext & ~GRO_EXT_HDRS) !== 0) return GRO_BYPASS;
    // A jumbogram's length field is 0, so it never equals the frame's.
    if ((b[l3Off + 4] | b[l3Off + 5]) === 0) flush = true;
  } else {
    return GRO_BYPASS;
  }
  if (keys.ipProto === IPPROTO_UDP) {
    const udpLen = (b[l4Off + 4] << 8) | b[l4Off + 5];
    if ((b[l4Off + 6] | b[l4Off + 7]) === 0 || udpLen <= UDP_HLEN) return GRO_BYPASS;
    if (l4Off + udpLen !== off + len) return GRO_BYPASS;
  }
  return flush ? GRO_FLUSH_AND_BYPASS : GRO_CANDIDATE;
}

/**
 * Are the held packet and the new one of one flow? Both are candidates of `groClassify`, or the new one
 * GRO_FLUSH_AND_BYPASS.
 *
 * - Ethernet addresses, VLAN tags and types are equal (`gro_list_prepare`; a second tag: `vlan_gro_receive`).
 * - IPv4: protocol and addresses are equal (`inet_gro_receive`).
 * - IPv6: flow label, next header, addresses and all extension headers are equal (`ipv6_gro_receive`).
 * - Ports are equal (`tcp_gro_lookup`, `udp_gro_receive_segment`).
 * @param headOff first byte of the held packet's frame
 * @param off first byte of the new packet's frame
 */
export function sameFlow(
  b: Uint8Array,
  headOff: number,
  headL3Off: number,
  headL4Off: number,
  off: number,
  keys: FlowKeys,
): boolean {
  const l3Off = keys.l3Off;
  const l4Off = keys.l4Off;
  // The ports differ most often, so they are looked at first.
  if (differ4(b, headL4Off, l4Off) !== 0) return false;
  if (headL3Off - headOff !== l3Off - off || headL4Off - headL3Off !== l4Off - l3Off) return false;
  if (keys.ipVersion === 4) {
    if (b[headL3Off] >>> 4 !== 4 || b[headL3Off + 9] !== b[l3Off + 9]) return false;
    if ((differ4(b, headL3Off + 12, l3Off + 12) | differ4(b, headL3Off + 16, l3Off + 16)) !== 0) return false;
  } else {
    // Version, flow label; the traffic class between them is a matter of flushing, not of the flow.
    if (((b[headL3Off] ^ b[l3Off]) & 0xf0) !== 0 || ((b[headL3Off + 1] ^ b[l3Off + 1]) & 0x0f) !== 0)
      return false;
    if (b[headL3Off + 2] !== b[l3Off + 2] || b[headL3Off + 3] !== b[l3Off + 3]) return false;
    if (b[headL3Off + 6] !== b[l3Off + 6]) return false;
    if (!bytesEqual(b, headL3Off + 8, l3Off + 8, 32)) return false;
    if (!bytesEqual(b, headL3Off + IPV6_HLEN, l3Off + IPV6_HLEN, l4Off - l3Off - IPV6_HLEN)) return false;
  }
  return bytesEqual(b, headOff, off, l3Off - off);
}

/**
 * How the IPv4 id moves from the held packet to the new one, modulo 2^16: 0 (fixed id) or 1 (counting) where
 * they were merged as the first two. 0 for IPv6, which has none. To be kept as the head's `idStep` when the
 * second segment is appended (Linux: `ip_fixedid`).
 */
export function groIdStep(b: Uint8Array, headL3Off: number, l3Off: number): number {
  if (b[l3Off] >>> 4 !== 4) return 0;
  return (ipv4Id(b, l3Off) - ipv4Id(b, headL3Off)) & 0xffff;
}

/**
 * Must the flow's held packet go first because the IP headers differ (Linux: `gro_receive_network_flush`)?
 *
 * - IPv4 (`inet_gro_flush`): time to live, type of service and DF are equal. The id is the head's for every
 *   segment, or counts up by one for each; the second segment decides which. DF does not matter for that.
 * - IPv6 (`ipv6_gro_flush`): traffic class and hop limit are equal.
 * @param headIdStep not looked at while `headCount` is 1
 */
export function groNetworkFlush(
  b: Uint8Array,
  headL3Off: number,
  headCount: number,
  headIdStep: number,
  l3Off: number,
): boolean {
  if (b[l3Off] >>> 4 === 6) {
    if (((b[headL3Off] ^ b[l3Off]) & 0x0f) !== 0 || ((b[headL3Off + 1] ^ b[l3Off + 1]) & 0xf0) !== 0)
      return true;
    return b[headL3Off + 7] !== b[l3Off + 7];
  }
  if (b[headL3Off + 8] !== b[l3Off + 8] || b[headL3Off + 1] !== b[l3Off + 1]) return true;
  if (((b[headL3Off + 6] ^ b[l3Off + 6]) & 0x40) !== 0) return true;
  const step = groIdStep(b, headL3Off, l3Off);
  if (headCount === 1) return step > 1;
  return step !== headCount * headIdStep;
}

/**
 * May the TCP packet in `keys` be merged with the held one of its flow (Linux: `tcp_gro_receive`,
 * `skb_gro_receive`)?
 *
 * GRO_FLUSH_FIRST unless all of these hold:
 * - it has no CWR flag; header length, window and all flags but FIN and PSH equal the head's;
 * - acknowledgement number and options equal the head's;
 * - the IP headers match (`groNetworkFlush`);
 * - it has payload (a pure ACK is not merged), at most `headGsoSize`;
 * - it begins where the held data end;
 * - the merged packet stays below 65536 bytes.
 *
 * Then GRO_APPEND_AND_FLUSH if it is shorter than `headGsoSize` or has FIN or PSH (SYN, RST or URG cannot
 * come this far: no packet with them is held, and the flags are equal), else GRO_APPEND.
 * @param headNextSeq sequence number behind the held data, int32
 */
export function tcpGroCanAppend(
  b: Uint8Array,
  headL3Off: number,
  headL4Off: number,
  headCount: number,
  headIdStep: number,
  headNextSeq: number,
  headGsoSize: number,
  keys: FlowKeys,
): number {
  const len = keys.payloadLen;
  if (((keys.tcpSeq - headNextSeq) | 0) !== 0 || len === 0 || len > headGsoSize) return GRO_FLUSH_FIRST;
  if (tcpHeaderFlush(b, headL4Off, keys)) return GRO_FLUSH_FIRST;
  if (groNetworkFlush(b, headL3Off, headCount, headIdStep, keys.l3Off)) return GRO_FLUSH_FIRST;
  if (tcpHeldLen(b, headL3Off, headL4Off, headNextSeq, keys) + len >= GRO_MAX_SIZE) return GRO_FLUSH_FIRST;
  if (len < headGsoSize || (keys.tcpFlags & TCP_FLUSH_FLAGS) !== 0) return GRO_APPEND_AND_FLUSH;
  return GRO_APPEND;
}

/**
 * The same for a device that chains whole packets (NETIF_F_GRO_FRAGLIST) and no local socket for the flow
 * (Linux: the `is_flist` part of `tcp_gro_receive`, `skb_gro_receive_list`). Further rules, as the packets
 * are taken apart again just as they came:
 * - FIN and PSH equal the head's too, which has neither, so a packet with them is not merged;
 * - at most 64 segments;
 * - the held bytes and the new packet with its headers stay below 65536.
 *
 * One difference: Linux's list code does not look at the mark that `groClassify` turns into
 * GRO_FLUSH_AND_BYPASS, so it chains padded frames; here they go alone.
 */
export function tcpGroListCanAppend(
  b: Uint8Array,
  headL3Off: number,
  headL4Off: number,
  headCount: number,
  headIdStep: number,
  headNextSeq: number,
  headGsoSize: number,
  keys: FlowKeys,
): number {
  if (headCount >= UDP_GRO_CNT_MAX || b[headL4Off + 13] !== b[keys.l4Off + 13]) return GRO_FLUSH_FIRST;
  const held = tcpHeldLen(b, headL3Off, headL4Off, headNextSeq, keys);
  if (held + keys.ipTotLen >= GRO_MAX_SIZE) return GRO_FLUSH_FIRST;
  return tcpGroCanAppend(b, headL3Off, headL4Off, headCount, headIdStep, headNextSeq, headGsoSize, keys);
}

/**
 * May the UDP packet in `keys` be merged with the held one of its flow (Linux: `udp_gro_receive_segment`,
 * `skb_gro_receive`)? Checksums of 0 do not come this far (`groClassify`).
 *
 * GRO_FLUSH_FIRST if it is longer than the head's segments, if the IP headers do not match
 * (`groNetworkFlush`), or if the merged packet would reach 65536 bytes. Then GRO_APPEND_AND_FLUSH if it is
 * shorter than the head's segments, or the 64th; else GRO_APPEND.
 */
export function udpGroCanAppend(
  b: Uint8Array,
  headL3Off: number,
  headL4Off: number,
  headCount: number,
  headIdStep: number,
  headGsoSize: number,
  keys: FlowKeys,
): number {
  const len = keys.payloadLen;
  if (len > headGsoSize) return GRO_FLUSH_FIRST;
  if (groNetworkFlush(b, headL3Off, headCount, headIdStep, keys.l3Off)) return GRO_FLUSH_FIRST;
  const held = headL4Off - headL3Off + UDP_HLEN + headCount * headGsoSize;
  if (held + len >= GRO_MAX_SIZE) return GRO_FLUSH_FIRST;
  return len < headGsoSize || headCount + 1 >= UDP_GRO_CNT_MAX ? GRO_APPEND_AND_FLUSH : GRO_APPEND;
}

/**
 * The same for a device that chains whole packets (NETIF_F_GRO_FRAGLIST; Linux: the `is_flist` part of
 * `udp_gro_receive_segment`, `skb_gro_receive_list`): the held bytes and the new packet with its headers stay
 * below 65536.
 */
export function udpGroListCanAppend(
  b: Uint8Array,
  headL3Off: number,
  headL4Off: number,
  headCount: number,
  headIdStep: number,
  headGsoSize: number,
  keys: FlowKeys,
): number {
  const held = headL4Off - headL3Off + UDP_HLEN + headCount * headGsoSize;
  if (held + keys.ipTotLen >= GRO_MAX_SIZE) return GRO_FLUSH_FIRST;
  return udpGroCanAppend(b, headL3Off, headL4Off, headCount, headIdStep, headGsoSize, keys);
}

/**
 * May a candidate that was not merged be held to wait for others? UDP: always. TCP: only with payload and
 * without URG, PSH, RST, SYN, FIN (end of `tcp_gro_receive`).
 */
export function groCanHold(keys: FlowKeys): boolean {
  if (keys.ipProto === IPPROTO_UDP) return true;
  return keys.payloadLen !== 0 && (keys.tcpFlags & TCP_FLUSH_FLAGS) === 0;
}

/** The TCP header rules of `tcpGroCanAppend`, sequence numbers left out. true: they forbid it. */
function tcpHeaderFlush(b: Uint8Array, headL4Off: number, keys: FlowKeys): boolean {
  const l4Off = keys.l4Off;
  if ((keys.tcpFlags & TCP_FLAG_CWR) !== 0) return true;
  // Linux compares the whole fourth word: header length, reserved bits, flags and window.
  if (b[headL4Off + 12] !== b[l4Off + 12]) return true;
  if (((b[headL4Off + 13] ^ b[l4Off + 13]) & ~(TCP_FLAG_FIN | TCP_FLAG_PSH)) !== 0) return true;
  if (b[headL4Off + 14] !== b[l4Off + 14] || b[headL4Off + 15] !== b[l4Off + 15]) return true;
  if (differ4(b, headL4Off + 8, l4Off + 8) !== 0) return true;
  return !bytesEqual(b, headL4Off + TCP_HLEN, l4Off + TCP_HLEN, keys.tcpHdrLen - TCP_HLEN);
}

/** Bytes held so far with one IP and one TCP header (Linux: `p->len`); headers are as long as the new one's. */
function tcpHeldLen(
  b: Uint8Array,
  headL3Off: number,
  headL4Off: number,
  headNextSeq: number,
  keys: FlowKeys,
): number {
  const at = headL4Off + 4;
  const seq = (b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3];
  return headL4Off - headL3Off + keys.tcpHdrLen + ((headNextSeq - seq) | 0);
}

function ipv4Id(b: Uint8Array, l3Off: number): number {
  return (b[l3Off + 4] << 8) | b[l3Off + 5];
}

/** 0 if the four bytes at `x` equal those at `y`: without branches, as they are mostly equal. */
function differ4(b: Uint8Array, x: number, y: number): number {
  return (b[x] ^ b[y]) | (b[x + 1] ^ b[y + 1]) | (b[x + 2] ^ b[y + 2]) | (b[x + 3] ^ b[y + 3]);
}

function bytesEqual(b: Uint8Array, x: number, y: number, len: number): boolean {
  let i = 0;
  for (; i + 4 <= len; i += 4) if (differ4(b, x + i, y + i) !== 0) return false;
  for (; i < len; i++) if (b[x + i] !== b[y + i]) return false;
  return true;
}
