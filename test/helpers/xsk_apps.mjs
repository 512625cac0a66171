// SPDX-License-Identifier: GPL-2.0-only
//
// Applications that use AF_XDP sockets, for tests.

/** Reads everything by rxPeek and poll until the socket is closed. Checks the order, and that frames are as they were sent. */
export function reader(app) {
  const [xsk] = app.xsks;
  const { max = 64, hold = 0 } = app.args ?? {};
  const out = { frames: 0, bytes: 0, misplaced: 0, late: 0, maxAgeNs: 0, kept: 0 };
  let next = null;
  const held = [];
  for (;;) {
    const n = xsk.rxPeek(max);
    if (n === 0) {
      if (xsk.closed && xsk.rxPeek(1) === 0) break;
      xsk.poll();
      continue;
    }
    const now = app.nowNs();
    for (let i = 0; i < n; i++) {
      const seq = xsk.rxSeq(i);
      if (next !== null && seq !== next) out.misplaced++;
      next = (seq + 1) | 0;
      const data = xsk.rxData(i);
      out.bytes += data.length;
      if (data[12] !== 8 || data.length !== xsk.rxLen(i)) out.misplaced++;
      if (!(xsk.rxTstampNs(i) <= now)) out.late++;
      if (held.length < hold) {
        held.push(xsk.rxKeep(i));
        out.kept++;
      }
    }
    out.frames += n;
    xsk.rxRelease();
  }
  return out;
}

/** Sends every frame that it receives back, and collects completions, until the socket is closed. */
export function echo(app) {
  const [xsk] = app.xsks;
  let sent = 0;
  let full = 0;
  while (!xsk.closed) {
    const n = xsk.rxPeek(32);
    for (let i = 0; i < n; i++) {
      const len = xsk.rxLen(i);
      const addr = xsk.rxKeep(i);
      if (xsk.txSend(addr, len, true)) sent++;
      else {
        full++;
        xsk.fillFrame(addr);
      }
    }
    xsk.rxRelease();
    xsk.txComplete();
    if (n > 0) xsk.sendto();
    else xsk.poll();
  }
  while (xsk.txComplete() > 0);
  return { sent, full };
}

/** Sends `count` frames of its own. */
export function sender(app) {
  const [xsk] = app.xsks;
  const { count, bytes } = app.args;
  const data = new Uint8Array(bytes).fill(7);
  let sent = 0;
  let completed = 0;
  while (completed < count && !xsk.closed) {
    const addr = sent < count ? xsk.txFrame() : -1;
    if (addr >= 0) {
      xsk.txWrite(addr, data);
      if (xsk.txSend(addr, bytes, true)) sent++;
    } else xsk.sendto();
    completed += xsk.txComplete();
  }
  return { sent, completed };
}
