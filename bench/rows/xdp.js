// SPDX-License-Identifier: GPL-2.0-only
/**
 * The path without copies: 64-byte UDP frames of 16 flows, one queue, as fast as they are taken, none lost.
 *
 *               RX ring              rx ring
 *   +----------+       +-----------+          +-----------+
 *   | nic/eth0 | ----> | napi/eth0 | -------> | app/eth0  |    an AF_XDP socket
 *   +----------+       +-----------+          +-----------+
 *        ^                   ^--------------------- |           fill ring
 *   +----------+       +-----------+ socket queue  +-----------+
 *   | nic/eth1 | ----> | napi/eth1 | ------------> | app/eth1  |    a UDP socket
 *   +----------+       +-----------+               +-----------+
 *   +----------+       one message a packet        +-----------+
 *   | sender   | --------------------------------> | receiver  |    MessagePort
 *   +----------+                                   +-----------+
 *
 * Each receiver reads every byte and checks the order; both of softnet's instances have threads of their own.
 */
import { boot } from '../../dist/index.js';
import { check, figure } from '../lib/check.js';
import { interleave, ratio } from '../lib/interleave.js';
import { Lane } from '../lib/lane.js';
import { PortPair } from '../lib/port_pair.js';
import { median } from '../lib/stats.js';
import { XdpLane } from '../lib/xdp_lane.js';

const FRAME_BYTES = 64;
const LOAD = { flows: 16, frameBytes: FRAME_BYTES };

export const xdp = {
  name: 'xdp',
  title: '64-byte UDP through an AF_XDP socket, against a UDP socket and a message a packet',
  threads: 3,
  minCores: 2,
  fewCores: 'lower bound',
  run,
};

async function run({ quick, measuring, progress }) {
  const count = quick ? 2_000 : 500_000;
  const messages = quick ? 500 : 100_000;
  const machine = await boot({ cpus: 2 });
  const zeroCopy = await XdpLane.open(machine, { name: 'eth0', port: 9, threaded: true, count });
  const udp = await Lane.open(machine, { name: 'eth1', port: 10, threaded: true, count, cpu: 1 });
  const port = new PortPair(messages, FRAME_BYTES);
  try {
    const ns = await measuring(() =>
      interleave(
        [
          { name: 'xdp', run: () => zeroCopy.send(LOAD) },
          { name: 'messageport', run: () => port.send() },
          { name: 'udp', run: () => udp.send(LOAD) },
        ],
        { rounds: quick ? 2 : 9, warmups: quick ? 0 : 2, progress },
      ),
    );
    return {
      figures: [
        figure('xdp_packets_per_s', 'AF_XDP socket', 1e9 / median(ns.xdp), 'packets/s'),
        figure('xdp_udp_packets_per_s', 'UDP socket', 1e9 / median(ns.udp), 'packets/s'),
        figure('xdp_messageport_packets_per_s', 'MessagePort', 1e9 / median(ns.messageport), 'packets/s'),
      ],
      checks: [
        check('xdp_over_udp_ratio', 'AF_XDP socket / UDP socket', ratio(ns.udp, ns.xdp), '>=', 1, 'x'),
        check(
          'xdp_over_messageport_ratio',
          'AF_XDP socket / MessagePort',
          ratio(ns.messageport, ns.xdp),
          '>=',
          20,
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
