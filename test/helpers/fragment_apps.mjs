// SPDX-License-Identifier: GPL-2.0-only
//
// Applications that receive datagrams which came in fragments.

import { udpChecksumOk } from '../../dist/net/core/headers/checksum.js';

/** Reads everything. Answers what it saw of each datagram, and how many had a wrong checksum. */
export default function datagramReader(app) {
  const seen = [];
  let wrong = 0;
  for (let batch = app.recv(64); batch !== null; batch = app.recv(64)) {
    for (let i = 0; i < batch.count; i++) {
      const frame = batch.copy(i);
      const at = batch.payloadOffset(i);
      const length = batch.payloadLength(i);
      const payload = batch.payload(i);
      if (!udpChecksumOk(frame, 14, at - 8, length + 8)) wrong++;
      const number = (payload[0] << 24) | (payload[1] << 16) | (payload[2] << 8) | payload[3];
      seen.push({ number, seq: batch.seq(i), frames: batch.frames(i), length, bytes: payload.length });
    }
  }
  return { seen, wrong };
}
