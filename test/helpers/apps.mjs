// SPDX-License-Identifier: GPL-2.0-only
//
// Applications for tests: functions of a module of the user's own, run in threads of a machine.

/** Reads everything, and keeps what it sees of each frame. */
export default function recorder(app) {
  const seen = [];
  for (let batch = app.recv(app.args?.max); batch !== null; batch = app.recv(app.args?.max)) {
    for (let i = 0; i < batch.count; i++) {
      seen.push({
        socket: batch.socket,
        length: batch.length(i),
        srcPort: batch.srcPort(i),
        dstPort: batch.dstPort(i),
        payload: [...batch.payload(i)],
        payloadLength: batch.payloadLength(i),
        headers: [...batch.bytes.subarray(batch.offset(i), batch.offset(i) + 14)],
        tstampNs: batch.tstampNs(i),
        seq: batch.seq(i),
      });
    }
  }
  return { name: app.name, args: app.args, nrSockets: app.nrSockets, nowNs: app.nowNs(), seen };
}

/** Waits for a word to be set before it reads, so that frames pile up; counts them. */
export function counter(app) {
  const { gate } = app.args;
  if (gate !== undefined) Atomics.wait(gate, 0, 0);
  let frames = 0;
  for (let batch = app.recv(256); batch !== null; batch = app.recv(256)) frames += batch.count;
  return frames;
}

/** Reads `n` frames and leaves the rest. Answers their numbers. */
export function early(app) {
  const seqs = [];
  while (seqs.length < app.args.n) {
    const batch = app.recv(app.args.n - seqs.length);
    if (batch === null) break;
    for (let i = 0; i < batch.count; i++) seqs.push(batch.seq(i));
  }
  return seqs;
}

/** Sends `count` datagrams of one flow. Answers how many were sent. */
export function source(app) {
  const { count, payload } = app.args;
  const [sender] = app.senders;
  return sender.send(sender.flow({ srcPort: 1024, dstPort: 9, payload }), count);
}

/** An asynchronous function. */
export async function sleepy(app) {
  await new Promise((resolve) => setImmediate(resolve));
  const batch = app.recv();
  return batch === null ? 'closed' : 'open';
}

export function throws() {
  throw new Error('what a day');
}

export function exits() {
  process.exit(3);
}

/** Never looks whether its socket was closed. */
export function deaf(app) {
  const word = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    app.tryRecv();
    Atomics.wait(word, 0, 0, 1);
  }
}

export const notAFunction = 5;

/** Sends datagrams of some flows in turn, `batch` a call. @returns how many were sent */
export function sendDatagrams(app) {
  const { count, flows, port, bytes, batch } = app.args;
  const [tx] = app.senders;
  const frames = Array.from({ length: flows }, (_, i) =>
    tx.flow({ srcPort: 1000 + i, dstPort: port, payload: bytes }),
  );
  let sent = 0;
  for (let i = 0; sent < count && !tx.closed; i++) {
    sent += tx.send(frames[i % flows], Math.min(batch, count - sent));
  }
  return sent;
}

/** Sends what cannot be sent. @returns how many were, and which option was refused */
export function sendBadly(app) {
  const [tx] = app.senders;
  const frame = tx.flow({ srcPort: 1, dstPort: 2, payload: 3 });
  const said = [-1, Number.NaN, 0, 2.5].map((n) => String(tx.trySend(frame, n)));
  for (const wrong of [{ srcPort: 70000 }, { dstPort: -1 }, { payload: 3000 }, { payload: undefined }]) {
    try {
      tx.flow({ srcPort: 1, dstPort: 2, payload: 3, ...wrong });
    } catch (error) {
      said.push(error.message.split(':')[0]);
    }
  }
  return said;
}

/** Reads everything from a timed wire: the number in each payload, and how late each frame was, ns. */
export function timedReader(app) {
  const numbers = [];
  const lateNs = [];
  for (let batch = app.recv(256); batch !== null; batch = app.recv(256)) {
    const nowNs = app.nowNs();
    for (let i = 0; i < batch.count; i++) {
      const at = batch.offset(i) + batch.payloadOffset(i);
      const { bytes } = batch;
      numbers.push((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]);
      lateNs.push([batch.tstampNs(i), nowNs - batch.tstampNs(i)]);
    }
  }
  return { numbers, lateNs };
}
