// SPDX-License-Identifier: GPL-2.0-only
/**
 * The whole path of a packet: 64-byte UDP frames of 16 flows, one queue, as fast as they are taken, none lost.
 *
 *               RX ring              socket queue
 *   +----------+       +-----------+              +-----------+
 *   | nic/eth0 | ----> | napi/eth0 | -----------> | app/eth0  |    threaded: three threads
 *   +----------+       +-----------+              +-----------+
 *   +----------+       +-----------+              +-----------+
 *   | nic/eth1 | ----> | cpu/0     | -----------> | app/eth1  |    softirq: polled by the CPU's thread
 *   +----------+       +-----------+              +-----------+
 *   +----------+     one message a packet         +-----------+
 *   | sender   | -------------------------------> | receiver  |    MessagePort: two threads
 *   +----------+                                  +-----------+
 *
 * Each receiver reads every byte and checks the order. softnet's path classifies each packet, finds its socket and
 * recycles its buffer besides. With fewer than three cores its threads share them: the ratio is a lower bound.
 */
import { boot } from '../../dist/index.js';
import { check, figure } from '../lib/check.js';
import { interleave, ratio } from '../lib/interleave.js';
import { Lane } from '../lib/lane.js';
import { PortPair } from '../lib/port_pair.js';
import { median } from '../lib/stats.js';

const FRAME_BYTES = 64;
const LOAD = { flows: 16, frameBytes: FRAME_BYTES };

export const path = {
  name: 'path',
  title: '64-byte UDP, ring, NAPI, socket, application, against a message a packet',
  threads: 3,
  minCores: 2,
  fewCores: 'lower bound',
  run,
};

async function run({ quick, measuring, progress }) {
  const count = quick ? 2_000 : 500_000;
  const messages = quick ? 500 : 100_000;
  const machine = await boot({ cpus: 2 });
  const threaded = await Lane.open(machine, { name: 'eth0', port: 9, threaded: true, count });
  const softirq = await Lane.open(machine, { name: 'eth1', port: 10, threaded: false, count });
  const port = new PortPair(messages, FRAME_BYTES);
  try {
    const rounds = quick ? 2 : 9;
    const {
      ns,
      polls: [ofThread, ofCpu],
    } = await measuring(async () => {
      const samples = await interleave(
        [
          { name: 'threaded', run: () => threaded.send(LOAD) },
          { name: 'messageport', run: () => port.send() },
          { name: 'softirq', run: () => softirq.send(LOAD) },
        ],
        { rounds, warmups: quick ? 0 : 2, progress },
      );
      const polls = [
        await pollStats(machine, threaded, 'napi/eth0'),
        await pollStats(machine, softirq, 'cpu/0'),
      ];
      return { ns: samples, polls };
    });
    return {
      figures: [
        figure('path_threaded_packets_per_s', 'softnet, threaded', 1e9 / median(ns.threaded), 'packets/s'),
        figure('path_softirq_packets_per_s', 'softnet, softirq', 1e9 / median(ns.softirq), 'packets/s'),
        figure('messageport_packets_per_s', 'MessagePort', 1e9 / median(ns.messageport), 'packets/s'),
        figure('threaded_packets_per_poll', 'threaded: packets a poll', ofThread.perPoll, 'packets'),
        figure(
          'threaded_wakeups_per_mpackets',
          'threaded: wake-ups, a million packets',
          ofThread.wakeups,
          'wake-ups',
        ),
        figure('softirq_packets_per_poll', 'softirq: packets a poll', ofCpu.perPoll, 'packets'),
        figure(
          'softirq_wakeups_per_mpackets',
          'softirq: wake-ups, a million packets',
          ofCpu.wakeups,
          'wake-ups',
        ),
      ],
      checks: [
        check(
          'path_over_messageport_ratio',
          'threaded / MessagePort',
          ratio(ns.messageport, ns.threaded),
          '>=',
          10,
          'x',
        ),
      ],
      samples: ns,
    };
  } finally {
    await port.end();
    await machine.shutdown();
  }
}

/** What the polls of a lane's instance came to, and how often the thread that polls it slept. */
async function pollStats(machine, lane, poller) {
  const [napi] = await lane.device.napis();
  const woken = machine.threads().filter((t) => t.name.startsWith(poller));
  return {
    perPoll: napi.packets / napi.polls,
    wakeups: (woken.reduce((sum, t) => sum + t.wakeups, 0) / napi.packets) * 1e6,
  };
}
