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
    // Closed is looked at first: what came before it is still read.
    const { closed } = xsk;
    const n = xsk.rxPeek(max);
    if (n === 0) {
      if (closed) break;
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

/** Makes calls without end, so that others' packets are polled. Answers how many. */
export function poller(app) {
  const [xsk] = app.xskPollers;
  let calls = 0;
  while (!xsk.closed) {
    xsk.recvfrom();
    calls++;
  }
  return calls;
}

/** Looks at its ring and never sleeps; with `args.calls` it makes the call when there is nothing. */
export function spinner(app) {
  const [xsk] = app.xsks;
  const { calls = false } = app.args ?? {};
  let frames = 0;
  let misplaced = 0;
  let next = null;
  while (!xsk.closed) {
    const n = xsk.rxPeek(64);
    for (let i = 0; i < n; i++) {
      if (next !== null && xsk.rxSeq(i) !== next) misplaced++;
      next = (xsk.rxSeq(i) + 1) | 0;
    }
    frames += n;
    if (n > 0) xsk.rxRelease();
    else if (calls) xsk.recvfrom();
  }
  return { frames, misplaced };
}

/** Never touches its ring until its socket is closed; then reads what there is. */
export function idler(app) {
  const [xsk] = app.xsks;
  const word = new Int32Array(new SharedArrayBuffer(4));
  while (!xsk.closed) Atomics.wait(word, 0, 0, 1);
  let frames = 0;
  for (let n = xsk.rxPeek(64); n > 0; n = xsk.rxPeek(64)) frames += n;
  return frames;
}

/** How long a poll with a limit takes when nothing comes, and what it says. */
export function timeouts(app) {
  const [xsk] = app.xsks;
  const start = app.nowNs();
  const readable = xsk.poll(20);
  return { readable, waitedMs: (app.nowNs() - start) / 1e6, now: xsk.poll(0) };
}

/** Sends `count` frames, `window` on their way at most, to one who sends them back; looks at what comes. */
export function pingPong(app) {
  const [xsk] = app.xsks;
  const { count, window } = app.args;
  const out = { sent: 0, completed: 0, received: 0, wrong: 0 };
  const data = new Uint8Array(64);
  while (out.received < count || out.completed < count) {
    while (out.sent < count && out.sent - out.received < window) {
      const addr = xsk.txFrame();
      if (addr < 0) break;
      data.fill(out.sent & 0xff);
      data[12] = 0x88;
      data[13] = 0xb5;
      data[14] = out.sent >> 8;
      xsk.txWrite(addr, data);
      if (!xsk.txSend(addr, data.length, true)) break;
      out.sent++;
    }
    xsk.sendto();
    const n = xsk.rxPeek(window);
    for (let i = 0; i < n; i++) {
      const got = xsk.rxData(i);
      const want = out.received + i;
      if (got.length !== 64 || got[20] !== (want & 0xff) || got[14] !== want >> 8) out.wrong++;
    }
    out.received += n;
    xsk.rxRelease();
    out.completed += xsk.txComplete();
    if (n === 0 && out.received < count) xsk.poll(1);
  }
  return out;
}

/** Makes both calls each time it is told to, until it is told no more. Answers what they said. */
export function caller(app) {
  const [xsk] = app.xsks;
  const steps = new Int32Array(app.args.steps);
  const said = [];
  for (let k = 0; k < app.args.count; k++) {
    Atomics.wait(steps, 0, k);
    said.push([xsk.recvfrom(), xsk.sendto()]);
    Atomics.store(steps, 1, k + 1);
  }
  return said;
}

/** Sends a frame with one that it does not read in its rx ring, by poll alone. Answers whether it was sent. */
export function pollSender(app) {
  const [xsk] = app.xsks;
  while (!xsk.poll(100));
  const addr = xsk.txFrame();
  xsk.txWrite(addr, new Uint8Array(64));
  xsk.txSend(addr, 64);
  // What is in the rx ring stays there: each poll returns at once.
  let done = 0;
  while (done === 0 && !xsk.closed) {
    xsk.poll(100);
    done = xsk.txComplete();
  }
  return done;
}
