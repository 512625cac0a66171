// SPDX-License-Identifier: GPL-2.0-only
/**
 * Damaged frames by number. Eight in a row are a group: frames of one flow, fragments of one datagram, or frames that have
 * nothing to do with each other; so that what puts frames together (GRO, reassembly) meets damage in the middle of it.
 */
import {
  payloadOffset,
  writeArp,
  writeIcmp6Echo,
  writeIcmpEcho,
  writeTcp4,
  writeTcp6,
  writeUdp4,
  writeUdp4Frames,
  writeUdp6,
} from '../../dist/drivers/net/frame_builder.js';
import { caseRandom } from './campaign.mjs';
import { damaged, garbage } from './damage.mjs';

export const GROUP = 8;
/** What a capture can hold of a frame. */
const MAX_FRAME = 262_144;
const SIZES = [0, 1, 13, 14, 15, 18, 33, 34, 59, 60, 1514, 2047, 2048, 2049, 4096, 9014, 65_549, MAX_FRAME];
const ROOM = new Uint8Array(1 << 17);
const ETH = 14;
const VALID = 0.12;

/**
 * A frame of a case.
 * @typedef {{ bytes: Uint8Array, port: number, payloadLen: number }} Frame `port` -1: it says nothing of where it ends up;
 *   else it is in order, and is read with that destination port and payload
 */

/** @returns the eight frames of a group */
export function frameGroup(seed, group) {
  const random = caseRandom(seed, 'frames', group);
  const kind = random.below(10);
  if (kind < 3) return train(random);
  if (kind < 6) return flow(random);
  return Array.from({ length: GROUP }, () => single(random));
}

function addresses(random, host) {
  return {
    srcMac: Uint8Array.of(2, 0, 0, 0, 0, 1),
    dstMac: Uint8Array.of(2, 0, 0, 0, 0, 2),
    srcIp: Uint8Array.of(10, 0, 0, host),
    dstIp: Uint8Array.of(10, 0, 0, 2),
    srcPort: random.between(1, 65535),
    dstPort: random.between(1, 65535),
    ...(random.chance(0.2) ? { vlan: tags(random) } : {}),
  };
}

function sixed(p) {
  const address = (tail) => Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, tail[3]);
  return { ...p, srcIp: address(p.srcIp), dstIp: address(p.dstIp) };
}

function tags(random) {
  return Array.from({ length: random.between(1, random.chance(0.1) ? 9 : 2) }, () => random.below(65536));
}

/** Writes one, in order. @returns what is to be read of it, if that is known */
function written(random, p, payload) {
  const full = { ...p, payload };
  const writers = [
    [writeUdp4, 4, 8, full, true],
    [writeUdp6, 6, 8, sixed(full), true],
    [writeTcp4, 4, 20, { ...full, seq: random.below(2 ** 31), flags: random.below(64) }, true],
    [writeTcp6, 6, 20, { ...sixed(full), seq: random.below(2 ** 31) }, true],
    [writeIcmpEcho, 4, 8, full, false],
    [writeIcmp6Echo, 6, 8, sixed(full), false],
    [writeArp, 4, 0, { ...full, op: random.between(1, 2), ...arpAddresses(full) }, false],
  ];
  const [write, version, hdrLen, params, hasPort] = random.pick(writers);
  const length = write(ROOM, 0, params);
  const bytes = ROOM.slice(0, length);
  const known = hasPort && (params.vlan?.length ?? 0) <= 2;
  // Frames that are shorter than what Ethernet carries are padded by nobody here.
  const sane = known && payloadOffset(params, version, hdrLen) + payload.length === length;
  return sane
    ? { bytes, port: params.dstPort, payloadLen: payload.length }
    : { bytes, port: -1, payloadLen: 0 };
}

function arpAddresses(p) {
  return { senderMac: p.srcMac, senderIp: p.srcIp, targetMac: p.dstMac, targetIp: p.dstIp };
}

/** A frame for itself. */
function single(random) {
  if (random.chance(0.02)) return unknown(garbage(random, anySize(random)));
  const frame = written(
    random,
    addresses(random, random.between(3, 30)),
    garbage(random, payloadSize(random)),
  );
  return random.chance(VALID) ? frame : spoilt(random, frame.bytes);
}

function payloadSize(random) {
  return random.chance(0.02) ? random.below(60_000) : random.below(random.chance(0.1) ? 3000 : 160);
}

function anySize(random) {
  return random.chance(0.1) ? random.pick(SIZES) : random.below(200);
}

function unknown(bytes) {
  return { bytes, port: -1, payloadLen: 0 };
}

/** Eight of a TCP or UDP flow, in sequence, as GRO merges them; some of them damaged. */
function flow(random) {
  const p = addresses(random, random.between(3, 30));
  const tcp = random.chance(0.6);
  const six = random.chance(0.3);
  const size = random.between(1, 200);
  let seq = random.chance(0.2) ? -4 * size : random.below(2 ** 31);
  return Array.from({ length: GROUP }, (_, i) => {
    const payload = garbage(random, i === GROUP - 1 ? random.below(size + 1) : size);
    const params = { ...(six ? sixed(p) : p), payload, seq, ack: 7, flags: 0x10 };
    const write = tcp ? (six ? writeTcp6 : writeTcp4) : six ? writeUdp6 : writeUdp4;
    const bytes = ROOM.slice(0, write(ROOM, 0, params));
    seq = (seq + size) | 0;
    if (random.chance(0.6)) {
      const known = (p.vlan?.length ?? 0) <= 2;
      return known ? { bytes, port: p.dstPort, payloadLen: payload.length } : unknown(bytes);
    }
    return spoilt(random, bytes);
  });
}

/** The fragments of one datagram, out of order, twice, overlapping, with holes, or with other damage. */
function train(random) {
  const p = addresses(random, random.between(3, 6));
  delete p.vlan;
  const mtu = random.pick([68, 76, 100, 576, 1500]);
  const each = (mtu - 20) & ~7;
  const frames = random.between(2, GROUP);
  const payload = garbage(random, each * (frames - 1) + random.below(each) - 8 + 1);
  const stride = 2048;
  const id = random.below(16);
  const n = writeUdp4Frames(ROOM, 0, stride, { ...p, id, payload }, mtu);
  const whole = Array.from({ length: n }, (_, i) => {
    const at = i * stride;
    return ROOM.slice(at, at + ETH + ((ROOM[at + 16] << 8) | ROOM[at + 17]));
  });
  const order = random.chance(0.5) ? shuffled(random, whole) : whole;
  const damagedOnes = random.chance(0.7);
  const out = [];
  for (let i = 0; out.length < GROUP; i++) {
    // One that comes again, perhaps with another content.
    const bytes = i < order.length ? order[i] : random.pick(whole).slice();
    const spoil = damagedOnes && random.chance(0.4);
    out.push(unknown(spoil ? spoiltFragment(random, bytes) : bytes));
  }
  return out;
}

function shuffled(random, list) {
  const out = list.slice();
  for (let i = out.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

/** Damage where fragments are put together by. */
function spoiltFragment(random, bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  switch (random.below(5)) {
    case 0: {
      // Another offset: overlaps, holes, beyond the end of what a datagram can have.
      const word = view.getUint16(ETH + 6);
      const offset = (word & 0x1fff) + random.pick([-1, 1, 2, 8, 0x1ff0]);
      view.setUint16(ETH + 6, (word & 0xe000) | (offset & 0x1fff));
      break;
    }
    case 1:
      view.setUint16(ETH + 6, view.getUint16(ETH + 6) ^ 0x2000); // more fragments, or no more
      break;
    case 2:
      view.setUint16(ETH + 2, random.pick([0, 19, 20, 21, 28, bytes.length - ETH - 1, 65535]));
      break;
    case 3:
      bytes[ETH] = 0x40 | random.below(16); // the length of the header
      break;
    default:
      return spoilt(random, bytes).bytes;
  }
  if (random.chance(0.8)) mendChecksum(view, bytes);
  return bytes;
}

/** Writes a right checksum into an IPv4 header, so that damage gets past it. */
function mendChecksum(view, bytes) {
  const hdrLen = (bytes[ETH] & 15) * 4;
  if (hdrLen < 20 || ETH + hdrLen > bytes.length) return;
  view.setUint16(ETH + 10, 0);
  let sum = 0;
  for (let i = 0; i < hdrLen; i += 2) sum += view.getUint16(ETH + i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(ETH + 10, ~sum & 0xffff);
}

/** Damage in any place, and in those that lengths are read from. */
function spoilt(random, bytes) {
  let out = bytes;
  for (let n = random.between(1, 3); n > 0; n--) {
    out = random.chance(0.3) ? wrongField(random, out) : damaged(random, out);
  }
  if (random.chance(0.03)) out = padded(random, out, random.pick(SIZES));
  if (out.length > ETH && out[12] === 8 && out[13] === 0 && random.chance(0.6)) {
    mendChecksum(new DataView(out.buffer, out.byteOffset, out.length), out);
  }
  return unknown(out);
}

/** Fields of an untagged frame that say how long something is, or what it is. */
const FIELDS = [
  [12, 2], // type
  [14, 1], // version, length of an IPv4 header
  [16, 2], // total length of IPv4
  [18, 2], // length of IPv6's payload
  [20, 2], // fragment
  [20, 1], // next header of IPv6
  [23, 1], // protocol of IPv4
  [38, 2], // length of UDP over IPv4
  [46, 1], // length of a TCP header over IPv4
  [54, 2], // IPv6's first extension header
  [58, 2], // length of UDP over IPv6
  [66, 1], // length of a TCP header over IPv6
];
const TYPES = [0x0800, 0x86dd, 0x8100, 0x88a8, 0x0806, 0x0000, 0x05dc, 0x0600, 0xffff];
const NEXT_HEADERS = [0, 6, 17, 1, 58, 43, 44, 50, 51, 59, 60, 135, 255];

function wrongField(random, bytes) {
  const [at, size] = random.pick(FIELDS);
  if (at + size > bytes.length) return bytes;
  const value =
    at === 12
      ? random.pick(TYPES)
      : at === 20 && size === 1
        ? random.pick(NEXT_HEADERS)
        : random.chance(0.5)
          ? random.below(size === 1 ? 256 : 65536)
          : bytes.length - at + random.between(-9, 9);
  if (size === 2) bytes[at] = value >>> 8;
  bytes[at + size - 1] = value;
  return bytes;
}

function padded(random, bytes, size) {
  const out = new Uint8Array(size).fill(random.below(256));
  out.set(bytes.subarray(0, size));
  return out;
}
