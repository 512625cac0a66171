// SPDX-License-Identifier: GPL-2.0-only
/**
 * The backlog of a CPU.
 *
 * Hand-over: 64-byte packets in batches of 64 to the other CPU, numbers checked.
 *
 *   +-----------+  backlog of CPU 1   +-------------------------+
 *   | app/queue | ------------------> | cpu/1 (interrupts), or  |
 *   | CPU 0     | <------------------ | a thread for it         |   two threads: who queues reads the socket, too
 *   +-----------+   socket queue      +-------------------------+
 *   +-----------+  one message each   +-------------------------+
 *   | sender    | ------------------> | receiver                |   MessagePort: two threads
 *   +-----------+                     +-------------------------+
 *
 * Loopback: a datagram a system call, for a socket of the same machine; boot-time threads with the bypass for the own CPU,
 * and without it (an experiment), against no threads.
 *
 *   +----------+   backlog of CPU 0   +-----------+   a window of 2: each datagram's way counts, as in a dialogue;
 *   | app/send | -------------------> | app/sink  |   a window of 512: who waits finds whole batches
 *   +----------+                      +-----------+
 *
 * Hotplug: a CPU at rest goes offline and comes back, with boot-time threads (parked, unparked) and without.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { boot } from '../../dist/index.js';
import { Flood } from '../../dist/tools/flood.js';
import { settled } from '../../dist/tools/settled.js';
import { check, figure, mustBe } from '../lib/check.js';
import { interleave, ratio } from '../lib/interleave.js';
import { PortPair } from '../lib/port_pair.js';
import { median, percentile } from '../lib/stats.js';

const FRAME_BYTES = 64;
const PAYLOAD_BYTES = FRAME_BYTES - 42;
const BATCH = 64;
const FLOWS = 16;
const PORT = 9;
/** Of the hand-over: each is filled beforehand, and goes round once. */
const BUFFERS = 512;
const APP = new URL('../workers/backlog_app.js', import.meta.url);
const SINK = new URL('../../dist/threads/sink.js', import.meta.url);

export const backlog = {
  name: 'backlog',
  title: 'a remote CPU’s backlog against a message a packet; loopback with boot-time threads; CPU hotplug',
  threads: 2,
  minCores: 2,
  run,
};

async function run({ quick, measuring, progress }) {
  return measuring(async () => {
    const parts = [
      await handOver(quick, progress),
      await loopback(quick, progress),
      await hotplug(quick, progress),
    ];
    return {
      figures: parts.flatMap((p) => p.figures),
      checks: parts.flatMap((p) => p.checks),
      samples: Object.assign({}, ...parts.map((p) => p.samples)),
    };
  });
}

const HAND_OVER = { ipi: 'interrupts', threaded: 'run-time threads', smpboot: 'boot-time threads' };

async function handOver(quick, progress) {
  const count = quick ? 2_000 : 500_000;
  const port = new PortPair(quick ? 500 : 100_000, FRAME_BYTES);
  const lanes = [];
  try {
    for (const mode of Object.keys(HAND_OVER)) lanes.push(await RemoteLane.open(mode, count));
    const ns = await interleave(
      [
        ...lanes.map((lane) => ({ name: lane.mode, run: () => lane.send() })),
        { name: 'messageport', run: () => port.send() },
      ],
      { rounds: quick ? 2 : 9, warmups: quick ? 0 : 2, progress: (text) => progress(`hand-over, ${text}`) },
    );
    const rate = (key, label, samples) =>
      figure(`${key}_packets_per_s`, label, 1e9 / median(samples), 'packets/s');
    return {
      figures: [
        ...lanes.map(({ mode }) => rate(`remote_${mode}`, `remote backlog, ${HAND_OVER[mode]}`, ns[mode])),
        rate('messageport', 'MessagePort', ns.messageport),
      ],
      checks: lanes.map(({ mode }) =>
        check(
          `remote_${mode}_over_messageport_ratio`,
          `remote backlog, ${HAND_OVER[mode]} / MessagePort`,
          ratio(ns.messageport, ns[mode]),
          '>=',
          20,
          'x',
        ),
      ),
      samples: ns,
    };
  } finally {
    await port.end();
    for (const lane of lanes) await lane.end();
  }
}

/** A machine whose CPU 0 fills the backlog of CPU 1. */
class RemoteLane {
  static async open(mode, count) {
    const lane = new RemoteLane();
    lane.mode = mode;
    lane.count = count;
    lane.sent = 0;
    lane.machine = await boot({ cpus: 2, threadBacklogNapi: mode === 'smpboot' ? 'on' : 'off' });
    if (mode === 'threaded') await lane.machine.setBacklogThreaded(true);
    const lo = await lane.machine.addLoopback();
    lane.socket = await lane.machine.openUdp({ port: PORT });
    const load = { flows: FLOWS, payloadBytes: PAYLOAD_BYTES, port: PORT, batch: BATCH };
    const sockets = [lane.socket];
    const options = { name: 'queue', cpu: 0, buffers: BUFFERS, module: APP, sockets, ...load };
    lane.flood = await Flood.open(lane.machine, lo, options);
    return lane;
  }

  async send() {
    const { machine, count } = this;
    const sent = await this.flood.send({ count });
    mustBe(`${this.mode}: packets`, sent.frames, count);
    this.sent += count;
    mustBe(`${this.mode}: packets dropped`, JSON.stringify(machine.drops()), '{}');
    const [cpu0, cpu1] = machine.softnetStat();
    mustBe(`${this.mode}: processed by CPU 0`, cpu0.processed, 0);
    mustBe(`${this.mode}: by CPU 1`, cpu1.processed, BUFFERS + this.sent);
    return { ns: sent.endNs - sent.startNs, items: count };
  }

  async end() {
    await this.flood.end();
    await this.machine.shutdown();
  }
}

const LOOPBACK = { off: 'no threads', on: 'boot-time threads', 'no-bypass': 'without the bypass' };
const WINDOWS = [2, 512];

async function loopback(quick, progress) {
  const lanes = [];
  try {
    for (const window of WINDOWS) {
      for (const mode of Object.keys(LOOPBACK)) lanes.push(await LoopbackLane.open(mode, window, quick));
    }
    const ns = await interleave(
      lanes.map((lane) => ({ name: lane.name, run: () => lane.send() })),
      { rounds: quick ? 2 : 9, warmups: quick ? 0 : 2, progress: (text) => progress(`loopback, ${text}`) },
    );
    const of = (mode, window) => ns[nameOf(mode, window)];
    return {
      figures: lanes.map(({ name, mode, window }) =>
        figure(
          `${name.replaceAll('-', '_')}_packets_per_s`,
          `loopback, window ${window}, ${LOOPBACK[mode]}`,
          1e9 / median(ns[name]),
          'packets/s',
        ),
      ),
      checks: [
        ...WINDOWS.map((window) =>
          check(
            `loopback_${window}_bypass_over_none_ratio`,
            `loopback, window ${window}: time of boot-time threads / no threads`,
            ratio(of('on', window), of('off', window)),
            '<=',
            1.1,
            'x',
          ),
        ),
        check(
          'loopback_2_no_bypass_over_none_ratio',
          'loopback, window 2: time without the bypass / no threads',
          ratio(of('no-bypass', 2), of('off', 2)),
          '>=',
          1.2,
          'x',
        ),
      ],
      samples: ns,
    };
  } finally {
    for (const lane of lanes) await lane.end();
  }
}

function nameOf(mode, window) {
  return `loopback_${window}_${mode}`;
}

/** A machine that sends to itself. */
class LoopbackLane {
  static async open(mode, window, quick) {
    const lane = new LoopbackLane();
    lane.name = nameOf(mode, window);
    lane.mode = mode;
    lane.window = window;
    lane.count = quick ? 500 : 40_000;
    lane.sent = 0;
    lane.machine = await boot({ cpus: 2, threadBacklogNapi: mode, memoryBytes: 64 << 20 });
    const lo = await lane.machine.addLoopback();
    lane.socket = await lane.machine.openUdp({ port: PORT });
    const args = { latency: false, order: true };
    lane.app = await lane.machine.runApp(SINK, { name: 'sink', sockets: [lane.socket], cpu: 1, args });
    const load = { flows: FLOWS, payloadBytes: PAYLOAD_BYTES, port: PORT, batch: 1 };
    lane.flood = await Flood.open(lane.machine, lo, { name: 'send', cpu: 0, buffers: window, ...load });
    return lane;
  }

  async send() {
    const { count } = this;
    const sent = await this.flood.send({ count });
    mustBe(`${this.name}: packets sent`, sent.frames, count);
    this.sent += count;
    await settled(this.machine, [this.socket], this.sent);
    mustBe(`${this.name}: packets read`, this.socket.delivered, this.sent);
    return { ns: sent.endNs - sent.startNs, items: count };
  }

  async end() {
    await this.flood.end();
    await this.socket.close();
    mustBe(`${this.name}: packets out of order`, (await this.app.result).reordered, 0);
    await this.machine.shutdown();
  }
}

async function hotplug(quick, progress) {
  const cycles = quick ? 5 : 200;
  const machines = {};
  const ns = { off: [], on: [] };
  try {
    for (const mode of Object.keys(ns)) machines[mode] = await boot({ cpus: 2, threadBacklogNapi: mode });
    for (let i = 0; i < cycles; i++) {
      if (i % 20 === 0) progress(`hotplug, cycle ${i + 1} of ${cycles}`);
      for (const [mode, machine] of Object.entries(machines)) {
        let cycle = 0;
        for (const online of [false, true]) {
          const op = { name: 'cpu-online', cpu: 1, online };
          cycle += await machine.control({ name: 'timed', op }, 'taking CPU 1 offline and online');
        }
        ns[mode].push(cycle);
      }
      await sleep(0); // the machines come to rest
    }
    const cost = (key, label, samples) => [
      figure(`hotplug_${key}_p50_ns`, `${label}, p50`, median(samples), 'ns'),
      figure(`hotplug_${key}_p95_ns`, 'the same, p95', percentile(samples, 95), 'ns'),
    ];
    return {
      figures: [
        ...cost('cycle', 'a CPU offline and online', ns.off),
        ...cost('cycle_smpboot', 'the same with a boot-time thread', ns.on),
      ],
      checks: [],
      samples: { hotplug_off: ns.off, hotplug_on: ns.on },
    };
  } finally {
    for (const machine of Object.values(machines)) await machine.shutdown();
  }
}
