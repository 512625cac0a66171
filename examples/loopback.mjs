// SPDX-License-Identifier: GPL-2.0-only
// Boots a machine with threads for backlogs, and sends from one application to another by the loopback device.
import { boot } from 'softnet';

const machine = await boot({ cpus: 2, threadBacklogNapi: 'on' });
try {
  const lo = await machine.addLoopback();
  await lo.setRpsCpus([0, 1]); // by its hash a flow goes to one of these
  const socket = await machine.openUdp({ port: 9000 });
  const counting = new URL('./count-bytes.mjs', import.meta.url);
  const reader = await machine.runApp(counting, { name: 'count', sockets: [socket] });
  const sending = new URL('./send-datagrams.mjs', import.meta.url);
  const senders = [await machine.openSender(lo)];
  const args = { port: 9000, flows: 16, count: 100_000 };
  const sender = await machine.runApp(sending, { name: 'send', senders, cpu: 0, args });

  const sent = await sender.result;
  while (!machine.backlogsIdle()) await new Promise((resolve) => setTimeout(resolve, 1));
  await socket.close(); // its reader gets what is queued, then null
  const { packets } = await reader.result;
  const dropped = machine.drops().cpu_backlog ?? 0; // a sender that outruns the backlog
  console.log({ sent, accounted: packets + dropped });
} finally {
  await machine.shutdown();
}
