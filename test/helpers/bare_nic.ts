// SPDX-License-Identifier: GPL-2.0-only
/** A simulated NIC, sockets and an application on a bare machine, all in the test's own thread. */
import {
  NIC_QUEUE,
  type NicQueue,
  nicQueueAt,
  nicQueueView,
  simNicCreate,
} from '../../dist/drivers/net/sim_nic.js';
import { simNicOpen, simNicProbe, simNicStop } from '../../dist/drivers/net/sim_nic_main.js';
import { type WhenFull, Wire } from '../../dist/drivers/net/sim_nic_wire.js';
import { doSoftirq } from '../../dist/kernel/softirq.js';
import { ringLength } from '../../dist/mm/ring.js';
import { kmalloc } from '../../dist/mm/slab.js';
import {
  netdevSetChannels,
  netdevSetDeferHardIrqs,
  netdevSetGroFlushTimeout,
} from '../../dist/net/core/dev.js';
import { DRIVER_SIM_NIC } from '../../dist/net/core/ids.js';
import type { Napi } from '../../dist/net/core/napi.js';
import { allocNetdev, listNetdevice, NET_DEVICE } from '../../dist/net/core/net_device.js';
import { pagePoolInside } from '../../dist/net/core/page_pool.js';
import { AF_INET, AF_PACKET, sockCreate, sockQueueLength } from '../../dist/net/core/sock_queue.js';
import { udpBind } from '../../dist/net/ipv4/udp.js';
import { packetBind } from '../../dist/net/packet/af_packet.js';
import { AppContext } from '../../dist/threads/app_context.js';
import type { ThreadContext } from '../../dist/threads/context.js';
import type { BareMachine } from './bare_machine.js';

const STAGING_BYTES = 1 << 20;
const FULL = 'the bare machine has too little memory; give it more (memoryBytes)';

export interface NicOptions {
  readonly queues?: number;
  readonly ringSize?: number;
  readonly poolSize?: number;
  readonly features?: number;
  readonly rxUsecs?: number;
  readonly rxFrames?: number;
  readonly deferHardIrqs?: number;
  readonly groFlushTimeoutNs?: number;
}

/** A frame as the application saw it. */
export interface Received {
  readonly socket: number;
  readonly seq: number;
  readonly flow: number;
  readonly bytes: Uint8Array;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly payload: Uint8Array;
  readonly frames: number;
}

/** A device with its link down. */
export class BareNic {
  readonly bm: BareMachine;
  readonly ctx: ThreadContext;
  readonly dev: number;
  readonly nic: number;
  readonly queues: NicQueue[] = [];
  readonly poolSize: number;
  private readonly staging: number;
  private readonly wires: Wire[] = [];

  /** Makes the device, its link down; or takes over one that addNetdev made. */
  constructor(bm: BareMachine, ctx: ThreadContext, options: NicOptions = {}, made = 0) {
    const { m } = bm;
    const ringSize = options.ringSize ?? 64;
    this.bm = bm;
    this.ctx = ctx;
    this.poolSize = options.poolSize ?? 4 * ringSize;
    this.dev = made === 0 ? this.make(options.queues ?? 1, ringSize, options) : made;
    this.nic = m[this.dev + NET_DEVICE.priv];
    this.staging = kmalloc(m, STAGING_BYTES / 4) * 4;
    if (this.staging === 0) throw new Error(FULL);
    for (let i = 0; i < m[this.dev + NET_DEVICE.queues]; i++) {
      this.queues.push(nicQueueView(m, nicQueueAt(m, this.nic, i)));
    }
  }

  private make(nrQueues: number, ringSize: number, options: NicOptions): number {
    const { bm, ctx } = this;
    const { m } = bm;
    const dev = allocNetdev(m, 'eth0', DRIVER_SIM_NIC, nrQueues);
    const nic = simNicCreate(m, dev, nrQueues, ringSize, this.poolSize);
    if (nic === 0) throw new Error(FULL);
    m[dev + NET_DEVICE.priv] = nic;
    m[dev + NET_DEVICE.queues] = nrQueues;
    m[dev + NET_DEVICE.features] = options.features ?? 0;
    m[dev + NET_DEVICE.rxMax] = ringSize;
    m[dev + NET_DEVICE.rxPending] = ringSize;
    netdevSetDeferHardIrqs(ctx.net, dev, options.deferHardIrqs ?? 0);
    netdevSetGroFlushTimeout(ctx.net, dev, options.groFlushTimeoutNs ?? 0);
    simNicProbe(ctx.driver, nic, options.rxUsecs ?? 0, options.rxFrames ?? 0);
    listNetdevice(ctx.net, dev);
    return dev;
  }

  up(): void {
    const err = this.changing(() => simNicOpen(this.ctx.driver, this.dev));
    if (err !== 0) throw new Error('the link does not come up');
  }

  down(): void {
    this.changing(() => simNicStop(this.ctx.driver, this.dev));
  }

  private readonly cpuThreads: ThreadContext[] = [];

  /** Another number of channels. */
  setChannels(combined: number): void {
    const { net } = this.ctx;
    if (this.changing(() => netdevSetChannels(net, this.dev, combined)) !== 0)
      throw new Error('no such channels');
  }

  /** A thread that counts as running on a CPU. */
  onCpu(cpu: number): ThreadContext {
    this.cpuThreads[cpu] ??= this.bm.thread(cpu);
    return this.cpuThreads[cpu];
  }

  /** A change of the device: the NIC, here in the same thread, acts on the doorbell while control waits for it. */
  private changing<T>(change: () => T): T {
    const { clock } = this.bm;
    const was = clock.onSleep;
    clock.onSleep = () => {
      for (const wire of this.wires) wire.flush();
      for (let cpu = 0; cpu < this.bm.cpus; cpu++)
        if (this.bm.softirqPending(cpu)) doSoftirq(this.onCpu(cpu).cur);
    };
    const result = change();
    clock.onSleep = was;
    return result;
  }

  /** The instance of a queue while the link is up. */
  napi(queue = 0): Napi {
    return this.ctx.net.napi(this.bm.m[this.queues[queue].at + NIC_QUEUE.napi]);
  }

  /** The hardware, in a thread of its own. */
  wire(whenFull: WhenFull = 'wait'): Wire {
    const wire = new Wire(this.bm.thread(0).net, this.nic, whenFull);
    this.wires.push(wire);
    wire.begin();
    return wire;
  }

  /** Puts a frame where the wire takes it from. Returns its byte offset. */
  stage(frame: Uint8Array): number {
    this.ctx.arena.b.set(frame, this.staging);
    return this.staging;
  }

  /** A frame comes over the wire. */
  send(wire: Wire, frame: Uint8Array): void {
    const off = this.stage(frame);
    wire.receive(off, frame.length, wire.hash(off, frame.length));
  }

  /** Runs the softirqs of all CPUs until there are none. */
  settle(ctxs: readonly ThreadContext[] = [this.ctx]): void {
    for (let i = 0; ctxs.some((c) => this.bm.softirqPending(c.cur.cpu.id)); i++) {
      if (i > 1000) throw new Error('the softirqs do not end');
      for (const c of ctxs) doSoftirq(c.cur);
    }
  }

  /** Binds a packet socket to the device. */
  packetSocket(capacity = 1024, rcvbuf = capacity): number {
    const sock = sockCreate(this.bm.m, AF_PACKET, 0, capacity, rcvbuf);
    if (packetBind(this.ctx.net, sock, this.dev) !== 0) throw new Error('the device has a packet socket');
    return sock;
  }

  /** Buffers in pool, fill ring and receive ring of a queue; frames of one buffer each. */
  buffersAtRest(queue = 0): number {
    const { m } = this.bm;
    const q = this.queues[queue];
    return pagePoolInside(m, q.pool) + ringLength(m, m[q.at + NIC_QUEUE.fillRing]) + this.unread(queue);
  }

  /** Descriptors that the driver has not read yet. */
  unread(queue = 0): number {
    const { m } = this.bm;
    return ringLength(m, m[this.queues[queue].at + NIC_QUEUE.rxRing]);
  }
}

/** Binds a UDP socket. */
export function udpSocket(ctx: ThreadContext, port: number, capacity = 1024, rcvbuf = capacity): number {
  const sock = sockCreate(ctx.arena.m, AF_INET, port, capacity, rcvbuf);
  if (udpBind(ctx.net, sock, port) !== 0) throw new Error(`port ${port} is taken`);
  return sock;
}

/** An application that reads sockets whenever the test says so. */
export class BareApp {
  readonly app: AppContext;
  private readonly m: Int32Array;
  private readonly sockets: readonly number[];

  constructor(bm: BareMachine, sockets: readonly number[]) {
    this.m = bm.m;
    this.sockets = sockets;
    this.app = new AppContext(bm.thread(0), 'test', null, sockets, []);
    this.app.begin();
  }

  /** Frames queued and not read. */
  queued(): number {
    return this.sockets.reduce((sum, s) => sum + sockQueueLength(this.m, s), 0);
  }

  /** Reads all there is, and gives the buffers back. */
  drain(): Received[] {
    const out: Received[] = [];
    for (let batch = this.app.tryRecv(256); batch !== null; batch = this.app.tryRecv(256)) {
      for (let i = 0; i < batch.count; i++) {
        out.push({
          socket: batch.socket,
          seq: batch.seq(i),
          flow: batch.flow(i),
          bytes: batch.copy(i),
          srcPort: batch.srcPort(i),
          dstPort: batch.dstPort(i),
          payload: batch.payload(i),
          frames: batch.frames(i),
        });
      }
    }
    return out;
  }
}
