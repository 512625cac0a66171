// SPDX-License-Identifier: GPL-2.0-only
/** The IPv4 header (RFC 791), by the rules of Linux's `ip_rcv_core`; its checksum is not verified here. */
import { DISSECT_IP_HDR, DISSECT_IP_TOT_LEN, DISSECT_OK, type FlowKeys } from './flow_keys.js';
import { dissectFragment, dissectL4 } from './l4.js';
import { IP_MF, IP_OFFSET, IPV4_HLEN } from './protocols.js';

/**
 * Dissects the IPv4 packet at `l3Off` into `keys`. Nothing at or behind `end`, the frame's end, is read.
 * @returns a `DISSECT_*` code
 */
export function dissectIpv4(b: Uint8Array, l3Off: number, end: number, keys: FlowKeys): number {
  const avail = end - l3Off;
  if (avail < IPV4_HLEN) return DISSECT_IP_HDR;
  const versionAndIhl = b[l3Off];
  const hdrLen = (versionAndIhl & 0x0f) << 2;
  if (versionAndIhl >>> 4 !== 4 || hdrLen < IPV4_HLEN || hdrLen > avail) return DISSECT_IP_HDR;
  const totLen = (b[l3Off + 2] << 8) | b[l3Off + 3];
  keys.ipVersion = 4;
  keys.ipProto = b[l3Off + 9];
  keys.ipTotLen = totLen;
  keys.srcAddrOff = l3Off + 12;
  keys.dstAddrOff = l3Off + 16;
  keys.addrLen = 4;
  if (totLen > avail) return DISSECT_IP_TOT_LEN;
  if (totLen < hdrLen) return DISSECT_IP_HDR;

  const l4Off = l3Off + hdrLen;
  const ipEnd = l3Off + totLen;
  keys.l4Off = l4Off;
  const fragment = (b[l3Off + 6] << 8) | b[l3Off + 7];
  if ((fragment & (IP_MF | IP_OFFSET)) === 0) return dissectL4(b, l4Off, ipEnd, 0, keys);
  keys.isFragment = 1;
  keys.fragOff = (fragment & IP_OFFSET) << 3;
  keys.isFirstFragment = keys.fragOff === 0 ? 1 : 0;
  dissectFragment(b, l4Off, ipEnd, keys);
  return DISSECT_OK;
}
