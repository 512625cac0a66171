// SPDX-License-Identifier: GPL-2.0-only
// Boots a machine, sends a million packets through a threaded NAPI instance to an application thread.
import { boot } from 'softnet';

const machine = await boot({ cpus: 2 });
try {
  const eth0 = await machine.addDevice({ name: 'eth0', threaded: true });
  const socket = await machine.openUdp({ port: 9000 });
  const module = new URL('./count-bytes.mjs', import.meta.url);
  const app = await machine.runApp(module, { name: 'count', sockets: [socket] });

  const wire = await eth0.generate({ count: 1_000_000, flows: 16, port: 9000 });
  console.log(`${Math.round(wire.frames / (wire.durationNs / 1e9))} packets/s`);

  await eth0.drained(); // every frame is with its socket
  await eth0.setThreaded(false); // back to softirq; under traffic, too
  await socket.close(); // its reader gets what is queued, then null
  console.log(await app.result, machine.drops());
} finally {
  await machine.shutdown(); // or `await using machine = ...` where the language has it
}
