// SPDX-License-Identifier: GPL-2.0-only
/**
 * Reassembly of UDP datagrams over IPv4 (Linux: net/ipv4/ip_fragment.c; RFC 791, RFC 815, RFC 5722 for overlaps). Who owns
 * what, and how queues are found and end: inet_fragment.ts.
 *
 * Rules, as Linux has them since 5.x
 *   - A fragment that overlaps others ends the datagram: all of it is dropped. One that brings only what one run of
 *     fragments holds already is a duplicate, and dropped alone.
 *   - So does a last fragment that ends before bytes that came or elsewhere than another last one, a fragment behind the end,
 *     and one without data.
 *   - A fragment that is not the last is cut to a multiple of 8 bytes.
 *   - While more than ipfrag_high_thresh bytes are held no fragment is taken, whatever it would complete: nothing that
 *     waits is thrown out for it. What waits longer than ipfrag_time ends.
 *   - Identifications come round. So a fragment in front of which more than ipfrag_max_dist others of its sender came, counted from
 *     the one before of what seems to be its datagram, begins a datagram anew; what waited is given up.
 * Differences: a datagram that would be longer than an IP packet may be ends as soon as that shows, not when it is whole.
 * What is whole is never marked DF. ECN is not looked at. Other protocols than UDP are not reassembled. Senders are told apart
 * by a hash.
 */
import { spinLock, spinUnlock } from '../../kernel/locking/spinlock.js';
import { internetChecksum } from '../core/headers/checksum.js';
import { ETH_P_IP, IPPROTO_UDP, IPV4_HLEN, UDP_HLEN } from '../core/headers/protocols.js';
import type { NetContext } from '../core/net_context.js';
import { dropSkb } from '../core/skb_free.js';
import { SKB, SKB_DATA_BYTES, SKB_F_IP, SKB_F_REASSEMBLED, SKB_PART, skbData } from '../core/skbuff.js';
import {
  DROP_DUP_FRAG,
  DROP_FRAG_REASM_TIMEOUT,
  DROP_FRAG_TOO_FAR,
  DROP_IP_REASM_INVALID,
  DROP_IP_REASM_NOMEM,
  DROP_IP_REASM_OVERLAP,
  NET,
} from '../core/softnet_data.js';
import {
  FQDIR,
  fragCharge,
  fragCreate,
  fragDestroy,
  fragExpire,
  fragFind,
  fragFree,
  fragKill,
  fragTooFar,
  IPQ,
} from './inet_fragment.js';

/** Most bytes of a datagram, and most of them behind its IP header. */
const IP_LEN_MAX = 65535;
const IP_DATA_MAX = IP_LEN_MAX - IPV4_HLEN;

/** What came of a fragment, beside DROP_*: it waits; with it the datagram is whole; or is, and is too long. */
const FRAG_WAITS = -1;
const FRAG_WHOLE = -2;
const FRAG_OVERSIZE = -3;

/**
 * Takes a fragment (Linux: ip_defrag). Inside a poll, or whatever else hands frames up.
 * @param skb a frame that was read, and is a fragment
 * @returns the datagram, once it is whole; the frame itself if its kind is not reassembled; else 0
 */
export function ipDefrag(net: NetContext, skb: number): number {
  const { m, b, f } = net;
  const proto = m[skb + SKB.proto];
  if ((proto & 0xffff) !== ETH_P_IP || ((proto >>> 16) & 0xff) !== IPPROTO_UDP) return skb;
  const at = m[net.at + NET.fqdir];
  const l3Off = skbData(skb) + (m[skb + SKB.headers] & 0xffff);
  const saddr = word32(b, l3Off + 12);
  const daddr = word32(b, l3Off + 16);
  const idProto = (b[l3Off + 4] << 16) | (b[l3Off + 5] << 8) | b[l3Off + 9];
  const stampNs = f[(skb + SKB.tstampNs) >> 1];

  spinLock(m, at + FQDIR.lock);
  m[at + FQDIR.reasmReqds]++;
  const expired = fragExpire(net, at, stampNs);
  let q = 0;
  let tooFar = 0;
  let verdict = DROP_IP_REASM_NOMEM;
  const highThresh = Atomics.load(m, net.at + NET.ipfragHighThresh);
  if (highThresh !== 0 && m[at + FQDIR.mem] <= highThresh) {
    q = fragFind(m, at, saddr, daddr, idProto);
    if (fragTooFar(net, at, q, saddr)) {
      m[at + FQDIR.reasmFails]++;
      fragKill(m, at, q);
      tooFar = q;
      q = 0;
    }
    if (q === 0) q = fragCreate(net, at, saddr, daddr, idProto, stampNs);
  }
  if (q !== 0) verdict = queueFragment(net, at, q, skb);
  if (verdict === FRAG_WHOLE) m[at + FQDIR.reasmOKs]++;
  else if (verdict !== FRAG_WAITS && verdict !== DROP_DUP_FRAG) m[at + FQDIR.reasmFails]++;
  if (verdict === DROP_IP_REASM_OVERLAP) m[at + FQDIR.reasmOverlaps]++;
  if (q !== 0 && verdict !== FRAG_WAITS && verdict !== DROP_DUP_FRAG) fragKill(m, at, q);
  spinUnlock(m, at + FQDIR.lock);

  if (expired !== 0) fragDestroy(net, expired, DROP_FRAG_REASM_TIMEOUT);
  if (tooFar !== 0) fragDestroy(net, tooFar, DROP_FRAG_TOO_FAR);
  if (verdict === FRAG_WAITS) return 0;
  if (verdict === FRAG_WHOLE) return reassemble(net, q, stampNs);
  if (verdict === FRAG_OVERSIZE) {
    fragDestroy(net, q, DROP_IP_REASM_INVALID); // the fragment is in it
    return 0;
  }
  if (verdict !== DROP_DUP_FRAG) fragDestroy(net, q, verdict);
  dropSkb(net, skb, verdict);
  return 0;
}

function word32(b: Uint8Array, off: number): number {
  return (b[off] << 24) | (b[off + 1] << 16) | (b[off + 2] << 8) | b[off + 3];
}

/**
 * Puts a fragment into its queue (Linux: ip_frag_queue). Lock held.
 * @returns FRAG_WAITS, FRAG_WHOLE, FRAG_OVERSIZE, or DROP_* if it does not belong there
 */
function queueFragment(net: NetContext, at: number, q: number, skb: number): number {
  const { m, b } = net;
  const fragWord = skbData(skb) + (m[skb + SKB.headers] & 0xffff) + 6;
  const offset = (((b[fragWord] & 0x1f) << 8) | b[fragWord + 1]) << 3;
  const more = (b[fragWord] & 0x20) !== 0;
  const payload = m[skb + SKB.payload];
  let end = offset + (payload >>> 16);
  if (!more) {
    if (end < m[q + IPQ.len] || (m[q + IPQ.lastIn] !== 0 && end !== m[q + IPQ.len]))
      return DROP_IP_REASM_INVALID;
    m[q + IPQ.lastIn] = 1;
  } else {
    end &= ~7;
    m[skb + SKB.payload] = ((end - offset) << 16) | (payload & 0xffff);
    if (end > m[q + IPQ.len] && m[q + IPQ.lastIn] !== 0) return DROP_IP_REASM_INVALID;
  }
  if (end > m[q + IPQ.len]) m[q + IPQ.len] = end;
  if (end === offset || end > IP_DATA_MAX) return DROP_IP_REASM_INVALID;
  const refused = insert(m, q, skb, offset, end);
  if (refused !== FRAG_WAITS) return refused;
  const meat = m[q + IPQ.meat] + end - offset;
  m[q + IPQ.meat] = meat;
  fragCharge(m, at, q, skb);
  // All bytes are there: so is the first fragment, as none came twice.
  if (m[q + IPQ.lastIn] === 0 || meat !== m[q + IPQ.len]) return FRAG_WAITS;
  const headers = m[m[q + IPQ.firstRun] + SKB.headers];
  const ipLen = (headers >>> 16) - (headers & 0xffff) + meat;
  return ipLen > IP_LEN_MAX ? FRAG_OVERSIZE : FRAG_WHOLE;
}

/**
 * Links a fragment where it belongs (Linux: inet_frag_queue_insert). Lock held.
 * @returns FRAG_WAITS, or DROP_* if what it brings is there already, in whole or in part
 */
function insert(m: Int32Array, q: number, skb: number, offset: number, end: number): number {
  const lastRun = m[q + IPQ.lastRun];
  const lastEnd = lastRun === 0 ? 0 : m[lastRun + SKB.segs] & 0xffff;
  let link = lastRun === 0 ? q + IPQ.firstRun : lastRun + SKB.fragList;
  if (end > lastEnd) {
    if (offset < lastEnd) return DROP_IP_REASM_OVERLAP;
    m[skb + SKB.next] = 0;
    if (lastRun !== 0 && offset === lastEnd) {
      m[m[q + IPQ.tail] + SKB.next] = skb;
      m[lastRun + SKB.segs] = (m[lastRun + SKB.segs] & ~0xffff) | end;
      m[q + IPQ.tail] = skb;
      return FRAG_WAITS;
    }
    m[q + IPQ.lastRun] = skb;
    m[q + IPQ.tail] = skb;
  } else {
    // Not behind the others: in front of a run, or in it.
    link = q + IPQ.firstRun;
    for (let run = m[link]; run !== 0; run = m[link]) {
      const span = m[run + SKB.segs];
      if (end <= span >>> 16) break;
      if (offset < (span & 0xffff)) {
        return offset >= span >>> 16 && end <= (span & 0xffff) ? DROP_DUP_FRAG : DROP_IP_REASM_OVERLAP;
      }
      link = run + SKB.fragList;
    }
  }
  m[skb + SKB.next] = 0;
  m[skb + SKB.segs] = (offset << 16) | end;
  m[skb + SKB.fragList] = m[link];
  m[link] = skb;
  return FRAG_WAITS;
}

/**
 * Makes one datagram of a dead queue whose fragments are all there (Linux: ip_frag_reasm): the first fragment with the
 * buffers of the others behind it. Frees the queue.
 * @param stampNs when the fragment came that was the last to come
 * @returns the datagram
 */
function reassemble(net: NetContext, q: number, stampNs: number): number {
  const { m, f } = net;
  const head = m[q + IPQ.firstRun];
  let tail = 0;
  for (let run = head; run !== 0; ) {
    const nextRun = m[run + SKB.fragList];
    m[run + SKB.fragList] = 0;
    for (let skb = run; skb !== 0; ) {
      const following = m[skb + SKB.next];
      m[skb + SKB.next] = 0;
      if (tail !== 0) m[tail + SKB.frags] = skb;
      tail = markParts(m, skb, skb === head);
      skb = following;
    }
    run = nextRun;
  }
  f[(head + SKB.tstampNs) >> 1] = stampNs;
  m[head + SKB.segs] = m[q + IPQ.frags];
  writeHead(net, head, m[q + IPQ.len]);
  fragFree(m, q);
  return head;
}

/** Says of each buffer of a fragment what of the datagram stands in it. @returns its last buffer */
function markParts(m: Int32Array, skb: number, first: boolean): number {
  const payload = m[skb + SKB.payload];
  let off = first ? 0 : payload & 0xffff;
  let left = (payload & 0xffff) - off + (payload >>> 16);
  for (let s = skb; ; s = m[s + SKB.frags]) {
    const here = Math.min(left, SKB_DATA_BYTES - off);
    m[s + SKB_PART] = (here << 16) | off;
    left -= here;
    off = 0;
    if (m[s + SKB.frags] === 0) return s;
  }
}

/** Makes the first fragment's headers those of the whole datagram, of `dataLen` bytes behind the IP header. */
function writeHead(net: NetContext, head: number, dataLen: number): void {
  const { m, b } = net;
  const headers = m[head + SKB.headers];
  const l4Off = headers >>> 16;
  const ipHdrLen = l4Off - (headers & 0xffff);
  const l3 = skbData(head) + (headers & 0xffff);
  const ipLen = ipHdrLen + dataLen;
  b[l3 + 2] = ipLen >>> 8;
  b[l3 + 3] = ipLen;
  b[l3 + 6] = 0;
  b[l3 + 7] = 0;
  b[l3 + 10] = 0;
  b[l3 + 11] = 0;
  const sum = internetChecksum(b, l3, ipHdrLen, 0);
  b[l3 + 10] = sum >>> 8;
  b[l3 + 11] = sum;
  // The first fragment has 8 bytes at least, unless it is the only one.
  const l4 = skbData(head) + l4Off;
  const udpLen = dataLen < UDP_HLEN ? 0 : (b[l4 + 4] << 8) | b[l4 + 5];
  const whole = udpLen >= UDP_HLEN && udpLen <= dataLen;
  m[head + SKB.len] = l4Off + dataLen;
  m[head + SKB.payload] = whole ? ((udpLen - UDP_HLEN) << 16) | (l4Off + UDP_HLEN) : (dataLen << 16) | l4Off;
  const flags = whole ? SKB_F_IP | SKB_F_REASSEMBLED : SKB_F_REASSEMBLED;
  m[head + SKB.proto] = (flags << 24) | (m[head + SKB.proto] & 0xffffff);
}
