// SPDX-License-Identifier: GPL-2.0-only
/** Damaged captures by number: pcap and pcapng of every kind, damaged where lengths and types stand or anywhere, plain or gzip. */
import { gzipSync } from 'node:zlib';
import { caseRandom } from './campaign.mjs';
import { CaptureBytes } from './capture_bytes.mjs';
import { damaged, flipBits, garbage, joined, truncate } from './damage.mjs';

const LENGTHS = [
  0, 1, 3, 4, 8, 11, 12, 13, 16, 20, 27, 28, 31, 32, 36, 65_535, 262_144, 262_145, 0x100000, 0x7fffffff,
  0x80000000, 0xfffffff0, 0xffffffff,
];
const MAGICS = [
  0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1, 0x0a0d0d0a, 0xa1b2cd34, 0x1a2b3c4d, 0x4d3c2b1a, 0,
  0x1f8b0800,
];
/** Zeros behind a header that a small gzip file unpacks to. */
const BOMB_BYTES = 4 << 20;

/** @returns the bytes of a file, all of it derived from seed and number */
export function damagedCapture(seed, number) {
  const random = caseRandom(seed, 'captures', number);
  if (random.chance(0.01)) return packed(random, garbage(random, random.below(400)));
  const file = random.chance(0.5) ? pcap(random) : pcapng(random);
  let bytes = file.bytes();
  // Some are left as they are: whoever refuses these, too, has understood nothing.
  if (random.chance(0.95)) {
    for (let n = random.between(1, 3); n > 0; n--) bytes = spoilt(random, file, bytes);
  }
  if (random.chance(0.0005)) bytes = joined(bytes, new Uint8Array(BOMB_BYTES));
  return packed(random, bytes);
}

function packed(random, bytes) {
  if (!random.chance(0.2)) return bytes;
  const zipped = random.chance(0.2)
    ? joined(gzipSync(bytes.subarray(0, bytes.length >> 1)), gzipSync(bytes.subarray(bytes.length >> 1)))
    : new Uint8Array(gzipSync(bytes));
  if (random.chance(0.4)) return zipped;
  return random.pick([flipBits, truncate, damaged])(random, zipped);
}

function spoilt(random, file, bytes) {
  const { marks } = file;
  if (random.chance(0.5) && marks.length > 0) {
    const { at, size } = random.pick(marks);
    if (at + size > bytes.length) return bytes;
    const out = bytes.slice();
    const view = new DataView(out.buffer);
    const value = random.chance(0.3)
      ? bytes.length - at + random.between(-40, 40)
      : random.chance(0.1)
        ? random.pick(MAGICS)
        : random.pick(LENGTHS);
    if (size === 4) view.setUint32(at, value, random.chance(0.9) === file.little);
    else if (size === 2) view.setUint16(at, value, random.chance(0.9) === file.little);
    else view.setUint8(at, value);
    return out;
  }
  return damaged(random, bytes.slice());
}

function pcap(random) {
  const out = new CaptureBytes(random.chance(0.6));
  out.mark(4).u32(random.chance(0.5) ? 0xa1b2c3d4 : 0xa1b23c4d);
  const minor = random.pick([4, 4, 4, 3, 2]);
  out.mark(2).u16(2).mark(2).u16(minor);
  out
    .u32(0)
    .u32(0)
    .mark(4)
    .u32(random.pick([65_535, 262_144, 0, 96]));
  out.mark(4).u32(random.chance(0.95) ? 1 : random.pick([0, 101, 113, 0x14000001, 147]));
  for (let n = random.below(6); n > 0; n--) {
    const data = packet(random);
    const wire = data.length + (random.chance(0.2) ? 40 : 0);
    out
      .u32(random.below(2 ** 31))
      .mark(4)
      .u32(random.below(1_000_000));
    out.mark(4).u32(minor < 3 ? wire : data.length);
    out.mark(4).u32(minor < 3 ? data.length : wire);
    out.raw(data);
  }
  return out;
}

function packet(random) {
  return garbage(random, random.chance(0.02) ? random.below(3000) : random.below(90));
}

function pcapng(random) {
  const out = new CaptureBytes(random.chance(0.6));
  for (let sections = random.chance(0.1) ? 2 : 1; sections > 0; sections--) {
    const head = out.mark(4).open(0x0a0d0d0a);
    out.mark(4).u32(0x1a2b3c4d).mark(2).u16(1).mark(2).u16(0).mark(4).u32(0xffffffff).mark(4).u32(0xffffffff);
    if (random.chance(0.3)) options(random, out);
    out.close(head);
    const interfaces = random.chance(0.05) ? 0 : random.between(1, 3);
    for (let i = 0; i < interfaces; i++) {
      const block = out.open(1);
      out.mark(2).u16(random.chance(0.95) ? 1 : 113);
      out
        .u16(0)
        .mark(4)
        .u32(random.pick([0, 65_535, 96]));
      if (random.chance(0.6)) options(random, out);
      out.close(block);
    }
    for (let n = random.below(6); n > 0; n--) packetBlock(random, out, Math.max(1, interfaces));
  }
  return out;
}

function packetBlock(random, out, interfaces) {
  const data = packet(random);
  const id = random.chance(0.95) ? random.below(interfaces) : random.pick([interfaces, 0xffff, 0xffffffff]);
  const kind = random.pick([6, 6, 6, 6, 3, 2, 4, 5, 10, 0x00000bad, 0x80000001]);
  const block = out.mark(4).open(kind);
  if (kind === 6)
    out
      .mark(4)
      .u32(id)
      .u32(random.below(2 ** 31))
      .u32(random.below(2 ** 31));
  if (kind === 2)
    out
      .mark(2)
      .u16(id)
      .u16(0)
      .u32(random.below(2 ** 31))
      .u32(7);
  if (kind === 6 || kind === 2) out.mark(4).u32(data.length);
  if (kind === 6 || kind === 2 || kind === 3) out.mark(4).u32(data.length + (random.chance(0.2) ? 9 : 0));
  out.raw(data).pad();
  if (kind === 6 && random.chance(0.3)) options(random, out);
  out.close(block);
}

/** Options: time stamps' resolution and offset, lengths of checksums, names, comments, the end of options or not. */
function options(random, out) {
  for (let n = random.between(1, 4); n > 0; n--) {
    const code = random.pick([1, 2, 3, 9, 9, 13, 14, 2988, 65_535]);
    const right = { 9: 1, 13: 1, 14: 8 }[code] ?? random.below(20);
    const length = random.chance(0.9) ? right : random.below(12);
    out.mark(2).u16(code).mark(2).u16(length);
    if (code === 9 && length > 0) out.mark(1);
    out.raw(garbage(random, length)).pad();
  }
  if (random.chance(0.8)) out.mark(2).u16(0).mark(2).u16(0);
}
