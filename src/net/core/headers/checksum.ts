// SPDX-License-Identifier: GPL-2.0-only
/**
 * The Internet checksum (RFC 1071) and its uses: IPv4 header (RFC 791), TCP, UDP and ICMPv6 with their pseudo
 * headers (RFC 9293 3.1, RFC 768, RFC 8200 8.1).
 *
 * `dissect` verifies no checksum: frames captured on veth or loopback carry the unfinished one that a sender
 * leaves to the hardware (CHECKSUM_PARTIAL).
 */
import { IPPROTO_UDP } from './protocols.js';

/** 32 KiB: a sum of that many bytes in 16-bit words, and a folded one, still fits an int32. */
const FOLD_BYTES = 0x8000;

/**
 * Adds `len` bytes at `off` to a running one's complement sum (Linux: `csum_partial`, folded).
 * @param sum 0 to start, or the result of an earlier call over an even number of bytes
 * @returns 0 to 0xffff, not complemented. An odd last byte counts as if a zero byte followed.
 */
export function csumPartial(b: Uint8Array, off: number, len: number, sum: number): number {
  const end = off + len;
  let acc = sum;
  let i = off;
  while (i < end) {
    const stop = Math.min(i + FOLD_BYTES, end);
    for (; i + 1 < stop; i += 2) acc += (b[i] << 8) | b[i + 1];
    if (i < stop) acc += b[i++] << 8;
    acc = csumFold(acc);
  }
  return acc;
}

/** Folds a sum to 16 bits, carries added back in. Not complemented. */
function csumFold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/**
 * The Internet checksum of `len` bytes at `off`, on top of `sum` (0, or a `csumPartial` such as a pseudo
 * header's).
 * @returns 0 to 0xffff, complemented: what goes into a header whose checksum field was 0. Over bytes that
 * hold a right checksum it is 0.
 */
export function internetChecksum(b: Uint8Array, off: number, len: number, sum: number): number {
  return ~csumPartial(b, off, len, sum) & 0xffff;
}

/**
 * Is the IPv4 header at `off` intact (Linux: `ip_fast_csum(...) == 0`)? Call it after `dissect` found the
 * header whole: it trusts the header's length field.
 */
export function ipv4HeaderChecksumOk(b: Uint8Array, off: number): boolean {
  return csumPartial(b, off, (b[off] & 0x0f) << 2, 0) === 0xffff;
}

/**
 * Sum of the pseudo header of an upper-layer packet (Linux: `csum_tcpudp_nofold`, `csum_ipv6_magic`):
 * addresses from the IP header at `l3Off` (version 4 or 6 by its first nibble), protocol and length from the
 * arguments.
 * @returns 0 to 0xffff, not complemented
 */
export function pseudoHeaderSum(b: Uint8Array, l3Off: number, l4Len: number, proto: number): number {
  const lengthAndProto = csumFold((l4Len >>> 16) + (l4Len & 0xffff) + proto);
  if (b[l3Off] >>> 4 === 6) return csumPartial(b, l3Off + 8, 32, lengthAndProto);
  return csumPartial(b, l3Off + 12, 8, lengthAndProto);
}

/**
 * Checksum of an upper-layer packet with its pseudo header (Linux: `tcp_v4_check`, `udp_v4_check`, ...).
 * @param l4Len bytes of the upper-layer packet, header and payload
 * @returns 0 to 0xffff. With a checksum field of 0 in the bytes: the value to store (see `udpChecksum` for
 * UDP). With the right checksum in the bytes: 0.
 */
export function l4Checksum(
  b: Uint8Array,
  l3Off: number,
  l4Off: number,
  l4Len: number,
  proto: number,
): number {
  return internetChecksum(b, l4Off, l4Len, pseudoHeaderSum(b, l3Off, l4Len, proto));
}

/**
 * The checksum to store in a UDP header whose checksum field is 0 now. A computed 0 becomes 0xffff, because 0
 * on the wire means "no checksum" (RFC 768; Linux: CSUM_MANGLED_0).
 * @param udpLen bytes of the datagram, its header of 8 included
 */
export function udpChecksum(b: Uint8Array, l3Off: number, l4Off: number, udpLen: number): number {
  const sum = l4Checksum(b, l3Off, l4Off, udpLen, IPPROTO_UDP);
  return sum === 0 ? 0xffff : sum;
}

/**
 * Is the UDP checksum right? One of 0 counts as right over IPv4 (none was made), as wrong over IPv6 (RFC 8200
 * 8.1; Linux: `udp_lib_checksum_complete`, `udp6_csum_init`). Call it after `dissect` found the datagram
 * whole.
 */
export function udpChecksumOk(b: Uint8Array, l3Off: number, l4Off: number, udpLen: number): boolean {
  if ((b[l4Off + 6] | b[l4Off + 7]) === 0) return b[l3Off] >>> 4 === 4;
  return l4Checksum(b, l3Off, l4Off, udpLen, IPPROTO_UDP) === 0;
}
