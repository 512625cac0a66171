// SPDX-License-Identifier: GPL-2.0-only
import { NAPI } from '../../dist/net/core/napi.js';
import { mustBe } from './check.js';
import { queueNapi } from './protocol.js';
import { Rounds } from './rounds.js';

const APP = new URL('../workers/path_app.js', import.meta.url);

/** A device of one queue, its UDP socket and the application that reads it: packets in, packets read. */
export class Lane {
  /**
   * @param name the device's; the application is app/NAME
   * @param port of its socket
   * @param count packets a round
   * @param cpu simulated CPU that its thread counts as running on; without it, the first one
   */
  static async open(machine, { name, port, threaded, count, cpu = 0 }) {
    const lane = new Lane();
    lane.machine = machine;
    lane.port = port;
    lane.count = count;
    lane.device = await machine.addDevice({ name });
    if (threaded) {
      // Instances of devices with one queue each would all count as CPU 0's, and take turns at its BH lock.
      const { m } = machine.arena;
      m[queueNapi(machine, lane.device, 0) + NAPI.cpu] = cpu;
      await lane.device.setThreaded(true);
    }
    lane.socket = await machine.openUdp({ port });
    lane.rounds = new Rounds();
    const args = { sab: lane.rounds.sab, count };
    const app = await machine.runApp(APP, { name, sockets: [lane.socket], args });
    // An application that ends during a round has failed, or the round would never end.
    lane.lost = Promise.race([
      machine.panic,
      app.result.then(() => Promise.reject(new Error(`app/${name} ended during a round`))),
    ]);
    lane.lost.catch(() => {});
    lane.firstSum = null;
    return lane;
  }

  /**
   * Sends a round's packets and waits until the application has read the last one. Throws if any was lost, came out of
   * order or changed.
   * @returns ns from the wire's start to the last packet read, and the packets
   */
  async send({ flows, frameBytes }) {
    const { machine, device, rounds, count, port } = this;
    const before = rounds.done;
    const wire = await device.generate({ count, flows, frameBytes, port });
    const nothingDropped = () =>
      mustBe(`${device.name}: frames dropped`, JSON.stringify(machine.drops()), '{}');
    const got = await rounds.next(before, this.lost, nothingDropped);
    this.firstSum ??= got.sum;
    mustBe(`${device.name}: frames out of order, lost or too many`, got.misplaced, 0);
    mustBe(`${device.name}: sum of the bytes, against the first round's`, got.sum, this.firstSum);
    nothingDropped();
    return { ns: got.endNs - wire.startNs, startNs: wire.startNs, endNs: got.endNs, items: count };
  }
}
