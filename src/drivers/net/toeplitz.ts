// SPDX-License-Identifier: GPL-2.0-only
/**
 * Receive-side scaling: the Toeplitz hash over addresses and ports ("Receive-Side Scaling Hash Calculations", Microsoft;
 * Linux: Documentation/networking/scaling.rst). What turns it into a queue: rss_indirection.ts.
 *
 * The hash of n bytes is the exclusive or, over every bit that is set in them, of the 32 key bits that begin
 * at that bit's position. For each byte position and byte value that exclusive or is worked out beforehand,
 * so a hash costs one look-up a byte.
 */
import { DISSECT_OK, type FlowKeys } from '../../net/core/headers/flow_keys.js';
import { IPPROTO_TCP, IPPROTO_UDP } from '../../net/core/headers/protocols.js';

/** The key that the published test vectors use, 40 bytes. */
export const RSS_KEY: Uint8Array = Uint8Array.from([
  0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca,
  0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b,
  0xbe, 0xac, 0x01, 0xfa,
]);

/** Bytes of the longest input: two IPv6 addresses and two ports. */
const INPUT_MAX = 36;
/** A window of 32 key bits begins in the last input byte too. */
const KEY_MIN = INPUT_MAX + 4;

/** One key's hash function. Read only once made: threads may each make their own. */
export class Toeplitz {
  /** Index: input position * 256 + byte value. */
  private readonly tables: Int32Array;

  /**
   * @param key at least 40 bytes; copied. Those behind the 40th are not used.
   * @throws RangeError for a shorter key
   */
  constructor(key: Uint8Array = RSS_KEY) {
    if (key.length < KEY_MIN) {
      throw new RangeError(`Toeplitz: the key has ${key.length} bytes; give at least ${KEY_MIN}`);
    }
    this.tables = new Int32Array(INPUT_MAX * 256);
    for (let pos = 0; pos < INPUT_MAX; pos++) fillTable(this.tables, pos, key);
  }

  /**
   * Hash of `len` bytes at `off`.
   * @param len 0 to 36
   * @returns 0 to 2^32 - 1
   * @throws RangeError if `len` is above 36
   */
  hash(b: Uint8Array, off: number, len: number): number {
    if (len > INPUT_MAX) {
      throw new RangeError(`Toeplitz.hash: ${len} bytes given; the key covers at most ${INPUT_MAX}`);
    }
    const t = this.tables;
    let result = 0;
    for (let i = 0; i < len; i++) result ^= t[(i << 8) + b[off + i]];
    return result >>> 0;
  }

  /** Hash of two IPv4 addresses, each 4 bytes at its offset: 0 to 2^32 - 1. */
  hashIpv4(b: Uint8Array, srcOff: number, dstOff: number): number {
    return this.ipv4(b, srcOff, dstOff) >>> 0;
  }

  /** Hash of two IPv4 addresses and, at `portsOff`, source and destination port (4 bytes): 0 to 2^32 - 1. */
  hashIpv4Ports(b: Uint8Array, srcOff: number, dstOff: number, portsOff: number): number {
    return (this.ipv4(b, srcOff, dstOff) ^ this.word(b, portsOff, 8)) >>> 0;
  }

  /** Hash of two IPv6 addresses, each 16 bytes at its offset: 0 to 2^32 - 1. */
  hashIpv6(b: Uint8Array, srcOff: number, dstOff: number): number {
    return this.ipv6(b, srcOff, dstOff) >>> 0;
  }

  /** Hash of two IPv6 addresses and, at `portsOff`, source and destination port (4 bytes): 0 to 2^32 - 1. */
  hashIpv6Ports(b: Uint8Array, srcOff: number, dstOff: number, portsOff: number): number {
    return (this.ipv6(b, srcOff, dstOff) ^ this.word(b, portsOff, 32)) >>> 0;
  }

  /**
   * The hash a NIC reports for the frame dissected into `keys`: addresses and ports for unfragmented TCP and
   * UDP, addresses for other IP and for every fragment (only the first has ports, and a flow must stay on one
   * queue), 0 for all else and for a frame with a fault.
   * @param b the array that `dissect` was given
   * @returns 0 to 2^32 - 1
   */
  rssHash(b: Uint8Array, keys: FlowKeys): number {
    return this.rssHashWord(b, keys) >>> 0;
  }

  /** `rssHash` as int32: what an Int32Array word holds, and never a heap number. */
  rssHashWord(b: Uint8Array, keys: FlowKeys): number {
    if (keys.status !== DISSECT_OK || keys.ipVersion === 0) return 0;
    const proto = keys.ipProto;
    const ports = keys.isFragment === 0 && (proto === IPPROTO_UDP || proto === IPPROTO_TCP);
    if (keys.ipVersion === 4) {
      const addresses = this.ipv4(b, keys.srcAddrOff, keys.dstAddrOff);
      return ports ? addresses ^ this.word(b, keys.l4Off, 8) : addresses;
    }
    const addresses = this.ipv6(b, keys.srcAddrOff, keys.dstAddrOff);
    return ports ? addresses ^ this.word(b, keys.l4Off, 32) : addresses;
  }

  private ipv4(b: Uint8Array, srcOff: number, dstOff: number): number {
    return this.word(b, srcOff, 0) ^ this.word(b, dstOff, 4);
  }

  private ipv6(b: Uint8Array, srcOff: number, dstOff: number): number {
    return (
      this.word(b, srcOff, 0) ^
      this.word(b, srcOff + 4, 4) ^
      this.word(b, srcOff + 8, 8) ^
      this.word(b, srcOff + 12, 12) ^
      this.word(b, dstOff, 16) ^
      this.word(b, dstOff + 4, 20) ^
      this.word(b, dstOff + 8, 24) ^
      this.word(b, dstOff + 12, 28)
    );
  }

  /** What four bytes at `off` add when they stand at position `pos` of the input: int32. */
  private word(b: Uint8Array, off: number, pos: number): number {
    const t = this.tables;
    const row = pos << 8;
    return (
      t[row + b[off]] ^ t[row + 256 + b[off + 1]] ^ t[row + 512 + b[off + 2]] ^ t[row + 768 + b[off + 3]]
    );
  }
}

/** Fills the 256 entries of input position `pos`, each from the one that has one bit less set. */
function fillTable(tables: Int32Array, pos: number, key: Uint8Array): void {
  const base = pos * 256;
  const high = (key[pos] << 24) | (key[pos + 1] << 16) | (key[pos + 2] << 8) | key[pos + 3];
  for (let value = 1; value < 256; value++) {
    const lowest = value & -value;
    // The byte's most significant bit is its first: value 0x80 stands for the window that begins at the byte.
    const shift = Math.clz32(lowest) - 24;
    const window = shift === 0 ? high : (high << shift) | (key[pos + 4] >>> (8 - shift));
    tables[base + value] = tables[base + value - lowest] ^ window;
  }
}
