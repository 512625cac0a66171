// SPDX-License-Identifier: GPL-2.0-only
/**
 * What an application thread receives packets with.
 *
 * User code runs in an extended quiescent state of RCU: it may take as long as it likes. Buffers belong to the
 * application from `recv` until the next `recv` (or `free`), then they go back to the pools they came from.
 */
import { checkGivenInt, SoftnetError } from '../errors.js';
import { onlineInstead } from '../kernel/cpu.js';
import { cpuRelax } from '../kernel/cpu_relax.js';
import { cpuGiveBack, cpuTake, cpuTaskLoop } from '../kernel/cpu_stand_in.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { schedule } from '../kernel/sched.js';
import { NET_RX_SOFTIRQ } from '../kernel/softirq.js';
import { setCurrentState, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../kernel/task.js';
import { rpsRecordSockFlow } from '../net/core/rps.js';
import { SKB } from '../net/core/skbuff.js';
import { type BusyPollOptions, SockBusyLoop, setSockBusyPoll } from '../net/core/sock_busy.js';
import { SOCK, type SockReader, sockReaderView } from '../net/core/sock_queue.js';
import { NET } from '../net/core/softnet_data.js';
import { ReceivingTasks, type TaskSockets } from './app_cpu.js';
import { checkBusyPoll, Epoll, type EpollOptions } from './app_epoll.js';
import { UdpSender } from './app_sender.js';
import { XskPoller, XskSocket } from './app_xsk.js';
import type { ThreadContext } from './context.js';
import { PacketBatch } from './packet_batch.js';
import { chargeSyscall } from './syscall_charge.js';

/** Frames a call of `recv` returns at most, unless told otherwise. */
const DEFAULT_MAX = 64;
function clampMax(max: number, batch: PacketBatch): number {
  return Math.max(1, Math.min(Math.trunc(max) || 1, batch.skbs.length));
}

/** Looks at the queues before a sleep: a wake-up costs far more than these. */
const SPIN_LOOKS = 200;

export class AppContext {
  /** Name of the thread, without the `app/`. */
  readonly name: string;
  /** What was given to `runApp`. */
  readonly args: unknown;
  /** What it sends by, in the order in which they were given to `runApp`. */
  readonly senders: readonly UdpSender[];
  /** Number of sockets it receives from. */
  readonly nrSockets: number;
  /** Its AF_XDP sockets, in the order in which they were given to `runApp`. */
  readonly xsks: readonly XskSocket[];
  /** Those of other threads that it only calls. */
  readonly xskPollers: readonly XskPoller[];
  private readonly ctx: ThreadContext;
  private readonly readers: SockReader[];
  private readonly busyLoop: SockBusyLoop;
  private readonly epolls: Epoll[] = [];
  private readonly batch: PacketBatch;
  private readonly freeList = new Int32Array(4096);
  private readonly sockFlowTable: number;
  private nextReader = 0;

  constructor(
    ctx: ThreadContext,
    name: string,
    args: unknown,
    sockets: readonly number[],
    senders: readonly number[],
    xsks: readonly number[] = [],
    xskPollers: readonly number[] = [],
  ) {
    this.ctx = ctx;
    this.name = name;
    this.args = args;
    this.nrSockets = sockets.length;
    this.senders = senders.map((at) => new UdpSender(ctx, at));
    this.xsks = xsks.map((at) => new XskSocket(ctx, at));
    this.xskPollers = xskPollers.map((at) => new XskPoller(ctx, at));
    ctx.cur.runsSoftirqs = true;
    this.readers = sockets.map((at) => sockReaderView(ctx.arena.m, at));
    this.busyLoop = new SockBusyLoop(ctx.net, this.readers);
    this.batch = new PacketBatch(ctx.arena);
    this.sockFlowTable = ctx.net.at + NET.rpsSockFlowTable;
  }

  /** Registers this thread as the reader of its sockets and the user of its senders. */
  begin(): void {
    for (const s of this.senders) s.begin();
    for (const x of this.xsks) x.begin();
    for (const r of this.readers) {
      r.consumer.begin();
      Atomics.store(r.m, r.at + SOCK.waiter, this.ctx.cur.task.at);
    }
  }

  /** Gives back what is held and unregisters. */
  end(): void {
    this.free();
    for (const e of this.epolls) e.close();
    for (const r of this.readers) Atomics.store(r.m, r.at + SOCK.waiter, 0);
    for (const s of this.senders) s.end();
    for (const x of this.xsks) x.end();
  }

  /** The words of the arena: those of a buffer begin at `PacketBatch.offset / 4`. */
  get words(): Int32Array {
    return this.ctx.arena.m;
  }

  /** CLOCK_MONOTONIC in nanoseconds, the clock of `tstampNs`. */
  nowNs(): number {
    return this.ctx.cur.platform.nowNs();
  }

  /**
   * Receives frames, blocking until there are some. Those of the call before are freed.
   * @param max most frames to return, 1 to 256
   * @returns the frames (one object, used again by each call), or null once every socket is closed and read out
   */
  recv(max: number = DEFAULT_MAX): PacketBatch | null {
    this.free();
    chargeSyscall(this.ctx);
    for (;;) {
      if (this.take(max)) return this.batch;
      if (this.busyLoop.run(false)) {
        if (this.take(max)) return this.batch;
      } else if (this.spin(max)) return this.batch;
      const { cur } = this.ctx;
      setCurrentState(cur.task, TASK_INTERRUPTIBLE); // pairs with sock_queue.ts Y1
      if (this.take(max)) {
        setCurrentState(cur.task, TASK_RUNNING);
        return this.batch;
      }
      if (this.allClosed()) {
        setCurrentState(cur.task, TASK_RUNNING);
        // What was queued before the last close is seen now.
        return this.take(max) ? this.batch : null;
      }
      schedule(cur);
    }
  }

  private spin(max: number): boolean {
    for (let look = 0; look < SPIN_LOOKS; look++) {
      if (this.take(max)) return true;
      cpuRelax();
    }
    return false;
  }

  /**
   * Receives what is there, without blocking; with SO_BUSY_POLL after one poll, if there is nothing.
   * @param socket only from this one, by its place among those given to runApp
   * @returns the frames, or null if there are none
   */
  tryRecv(max: number = DEFAULT_MAX, socket = -1): PacketBatch | null {
    this.free();
    chargeSyscall(this.ctx);
    if (this.takeFrom(max, socket)) return this.batch;
    return this.busyLoop.run(true) && this.takeFrom(max, socket) ? this.batch : null;
  }

  private takeFrom(max: number, socket: number): boolean {
    if (socket === -1) return this.take(max);
    checkGivenInt('socket', socket, 0, this.readers.length - 1);
    this.nextReader = socket;
    return this.takeNext(clampMax(max, this.batch));
  }

  /**
   * Makes an instance to wait by for one of the sockets (Linux: epoll_create, EPIOCSPARAMS): `wait` busy polls first, if
   * it or net.core.busy_poll says so; then `tryRecv(max, epoll.ready[i])`.
   */
  epoll(options: EpollOptions = {}): Epoll {
    const epoll = new Epoll(this.ctx, this.readers, options);
    this.epolls.push(epoll);
    return epoll;
  }

  /** Sets a socket's SO_BUSY_POLL, SO_PREFER_BUSY_POLL, SO_BUSY_POLL_BUDGET. */
  setBusyPoll(socket: number, options: BusyPollOptions): void {
    checkGivenInt('socket', socket, 0, this.readers.length - 1);
    setSockBusyPoll(this.ctx.arena.m, this.readers[socket].at, checkBusyPoll(options));
  }

  /** SO_INCOMING_NAPI_ID: the instance that received a socket's latest frame; 0: none yet. */
  incomingNapiId(socket: number): number {
    checkGivenInt('socket', socket, 0, this.readers.length - 1);
    return Atomics.load(this.ctx.arena.m, this.readers[socket].at + SOCK.napiId);
  }

  /**
   * Serves the simulated CPU that this application runs on until all its sockets are closed and read out: one receiving task a
   * socket, in one thread with that CPU's interrupts and softirqs, as a kernel has them.
   * @param work called with the frames of each system call
   * @param max most frames of one system call
   * @throws SoftnetError (EBUSY) if the CPU is offline, or another application serves it
   */
  serveCpu(work: (batch: PacketBatch) => void, max = 1): void {
    const { cur } = this.ctx;
    const cpu = cur.home;
    const err = cpuTake(cur, cpu);
    if (err !== 0) throw new SoftnetError(`serving CPU ${cpu.id}`, err, 'give the application another CPU');
    cur.pinned = true;
    const want = clampMax(max, this.batch);
    const sockets: TaskSockets = {
      count: this.readers.length,
      available: (i) => this.readers[i].consumer.available(1) > 0,
      take: (i, n) => {
        this.free();
        this.nextReader = i;
        return this.takeNext(n);
      },
      allClosed: () => this.allClosed(),
    };
    cpuTaskLoop(cur, new ReceivingTasks(cur, sockets, want, () => work(this.batch)));
    this.free();
    cur.pinned = false;
    cpuGiveBack(cur, cpu);
  }

  /** Has `took` called with the time of each round of network softirqs in this thread, ns of the clock. Before serveCpu. */
  timeSoftirqs(took: (ns: number) => void): void {
    const { softirqVec, platform } = this.ctx.cur;
    const run = softirqVec[NET_RX_SOFTIRQ];
    softirqVec[NET_RX_SOFTIRQ] = (cur) => {
      const beginNs = platform.nowNs();
      run(cur);
      took(platform.nowNs() - beginNs);
    };
  }

  /** Gives the frames of the last call back to their pools before the next call does. */
  free(): void {
    const { batch, freeList } = this;
    const { m } = this.ctx.arena;
    let from = 0;
    let pool = 0;
    let n = 0;
    for (let i = 0; i < batch.count; i++) {
      for (let skb = batch.skbs[i]; skb !== 0; ) {
        const next = m[skb + SKB.frags];
        if (next !== 0) m[skb + SKB.frags] = 0;
        if (m[skb + SKB.pool] !== pool || n === freeList.length) {
          if (n > from) this.recycle(pool, from, n - from);
          if (n === freeList.length) n = 0;
          from = n;
          pool = m[skb + SKB.pool];
        }
        freeList[n++] = skb;
        skb = next;
      }
    }
    if (n > from) this.recycle(pool, from, n - from);
    batch.count = 0;
  }

  private recycle(pool: number, from: number, n: number): void {
    const { ctx } = this;
    ctx.net.recycle(pool, this.freeList, from, n);
  }

  /** Takes what the next socket that has something has. */
  private take(max: number): boolean {
    const want = clampMax(max, this.batch);
    for (let k = 0; k < this.readers.length; k++) if (this.takeNext(want)) return true;
    return false;
  }

  /** Takes what the socket whose turn it is has. */
  private takeNext(want: number): boolean {
    const { readers, batch } = this;
    const { m } = this.ctx.arena;
    const i = this.nextReader;
    this.nextReader = i + 1 === readers.length ? 0 : i + 1;
    const { consumer, at } = readers[i];
    const n = consumer.available(want);
    if (n === 0) return false;
    for (let j = 0; j < n; j++) batch.skbs[j] = m[consumer.slot(j)];
    consumer.release(n);
    if (Atomics.load(m, this.sockFlowTable) !== 0) this.recordFlows(n);
    m[at + SOCK.delivered] += n;
    batch.count = n;
    batch.socket = i;
    return true;
  }

  /** RFS: whoever steers learns where these flows are read. */
  private recordFlows(n: number): void {
    const { net, cur } = this.ctx;
    const { m } = net;
    rcuReadLock(cur);
    const table = Atomics.load(m, this.sockFlowTable);
    const cpu = onlineInstead(cur.cpus, cur.cpu).id;
    for (let j = 0; table !== 0 && j < n; j++) {
      rpsRecordSockFlow(net, table, m[this.batch.skbs[j] + SKB.hash], cpu);
    }
    rcuReadUnlock(cur);
  }

  private allClosed(): boolean {
    for (const r of this.readers) if (!r.closed()) return false;
    return true;
  }
}
