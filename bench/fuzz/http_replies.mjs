// SPDX-License-Identifier: GPL-2.0-only
/** Reads what a control server answered, and says what is wrong about it. */

/** An answer that must not be. */
export class BadReply extends Error {}

/**
 * Reads as many whole answers as there are.
 * @param bytes all that came on a connection
 * @param mayBeHead whether an answer may be without the body that its head speaks of
 * @returns `{ statuses, rest }`: those of the answers, and how many bytes are not (yet) one
 * @throws BadReply
 */
export function readReplies(bytes, mayBeHead) {
  const statuses = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf('\r\n\r\n', at, 'latin1');
    if (end < 0) break;
    const lines = bytes.toString('latin1', at, end).split('\r\n');
    const status = /^HTTP\/1\.1 (\d{3}) [ -~]*$/.exec(lines[0]);
    if (status === null) throw new BadReply(`no status line: ${JSON.stringify(lines[0].slice(0, 200))}`);
    const headers = new Map(
      lines.slice(1).map((l) => [l.split(':', 1)[0].toLowerCase(), l.slice(l.indexOf(':') + 1).trim()]),
    );
    const code = Number(status[1]);
    const from = end + 4;
    if (code === 100 || code === 204) {
      statuses.push(code);
      at = from;
      continue;
    }
    const length = headers.get('content-length');
    if (length === undefined) throw new BadReply(`an answer ${code} without a length`);
    const next = bytes.toString('latin1', from, from + 9);
    if (mayBeHead && (from === bytes.length || next === 'HTTP/1.1 ')) {
      statuses.push(code);
      at = from;
      continue;
    }
    if (bytes.length - from < Number(length)) break;
    checkBody(code, headers, bytes.toString('utf8', from, from + Number(length)));
    statuses.push(code);
    at = from + Number(length);
  }
  return { statuses, rest: bytes.length - at };
}

function checkBody(code, headers, body) {
  const type = headers.get('content-type');
  if (code >= 400 && type !== 'application/json')
    throw new BadReply(`an answer ${code} of type ${type}: ${JSON.stringify(body.slice(0, 100))}`);
  if (type !== 'application/json') return;
  let value;
  try {
    value = JSON.parse(body);
  } catch {
    throw new BadReply(`an answer ${code} that is no JSON: ${JSON.stringify(body.slice(0, 200))}`);
  }
  if (!body.endsWith('\n') || body.indexOf('\n') !== body.length - 1)
    throw new BadReply(`an answer ${code} that is not one line`);
  if (code < 400) return;
  const message = value.error?.message;
  if (typeof message !== 'string' || /\p{Cc}/u.test(message))
    throw new BadReply(`an error ${code} without a clear message: ${body.slice(0, 300)}`);
  if (code >= 500 && code !== 503 && code !== 507)
    throw new BadReply(`an answer ${code}: ${body.slice(0, 300)}`);
}
