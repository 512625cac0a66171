// SPDX-License-Identifier: GPL-2.0-only
/** GRO under any mix of frames, polls, time-outs and switches: nothing is lost, doubled, changed or overtaken. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeTcp4, writeTcp6, writeUdp4, writeUdp6 } from '../../dist/drivers/net/frame_builder.js';
import { hrtimerRunQueues } from '../../dist/kernel/hrtimer.js';
import { NETIF_F_GRO, NETIF_F_GRO_FRAGLIST } from '../../dist/net/core/gro.js';
import {
  TCP_FLAG_ACK,
  TCP_FLAG_FIN,
  TCP_FLAG_PSH,
  TCP_FLAG_SYN,
} from '../../dist/net/core/headers/protocols.js';
import { NAPI } from '../../dist/net/core/napi.js';
import { NET_DEVICE } from '../../dist/net/core/net_device.js';
import { built, counting, FROM_4, FROM_6, patched } from '../helpers/frames.js';
import { GroRig } from '../helpers/gro_rig.js';

const LEN = 80;
const IP4_CHECKSUM = 24;
const IP4_FRAGMENT = 20;

const FLOWS = ['tcp4', 'tcp4', 'tcp4', 'tcp4 tagged', 'tcp6', 'udp4', 'udp4', 'udp6'] as const;
const KINDS = [
  ...Array<'data'>(12).fill('data'),
  'short',
  'long',
  'again',
  'gap',
  'push',
  'fin',
  'syn',
  'ack',
  'window',
  'hops',
  'fault',
  'fragment',
  'padded',
  'big',
] as const;
type Kind = (typeof KINDS)[number];

/** Where each flow is. */
class Flow {
  private readonly type: (typeof FLOWS)[number];
  private readonly port: number;
  private seq = 1;
  private id = 0;

  constructor(type: (typeof FLOWS)[number], port: number) {
    this.type = type;
    this.port = port;
  }

  frame(kind: Kind): Uint8Array {
    const len = { short: LEN / 2, long: LEN + 8, ack: 0, big: 4000 }[kind as string] ?? LEN;
    if (kind === 'gap') this.seq += LEN;
    const at = kind === 'again' ? this.seq - LEN : this.seq;
    if (kind !== 'again') this.seq += len;
    this.id++;
    const bytes = this.write(
      kind,
      at,
      counting(len).map((b) => b + this.id),
    );
    if (kind === 'padded') return Uint8Array.from([...bytes, 0, 0, 0]);
    if (this.type !== 'tcp4' && this.type !== 'udp4') return bytes;
    if (kind === 'fault') return patched(bytes, IP4_CHECKSUM, bytes[IP4_CHECKSUM] ^ 1);
    // The checksum is not mended: whoever wants fragments must not mind, and GRO looks at the fragment bits first.
    if (kind === 'fragment') return patched(bytes, IP4_FRAGMENT, 0x20, 0);
    return bytes;
  }

  private write(kind: Kind, seq: number, payload: Uint8Array): Uint8Array {
    const flags =
      TCP_FLAG_ACK |
      (kind === 'push' ? TCP_FLAG_PSH : 0) |
      (kind === 'fin' ? TCP_FLAG_FIN : 0) |
      (kind === 'syn' ? TCP_FLAG_SYN : 0);
    const common = {
      srcPort: this.port,
      dstPort: 80,
      id: this.id,
      ttl: kind === 'hops' ? 63 : 64,
      seq,
      ack: 9,
      flags,
      window: kind === 'window' ? 1 : 500,
      payload,
    };
    switch (this.type) {
      case 'tcp4':
        return built((b) => writeTcp4(b, 0, { ...FROM_4, ...common }));
      case 'tcp4 tagged':
        return built((b) => writeTcp4(b, 0, { ...FROM_4, ...common, vlan: [100] }));
      case 'tcp6':
        return built((b) => writeTcp6(b, 0, { ...FROM_6, ...common }));
      case 'udp4':
        return built((b) => writeUdp4(b, 0, { ...FROM_4, ...common }));
      case 'udp6':
        return built((b) => writeUdp6(b, 0, { ...FROM_6, ...common }));
    }
  }
}

type Step =
  | { readonly do: 'frame'; readonly flow: number; readonly kind: Kind }
  | { readonly do: 'poll' }
  | { readonly do: 'wait'; readonly us: number }
  | { readonly do: 'timeout'; readonly ns: number }
  | { readonly do: 'defer'; readonly polls: number }
  | { readonly do: 'features'; readonly features: number };

const frame = fc.record({
  do: fc.constant('frame' as const),
  flow: fc.nat(FLOWS.length - 1),
  kind: fc.constantFrom(...KINDS),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: frame },
  { weight: 4, arbitrary: fc.constant<Step>({ do: 'poll' }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), us: fc.constantFrom(1, 50, 1500) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('timeout' as const), ns: fc.constantFrom(0, 50_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('defer' as const), polls: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('features' as const), features: fc.nat(3) }) },
);

/** Ports of the flows: the first three fall into one bucket, as often as there are ports. */
function portsOf(rig: GroRig): number[] {
  const ports: number[] = [];
  const bucket = (port: number): number => rig.hash(new Flow('tcp4', port).frame('data')) & 7;
  for (let port = 1000; ports.length < 3; port++) if (bucket(port) === bucket(1000)) ports.push(port);
  return [...ports, ports[0], 4, 5, 6, 7];
}

function run(steps: readonly Step[]): void {
  const rig = new GroRig({
    features: NETIF_F_GRO | NETIF_F_GRO_FRAGLIST,
    groFlushTimeoutNs: 50_000,
    poolSize: 1024,
  });
  const atRest = rig.nic.buffersAtRest();
  const ports = portsOf(rig);
  const flows = FLOWS.map((type, i) => new Flow(type, ports[i]));
  const sent: Uint8Array[] = [];
  const got: { seq: number; flow: number; bytes: Uint8Array }[] = [];
  let waiting: Uint8Array[] = [];
  const poll = (): void => {
    rig.receive(...waiting);
    waiting = [];
    got.push(...rig.drain());
  };
  for (const s of steps) {
    if (s.do === 'frame') {
      const bytes = flows[s.flow].frame(s.kind);
      sent.push(bytes);
      waiting.push(bytes);
    } else if (s.do === 'poll') poll();
    else if (s.do === 'timeout') rig.bm.m[rig.n.at + NAPI.groFlushTimeoutNs] = s.ns;
    else if (s.do === 'defer') rig.bm.m[rig.n.at + NAPI.deferHardIrqs] = s.polls;
    else if (s.do === 'features') rig.bm.m[rig.nic.dev + NET_DEVICE.features] = s.features;
    else {
      rig.bm.clock.us += s.us;
      hrtimerRunQueues(rig.ctx.cur);
      rig.softirq();
      got.push(...rig.drain());
    }
  }
  poll();
  // The watchdog, as often as deferral puts it off.
  for (let i = 0; i < 4; i++) {
    rig.bm.clock.us += 50;
    hrtimerRunQueues(rig.ctx.cur);
    rig.softirq();
  }
  got.push(...rig.drain());

  expect(rig.held()).toBe(0);
  expect(rig.bm.timers(0)).toBe(0);
  expect(got.map((r) => r.seq).sort((a, b) => a - b)).toEqual(sent.map((_, i) => i));
  for (const r of got) if (Buffer.compare(r.bytes, sent[r.seq]) !== 0) expect(r.bytes).toEqual(sent[r.seq]);
  const newest = new Map<number, number>();
  for (const { flow, seq } of got) {
    const before = newest.get(flow) ?? -1;
    if (seq <= before) expect.unreachable(`frame ${seq} came behind frame ${before} of its flow`);
    newest.set(flow, seq);
  }
  expect(rig.nic.buffersAtRest()).toBe(atRest);
  expect(rig.bm.drops()).toEqual({});
}

describe('GRO, whatever comes', () => {
  it('loses, doubles, changes and reorders nothing', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (steps) => run(steps)),
      { numRuns: 150 },
    );
  });

  it('nor with full polls of one flow after the other', () => {
    const burst = fc.record({ flow: fc.nat(FLOWS.length - 1), frames: fc.integer({ min: 1, max: 150 }) });
    fc.assert(
      fc.property(fc.array(burst, { maxLength: 4 }), (bursts) =>
        run(
          bursts.flatMap(({ flow, frames }) =>
            Array.from({ length: frames }, (): Step => ({ do: 'frame', flow, kind: 'data' })),
          ),
        ),
      ),
      { numRuns: 25 },
    );
  });
});
