// SPDX-License-Identifier: GPL-2.0-only
/**
 * Writes valid Ethernet frames into a byte array: for the traffic generator and for tests. Lengths and
 * checksums are right; options, flags and addresses are the caller's. A kept parameter object may be used
 * again with a few fields changed: nothing is allocated for a frame.
 *
 * Payload: `payload` is copied in. With `payloadLen` alone the bytes that already stand at the payload's
 * place are kept and summed, so that a generator can put its sequence number there first (`payloadOffset`
 * tells where).
 */
import {
  csumPartial,
  internetChecksum,
  l4Checksum,
  pseudoHeaderSum,
  udpChecksum,
} from '../../net/core/headers/checksum.js';
import {
  ARPHRD_ETHER,
  ETH_HLEN,
  ETH_P_8021AD,
  ETH_P_8021Q,
  ETH_P_ARP,
  ETH_P_IP,
  ETH_P_IPV6,
  ETH_ZLEN,
  ICMP_ECHO,
  ICMP_ECHOREPLY,
  ICMP_HLEN,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  IP_DF,
  IP_MF,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_HLEN,
  IPV6_HLEN,
  TCP_FLAG_ACK,
  TCP_HLEN,
  UDP_HLEN,
  VLAN_HLEN,
} from '../../net/core/headers/protocols.js';

/** Bytes of an ARP packet for Ethernet and IPv4. */
const ARP_ETHER_IPV4_LEN = 28;
const IP_LEN_MAX = 65535;
/** Every link carries IPv4 packets of so many bytes (RFC 791). */
const IPV4_MIN_MTU = 68;

/** The link layer of a frame. */
export interface EthernetParams {
  /** 6 bytes each. */
  srcMac: Uint8Array;
  dstMac: Uint8Array;
  /** Tag control words, outermost first. The last tag is 802.1Q, those before it 802.1ad. */
  vlan?: readonly number[];
  /** true: zeros are added up to 60 bytes, as a NIC does before it sends. */
  pad?: boolean;
}

/** The network layer, for either version. */
export interface IpParams extends EthernetParams {
  /** 4 bytes each for IPv4, 16 for IPv6. */
  srcIp: Uint8Array;
  dstIp: Uint8Array;
  /** Time to live or hop limit; 64. */
  ttl?: number;
  /** Type of service or traffic class, 8 bits; 0. */
  tos?: number;
  /** IPv4 identification, 16 bits; 0. */
  id?: number;
  /** IPv4: DF is set unless this is false. */
  dontFragment?: boolean;
  /** IPv6 flow label, 20 bits; 0. */
  flowLabel?: number;
  payload?: Uint8Array;
  /** Bytes of payload; the default is all of `payload`, or none. */
  payloadLen?: number;
}

export interface UdpParams extends IpParams {
  srcPort: number;
  dstPort: number;
  /** true: the checksum field is 0, "none made" (valid over IPv4 only). */
  noChecksum?: boolean;
}

export interface TcpParams extends IpParams {
  srcPort: number;
  dstPort: number;
  /** 32 bits each, signed or not; 0. */
  seq?: number;
  ack?: number;
  /** `TCP_FLAG_*` bits; ACK. */
  flags?: number;
  /** 16 bits; 65535. */
  window?: number;
  /** A multiple of 4 bytes, at most 40. */
  options?: Uint8Array;
}

export interface ArpParams extends EthernetParams {
  /** `ARPOP_*`. */
  op: number;
  senderMac: Uint8Array;
  senderIp: Uint8Array;
  targetMac: Uint8Array;
  targetIp: Uint8Array;
}

export interface IcmpEchoParams extends IpParams {
  /** true: an answer; else a request. */
  reply?: boolean;
  /** 16 bits each; 0. */
  ident?: number;
  seq?: number;
}

/**
 * Where the payload of a frame begins, counted from the frame's first byte.
 * @param p as given to the writer
 * @param ipVersion 4 or 6
 * @param l4HdrLen bytes of the upper header: 8 for UDP and ICMP, 20 and the options' length for TCP
 */
export function payloadOffset(p: EthernetParams, ipVersion: 4 | 6, l4HdrLen: number): number {
  return l2Len(p) + (ipVersion === 4 ? IPV4_HLEN : IPV6_HLEN) + l4HdrLen;
}

/**
 * Writes an Ethernet, IPv4 and UDP frame at `off`.
 * @returns its length in bytes, padding included. As all writers here: throws RangeError, before the first
 * byte is written, if the frame does not fit the array or its length field
 */
export function writeUdp4(b: Uint8Array, off: number, p: UdpParams): number {
  return writeUdp(b, off, p, 4);
}

/** @returns frames that a UDP datagram over IPv4 without options takes on a link of that MTU, bytes */
export function udp4Frames(payloadLen: number, mtu: number): number {
  const ipData = UDP_HLEN + payloadLen;
  if (IPV4_HLEN + ipData <= mtu) return 1;
  return Math.ceil(ipData / fragmentBytes(mtu));
}

/** Bytes behind the IP header that a fragment carries which is not the last: a multiple of 8. */
function fragmentBytes(mtu: number): number {
  return (mtu - IPV4_HLEN) & ~7;
}

/**
 * Writes a UDP datagram of up to 65507 bytes of payload as the frames of a link whose MTU it exceeds (RFC 791), in order of
 * offset. One that fits is a frame as `writeUdp4` writes it, and no fragment.
 * @param off where the first frame begins
 * @param stride bytes from the start of a frame to that of the next
 * @param p `payloadLen` alone: what stands at the places of the payload, piece by piece, is kept and summed
 * @param mtu bytes of the longest IP packet: 68 and more (RFC 791)
 * @returns how many frames it wrote. The length of each: its IP length and the Ethernet header; `pad` holds for the last
 */
export function writeUdp4Frames(
  b: Uint8Array,
  off: number,
  stride: number,
  p: UdpParams,
  mtu: number,
): number {
  const payloadLen = payloadLenOf(p);
  if (mtu < IPV4_MIN_MTU)
    throw new RangeError(`writeUdp4Frames: an MTU of ${mtu}; give ${IPV4_MIN_MTU} or more`);
  const frames = udp4Frames(payloadLen, mtu);
  if (frames === 1) {
    writeUdp4(b, off, p);
    return 1;
  }
  const udpLen = UDP_HLEN + payloadLen;
  if (IPV4_HLEN + udpLen > IP_LEN_MAX) {
    throw new RangeError(
      `writeUdp4Frames: IPv4 length ${IPV4_HLEN + udpLen} is above 65535; give less payload`,
    );
  }
  const hdrLen = l2Len(p) + IPV4_HLEN;
  const piece = fragmentBytes(mtu);
  if (stride < hdrLen + piece) {
    throw new RangeError(
      `writeUdp4Frames: frames of ${hdrLen + piece} bytes every ${stride}; give a longer stride`,
    );
  }
  const lastLen = hdrLen + udpLen - (frames - 1) * piece;
  checkRoom(b, off + (frames - 1) * stride, lastLen, p, 'writeUdp4Frames');
  let sum = 0;
  for (let k = 0; k < frames; k++) {
    const at = off + k * stride;
    const from = k * piece;
    const len = Math.min(piece, udpLen - from);
    const l3Off = writeEthernet(b, at, p, ETH_P_IP);
    writeIpv4(b, l3Off, p, IPPROTO_UDP, IPV4_HLEN + len, (k + 1 < frames ? IP_MF : 0) | (from >>> 3));
    const dataOff = l3Off + IPV4_HLEN;
    const headLen = k === 0 ? UDP_HLEN : 0;
    if (k === 0) {
      put16(b, dataOff, p.srcPort);
      put16(b, dataOff + 2, p.dstPort);
      put16(b, dataOff + 4, udpLen);
      put16(b, dataOff + 6, 0);
      sum = pseudoHeaderSum(b, l3Off, udpLen, IPPROTO_UDP);
    }
    if (p.payload !== undefined) {
      const first = from + headLen - UDP_HLEN;
      copyBytes(b, dataOff + headLen, p.payload.subarray(first, first + len - headLen));
    }
    sum = csumPartial(b, dataOff, len, sum);
  }
  if (p.pad === true && lastLen < ETH_ZLEN) {
    const at = off + (frames - 1) * stride;
    b.fill(0, at + lastLen, at + ETH_ZLEN);
  }
  if (p.noChecksum !== true) put16(b, off + hdrLen + 6, sum === 0xffff ? 0xffff : ~sum);
  return frames;
}

/** Writes an Ethernet, IPv6 and UDP frame at `off`. Returns its length. */
export function writeUdp6(b: Uint8Array, off: number, p: UdpParams): number {
  return writeUdp(b, off, p, 6);
}

/** Writes an Ethernet, IPv4 and TCP frame at `off`. Returns its length. */
export function writeTcp4(b: Uint8Array, off: number, p: TcpParams): number {
  return writeTcp(b, off, p, 4);
}

/** Writes an Ethernet, IPv6 and TCP frame at `off`. Returns its length. */
export function writeTcp6(b: Uint8Array, off: number, p: TcpParams): number {
  return writeTcp(b, off, p, 6);
}

/** Writes an ICMP echo request or reply over IPv4 (RFC 792) at `off`. Returns the frame's length. */
export function writeIcmpEcho(b: Uint8Array, off: number, p: IcmpEchoParams): number {
  return writeEcho(b, off, p, 4);
}

/** Writes an ICMPv6 echo request or reply (RFC 4443 4) at `off`. Returns the frame's length. */
export function writeIcmp6Echo(b: Uint8Array, off: number, p: IcmpEchoParams): number {
  return writeEcho(b, off, p, 6);
}

/** Writes an ARP frame for Ethernet and IPv4 (RFC 826) at `off`. Returns its length. */
export function writeArp(b: Uint8Array, off: number, p: ArpParams): number {
  if (p.senderMac.length + p.targetMac.length !== 12 || p.senderIp.length + p.targetIp.length !== 8) {
    throw new RangeError('writeArp: a MAC address has 6 bytes and an IPv4 address 4; give two of each');
  }
  const len = l2Len(p) + ARP_ETHER_IPV4_LEN;
  const padded = checkRoom(b, off, len, p, 'writeArp');
  const l3Off = writeEthernet(b, off, p, ETH_P_ARP);
  put16(b, l3Off, ARPHRD_ETHER);
  put16(b, l3Off + 2, ETH_P_IP);
  b[l3Off + 4] = 6;
  b[l3Off + 5] = 4;
  put16(b, l3Off + 6, p.op);
  copyBytes(b, l3Off + 8, p.senderMac);
  copyBytes(b, l3Off + 14, p.senderIp);
  copyBytes(b, l3Off + 18, p.targetMac);
  copyBytes(b, l3Off + 24, p.targetIp);
  if (padded > len) b.fill(0, off + len, off + padded);
  return padded;
}

function writeUdp(b: Uint8Array, off: number, p: UdpParams, version: 4 | 6): number {
  const udpLen = UDP_HLEN + payloadLenOf(p);
  const padded = begin(b, off, p, version, IPPROTO_UDP, udpLen);
  const l3Off = off + l2Len(p);
  const l4Off = l3Off + ipHdrLen(version);
  put16(b, l4Off, p.srcPort);
  put16(b, l4Off + 2, p.dstPort);
  put16(b, l4Off + 4, udpLen);
  put16(b, l4Off + 6, 0);
  if (p.payload !== undefined) copyBytes(b, l4Off + UDP_HLEN, p.payload);
  if (p.noChecksum !== true) put16(b, l4Off + 6, udpChecksum(b, l3Off, l4Off, udpLen));
  return padded;
}

function writeTcp(b: Uint8Array, off: number, p: TcpParams, version: 4 | 6): number {
  const optionsLen = p.options === undefined ? 0 : p.options.length;
  if (optionsLen > 40 || (optionsLen & 3) !== 0) {
    throw new RangeError(`writeTcp${version}: ${optionsLen} bytes of options; give a multiple of 4 up to 40`);
  }
  const hdrLen = TCP_HLEN + optionsLen;
  const tcpLen = hdrLen + payloadLenOf(p);
  const padded = begin(b, off, p, version, IPPROTO_TCP, tcpLen);
  const l3Off = off + l2Len(p);
  const l4Off = l3Off + ipHdrLen(version);
  const flags = p.flags ?? TCP_FLAG_ACK;
  put16(b, l4Off, p.srcPort);
  put16(b, l4Off + 2, p.dstPort);
  put32(b, l4Off + 4, p.seq ?? 0);
  put32(b, l4Off + 8, p.ack ?? 0);
  b[l4Off + 12] = (hdrLen << 2) | ((flags >>> 8) & 1);
  b[l4Off + 13] = flags;
  put16(b, l4Off + 14, p.window ?? 65535);
  put32(b, l4Off + 16, 0);
  if (p.options !== undefined) copyBytes(b, l4Off + TCP_HLEN, p.options);
  if (p.payload !== undefined) copyBytes(b, l4Off + hdrLen, p.payload);
  put16(b, l4Off + 16, l4Checksum(b, l3Off, l4Off, tcpLen, IPPROTO_TCP));
  return padded;
}

function writeEcho(b: Uint8Array, off: number, p: IcmpEchoParams, version: 4 | 6): number {
  const icmpLen = ICMP_HLEN + payloadLenOf(p);
  const proto = version === 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
  const padded = begin(b, off, p, version, proto, icmpLen);
  const l3Off = off + l2Len(p);
  const l4Off = l3Off + ipHdrLen(version);
  if (version === 4) b[l4Off] = p.reply === true ? ICMP_ECHOREPLY : ICMP_ECHO;
  else b[l4Off] = p.reply === true ? ICMPV6_ECHO_REPLY : ICMPV6_ECHO_REQUEST;
  b[l4Off + 1] = 0;
  put16(b, l4Off + 2, 0);
  put16(b, l4Off + 4, p.ident ?? 0);
  put16(b, l4Off + 6, p.seq ?? 0);
  if (p.payload !== undefined) copyBytes(b, l4Off + ICMP_HLEN, p.payload);
  // Only ICMPv6 sums a pseudo header (RFC 4443 2.3).
  const sum =
    version === 4 ? internetChecksum(b, l4Off, icmpLen, 0) : l4Checksum(b, l3Off, l4Off, icmpLen, proto);
  put16(b, l4Off + 2, sum);
  return padded;
}

/** Checks the room, writes Ethernet and IP headers and the padding. Returns the frame's length. */
function begin(
  b: Uint8Array,
  off: number,
  p: IpParams,
  version: 4 | 6,
  proto: number,
  l4Len: number,
): number {
  const ipLen = version === 4 ? IPV4_HLEN + l4Len : l4Len;
  if (ipLen > IP_LEN_MAX) {
    throw new RangeError(`frame builder: IPv${version} length ${ipLen} is above 65535; give less payload`);
  }
  const addrLen = version === 4 ? 4 : 16;
  if (p.srcIp.length !== addrLen || p.dstIp.length !== addrLen) {
    throw new RangeError(`frame builder: an IPv${version} address has ${addrLen} bytes; give two such`);
  }
  if (p.payload !== undefined && p.payload.length !== payloadLenOf(p)) {
    throw new RangeError(
      `frame builder: payloadLen ${p.payloadLen} differs from payload's ${p.payload.length} bytes; leave one out`,
    );
  }
  const len = l2Len(p) + ipHdrLen(version) + l4Len;
  const padded = checkRoom(b, off, len, p, 'frame builder');
  if (version === 4) {
    writeIpv4(b, writeEthernet(b, off, p, ETH_P_IP), p, proto, ipLen);
  } else {
    writeIpv6(b, writeEthernet(b, off, p, ETH_P_IPV6), p, proto, ipLen);
  }
  if (padded > len) b.fill(0, off + len, off + padded);
  return padded;
}

/**
 * Length of the frame with its padding; throws RangeError if it does not fit `b` at `off`, or a MAC is no
 * MAC.
 */
function checkRoom(b: Uint8Array, off: number, len: number, p: EthernetParams, who: string): number {
  if (p.srcMac.length !== 6 || p.dstMac.length !== 6) {
    throw new RangeError(`${who}: an Ethernet address has 6 bytes; give two such`);
  }
  const padded = p.pad === true && len < ETH_ZLEN ? ETH_ZLEN : len;
  if (off < 0 || off + padded > b.length) {
    throw new RangeError(
      `${who}: a frame of ${padded} bytes at offset ${off} does not fit ${b.length} bytes; give a longer array`,
    );
  }
  return padded;
}

/** Writes addresses, tags and type. Returns the first byte behind them. */
function writeEthernet(b: Uint8Array, off: number, p: EthernetParams, ethType: number): number {
  copyBytes(b, off, p.dstMac);
  copyBytes(b, off + 6, p.srcMac);
  let at = off + 12;
  if (p.vlan !== undefined) {
    for (let i = 0; i < p.vlan.length; i++, at += VLAN_HLEN) {
      put16(b, at, i === p.vlan.length - 1 ? ETH_P_8021Q : ETH_P_8021AD);
      put16(b, at + 2, p.vlan[i]);
    }
  }
  put16(b, at, ethType);
  return at + 2;
}

function writeIpv4(
  b: Uint8Array,
  l3Off: number,
  p: IpParams,
  proto: number,
  totLen: number,
  fragment = p.dontFragment === false ? 0 : IP_DF,
): void {
  b[l3Off] = 0x45;
  b[l3Off + 1] = p.tos ?? 0;
  put16(b, l3Off + 2, totLen);
  put16(b, l3Off + 4, p.id ?? 0);
  put16(b, l3Off + 6, fragment);
  b[l3Off + 8] = p.ttl ?? 64;
  b[l3Off + 9] = proto;
  put16(b, l3Off + 10, 0);
  copyBytes(b, l3Off + 12, p.srcIp);
  copyBytes(b, l3Off + 16, p.dstIp);
  put16(b, l3Off + 10, internetChecksum(b, l3Off, IPV4_HLEN, 0));
}

function writeIpv6(b: Uint8Array, l3Off: number, p: IpParams, nextHeader: number, payloadLen: number): void {
  const trafficClass = p.tos ?? 0;
  const flowLabel = p.flowLabel ?? 0;
  put32(b, l3Off, (6 << 28) | ((trafficClass & 0xff) << 20) | (flowLabel & 0xfffff));
  put16(b, l3Off + 4, payloadLen);
  b[l3Off + 6] = nextHeader;
  b[l3Off + 7] = p.ttl ?? 64;
  copyBytes(b, l3Off + 8, p.srcIp);
  copyBytes(b, l3Off + 24, p.dstIp);
}

function l2Len(p: EthernetParams): number {
  return ETH_HLEN + (p.vlan === undefined ? 0 : p.vlan.length * VLAN_HLEN);
}

function ipHdrLen(version: 4 | 6): number {
  return version === 4 ? IPV4_HLEN : IPV6_HLEN;
}

function payloadLenOf(p: IpParams): number {
  return p.payloadLen ?? (p.payload === undefined ? 0 : p.payload.length);
}

/**
 * Copies all of `from` to `off`. Short runs byte by byte: a call of `set` costs as much as some fifty bytes.
 */
function copyBytes(b: Uint8Array, off: number, from: Uint8Array): void {
  const len = from.length;
  if (len > 64) b.set(from, off);
  else for (let i = 0; i < len; i++) b[off + i] = from[i];
}

function put16(b: Uint8Array, off: number, value: number): void {
  b[off] = value >>> 8;
  b[off + 1] = value;
}

function put32(b: Uint8Array, off: number, value: number): void {
  b[off] = value >>> 24;
  b[off + 1] = value >>> 16;
  b[off + 2] = value >>> 8;
  b[off + 3] = value;
}
