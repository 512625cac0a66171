// SPDX-License-Identifier: GPL-2.0-only
// The application thread of examples/loopback.mjs: sends UDP datagrams, some in each system call.
export default function sendDatagrams(app) {
  const [sender] = app.senders;
  const { port, flows, count } = app.args;
  const frames = [];
  for (let i = 0; i < flows; i++) frames.push(sender.flow({ srcPort: 1024 + i, dstPort: port, payload: 22 }));
  let sent = 0;
  while (sent < count && !sender.closed) {
    sent += sender.send(frames[(sent >> 4) % flows], Math.min(16, count - sent));
  }
  return sent;
}
