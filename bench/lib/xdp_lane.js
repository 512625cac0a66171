// SPDX-License-Identifier: GPL-2.0-only
import { NAPI } from '../../dist/net/core/napi.js';
import { Lane } from './lane.js';
import { queueNapi } from './protocol.js';
import { Rounds } from './rounds.js';

const APP = new URL('../workers/xdp_app.js', import.meta.url);

/** A device of one queue with an AF_XDP socket that takes all its frames, and the application that reads it. */
export class XdpLane extends Lane {
  /** As Lane.open; `port` is only where the frames are addressed to. */
  static async open(machine, { name, port, threaded, count, cpu = 0 }) {
    const lane = new XdpLane();
    lane.machine = machine;
    lane.port = port;
    lane.count = count;
    lane.device = await machine.addDevice({ name });
    if (threaded) {
      machine.arena.m[queueNapi(machine, lane.device, 0) + NAPI.cpu] = cpu;
      await lane.device.setThreaded(true);
    }
    // All frames to receive into: none is sent.
    lane.xsk = await machine.openXsk(lane.device, { txFrames: 0 });
    lane.rounds = new Rounds();
    const args = { sab: lane.rounds.sab, count };
    const app = await machine.runApp(APP, { name, xsks: [lane.xsk], args });
    lane.lost = Promise.race([
      machine.panic,
      app.result.then(() => Promise.reject(new Error(`app/${name} ended during a round`))),
    ]);
    lane.lost.catch(() => {});
    lane.firstSum = null;
    return lane;
  }
}
