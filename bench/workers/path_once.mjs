// SPDX-License-Identifier: GPL-2.0-only
// One run of the whole path by the package of a checkout (path_once.mjs CHECKOUT [trace]): three million frames, one threaded
// queue, no latency. Prints packets a second, and CPU nanoseconds a packet of the polling thread, the reader and the NIC.
import { pathToFileURL } from 'node:url';

const WARM_UP = 500_000;
const FRAMES = 3_000_000;
const root = new URL('dist/', pathToFileURL(`${process.argv[2]}/`));
const { boot } = await import(new URL('index.js', root).href);
const machine = await boot({ cpus: 1 });
const dev = await machine.addDevice({ name: 'eth0', threaded: true });
const socket = await machine.openUdp({ port: 9 });
const args = { order: false, latency: false };
const app = await machine.runApp(new URL('threads/sink.js', root), { name: 'sink', sockets: [socket], args });
await dev.generate({ count: WARM_UP, flows: 16 });
await dev.drained();
if (process.argv[3] === 'trace') machine.traceStart();
const { startNs } = await dev.generate({ count: FRAMES, flows: 16 });
await dev.drained();
await socket.close();
const { lastNs } = await app.result;
const cpu = (prefix) =>
  machine
    .threads()
    .filter((t) => t.name.startsWith(prefix))
    .reduce((sum, t) => sum + t.cpuNs, 0) /
  (WARM_UP + FRAMES);
const pps = (FRAMES / (lastNs - startNs)) * 1e9;
console.log(JSON.stringify({ pps, poll_ns: cpu('napi/'), reader_ns: cpu('app/'), nic_ns: cpu('nic/') }));
await machine.shutdown();
