// SPDX-License-Identifier: GPL-2.0-only
/** Addresses, frames and surroundings for tests of what reads frames. */
import type { IpParams } from '../../dist/drivers/net/frame_builder.js';
import { dissect, FlowKeys } from '../../dist/net/core/flow_dissector.js';

export const MAC_A = Uint8Array.of(0x02, 0, 0, 0, 0, 0x0a);
export const MAC_B = Uint8Array.of(0x02, 0, 0, 0, 0, 0x0b);

/** '10.0.0.1' to 4 bytes. */
export function ip4(text: string): Uint8Array {
  return Uint8Array.from(text.split('.').map(Number));
}

/** 'fe80::1' to 16 bytes. */
export function ip6(text: string): Uint8Array {
  const [head, tail] = text.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const groups =
    tail === undefined ? head : [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail];
  return Uint8Array.from(
    groups.flatMap((group) => {
      const value = Number.parseInt(group, 16);
      return [value >>> 8, value & 0xff];
    }),
  );
}

export const FROM_4: IpParams = {
  srcMac: MAC_A,
  dstMac: MAC_B,
  srcIp: ip4('10.0.0.1'),
  dstIp: ip4('10.0.0.2'),
};
export const FROM_6: IpParams = {
  srcMac: MAC_A,
  dstMac: MAC_B,
  srcIp: ip6('2001:db8::1'),
  dstIp: ip6('2001:db8::2'),
};

/** The bytes 1, 2, 3, ... */
export function counting(len: number): Uint8Array {
  return Uint8Array.from({ length: len }, (_, i) => i + 1);
}

/** A frame in an array of its own, as a builder writes it at offset 0. */
export function built(write: (b: Uint8Array) => number): Uint8Array {
  const b = new Uint8Array(70_100);
  return b.slice(0, write(b));
}

/** Big endian 16-bit value at `off`. */
export function get16(b: Uint8Array, off: number): number {
  return (b[off] << 8) | b[off + 1];
}

/** A copy with `bytes` put in at `at`. */
export function patched(frame: Uint8Array, at: number, ...bytes: number[]): Uint8Array {
  const copy = frame.slice();
  copy.set(bytes, at);
  return copy;
}

/** The keys of a frame that stands alone in its array. */
export function keysOf(frame: Uint8Array): FlowKeys {
  const keys = new FlowKeys();
  dissect(frame, 0, frame.length, keys);
  return keys;
}

/** An Ethernet and IPv6 frame whose payload begins with a header of type `next`. `payloadLen`: as the field says. */
export function ipv6Frame(next: number, body: readonly number[], payloadLen = body.length): Uint8Array {
  return Uint8Array.from([
    ...MAC_B,
    ...MAC_A,
    ...[0x86, 0xdd, 0x60, 0, 0, 0, payloadLen >>> 8, payloadLen & 0xff, next, 64],
    ...FROM_6.srcIp,
    ...FROM_6.dstIp,
    ...body,
  ]);
}
