// SPDX-License-Identifier: GPL-2.0-only
// The application thread of examples/receive.mjs: adds up the UDP payload it receives.
export default function countBytes(app) {
  let packets = 0;
  let bytes = 0;
  for (let batch = app.recv(); batch !== null; batch = app.recv()) {
    for (let i = 0; i < batch.count; i++) bytes += batch.payloadLength(i);
    packets += batch.count;
  }
  return { packets, bytes };
}
