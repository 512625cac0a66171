// SPDX-License-Identifier: GPL-2.0-only
/**
 * What a thread needs to run network code: its views, made once and kept, and the tables of functions that the layers
 * above fill in (poll functions of drivers, receive functions of protocols).
 */
import type { Current } from '../../kernel/current.js';
import { KERNEL, KERNEL_AT } from '../../kernel/current.js';
import { rcuReadLock, rcuReadUnlock } from '../../kernel/rcu.js';
import type { SmpCallFunc } from '../../kernel/smp.js';
import type { Arena } from '../../mm/arena.js';
import { perCpuPtr } from '../../mm/percpu.js';
import type { NetDevOps } from './dev.js';
import { FlowKeys } from './flow_dissector.js';
import { Napi } from './napi.js';
import { PAGE_POOL, type PagePool, pagePoolView } from './page_pool.js';
import { SOCK, type SockQueue, sockQueueView } from './sock_queue.js';
import { NET, SOFTNET_DATA, SoftnetData } from './softnet_data.js';

/** A driver's poll function. @returns packets taken: less than `budget` means that it completed */
export type NapiPollFn = (net: NetContext, n: Napi, budget: number) => number;
/** A protocol's look-up: the socket a frame is for, or null (the next one is asked). */
export type SockLookup = (net: NetContext, skb: number) => SockQueue | null;
/** A protocol's reassembly: what to go on with in place of a fragment, 0: nothing, it was kept or dropped. */
export type DefragFn = (net: NetContext, skb: number) => number;

/** Frames staged for one backlog before they are queued. */
export const BACKLOG_STAGE_SLOTS = 256;

/** Frames that a poll found to be another CPU's: queued together, under one lock. */
export class BacklogStage {
  readonly cpu: number;
  readonly skbs = new Int32Array(BACKLOG_STAGE_SLOTS);
  /** For each: the struct rps_place that is told where it stands, 0: none. */
  readonly places = new Int32Array(BACKLOG_STAGE_SLOTS);
  count = 0;

  constructor(cpu: number) {
    this.cpu = cpu;
  }
}

function nobodyWaits(): void {}

/** Entries of a receive list: it is handed up once it holds gro_normal_batch frames. */
export const RX_LIST_SLOTS = 256;

/** Frames that are transmitted at once at most. */
export const TX_BATCH = 64;

export class NetContext {
  readonly cur: Current;
  readonly m: Int32Array;
  readonly b: Uint8Array;
  readonly f: Float64Array;
  /** Root of the network layer (struct net). */
  readonly at: number;
  readonly softnet: readonly SoftnetData[];
  readonly napiPollFns: NapiPollFn[] = [];
  /** Drivers, by NET_DEVICE.driver. */
  readonly netDevOps: NetDevOps[] = [];
  /** Asked in turn who takes a frame. */
  readonly sockLookups: SockLookup[] = [];
  /** Puts fragments together (net/ipv4/ip_fragment.ts); null: they go up as they are. */
  ipDefrag: DefragFn | null = null;
  /** Dissection of the frame in hand. */
  readonly keys = new FlowKeys();
  /** Sockets with frames staged in the poll under way. */
  readonly dirty: SockQueue[] = [];
  /** Sockets whose readers are to be woken when the poll loop ends. */
  readonly unwoken: SockQueue[] = [];
  /** The receive list (Linux: napi->rx_list): empty between polls, so it can belong to the thread. */
  readonly rxList = new Int32Array(RX_LIST_SLOTS);
  /** Entries of the list, and the frames they stand for. */
  rxEntries = 0;
  rxFrames = 0;
  /** The sysctl, read once a poll. */
  groNormalBatch = 0;
  /** NET.rpsNeeded, read once a poll: while 0 no frame is steered. */
  rpsNeeded = 0;
  /** skbs handed to the protocols and not yet counted in softnet_data. */
  processed = 0;
  /** Packets that the last napiPollOnce took. */
  polled = 0;
  /** The page pool whose NAPI instance this thread polls: its buffers need no lock. 0: none. */
  ownPool = 0;
  /** The instance that this thread polls has IN_BUSY_POLL set: it polls again whatever the poll says. */
  busy = false;
  /** This thread looks at its CPU's rpsIpiList when the poll loop ends. */
  sendsIpis = false;
  /** Not bound to a CPU: it polls on one whose bottom halves are free. */
  floating = false;
  /** Frames on their way to backlogs, by CPU; made when first needed. */
  readonly stages: (BacklogStage | null)[];
  /** Those of them that hold some. */
  readonly staged: BacklogStage[] = [];
  /** CPUs that were left frames to free since the poll loop began. */
  readonly deferredTo: SoftnetData[] = [];
  /** Handler of the interrupt that has a remote backlog run; made when first needed. */
  rpsTriggerSoftirq: SmpCallFunc | null = null;
  /** Frames about to be transmitted: where each one begins, a byte of the arena, and its bytes. */
  readonly txOff = new Int32Array(TX_BATCH);
  readonly txLen = new Int32Array(TX_BATCH);
  /** Buffers on their way back to a pool. */
  readonly freeBatch = new Int32Array(256);
  /** Called after buffers came back to a pool, under RCU: a driver may wait for them. */
  poolFreed: (net: NetContext, pool: number) => void = nobodyWaits;
  private readonly napis = new Map<number, Napi>();
  private readonly pools = new Map<number, PagePool>();
  private readonly socks = new Map<number, SockQueue>();
  private lastSock: SockQueue | null = null;

  constructor(cur: Current, arena: Arena, at: number, softnet: readonly SoftnetData[]) {
    this.cur = cur;
    this.m = arena.m;
    this.b = arena.b;
    this.f = arena.f;
    this.at = at;
    this.softnet = softnet;
    this.stages = softnet.map(() => null);
  }

  /** Gives the first `n` buffers of freeBatch, all of the pool at `at`, back. */
  recycleBatch(at: number, n: number): void {
    this.recycle(at, this.freeBatch, 0, n);
  }

  /** Gives `n` buffers of the pool at `at` back, from `list`. Read section: the pool may be one that is retired. */
  recycle(at: number, list: Int32Array, from: number, n: number): void {
    rcuReadLock(this.cur);
    this.pool(at).recycle(list, from, n);
    this.poolFreed(this, at);
    rcuReadUnlock(this.cur);
  }

  /** @returns the frames on their way to the backlog of a CPU */
  stage(cpu: number): BacklogStage {
    let stage = this.stages[cpu];
    if (stage === null) {
      stage = new BacklogStage(cpu);
      this.stages[cpu] = stage;
    }
    return stage;
  }

  /** @returns this thread's view of the napi_struct at `at` */
  napi(at: number): Napi {
    let n = this.napis.get(at);
    if (n === undefined) {
      n = new Napi(this.m, at);
      this.napis.set(at, n);
    }
    return n;
  }

  /** @returns this thread's view of the page pool at `at` */
  pool(at: number): PagePool {
    let p = this.pools.get(at);
    if (p === undefined || p.id !== this.m[at + PAGE_POOL.id]) {
      p = pagePoolView(this.m, at);
      this.pools.set(at, p);
    }
    return p;
  }

  /** @returns this thread's view of the socket at `at`, the producers' side */
  sock(at: number): SockQueue {
    const last = this.lastSock;
    const id = this.m[at + SOCK.id];
    if (last !== null && last.id === id) return last;
    let s = this.socks.get(at);
    if (s === undefined || s.id !== id) {
      s = sockQueueView(this.m, at);
      this.socks.set(at, s);
    }
    this.lastSock = s;
    return s;
  }
}

/** Makes a thread's context: reads the roots, makes the per-CPU views. */
export function netContext(cur: Current, arena: Arena): NetContext {
  const { m } = arena;
  const at = m[KERNEL_AT + KERNEL.net];
  const softnet: SoftnetData[] = [];
  for (const cpu of cur.cpus) {
    softnet.push(new SoftnetData(m, perCpuPtr(m[at + NET.softnetData], SOFTNET_DATA, cpu.id), cpu.id));
  }
  return new NetContext(cur, arena, at, softnet);
}
