// SPDX-License-Identifier: GPL-2.0-only
/**
 * What `dissect` finds in a frame, and how it says that a frame is broken.
 *
 * Status codes follow the drop reasons (`enum skb_drop_reason`) and SNMP counters of the function that would
 * drop the packet in Linux; `DISSECT_TEXT` names both.
 */

/** The frame is in order, as far as it was understood. */
export const DISSECT_OK = 0;
/** The frame ends inside its Ethernet header or a VLAN tag, or is not wholly inside the byte array. */
export const DISSECT_TRUNCATED = 1;
/** IP header wrong: too short, version, header length, total length below the header (`ip_rcv_core`). */
export const DISSECT_IP_HDR = 2;
/** The IP packet says that it is longer than its frame (`ip_rcv_core`, `ip6_rcv_core`). */
export const DISSECT_IP_TOT_LEN = 3;
/** An IPv6 extension header runs past the packet, stands where it may not, or there are too many. */
export const DISSECT_IPV6_EXTHDR = 4;
/** The UDP header or its length field does not fit the IP packet (`__udp4_lib_rcv`). */
export const DISSECT_UDP_LEN = 5;
/** The TCP header or its data offset does not fit the IP packet (`tcp_v4_rcv`). */
export const DISSECT_TCP_HDR = 6;
/** The IP packet is too short for an ICMP or ICMPv6 header (`icmp_rcv`, `icmpv6_rcv`). */
export const DISSECT_ICMP_HDR = 7;
/** The frame is too short for the ARP packet that its own address lengths announce (`arp_rcv`). */
export const DISSECT_ARP_HDR = 8;

/** Index: status code. Linux's drop reason, the counter that rises, and what is wrong. */
export const DISSECT_TEXT: readonly string[] = Object.freeze([
  'OK',
  'HDR_TRUNC: frame ends inside its Ethernet or VLAN header',
  'IP_INHDR (InHdrErrors): malformed IP header',
  'PKT_TOO_SMALL (InTruncatedPkts): IP length exceeds the frame',
  'IPV6_BAD_EXTHDR (InHdrErrors): malformed IPv6 extension header chain',
  'PKT_TOO_SMALL (UdpInErrors): UDP length does not fit the IP packet',
  'PKT_TOO_SMALL (TcpInErrs): TCP header does not fit the IP packet',
  'PKT_TOO_SMALL (IcmpInErrors): ICMP header does not fit the IP packet',
  'PKT_TOO_SMALL: ARP packet does not fit the frame',
]);

/** Bits of `FlowKeys.ipv6Ext`: which extension headers stood before the upper layer. */
export const IPV6_EXT_HOP = 0x01;
export const IPV6_EXT_ROUTING = 0x02;
export const IPV6_EXT_FRAGMENT = 0x04;
export const IPV6_EXT_DEST = 0x08;
export const IPV6_EXT_AH = 0x10;

/**
 * The result of `dissect`: one object a thread, filled anew for each frame.
 *
 * Every field is a number that fits 31 bits and a sign, so a field never turns into a heap number. Offsets
 * are absolute in the byte array; 0 means that the frame has no such part (no part of a frame but its first
 * byte can stand at 0). After a status other than `DISSECT_OK` the fields hold what was read before the
 * fault; `ipVersion` is then not 0 exactly if the fixed IP header was whole.
 */
export class FlowKeys {
  /** `DISSECT_*`. */
  status = 0;
  /** EtherType behind the VLAN tags; `ETH_P_802_2` or `ETH_P_802_3` for 802.3 frames (`eth_type_trans`). */
  ethType = 0;
  /** VLAN tags passed over: 0, 1 or 2. */
  vlanCount = 0;
  /** Tag control word of the outer tag: priority 3 bits, DEI 1, VLAN id 12. */
  vlanTci = 0;
  /** Tag control word of the inner tag, where there are two. */
  vlanTciInner = 0;
  /** First byte behind the Ethernet header and its tags. */
  l3Off = 0;
  /** 0 (not IP), 4 or 6. */
  ipVersion = 0;
  /** Upper-layer protocol (`IPPROTO_*`), behind IPv6 extension headers. */
  ipProto = 0;
  /** Bytes of the IP packet with its header, from the header; padding of the frame is not in it. */
  ipTotLen = 0;
  /** `IPV6_EXT_*` bits. */
  ipv6Ext = 0;
  /** 1: this is a part of a fragmented packet. An IPv6 atomic fragment (RFC 6946) is not. */
  isFragment = 0;
  /** 1: and it is the part with offset 0. */
  isFirstFragment = 0;
  /** Offset of this fragment in the whole packet, bytes. */
  fragOff = 0;
  /** IP source and destination; for ARP over Ethernet and IPv4 the sender's and target's IPv4 address. */
  srcAddrOff = 0;
  dstAddrOff = 0;
  /** Bytes of each address: 4 or 16; 0 without. */
  addrLen = 0;
  /** First byte behind the IP header and extension headers. */
  l4Off = 0;
  /** TCP and UDP ports, also of a first fragment that is long enough; 0 without. */
  srcPort = 0;
  dstPort = 0;
  /**
   * Payload of TCP, UDP, ICMP, ICMPv6, by the lengths in the headers: padding of the frame is not in it. Of a
   * fragment: all data behind the IP header. Of other protocols: all behind IP, or all behind Ethernet.
   */
  payloadOff = 0;
  payloadLen = 0;
  /** `TCP_FLAG_*` bits. */
  tcpFlags = 0;
  /** Sequence and acknowledgement number as int32: take differences with `(a - b) | 0`. */
  tcpSeq = 0;
  tcpAck = 0;
  /** Bytes of the TCP header with options: 20 to 60. */
  tcpHdrLen = 0;
  /** Window as it stands in the header, not scaled. */
  tcpWindow = 0;
  /** ICMP or ICMPv6 type and code. */
  icmpType = 0;
  icmpCode = 0;
  /** `ARPOP_*`. */
  arpOp = 0;

  /** Sets every field to 0. */
  reset(): void {
    this.status = 0;
    this.ethType = 0;
    this.vlanCount = 0;
    this.vlanTci = 0;
    this.vlanTciInner = 0;
    this.l3Off = 0;
    this.ipVersion = 0;
    this.ipProto = 0;
    this.ipTotLen = 0;
    this.ipv6Ext = 0;
    this.isFragment = 0;
    this.isFirstFragment = 0;
    this.fragOff = 0;
    this.srcAddrOff = 0;
    this.dstAddrOff = 0;
    this.addrLen = 0;
    this.l4Off = 0;
    this.srcPort = 0;
    this.dstPort = 0;
    this.payloadOff = 0;
    this.payloadLen = 0;
    this.tcpFlags = 0;
    this.tcpSeq = 0;
    this.tcpAck = 0;
    this.tcpHdrLen = 0;
    this.tcpWindow = 0;
    this.icmpType = 0;
    this.icmpCode = 0;
    this.arpOp = 0;
  }
}
