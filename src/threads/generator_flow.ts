// SPDX-License-Identifier: GPL-2.0-only
/** Addresses of the flows that a generator makes up: for whoever sends them, and for whoever must know their hashes. */

/** Where all of them go. */
export const FLOW_DST_IP: Uint8Array = Uint8Array.of(198, 19, 0, 1);

/** @returns where flow `i` comes from, four bytes */
export function flowSrcIp(i: number): Uint8Array {
  return Uint8Array.of(198, 18, i >>> 8, i & 0xff);
}

/** @returns the source port of flow `i`, unless it is given one */
export function flowSrcPort(i: number): number {
  return 1024 + ((i * 7919) % 60000);
}
