// SPDX-License-Identifier: GPL-2.0-only
/** Makes timed wires: schedule, frames, receive hashes. Who owns what afterwards is said in sim_nic_timed.ts. */
import { newObjectId } from '../../kernel/current.js';
import { hrtimerSetup } from '../../kernel/hrtimer.js';
import { kmalloc } from '../../mm/slab.js';
import { dissect, FlowKeys } from '../../net/core/flow_dissector.js';
import { ETH_HLEN, ETH_ZLEN, IPV4_HLEN, UDP_HLEN } from '../../net/core/headers/protocols.js';
import { HRTIMER_TIMED_WIRE } from '../../net/core/ids.js';
import type { NetContext } from '../../net/core/net_context.js';
import { NET_DEVICE } from '../../net/core/net_device.js';
import { SKB_DATA_BYTES } from '../../net/core/skbuff.js';
import { payloadOffset, udp4Frames, writeUdp4Frames } from './frame_builder.js';
import { nicQueueAt } from './sim_nic.js';
import { ECHO_SLOTS, SCHEDULE_ECHO, SCHEDULE_PERIODIC, SCHEDULE_TIMES, TIMED_WIRE } from './sim_nic_timed.js';
import { timedFree } from './sim_nic_timed_main.js';
import { Toeplitz } from './toeplitz.js';

/** What a timed wire brings. */
export interface TimedParams {
  /** The queue it feeds. */
  readonly queue: number;
  /** Length of each frame, bytes: 60 to 2048. */
  readonly frameBytes: number;
  /** Instead: datagrams of so much payload, as the frames that a link of this MTU needs for each. No echo's. */
  readonly datagram?: { readonly bytes: number; readonly mtu: number };
  /** Frames in turn: addresses and ports of each. */
  readonly flows: readonly {
    readonly srcIp: Uint8Array;
    readonly srcPort: number;
    readonly dstPort: number;
  }[];
  readonly dstIp: Uint8Array;
  /** The schedule begins so long from now, ns. */
  readonly startInNs: number;
  /** Arrivals; of an echo 0: without end. */
  readonly count: number;
  /** The first of them that is there: distance of arrivals, ns; time of each from the start, ns; an echo's turnaround, ns. */
  readonly periodNs?: number;
  readonly timesNs?: Float64Array;
  readonly turnaroundNs?: number;
}

/** Words between the templates of two flows: whole lines. */
function strideOf(frameBytes: number): number {
  return ((frameBytes + 63) & ~63) >> 2;
}

/** Makes a wire for a queue of the device; nobody knows it yet. @returns its word index, or 0 (ENOMEM) */
export function timedCreate(net: NetContext, dev: number, p: TimedParams): number {
  const { m, f } = net;
  const nic = m[dev + NET_DEVICE.priv];
  const schedule = p.periodNs !== undefined ? SCHEDULE_PERIODIC : p.timesNs ? SCHEDULE_TIMES : SCHEDULE_ECHO;
  const link = linkLengths(p);
  const stride = strideOf(link.frameBytes);
  const times = schedule === SCHEDULE_PERIODIC ? 0 : (p.timesNs?.length ?? ECHO_SLOTS);
  const at = kmalloc(m, TIMED_WIRE.SIZE);
  if (at === 0) return 0;
  m[at + TIMED_WIRE.id] = newObjectId(m);
  m[at + TIMED_WIRE.nic] = nic;
  m[at + TIMED_WIRE.queue] = nicQueueAt(m, nic, p.queue);
  m[at + TIMED_WIRE.schedule] = schedule;
  m[at + TIMED_WIRE.count] = p.count;
  f[(at + TIMED_WIRE.periodNs) >> 1] = p.periodNs ?? p.turnaroundNs ?? 0;
  m[at + TIMED_WIRE.timesWords] = 2 * times;
  m[at + TIMED_WIRE.times] = times === 0 ? 0 : kmalloc(m, 2 * times);
  m[at + TIMED_WIRE.stride] = stride;
  m[at + TIMED_WIRE.frameBytes] = link.frameBytes;
  m[at + TIMED_WIRE.train] = link.train;
  m[at + TIMED_WIRE.lastBytes] = link.lastBytes;
  m[at + TIMED_WIRE.flows] = p.flows.length;
  m[at + TIMED_WIRE.template] = kmalloc(m, stride * p.flows.length * Math.max(1, link.train));
  m[at + TIMED_WIRE.hashes] = kmalloc(m, p.flows.length);
  if (
    (times > 0 && m[at + TIMED_WIRE.times] === 0) ||
    m[at + TIMED_WIRE.template] === 0 ||
    m[at + TIMED_WIRE.hashes] === 0
  ) {
    timedFree(m, at);
    return 0;
  }
  if (p.timesNs !== undefined && schedule === SCHEDULE_TIMES) f.set(p.timesNs, m[at + TIMED_WIRE.times] >> 1);
  hrtimerSetup(m, at + TIMED_WIRE.timer, HRTIMER_TIMED_WIRE, at);
  writeTemplates(net, at, p);
  return at;
}

/** The lengths of the frames of a wire, and how many make a datagram: TIMED_WIRE's words of these names. */
function linkLengths({ frameBytes, datagram }: TimedParams): {
  readonly frameBytes: number;
  readonly train: number;
  readonly lastBytes: number;
} {
  if (datagram === undefined) return { frameBytes, train: 0, lastBytes: 0 };
  const train = udp4Frames(datagram.bytes, datagram.mtu);
  const piece = (datagram.mtu - IPV4_HLEN) & ~7;
  const last = ETH_HLEN + IPV4_HLEN + UDP_HLEN + datagram.bytes - (train - 1) * piece;
  const lastBytes = Math.max(ETH_ZLEN, last);
  if (train === 1) return { frameBytes: lastBytes, train: 0, lastBytes };
  return { frameBytes: ETH_HLEN + IPV4_HLEN + piece, train, lastBytes };
}

function writeTemplates(net: NetContext, at: number, p: TimedParams): void {
  const { m, b } = net;
  const rss = new Toeplitz();
  const keys = new FlowKeys();
  const link = { srcMac: Uint8Array.of(2, 0, 0, 0, 0, 1), dstMac: Uint8Array.of(2, 0, 0, 0, 0, 2) };
  const header = payloadOffset(link, 4, UDP_HLEN);
  const payloadLen = p.datagram?.bytes ?? p.frameBytes - header;
  const train = m[at + TIMED_WIRE.train];
  for (let i = 0; i < p.flows.length; i++) {
    const stride = m[at + TIMED_WIRE.stride] << 2;
    const off = (m[at + TIMED_WIRE.template] << 2) + i * stride * Math.max(1, train);
    const { srcIp, srcPort, dstPort } = p.flows[i];
    const { dstIp } = p;
    const udp = { ...link, srcIp, dstIp, srcPort, dstPort, payloadLen, pad: true };
    writeUdp4Frames(b, off, stride, udp, p.datagram?.mtu ?? SKB_DATA_BYTES);
    // All fragments have the hash of the first: a NIC takes no ports where not all fragments have them.
    dissect(b, off, m[at + TIMED_WIRE.frameBytes], keys);
    m[m[at + TIMED_WIRE.hashes] + i] = rss.rssHashWord(b, keys);
  }
  m[at + TIMED_WIRE.seqOff] = payloadLen >= 4 ? header : 0;
}
