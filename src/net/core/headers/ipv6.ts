// SPDX-License-Identifier: GPL-2.0-only
/**
 * The IPv6 header and its extension headers (RFC 8200), jumbograms (RFC 2675), atomic fragments (RFC 6946),
 * by the rules of Linux's `ip6_rcv_core`, `ip6_parse_tlv`, `ipv6_hop_jumbo` and `ipv6_frag_rcv`.
 *
 * Stricter than Linux in one place: a payload length of 0 with a hop-by-hop header but no jumbo option is an
 * error (RFC 2675 3), where Linux takes the frame's length.
 */
import {
  DISSECT_IP_HDR,
  DISSECT_IP_TOT_LEN,
  DISSECT_IPV6_EXTHDR,
  DISSECT_OK,
  type FlowKeys,
  IPV6_EXT_AH,
  IPV6_EXT_DEST,
  IPV6_EXT_FRAGMENT,
  IPV6_EXT_HOP,
  IPV6_EXT_ROUTING,
} from './flow_keys.js';
import { dissectFragment, dissectL4 } from './l4.js';
import {
  ICMP_HLEN,
  IPPROTO_AH,
  IPPROTO_DSTOPTS,
  IPPROTO_FRAGMENT,
  IPPROTO_HOPOPTS,
  IPPROTO_ICMPV6,
  IPPROTO_ROUTING,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV6_HLEN,
  TCP_HLEN,
  UDP_HLEN,
} from './protocols.js';

/** More extension headers than this are an error (Linux's dissector: MAX_FLOW_DISSECT_HDRS). */
export const IPV6_MAX_EXT_HDRS = 15;
/** Every extension header is at least this long, bytes. */
const EXT_HLEN_MIN = 8;
/** Largest payload that the plain length field can tell, bytes. */
const IPV6_MAXPLEN = 65535;
/** Fragment header: more-fragments bit and offset (in bytes, as its unit of 8 leaves three low bits free). */
const IP6_MF = 0x0001;
const IP6_OFFSET = 0xfff8;
/** Option types: one byte of padding, and the jumbo payload. */
const IPV6_TLV_PAD1 = 0;
const IPV6_TLV_JUMBO = 0xc2;

/**
 * Dissects the IPv6 packet at `l3Off` into `keys`. Nothing at or behind `end`, the frame's end, is read.
 * @returns a `DISSECT_*` code
 */
export function dissectIpv6(b: Uint8Array, l3Off: number, end: number, keys: FlowKeys): number {
  const avail = end - l3Off - IPV6_HLEN;
  if (avail < 0 || b[l3Off] >>> 4 !== 6) return DISSECT_IP_HDR;
  let payloadLen = (b[l3Off + 4] << 8) | b[l3Off + 5];
  const next = b[l3Off + 6];
  keys.ipVersion = 6;
  keys.ipProto = next;
  keys.srcAddrOff = l3Off + 8;
  keys.dstAddrOff = l3Off + 24;
  keys.addrLen = 16;
  keys.ipTotLen = IPV6_HLEN + payloadLen;
  if (payloadLen > avail) return DISSECT_IP_TOT_LEN;

  const extOff = l3Off + IPV6_HLEN;
  let jumbo = 0;
  if (next === IPPROTO_HOPOPTS) {
    // In a jumbogram the packet's end is known only once its option is read: the frame bounds the walk.
    const jumboLen = hopByHopJumboLen(b, l3Off, payloadLen === 0 ? end : extOff + payloadLen);
    if (jumboLen < 0) return -jumboLen;
    if ((jumboLen === 0) !== (payloadLen !== 0)) return DISSECT_IP_HDR;
    if (jumboLen > avail) return DISSECT_IP_TOT_LEN;
    if (jumboLen !== 0) {
      jumbo = 1;
      payloadLen = jumboLen;
      keys.ipTotLen = IPV6_HLEN + payloadLen;
    }
  }
  const ipEnd = extOff + payloadLen;
  if (isExtensionHeader(next)) return walkExtensionHeaders(b, extOff, ipEnd, jumbo, keys);
  keys.l4Off = extOff;
  return dissectL4(b, extOff, ipEnd, jumbo, keys);
}

/** Headers passed over on the way to the upper layer. ESP hides what follows, so it counts as upper. */
function isExtensionHeader(proto: number): boolean {
  return (
    proto === IPPROTO_HOPOPTS ||
    proto === IPPROTO_ROUTING ||
    proto === IPPROTO_FRAGMENT ||
    proto === IPPROTO_DSTOPTS ||
    proto === IPPROTO_AH
  );
}

/** Follows the chain from `extOff` (first header's type: `keys.ipProto`), then dissects what it ends in. */
function walkExtensionHeaders(
  b: Uint8Array,
  extOff: number,
  ipEnd: number,
  jumbo: number,
  keys: FlowKeys,
): number {
  let off = extOff;
  let proto = keys.ipProto;
  for (let count = 0; isExtensionHeader(proto); count++) {
    if (count === IPV6_MAX_EXT_HDRS || ipEnd - off < EXT_HLEN_MIN) return DISSECT_IPV6_EXTHDR;
    let hdrLen = (b[off + 1] + 1) << 3;
    if (proto === IPPROTO_HOPOPTS) {
      // RFC 8200 4.1: only directly behind the IPv6 header.
      if (count !== 0) return DISSECT_IPV6_EXTHDR;
      keys.ipv6Ext |= IPV6_EXT_HOP;
    } else if (proto === IPPROTO_ROUTING) {
      keys.ipv6Ext |= IPV6_EXT_ROUTING;
    } else if (proto === IPPROTO_DSTOPTS) {
      keys.ipv6Ext |= IPV6_EXT_DEST;
    } else if (proto === IPPROTO_AH) {
      keys.ipv6Ext |= IPV6_EXT_AH;
      hdrLen = (b[off + 1] + 2) << 2;
    } else {
      // A second fragment header, or one in a jumbogram, is malformed (`ipv6_frag_rcv`).
      if (jumbo !== 0 || (keys.ipv6Ext & IPV6_EXT_FRAGMENT) !== 0) return DISSECT_IP_HDR;
      keys.ipv6Ext |= IPV6_EXT_FRAGMENT;
      hdrLen = EXT_HLEN_MIN;
      noteFragment((b[off + 2] << 8) | b[off + 3], keys);
    }
    if (hdrLen > ipEnd - off) return DISSECT_IPV6_EXTHDR;
    proto = b[off];
    keys.ipProto = proto;
    off += hdrLen;
    keys.l4Off = off;
    // The middle of the packet begins here: bytes that look like a header are data.
    if (keys.isFragment !== 0 && keys.isFirstFragment === 0) break;
  }
  if (keys.isFragment === 0) return dissectL4(b, off, ipEnd, jumbo, keys);
  // The first fragment must hold the whole chain (RFC 8200 4.5; `ipv6frag_thdr_truncated`).
  if (keys.isFirstFragment !== 0 && ipEnd - off < leastUpperHeader(proto)) return DISSECT_IP_HDR;
  dissectFragment(b, off, ipEnd, keys);
  return DISSECT_OK;
}

/**
 * Takes in the offset word of a fragment header. Offset 0 without more to come is a whole packet (RFC 6946).
 */
function noteFragment(word: number, keys: FlowKeys): void {
  if ((word & (IP6_OFFSET | IP6_MF)) === 0) return;
  keys.isFragment = 1;
  keys.fragOff = word & IP6_OFFSET;
  keys.isFirstFragment = keys.fragOff === 0 ? 1 : 0;
}

/** Bytes of the upper layer that a first fragment must hold at least. */
function leastUpperHeader(proto: number): number {
  if (proto === IPPROTO_TCP) return TCP_HLEN;
  if (proto === IPPROTO_UDP) return UDP_HLEN;
  return proto === IPPROTO_ICMPV6 ? ICMP_HLEN : 1;
}

/**
 * Walks the options of the hop-by-hop header behind the IPv6 header at `l3Off`, up to `end`.
 * @returns the jumbo payload length in bytes (above 65535); 0 without such an option; below 0: the negated
 * `DISSECT_*` code
 */
function hopByHopJumboLen(b: Uint8Array, l3Off: number, end: number): number {
  const extOff = l3Off + IPV6_HLEN;
  if (end - extOff < EXT_HLEN_MIN) return -DISSECT_IPV6_EXTHDR;
  const extEnd = extOff + ((b[extOff + 1] + 1) << 3);
  if (extEnd > end) return -DISSECT_IPV6_EXTHDR;
  let jumboLen = 0;
  let off = extOff + 2;
  while (off < extEnd) {
    if (b[off] === IPV6_TLV_PAD1) {
      off++;
      continue;
    }
    if (extEnd - off < 2) return -DISSECT_IP_HDR;
    const optLen = b[off + 1] + 2;
    if (optLen > extEnd - off) return -DISSECT_IP_HDR;
    if (b[off] === IPV6_TLV_JUMBO) {
      // Four bytes, at an offset of 4n + 2 from the IPv6 header, once, and not for what the plain field can
      // tell.
      if (optLen !== 6 || ((off - l3Off) & 3) !== 2 || jumboLen !== 0) return -DISSECT_IP_HDR;
      jumboLen = ((b[off + 2] << 24) | (b[off + 3] << 16) | (b[off + 4] << 8) | b[off + 5]) >>> 0;
      if (jumboLen <= IPV6_MAXPLEN) return -DISSECT_IP_HDR;
    }
    off += optLen;
  }
  return jumboLen;
}
