// SPDX-License-Identifier: GPL-2.0-only
/**
 * The application of the row backlog that hands packets to the backlog of CPU 1 and reads them from its socket: two threads
 * see each packet. It calls the same functions as a poll that steers; what a packet holds besides its number stands in its
 * buffer beforehand, as a NIC would have put it there.
 */
import { localBhDisable } from '../../dist/kernel/bh.js';
import { rcuReadLock, rcuReadUnlock } from '../../dist/kernel/rcu.js';
import { localBhEnableSoftirq } from '../../dist/kernel/softirq.js';
import { flushBacklogs, stageBacklog } from '../../dist/net/core/backlog_queue.js';
import { SKB, skbData } from '../../dist/net/core/skbuff.js';
import { FLOOD } from '../../dist/threads/udp_flood.js';

/** The CPU whose backlog it fills. */
const REMOTE = 1;
/** Where a packet holds its number: a word behind its headers. */
const SEQ_BYTE = 60;

/** Carries out the orders of Flood (src/tools/flood.ts): so many packets, until the last one is read. */
export default function backlogApp(app) {
  const { sab, flows, payloadBytes, port, batch } = app.args;
  const [sender] = app.senders;
  const words = new Int32Array(sab);
  const doubles = new Float64Array(sab);
  const frames = Array.from({ length: flows }, (_, i) =>
    sender.flow({ srcPort: 1024 + i, dstPort: port, payload: payloadBytes }),
  );
  const lane = new Lane(app, sender.pool, batch);
  lane.fill(frames);
  for (let order = 0; ; ) {
    Atomics.wait(words, FLOOD.order, order);
    order = Atomics.load(words, FLOOD.order);
    if (order < 0) return;
    doubles[FLOOD.startNs] = app.nowNs();
    doubles[FLOOD.sent] = lane.move(doubles[FLOOD.count]);
    doubles[FLOOD.endNs] = app.nowNs();
    Atomics.store(words, FLOOD.done, order);
    Atomics.notify(words, FLOOD.done);
  }
}

class Lane {
  constructor(app, pool, batch) {
    this.app = app;
    this.net = app.ctx.net;
    this.cur = app.ctx.cur;
    this.pool = pool;
    this.batch = batch;
    this.sent = 0;
    this.read = 0;
  }

  /** Puts a packet of a flow into every buffer, and sends them once, so that they come back. */
  fill(frames) {
    const { net, pool } = this;
    const { m, b } = net;
    for (let filled = 0, got = pool.take(this.batch); got > 0; got = pool.take(this.batch)) {
      for (let i = 0; i < got; i++) {
        const skb = m[pool.taken + i];
        const frame = frames[filled++ % frames.length];
        b.set(frame.bytes, skbData(skb));
        m[skb + SKB.len] = frame.bytes.length;
        m[skb + SKB.hash] = frame.hash;
        m[skb + SKB.headers] = frame.headers;
        m[skb + SKB.payload] = frame.payload;
        m[skb + SKB.ports] = frame.ports;
        m[skb + SKB.proto] = frame.proto;
        m[skb + SKB.vlan] = 0;
      }
      this.queue(got);
    }
    while (this.read < this.sent) this.take(this.app.recv(256));
  }

  /** @returns packets sent and read */
  move(count) {
    const { app, pool, batch } = this;
    const until = this.sent + count;
    while (this.read < until) {
      const got = this.sent < until ? pool.take(Math.min(batch, until - this.sent)) : 0;
      if (got > 0) this.queue(got);
      // Without a free buffer, or anything left to send, it can only wait.
      this.take(got > 0 ? app.tryRecv(256) : app.recv(256));
    }
    return count;
  }

  /** Hands the buffers taken last to the remote backlog: one batch. */
  queue(n) {
    const { net, cur, pool } = this;
    const { m } = net;
    rcuReadLock(cur);
    localBhDisable(cur);
    for (let i = 0; i < n; i++) {
      const skb = m[pool.taken + i];
      m[(skbData(skb) + SEQ_BYTE) >> 2] = this.sent | 0;
      m[skb + SKB.seq] = this.sent++ | 0;
      stageBacklog(net, REMOTE, skb, 0);
    }
    flushBacklogs(net);
    localBhEnableSoftirq(cur);
    rcuReadUnlock(cur);
  }

  /** Looks at the numbers of what came. */
  take(got) {
    if (got === null) return;
    const { m } = this.net;
    for (let i = 0; i < got.count; i++) {
      const expected = this.read++ | 0;
      const inside = m[(got.offset(i) + SEQ_BYTE) >> 2];
      if (got.seq(i) !== expected || inside !== expected) {
        throw new Error(`packet ${expected} came as ${got.seq(i)}, with ${inside} inside`);
      }
    }
  }
}
