// SPDX-License-Identifier: GPL-2.0-only
//
// A reliable exchange over datagrams, as two applications: one sends an array of bytes in numbered pieces, so many of them
// under way at once, and sends again what was not acknowledged in time; the other puts the pieces where they belong and
// says which it has. Pieces may be lost, doubled and overtaken.
//
// A piece: DATA, its number, its bytes. An answer: ACK, how many pieces are there without a gap, and a bit for each of the
// 256 behind these. END: the sender has seen the last answer.

const DATA = 1;
const ACK = 2;
const END = 3;
const HEAD_BYTES = 8;
const PIECE_BYTES = 1400;
/** Pieces under way at most: what an answer can speak of. */
const MAX_WINDOW = 256;
const ACK_BYTES = HEAD_BYTES + MAX_WINDOW / 8;

function get32(bytes, at) {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

function put32(bytes, at, value) {
  for (let i = 0; i < 4; i++) bytes[at + i] = value >>> (8 * i);
}

function message(type, number, bytes = HEAD_BYTES) {
  const out = new Uint8Array(bytes);
  put32(out, 0, type);
  put32(out, 4, number);
  return out;
}

function pieces(bytes) {
  const all = [];
  for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
    const piece = bytes.subarray(from, from + PIECE_BYTES);
    const out = message(DATA, all.length, HEAD_BYTES + piece.length);
    out.set(piece, HEAD_BYTES);
    all.push(out);
  }
  return all;
}

/**
 * Sends args.data (a SharedArrayBuffer).
 * @returns the pieces, how many were sent again, and how often none was acknowledged in time; null if it was closed
 */
export function exchangeSend(app) {
  const { data, flow, window, timeoutMs } = app.args;
  const [tx] = app.senders;
  const all = pieces(new Uint8Array(data));
  const to = tx.flow({ ...flow, payload: 0 });
  const epoll = app.epoll();
  const has = new Uint8Array(all.length);
  const outcome = { pieces: all.length, again: 0, timeouts: 0 };
  let base = 0;
  let next = 0;
  while (base < all.length) {
    const burst = [];
    while (next < all.length && next < base + window) burst.push(all[next++]);
    if (tx.sendPayloads(to, burst) < burst.length) return null;
    if (epoll.wait(timeoutMs) === 0) {
      const again = all.slice(base, next).filter((_, i) => has[base + i] === 0);
      outcome.timeouts++;
      outcome.again += again.length;
      if (tx.sendPayloads(to, again) < again.length) return null;
      continue;
    }
    const batch = app.tryRecv(64);
    if (batch === null) return null;
    for (let i = 0; i < batch.count; i++) {
      const { bytes } = batch;
      const at = batch.offset(i) + batch.payloadOffset(i);
      if (get32(bytes, at) !== ACK) continue;
      const number = get32(bytes, at + 4);
      for (let k = base; k < number; k++) has[k] = 1;
      for (let k = 0; k < MAX_WINDOW && number + k < all.length; k++) {
        if ((bytes[at + HEAD_BYTES + (k >> 3)] >> (k & 7)) & 1) has[number + k] = 1;
      }
    }
    while (base < all.length && has[base] === 1) base++;
  }
  tx.sendPayload(to, message(END, all.length));
  return outcome;
}

/**
 * Receives into args.data (a SharedArrayBuffer), waiting by an epoll instance made from args.epoll.
 * @returns how many pieces came, those that came twice, and how often it waited; null if it was closed
 */
export function exchangeReceive(app) {
  const { data, flow, lingerMs } = app.args;
  const [tx] = app.senders;
  const into = new Uint8Array(data);
  const has = new Uint8Array(Math.ceil(into.length / PIECE_BYTES) + MAX_WINDOW);
  const pieces = has.length - MAX_WINDOW;
  const to = tx.flow({ ...flow, payload: 0 });
  const epoll = app.epoll(app.args.epoll);
  const answer = message(ACK, 0, ACK_BYTES);
  const outcome = { pieces: 0, twice: 0, waits: 0, napiId: 0 };
  let base = 0;
  for (;;) {
    outcome.waits++;
    // Once all are there, the sender's END may be lost: then it ends by itself.
    if (epoll.wait(base === pieces ? lingerMs : -1) === 0) break;
    const batch = app.tryRecv(64);
    if (batch === null) return base === pieces ? outcome : null;
    let isOver = false;
    for (let i = 0; i < batch.count; i++) {
      const { bytes } = batch;
      const at = batch.offset(i) + batch.payloadOffset(i);
      const number = get32(bytes, at + 4);
      if (get32(bytes, at) === END) isOver = true;
      if (get32(bytes, at) !== DATA) continue;
      if (has[number] === 1) outcome.twice++;
      has[number] = 1;
      const end = at + batch.payloadLength(i);
      into.set(bytes.subarray(at + HEAD_BYTES, end), number * PIECE_BYTES);
      outcome.pieces++;
    }
    outcome.napiId = app.incomingNapiId(0);
    if (isOver && base === pieces) break;
    while (base < pieces && has[base] === 1) base++;
    put32(answer, 4, base);
    for (let k = 0; k < MAX_WINDOW; k += 8) {
      let bits = 0;
      for (let j = 0; j < 8; j++) bits |= has[base + k + j] << j;
      answer[HEAD_BYTES + (k >> 3)] = bits;
    }
    if (!tx.sendPayload(to, answer)) return null;
  }
  return outcome;
}
