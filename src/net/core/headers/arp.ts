// SPDX-License-Identifier: GPL-2.0-only
/** ARP (RFC 826). */
import { DISSECT_ARP_HDR, DISSECT_OK, type FlowKeys } from './flow_keys.js';
import { ARP_HLEN, ARPHRD_ETHER, ETH_P_IP } from './protocols.js';

/**
 * Dissects the ARP packet at `l3Off` into `keys`: the operation, and for Ethernet and IPv4 the places of the
 * protocol addresses. Other address kinds are in order, but their addresses are not noted. Nothing at or
 * behind `end`, the frame's end, is read.
 * @returns a `DISSECT_*` code
 */
export function dissectArp(b: Uint8Array, l3Off: number, end: number, keys: FlowKeys): number {
  const avail = end - l3Off;
  if (avail < ARP_HLEN) return DISSECT_ARP_HDR;
  const hardwareLen = b[l3Off + 4];
  const protocolLen = b[l3Off + 5];
  if (avail < ARP_HLEN + 2 * (hardwareLen + protocolLen)) return DISSECT_ARP_HDR;
  keys.arpOp = (b[l3Off + 6] << 8) | b[l3Off + 7];
  const hardware = (b[l3Off] << 8) | b[l3Off + 1];
  const protocol = (b[l3Off + 2] << 8) | b[l3Off + 3];
  if (hardware !== ARPHRD_ETHER || protocol !== ETH_P_IP || hardwareLen !== 6 || protocolLen !== 4) {
    return DISSECT_OK;
  }
  keys.srcAddrOff = l3Off + 14;
  keys.dstAddrOff = l3Off + 24;
  keys.addrLen = 4;
  return DISSECT_OK;
}
