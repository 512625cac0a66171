// SPDX-License-Identifier: GPL-2.0-only
/** Feeds the wire with UDP frames made up beforehand: the load of the benches. */
import { writeUdp4 } from '../drivers/net/frame_builder.js';
import { SIM_NIC } from '../drivers/net/sim_nic.js';
import type { Wire } from '../drivers/net/sim_nic_wire.js';
import type { ThreadContext } from './context.js';
import { type Fed, frameStride, type GeneratorFeed } from './feeds.js';
import { FLOW_DST_IP, flowSrcIp, flowSrcPort } from './generator_flow.js';
import type { Pacer } from './pacer.js';

/** Frames between two looks at the stop word. */
const STOP_FRAMES = 1024;
const ETH_IP_UDP_BYTES = 42;

/** Sends `count` frames. `base` is the byte offset of the staging buffer in the arena. */
export function feedGenerator(
  ctx: ThreadContext,
  wire: Wire,
  pacer: Pacer,
  nic: number,
  base: number,
  feed: GeneratorFeed,
): Fed {
  const { b, m } = ctx.arena;
  const stride = frameStride(feed.frameBytes);
  const hashes = new Int32Array(feed.flows);
  for (let i = 0; i < feed.flows; i++) {
    const off = base + i * stride;
    const len = writeUdp4(b, off, {
      srcMac: Uint8Array.of(2, 0, 0, 0, 0, 1),
      dstMac: Uint8Array.of(2, 0, 0, 0, 0, 2),
      srcIp: flowSrcIp(i),
      dstIp: FLOW_DST_IP,
      srcPort: feed.srcPorts?.[i] ?? flowSrcPort(i),
      dstPort: feed.port + (i % feed.ports),
      payloadLen: feed.frameBytes - ETH_IP_UDP_BYTES,
    });
    hashes[i] = wire.hash(off, len);
  }
  const startNs = wire.tick();
  const endNs = startNs + (feed.forNs ?? Number.MAX_SAFE_INTEGER);
  let sent = 0;
  let flow = 0;
  for (; sent < feed.count; sent++) {
    if (feed.pace !== 'asap' && !pacer.waitUntil(startNs + (sent / feed.pace) * 1e9)) break;
    wire.receive(base + flow * stride, feed.frameBytes, hashes[flow]);
    flow = flow + 1 === feed.flows ? 0 : flow + 1;
    if (sent % STOP_FRAMES === STOP_FRAMES - 1) {
      Atomics.store(m, nic + SIM_NIC.frames, (sent + 1) | 0);
      if (wire.stopped() || ctx.cur.platform.nowNs() >= endNs) {
        sent++;
        break;
      }
    }
  }
  Atomics.store(m, nic + SIM_NIC.frames, sent | 0);
  return { frames: sent, bytes: sent * feed.frameBytes, warnings: [], error: null };
}
