// SPDX-License-Identifier: GPL-2.0-only
//
// Writes pcap and pcapng captures in every variant that the reader knows, so that tests can make their own inputs.

/** A packet to write. Time stamps are in nanoseconds since the epoch, as a BigInt, and are rounded down. */
export interface Packet {
  data: Uint8Array;
  /** Length on the wire; data.length where it is left out. */
  origLen?: number;
  timeNs?: bigint;
}

export interface PcapOptions {
  bigEndian?: boolean;
  /** Nanosecond time stamps instead of microseconds. */
  nanos?: boolean;
  snapLen?: number;
  /** The whole 32-bit field, FCS bits included. */
  network?: number;
  versionMinor?: number;
}

/** Bytes in one byte order. */
class Writer {
  readonly #bytes: number[] = [];
  readonly #big: boolean;

  constructor(bigEndian: boolean) {
    this.#big = bigEndian;
  }

  int(value: number | bigint, size: number): this {
    const out: number[] = [];
    for (let i = 0, rest = BigInt.asUintN(size * 8, BigInt(value)); i < size; i++, rest >>= 8n) {
      out.push(Number(rest & 0xffn));
    }
    if (this.#big) out.reverse();
    this.#bytes.push(...out);
    return this;
  }

  u16(value: number): this {
    return this.int(value, 2);
  }

  u32(value: number): this {
    return this.int(value, 4);
  }

  raw(data: Uint8Array): this {
    for (const byte of data) this.#bytes.push(byte);
    return this;
  }

  /** Zeros up to a multiple of 4. */
  pad(): this {
    while (this.#bytes.length % 4 !== 0) this.#bytes.push(0);
    return this;
  }

  done(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export function pcapHeader(options: PcapOptions = {}): Uint8Array {
  return new Writer(options.bigEndian ?? false)
    .u32(options.nanos ? 0xa1b23c4d : 0xa1b2c3d4)
    .u16(2)
    .u16(options.versionMinor ?? 4)
    .u32(0)
    .u32(0)
    .u32(options.snapLen ?? 262144)
    .u32(options.network ?? 1)
    .done();
}

export function pcapRecord(packet: Packet, options: PcapOptions = {}): Uint8Array {
  const time = packet.timeNs ?? 0n;
  const fraction = time % 1_000_000_000n;
  const lengths = [packet.data.length, packet.origLen ?? packet.data.length];
  if ((options.versionMinor ?? 4) < 3) lengths.reverse();
  return new Writer(options.bigEndian ?? false)
    .int(time / 1_000_000_000n, 4)
    .int(options.nanos ? fraction : fraction / 1000n, 4)
    .u32(lengths[0])
    .u32(lengths[1])
    .raw(packet.data)
    .done();
}

export function pcapFile(packets: Packet[], options: PcapOptions = {}): Uint8Array {
  return concat(pcapHeader(options), ...packets.map((packet) => pcapRecord(packet, options)));
}

export interface InterfaceOptions {
  linkType?: number;
  snapLen?: number;
  /** The if_tsresol byte; the option is left out where it is undefined (then time stamps are microseconds). */
  tsresol?: number;
  /** if_tsoffset, in seconds. */
  tsoffset?: bigint;
  /** if_fcslen, in bits. */
  fcslen?: number;
  /** More options, as code and value. */
  extra?: [code: number, value: Uint8Array][];
}

/** Builds a pcapng file block by block; each method returns the builder. */
export class PcapngWriter {
  readonly #parts: Uint8Array[] = [];
  #big: boolean;
  /** Time-stamp resolution bytes of the section's interfaces. */
  #resolutions: { tsresol: number; offset: bigint }[] = [];

  constructor(bigEndian = false) {
    this.#big = bigEndian;
  }

  /** A section header; what follows is in its byte order. */
  section(bigEndian = this.#big, major = 1, minor = 0): this {
    this.#big = bigEndian;
    this.#resolutions = [];
    const body = new Writer(bigEndian).u32(0x1a2b3c4d).u16(major).u16(minor).int(-1n, 8);
    return this.block(0x0a0d0d0a, body.done());
  }

  interface(options: InterfaceOptions = {}): this {
    const body = new Writer(this.#big);
    body
      .u16(options.linkType ?? 1)
      .u16(0)
      .u32(options.snapLen ?? 0);
    const values: [number, Uint8Array][] = [...(options.extra ?? [])];
    if (options.tsresol !== undefined) values.push([9, Uint8Array.of(options.tsresol)]);
    if (options.fcslen !== undefined) values.push([13, Uint8Array.of(options.fcslen)]);
    if (options.tsoffset !== undefined) {
      values.push([14, new Writer(this.#big).int(options.tsoffset, 8).done()]);
    }
    for (const [code, value] of values) body.u16(code).u16(value.length).raw(value).pad();
    if (values.length > 0) body.u32(0);
    this.#resolutions.push({ tsresol: options.tsresol ?? 6, offset: options.tsoffset ?? 0n });
    return this.block(1, body.done());
  }

  /** An enhanced packet block. `ticks` is the raw time stamp; else it follows from the packet's time. */
  enhanced(packet: Packet, id = 0, ticks = this.#ticks(packet, id), comment = ''): this {
    const body = new Writer(this.#big)
      .u32(id)
      .int(ticks >> 32n, 4)
      .int(ticks, 4)
      .u32(packet.data.length)
      .u32(packet.origLen ?? packet.data.length)
      .raw(packet.data)
      .pad();
    if (comment !== '') {
      const text = Buffer.from(comment);
      body.u16(1).u16(text.length).raw(text).pad().u32(0);
    }
    return this.block(6, body.done());
  }

  /** A simple packet block: interface 0, no time stamp. */
  simple(packet: Packet): this {
    const body = new Writer(this.#big).u32(packet.origLen ?? packet.data.length).raw(packet.data);
    return this.block(3, body.pad().done());
  }

  /** An obsolete packet block. */
  obsolete(packet: Packet, id = 0): this {
    const ticks = this.#ticks(packet, id);
    const body = new Writer(this.#big)
      .u16(id)
      .u16(7)
      .int(ticks >> 32n, 4)
      .int(ticks, 4)
      .u32(packet.data.length)
      .u32(packet.origLen ?? packet.data.length)
      .raw(packet.data);
    return this.block(2, body.pad().done());
  }

  /** Any block: type, length, body (padded by the caller), length. */
  block(type: number, body: Uint8Array, total = body.length + 12, trailer = total): this {
    this.#parts.push(new Writer(this.#big).u32(type).u32(total).raw(body).u32(trailer).done());
    return this;
  }

  bytes(): Uint8Array {
    return concat(...this.#parts);
  }

  #ticks(packet: Packet, id: number): bigint {
    const { tsresol, offset } = this.#resolutions[id] ?? { tsresol: 6, offset: 0n };
    const perSecond = tsresol >= 0x80 ? 1n << BigInt(tsresol - 0x80) : 10n ** BigInt(tsresol);
    return (((packet.timeNs ?? 0n) - offset * 1_000_000_000n) * perSecond) / 1_000_000_000n;
  }
}
