// SPDX-License-Identifier: GPL-2.0-only
/** Fragments of UDP datagrams, one by one, and a machine that puts them together. */
import { writeUdp4Frames } from '../../dist/drivers/net/frame_builder.js';
import type { Wire } from '../../dist/drivers/net/sim_nic_wire.js';
import { internetChecksum } from '../../dist/net/core/headers/checksum.js';
import type { ThreadContext } from '../../dist/threads/context.js';
import { BareMachine } from './bare_machine.js';
import { BareApp, BareNic, type NicOptions, type Received, udpSocket } from './bare_nic.js';
import { FROM_4, get16 } from './frames.js';

export const PORT = 9;
const L3 = 14;

/** What tells fragments of one datagram from others. */
export interface FragmentKey {
  readonly id?: number;
  readonly proto?: number;
  readonly srcIp?: readonly number[];
  readonly dstIp?: readonly number[];
}

/** A frame with a fragment: `data` stands behind the IP header. */
export function fragment(offset: number, data: Uint8Array, more: boolean, key: FragmentKey = {}): Uint8Array {
  const { id = 1, proto = 17, srcIp = [10, 0, 0, 1], dstIp = [10, 0, 0, 2] } = key;
  const len = 20 + data.length;
  const word = (more ? 0x2000 : 0) | (offset >>> 3);
  const ip = [0x45, 0, len >>> 8, len & 0xff, id >>> 8, id & 0xff, word >>> 8, word & 0xff, 64, proto, 0, 0];
  const frame = new Uint8Array(L3 + len);
  frame.set(FROM_4.dstMac);
  frame.set(FROM_4.srcMac, 6);
  frame.set([8, 0, ...ip, ...srcIp, ...dstIp], 12);
  const sum = internetChecksum(frame, L3, 20, 0);
  frame.set([sum >>> 8, sum & 0xff], L3 + 10);
  frame.set(data, L3 + 20);
  return frame;
}

/** The frames of a datagram on a link of that MTU, in order. */
export function train(payload: Uint8Array, mtu: number, id = 1): Uint8Array[] {
  const stride = Math.max(mtu, payload.length + 28) + 14;
  const b = new Uint8Array(stride * (Math.ceil((payload.length + 8) / ((mtu - 20) & ~7)) + 1));
  const p = { ...FROM_4, srcPort: 7, dstPort: PORT, id, payload };
  const frames = writeUdp4Frames(b, 0, stride, p, mtu);
  return Array.from({ length: frames }, (_, k) => {
    const at = k * stride;
    return b.slice(at, at + L3 + get16(b, at + L3 + 2));
  });
}

/** One device, one poll context, a socket for the port and one for all else. */
export class FragRig {
  readonly bm: BareMachine;
  readonly ctx: ThreadContext;
  readonly nic: BareNic;
  readonly wire: Wire;
  readonly app: BareApp;

  constructor(options: NicOptions = {}) {
    this.bm = new BareMachine({ memoryBytes: 64 << 20, ipDefrag: true });
    this.ctx = this.bm.thread(0);
    this.nic = new BareNic(this.bm, this.ctx, options);
    this.nic.up();
    this.nic.settle();
    this.wire = this.nic.wire('drop');
    this.app = new BareApp(this.bm, [udpSocket(this.ctx, PORT), this.nic.packetSocket()]);
  }

  /** The frames come, in one poll. @returns what the application got */
  bring(...frames: readonly Uint8Array[]): Received[] {
    this.wire.tick();
    for (const frame of frames) this.nic.send(this.wire, frame);
    this.wire.flush();
    this.nic.settle();
    return this.app.drain();
  }

  /** Buffers that are in no queue of fragments and with nobody. */
  atRest(): number {
    this.nic.settle();
    return this.nic.buffersAtRest();
  }
}
