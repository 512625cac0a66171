// SPDX-License-Identifier: GPL-2.0-only
/**
 * Numbers that stand in frames: EtherTypes, IP protocols, header lengths, flag bits. Names are Linux's
 * (`uapi/linux/if_ether.h`, `in.h`, `tcp.h`, `icmp.h`, `if_arp.h`); the values are IANA's.
 */

/** Ethernet header without tags, bytes. */
export const ETH_HLEN = 14;
/** One 802.1Q or 802.1ad tag, bytes. */
export const VLAN_HLEN = 4;
/** Least frame on the wire without its checksum, bytes: shorter ones are padded by the sender. */
export const ETH_ZLEN = 60;
/** From here on the type field is an EtherType; below, it is the length of an 802.3 frame. */
export const ETH_P_802_3_MIN = 0x0600;

/** EtherType stand-in for 802.3 frames that carry raw IPX (their first two bytes are ffff). */
export const ETH_P_802_3 = 0x0001;
/** EtherType stand-in for 802.3 frames that carry an LLC header. */
export const ETH_P_802_2 = 0x0004;
export const ETH_P_IP = 0x0800;
export const ETH_P_ARP = 0x0806;
export const ETH_P_8021Q = 0x8100;
export const ETH_P_IPV6 = 0x86dd;
export const ETH_P_8021AD = 0x88a8;

/** IPv4 header without options, bytes. */
export const IPV4_HLEN = 20;
/** IPv6 header without extension headers, bytes. */
export const IPV6_HLEN = 40;
export const UDP_HLEN = 8;
/** TCP header without options, bytes. */
export const TCP_HLEN = 20;
/** ICMP and ICMPv6 header, the four bytes after the checksum included. */
export const ICMP_HLEN = 8;
/** ARP header up to its addresses, bytes. */
export const ARP_HLEN = 8;

/** IPv4 fragment word: reserved bit, do not fragment, more fragments, offset in units of 8 bytes. */
export const IP_CE = 0x8000;
export const IP_DF = 0x4000;
export const IP_MF = 0x2000;
export const IP_OFFSET = 0x1fff;

export const IPPROTO_HOPOPTS = 0;
export const IPPROTO_ICMP = 1;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_ROUTING = 43;
export const IPPROTO_FRAGMENT = 44;
export const IPPROTO_ESP = 50;
export const IPPROTO_AH = 51;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_NONE = 59;
export const IPPROTO_DSTOPTS = 60;

/** Bits of `FlowKeys.tcpFlags`: byte 13 of the header, with AE (bit 0 of byte 12) above it. */
export const TCP_FLAG_FIN = 0x001;
export const TCP_FLAG_SYN = 0x002;
export const TCP_FLAG_RST = 0x004;
export const TCP_FLAG_PSH = 0x008;
export const TCP_FLAG_ACK = 0x010;
export const TCP_FLAG_URG = 0x020;
export const TCP_FLAG_ECE = 0x040;
export const TCP_FLAG_CWR = 0x080;
export const TCP_FLAG_AE = 0x100;

export const ICMP_ECHOREPLY = 0;
export const ICMP_ECHO = 8;
export const ICMPV6_ECHO_REQUEST = 128;
export const ICMPV6_ECHO_REPLY = 129;

export const ARPHRD_ETHER = 1;
export const ARPOP_REQUEST = 1;
export const ARPOP_REPLY = 2;
