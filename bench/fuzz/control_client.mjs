// SPDX-License-Identifier: GPL-2.0-only
/** A client of the control socket that does one case, and says how it ended. */
import { connect } from 'node:net';
import { BadReply, readReplies } from './http_replies.mjs';

/** Without an answer for so long, the client says that it has no more to send. */
const QUIET_MS = 400;
/** The server's own limits (docs/control.md) and some time for a loaded host. */
const CLOSED_MS = 45_000;

/**
 * Does a case.
 * @param limits how long to wait, for tests
 * @returns `{ outcome, statuses }` with outcome answered, refused, closed, cut
 * @throws BadReply for an answer that must not be, silence, or a connection that cannot be had
 */
export function doCase(path, { pieces, end }, { quietMs = QUIET_MS, closedMs = CLOSED_MS } = {}) {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    const mayBeHead = Buffer.concat(pieces).includes('HEAD');
    const chunks = [];
    let statuses = [];
    let quiet;
    let connected = false;
    const late = setTimeout(
      () => finish(new BadReply(`silence: neither answered nor closed in ${closedMs / 1e3} s`)),
      closedMs,
    );
    const finish = (error, outcome) => {
      clearTimeout(late);
      clearTimeout(quiet);
      socket.destroy();
      if (error !== null) reject(error);
      else resolve({ outcome, statuses });
    };
    const read = (isEnd) => {
      const replies = readReplies(Buffer.concat(chunks), mayBeHead);
      statuses = replies.statuses;
      if (isEnd && replies.rest > 0)
        throw new BadReply(
          `an answer that is cut off: ${JSON.stringify(Buffer.concat(chunks).toString('latin1').slice(-200))}`,
        );
      return replies;
    };
    socket.on('connect', () => {
      connected = true;
      for (const piece of pieces) if (piece.length > 0) socket.write(piece);
      if (end === 'cut') socket.end(() => finish(null, 'cut'));
      else if (end === 'half') socket.end();
      else if (end === 'wait') quiet = setTimeout(() => socket.end(), quietMs);
    });
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      try {
        const { rest } = read(false);
        if (end === 'wait' && rest === 0 && statuses.at(-1) !== 100) socket.end();
      } catch (error) {
        finish(error);
      }
    });
    // Writing to a connection that the server has closed is no fault of either.
    socket.on('error', (error) => {
      if (!connected) finish(new BadReply(`no connection: ${error.code}`));
    });
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      try {
        read(true);
        const worst = Math.max(0, ...statuses);
        finish(null, worst === 0 ? 'closed' : worst < 400 ? 'answered' : 'refused');
      } catch (error) {
        finish(error);
      }
    });
  });
}
