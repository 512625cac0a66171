// SPDX-License-Identifier: GPL-2.0-only
/**
 * TCP, UDP, ICMP and ICMPv6 headers. Callers have checked that [`l4Off`, `ipEnd`) lies inside the frame;
 * nothing outside it is read here.
 */
import {
  DISSECT_ICMP_HDR,
  DISSECT_OK,
  DISSECT_TCP_HDR,
  DISSECT_UDP_LEN,
  type FlowKeys,
} from './flow_keys.js';
import {
  ICMP_HLEN,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  TCP_HLEN,
  UDP_HLEN,
} from './protocols.js';

/**
 * Dissects the header behind IP into `keys` by `keys.ipProto` and `keys.ipVersion`. A protocol that is not
 * known is in order: all behind IP is then its payload.
 * @param ipEnd end of the IP packet by its own length, at most the frame's end
 * @param jumbo 1 in a jumbogram, the only packet that may have a UDP length of 0 (RFC 2675 4)
 * @returns a `DISSECT_*` code
 */
export function dissectL4(
  b: Uint8Array,
  l4Off: number,
  ipEnd: number,
  jumbo: number,
  keys: FlowKeys,
): number {
  const proto = keys.ipProto;
  const avail = ipEnd - l4Off;
  if (proto === IPPROTO_UDP) return dissectUdp(b, l4Off, avail, jumbo, keys);
  if (proto === IPPROTO_TCP) return dissectTcp(b, l4Off, avail, keys);
  if (proto === (keys.ipVersion === 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
    if (avail < ICMP_HLEN) return DISSECT_ICMP_HDR;
    keys.icmpType = b[l4Off];
    keys.icmpCode = b[l4Off + 1];
    keys.payloadOff = l4Off + ICMP_HLEN;
    keys.payloadLen = avail - ICMP_HLEN;
    return DISSECT_OK;
  }
  keys.payloadOff = l4Off;
  keys.payloadLen = avail;
  return DISSECT_OK;
}

/**
 * UDP (RFC 768). The length must hold the header and fit the IP packet; bytes of the packet behind it are not
 * payload. Stricter than `__udp6_lib_rcv`, which takes a length of 0 in any IPv6 packet.
 */
function dissectUdp(b: Uint8Array, l4Off: number, avail: number, jumbo: number, keys: FlowKeys): number {
  if (avail < UDP_HLEN) return DISSECT_UDP_LEN;
  let udpLen = (b[l4Off + 4] << 8) | b[l4Off + 5];
  if (udpLen === 0 && jumbo !== 0) udpLen = avail;
  if (udpLen < UDP_HLEN || udpLen > avail) return DISSECT_UDP_LEN;
  keys.srcPort = (b[l4Off] << 8) | b[l4Off + 1];
  keys.dstPort = (b[l4Off + 2] << 8) | b[l4Off + 3];
  keys.payloadOff = l4Off + UDP_HLEN;
  keys.payloadLen = udpLen - UDP_HLEN;
  return DISSECT_OK;
}

/** TCP (RFC 9293 3.1). The data offset must hold the fixed header and fit the IP packet. */
function dissectTcp(b: Uint8Array, l4Off: number, avail: number, keys: FlowKeys): number {
  if (avail < TCP_HLEN) return DISSECT_TCP_HDR;
  const word = b[l4Off + 12];
  const hdrLen = (word >>> 4) << 2;
  if (hdrLen < TCP_HLEN || hdrLen > avail) return DISSECT_TCP_HDR;
  keys.srcPort = (b[l4Off] << 8) | b[l4Off + 1];
  keys.dstPort = (b[l4Off + 2] << 8) | b[l4Off + 3];
  keys.tcpSeq = (b[l4Off + 4] << 24) | (b[l4Off + 5] << 16) | (b[l4Off + 6] << 8) | b[l4Off + 7];
  keys.tcpAck = (b[l4Off + 8] << 24) | (b[l4Off + 9] << 16) | (b[l4Off + 10] << 8) | b[l4Off + 11];
  keys.tcpHdrLen = hdrLen;
  keys.tcpFlags = ((word & 1) << 8) | b[l4Off + 13];
  keys.tcpWindow = (b[l4Off + 14] << 8) | b[l4Off + 15];
  keys.payloadOff = l4Off + hdrLen;
  keys.payloadLen = avail - hdrLen;
  return DISSECT_OK;
}

/**
 * A fragment's data. Its upper-layer lengths speak of the whole packet, so none is checked; the ports of a
 * first fragment are taken where it is long enough (Linux: FLOW_DISSECTOR_F_PARSE_1ST_FRAG).
 */
export function dissectFragment(b: Uint8Array, l4Off: number, ipEnd: number, keys: FlowKeys): void {
  keys.payloadOff = l4Off;
  keys.payloadLen = ipEnd - l4Off;
  if (keys.isFirstFragment === 0 || ipEnd - l4Off < 4) return;
  if (keys.ipProto !== IPPROTO_TCP && keys.ipProto !== IPPROTO_UDP) return;
  keys.srcPort = (b[l4Off] << 8) | b[l4Off + 1];
  keys.dstPort = (b[l4Off + 2] << 8) | b[l4Off + 3];
}
