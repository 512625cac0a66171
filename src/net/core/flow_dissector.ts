// SPDX-License-Identifier: GPL-2.0-only
/**
 * Frame dissection: from an Ethernet frame's bytes to the keys that steering, GRO and sockets work with
 * (Linux: `__skb_flow_dissect`, `eth_type_trans`, and the header checks of the receive functions).
 *
 * It runs once for each packet, so it allocates nothing and throws nothing. Invariant: no byte outside
 * [off, off + len) is read, whatever the bytes say; every length found in a header is compared with what its
 * enclosing layer has left before it is used.
 *
 * No shared state is written: `keys` belongs to the calling thread, and the frame to whoever owns its buffer,
 * who must not change it meanwhile.
 */
import { dissectArp } from './headers/arp.js';
import { DISSECT_OK, DISSECT_TRUNCATED, type FlowKeys } from './headers/flow_keys.js';
import { dissectIpv4 } from './headers/ipv4.js';
import { dissectIpv6 } from './headers/ipv6.js';
import {
  ETH_HLEN,
  ETH_P_802_2,
  ETH_P_802_3,
  ETH_P_802_3_MIN,
  ETH_P_8021AD,
  ETH_P_8021Q,
  ETH_P_ARP,
  ETH_P_IP,
  ETH_P_IPV6,
  VLAN_HLEN,
} from './headers/protocols.js';

export * from './headers/flow_keys.js';

/** VLAN tags that are passed over; a frame with more is left at the next one. */
export const VLAN_MAX_TAGS = 2;

/**
 * Dissects the Ethernet frame (without its checksum) at `off`, `len` bytes long, into `keys`.
 * A frame of a protocol that is not known, or with more than two VLAN tags, is in order: its `ethType` tells.
 * @returns `keys.status`: `DISSECT_OK`, or the code of the first fault found (`DISSECT_TEXT` spells it)
 */
export function dissect(b: Uint8Array, off: number, len: number, keys: FlowKeys): number {
  keys.reset();
  const end = off + len;
  if (len < ETH_HLEN || off < 0 || end > b.length) {
    keys.status = DISSECT_TRUNCATED;
    return DISSECT_TRUNCATED;
  }
  let ethType = (b[off + 12] << 8) | b[off + 13];
  let l3Off = off + ETH_HLEN;
  if (ethType === ETH_P_8021Q || ethType === ETH_P_8021AD) {
    l3Off = skipVlanTags(b, l3Off, end, ethType, keys);
    if (l3Off === 0) {
      keys.status = DISSECT_TRUNCATED;
      return DISSECT_TRUNCATED;
    }
    ethType = keys.ethType;
  }
  keys.ethType = ethType;
  keys.l3Off = l3Off;

  let status = DISSECT_OK;
  if (ethType === ETH_P_IP) status = dissectIpv4(b, l3Off, end, keys);
  else if (ethType === ETH_P_IPV6) status = dissectIpv6(b, l3Off, end, keys);
  else if (ethType === ETH_P_ARP) status = dissectArp(b, l3Off, end, keys);
  else {
    if (ethType < ETH_P_802_3_MIN) keys.ethType = ieee8023Type(b, l3Off, end);
    keys.payloadOff = l3Off;
    keys.payloadLen = end - l3Off;
  }
  keys.status = status;
  return status;
}

/**
 * Passes over VLAN tags (Linux: `skb_vlan_untag`, the VLAN case of `__skb_flow_dissect`) and leaves the type
 * behind them in `keys.ethType`.
 * @param tagOff first byte behind the tag's type field
 * @returns the first byte behind the last tag passed over; 0: the frame ends inside a tag
 */
function skipVlanTags(b: Uint8Array, tagOff: number, end: number, tagType: number, keys: FlowKeys): number {
  let off = tagOff;
  let type = tagType;
  while ((type === ETH_P_8021Q || type === ETH_P_8021AD) && keys.vlanCount < VLAN_MAX_TAGS) {
    if (end - off < VLAN_HLEN) return 0;
    const tci = (b[off] << 8) | b[off + 1];
    if (keys.vlanCount === 0) keys.vlanTci = tci;
    else keys.vlanTciInner = tci;
    keys.vlanCount++;
    type = (b[off + 2] << 8) | b[off + 3];
    off += VLAN_HLEN;
  }
  keys.ethType = type;
  return off;
}

/**
 * What stands behind an 802.3 length field: raw IPX, which begins with ffff, or an LLC header
 * (`eth_type_trans`).
 */
function ieee8023Type(b: Uint8Array, off: number, end: number): number {
  if (end - off >= 2 && b[off] === 0xff && b[off + 1] === 0xff) return ETH_P_802_3;
  return ETH_P_802_2;
}
