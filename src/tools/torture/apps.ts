// SPDX-License-Identifier: GPL-2.0-only
/** The applications of a torture run: ordinary users of AppContext, each in a thread of its own. */
import { writeUdp4 } from '../../drivers/net/frame_builder.js';
import type { AppContext } from '../../threads/app_context.js';
import { FLOW_DST_IP, flowSrcIp, flowSrcPort } from '../../threads/generator_flow.js';
import { collectGarbage, FrameCheck } from './frame_check.js';
import { APP_WORD, type DyingArgs, type ReaderArgs, type SenderArgs, type XskArgs } from './reader_words.js';

/** Longest wait of an epoll instance, ms: then it looks whether it is asked for something. */
const EPOLL_MS = 20;

/** Reads until its sockets are closed. @returns frames */
export function reader(app: AppContext): number {
  const args = app.args as ReaderArgs;
  const check = new FrameCheck(args.words);
  let frames = 0;
  const take = (batch: ReturnType<AppContext['recv']>): number => {
    if (batch === null) return 0;
    check.batch(batch);
    frames += batch.count;
    return batch.count;
  };
  const epoll = args.mode === 'epoll' ? app.epoll(args.epoll) : null;
  for (;;) {
    check.service();
    if (args.mode === 'try' && take(app.tryRecv(args.max)) > 0) continue;
    if (epoll !== null) {
      const ready = epoll.wait(EPOLL_MS);
      let got = 0;
      for (let i = 0; i < ready; i++) got += take(app.tryRecv(args.max, epoll.ready[i]));
      app.free();
      // Ready, and nothing to read: closed.
      if (ready === 0 || got > 0) continue;
    }
    const batch = app.recv(args.max);
    if (batch === null) return frames;
    take(batch);
  }
}

/** Sends flows in turn until its sender is closed or it is told to end. @returns frames */
export function sender(app: AppContext): number {
  const { words: shared, port, flows, batch, bytes, pauseMs } = app.args as SenderArgs;
  const words = new Int32Array(shared);
  const [out] = app.senders;
  const frames = Array.from({ length: flows }, (_, i) =>
    out.flow({
      srcIp: flowSrcIp(i),
      dstIp: FLOW_DST_IP,
      srcPort: flowSrcPort(i),
      dstPort: port,
      payload: bytes,
    }),
  );
  let sent = 0;
  while (Atomics.load(words, APP_WORD.stop) === 0) {
    const n = out.send(frames[sent % flows], batch);
    if (n === 0 && out.closed) break;
    sent += n;
    Atomics.store(words, APP_WORD.frames, sent);
    if (pauseMs > 0) Atomics.wait(words, APP_WORD.stop, 0, pauseMs);
  }
  return sent;
}

/** Reads frames of an AF_XDP socket, gives them back, sends some of its own, until the socket is closed. @returns frames read */
export function xskUser(app: AppContext): number {
  const { words: shared, max, timeoutMs, sendEvery } = app.args as XskArgs;
  const words = new Int32Array(shared);
  const [xsk] = app.xsks;
  const data = new Uint8Array(64);
  const none = Uint8Array.of(10, 0, 0, 1);
  writeUdp4(data, 0, {
    srcMac: new Uint8Array(6),
    dstMac: new Uint8Array(6),
    srcIp: none,
    dstIp: none,
    srcPort: 7,
    dstPort: 7,
    payloadLen: 22,
  });
  let frames = 0;
  let due = 0;
  for (;;) {
    // Closed is looked at first: what came before it is still read.
    const { closed } = xsk;
    const n = xsk.rxPeek(max);
    for (let i = 0; i < n; i++) {
      const seq = xsk.rxSeq(i);
      if (xsk.rxData(i).length !== xsk.rxLen(i) || xsk.rxSeq(i) !== seq)
        Atomics.add(words, APP_WORD.changed, 1);
    }
    frames += n;
    xsk.rxRelease();
    xsk.txComplete();
    if (n === 0 && closed) return frames;
    due += n;
    if (sendEvery > 0 && due >= sendEvery && !closed) {
      due = 0;
      const addr = xsk.txFrame();
      if (addr >= 0) {
        xsk.txWrite(addr, data);
        xsk.txSend(addr, data.length, true);
        xsk.sendto();
      }
    }
    Atomics.store(words, APP_WORD.frames, frames);
    if (n === 0) xsk.poll(timeoutMs);
    if (Atomics.exchange(words, APP_WORD.collect, 0) !== 0) collectGarbage();
  }
}

/** Notes when it dies: the clock of the host, which all threads share, ms. */
function stamp(app: AppContext): void {
  new Float64Array((app.args as DyingArgs).diedMs)[0] = performance.timeOrigin + performance.now();
}

/** Dies of an exception. */
export function throws(app: AppContext): never {
  stamp(app);
  throw new Error('an application that throws');
}

/** Dies by ending its worker. */
export function exits(app: AppContext): void {
  stamp(app);
  process.exit(3);
}

/** Objects between two looks at the clock of one that dies for want of memory. */
const HOARD = 2000;

/**
 * Dies for want of memory: of many small objects. Node ends a worker that comes to its limit, and lets it have 16 MiB more
 * until it has; one object that is larger than that, as a long array that grows, brings the whole process down.
 */
export function hoards(app: AppContext): never {
  let hoard: object | null = null;
  for (;;) {
    for (let i = 0; i < HOARD; i++) hoard = { i, before: hoard };
    stamp(app);
  }
}
