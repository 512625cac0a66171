// SPDX-License-Identifier: GPL-2.0-only
/**
 * The simulated NIC: what driver and hardware share.
 *
 * A queue has two rings, as NICs do: the driver posts empty buffers in the fill ring; the hardware takes them, writes
 * frames, and reports them in the receive ring. An interrupt a queue, masked while its NAPI instance is scheduled.
 *
 * Fed by a timed wire (sim_nic_timed.ts) a NIC has no thread: whoever owns SCHED plays the hardware, too.
 *
 * Owners
 *   fill ring      producer: owner of SCHED (the driver); consumer: the NIC thread
 *   receive ring   producer: the NIC thread; consumer: owner of SCHED; its stamps likewise
 *   pool           as page_pool.ts
 *   nicWaiting     set by the NIC thread before it sleeps for buffers; taken by the driver, by CAS
 *   starving       set by the driver when the pool was empty; taken by whoever frees enough buffers, by CAS
 *   counters       the NIC thread
 * With a cable there is no NIC thread: who transmits at the other end does its part, under wireLock (sim_nic_tx.ts).
 *   rxActive, linkUp, away   holder of the device mutex, who then rings the doorbell; the NIC thread acts on them and says so
 *
 * Invariants: what the device writes is believed only as far as sim_nic_claim.ts says. A buffer is in the pool, in the fill ring, with the NIC, in the receive ring, or further up. Buffers
 * posted and descriptors not yet read are at most ringSize together, so the NIC never overruns the receive ring. A queue that ran out of buffers is
 * polled again as soon as an eighth of its pool came
 * back.
 *
 * Ordering
 *   D1 NIC: descriptor and frame (plain), publish, raiseIrq      pairs with  D2
 *   D2 poll: available, then descriptor and frame (plain)        pairs with  D1
 *   D3 driver: store of starving, then look at the pool again    pairs with  D4
 *   D4 free: buffers published in the recycle ring, then load of starving   pairs with  D3
 *   D5 NIC: descriptors published, then buffers released in the fill ring   pairs with  D6
 *   D6 driver: load of the fill ring's consumer, then of the receive ring's producer  pairs with  D5
 *   D9 control: rxActive, linkUp, away, then add to doorbell, then load of running  pairs with  D10
 *   D10 NIC: store of running, then load of doorbell; what it wrote published, then store of seen  pairs with  D9
 *   D7 driver: buffers published, then load of nicWaiting        pairs with  D8
 *   D8 NIC: store of nicWaiting, then load of the fill ring      pairs with  D7
 */
import { newObjectId } from '../../kernel/current.js';
import { IRQ_DESC, IrqDesc } from '../../kernel/irq.js';
import { RingConsumer, RingProducer, ringWords } from '../../mm/ring.js';
import { kfree, kmalloc } from '../../mm/slab.js';
import { f64, line, struct, word, words } from '../../mm/struct.js';
import { PAGE_POOL, pagePoolCreate, pagePoolDestroy } from '../../net/core/page_pool.js';
import { RPS_PLACE } from '../../net/core/rps_map.js';
import type { TimedWire } from './sim_nic_timed.js';

/** Words of a receive descriptor: 16 bytes. */
export const RX_DESC = Object.freeze({ skb: 0, len: 1, hash: 2, seq: 3, WORDS: 4 });

/** Sizes of polls that are counted apart: powers of two, up to a poll's weight. */
export const POLL_SIZES = 8;

export const NIC_QUEUE = struct(
  'nic_queue',
  line('driver, at probe', {
    dev: word('net_device'),
    index: word('queue index'),
    ringSize: word('slots of each ring, a power of two'),
    fillRing: word('ring of empty buffers, one word a slot'),
    rxRing: word('ring of receive descriptors, four words a slot'),
    rxStamps: word('a double for each slot of the receive ring: when the wire put the frame there, ns'),
    pool: word('page pool of the buffers'),
    irq: word('irq_desc'),
    id: word('serial number: a view with another one is stale'),
  }),
  line('driver, under the device mutex; read by the NIC thread and, under RCU, by the interrupt handler', {
    napi: word('its NAPI instance, 0 while the link is down'),
    pollsBefore: word('polls of the instances it had before this one (wraps)'),
    rxUsecs: word('moderation: interrupt at the latest this long after a frame, us'),
    rxFrames: word('moderation: interrupt at the latest after this many frames'),
    service: word('a driver without NAPI: 1 while the link is up'),
    xsk: word(
      'struct xdp_sock it receives for, 0: none; changed while the instance is disabled and the NIC away',
    ),
    away: word('1: the NIC keeps off the rings until this is 0 again'),
    timed: word('struct timed_wire that feeds it (sim_nic_timed.ts), 0: none; read under RCU'),
    lostIrqs: word('interrupts that an injected fault swallowed (wraps)'),
    madeUp: word('descriptors that an injected fault made up (wraps)'),
  }),
  line('whoever runs the handler of a driver without NAPI', {
    place: words(RPS_PLACE.WORDS, 'struct rps_place: where its latest frame went that was not steered'),
  }),
  line('driver (CAS to 0), NIC thread (store 1)', {
    nicWaiting: word('1 while the NIC thread sleeps for buffers'),
  }),
  line('lock holders', { wireLock: word('spin lock of those who do the NIC thread’s part over a cable') }),
  line('driver (store), any thread that frees (CAS to 0)', {
    starving: word('buffers that must be back before the queue is polled again, 0: it has enough'),
  }),
  line(
    'the hardware: NIC thread; with a cable the holder of wireLock; with a timed wire the owner of SCHED (interrupts: by atomic add)',
    {
      rxFramesTotal: word('frames put into the ring (wraps)'),
      interrupts: word('interrupts raised (wraps)'),
      rxMissed: word('frames dropped for want of a posted buffer (wraps)'),
      rxBytes: f64('bytes put into the ring'),
    },
  ),
  line('owner of SCHED', {
    pollSizes: words(
      POLL_SIZES,
      'polls that took 0, 1, 2 to 3, 4 to 7, … frames, and POLL_SIZES - 1: 64 and more',
    ),
    badDescs: word('descriptors that report what the device cannot have received (wraps)'),
    badIndices: word('looks at a ring whose index the device had set wrong (wraps)'),
    suspect: word('1: a descriptor was wrong, and the buffer behind it has not been looked for'),
  }),
);

/** Bit of the doorbell: end the run now. */
export const NIC_STOP = 1;
/** What a change adds to the doorbell. */
export const NIC_CHANGE = 2;

export const SIM_NIC = struct(
  'sim_nic',
  line('driver, at probe', {
    nrQueues: word('queues'),
    netifRx: word('1: its driver has no NAPI'),
    queues: word('nic_queue of queue 0; the others follow'),
  }),
  line('holder of the device mutex; read by the NIC thread, or under wireLock', {
    rxActive: word('queues that frames are spread over'),
    linkUp: word('0: frames are dropped at the wire'),
  }),
  line('holder of rtnl and of the device mutexes of both ends; read under RCU', {
    peer: word('net_device at the other end of the cable, 0: no cable'),
  }),
  line('any thread that transmits, atomic add', {
    txPackets: word('frames sent (wraps)'),
    txKib: word('1024s of their bytes (wraps)'),
    txRestBytes: word('and the bytes that make no 1024 yet'),
    txDropped: word('frames not sent: the link was down, or no buffer could hold them (wraps)'),
  }),
  line('NIC thread; with a cable, any thread that transmits, atomic add', {
    seq: word('frames that came over the wire so far (wraps): the number each one carries'),
    frames: word('frames read from the source in this run'),
    rxDropped: word('frames dropped because the link was down or no ring could hold them (wraps)'),
    running: word('1 while it may touch the rings'),
    seen: word('the doorbell it acted upon last'),
  }),
  line('any thread, atomic add and or', {
    doorbell: word(
      'NIC_STOP, and a count of changes to the words of the device mutex above it; the NIC sleeps on it',
    ),
  }),
);

/** A thread's view of a queue. Make once, keep. */
export class NicQueue {
  readonly m: Int32Array;
  readonly at: number;
  readonly id: number;
  readonly irq: IrqDesc;
  readonly fillProducer: RingProducer;
  readonly fillConsumer: RingConsumer;
  readonly rxProducer: RingProducer;
  readonly rxConsumer: RingConsumer;
  readonly ringSize: number;
  readonly pool: number;
  readonly dev: number;
  /** What its posted buffers carry in their link word: no address of a buffer (sim_nic_claim.ts). */
  readonly mark: number;
  /** Buffers posted, as fillRoom saw it last. */
  posted = 0;
  /** Index of the stamps in the Float64Array. */
  readonly stamps: number;
  /** This thread's view of the timed wire that fed the queue when it last looked. */
  timed: TimedWire | null = null;

  /** The numbers are the words of the same names, read by the caller. */
  constructor(
    m: Int32Array,
    at: number,
    w: {
      id: number;
      ringSize: number;
      fillRing: number;
      rxRing: number;
      rxStamps: number;
      irq: number;
      pool: number;
      dev: number;
    },
  ) {
    this.m = m;
    this.at = at;
    this.id = w.id;
    this.irq = new IrqDesc(m, w.irq);
    this.fillProducer = new RingProducer(m, w.fillRing, w.ringSize, 1);
    this.fillConsumer = new RingConsumer(m, w.fillRing, w.ringSize, 1);
    this.rxProducer = new RingProducer(m, w.rxRing, w.ringSize, RX_DESC.WORDS);
    this.rxConsumer = new RingConsumer(m, w.rxRing, w.ringSize, RX_DESC.WORDS);
    this.ringSize = w.ringSize;
    this.pool = w.pool;
    this.dev = w.dev;
    this.mark = -at;
    this.stamps = w.rxStamps >> 1;
  }
}

/** Makes a thread's view of a queue. */
export function nicQueueView(m: Int32Array, at: number): NicQueue {
  return new NicQueue(m, at, {
    id: m[at + NIC_QUEUE.id],
    ringSize: m[at + NIC_QUEUE.ringSize],
    fillRing: m[at + NIC_QUEUE.fillRing],
    rxRing: m[at + NIC_QUEUE.rxRing],
    rxStamps: m[at + NIC_QUEUE.rxStamps],
    irq: m[at + NIC_QUEUE.irq],
    pool: m[at + NIC_QUEUE.pool],
    dev: m[at + NIC_QUEUE.dev],
  });
}

/** @returns the word index of a device's queue */
export function nicQueueAt(m: Int32Array, nic: number, index: number): number {
  return m[nic + SIM_NIC.queues] + index * NIC_QUEUE.SIZE;
}

/**
 * Makes the memory of a NIC: queues, rings, pools, interrupts.
 * @param ringSize slots a ring, a power of two
 * @param poolSize buffers a queue, a power of two above ringSize
 * @returns its word index, or 0 (ENOMEM)
 */
export function simNicCreate(
  m: Int32Array,
  dev: number,
  nrQueues: number,
  ringSize: number,
  poolSize: number,
): number {
  const nic = kmalloc(m, SIM_NIC.SIZE);
  const queues = kmalloc(m, NIC_QUEUE.SIZE * nrQueues);
  if (nic === 0 || queues === 0) {
    kfree(m, queues, NIC_QUEUE.SIZE * nrQueues);
    kfree(m, nic, SIM_NIC.SIZE);
    return 0;
  }
  m[nic + SIM_NIC.nrQueues] = nrQueues;
  m[nic + SIM_NIC.queues] = queues;
  for (let i = 0; i < nrQueues; i++) {
    if (!queueCreate(m, queues + i * NIC_QUEUE.SIZE, dev, i, ringSize, poolSize)) {
      simNicDiscard(m, nic);
      return 0;
    }
  }
  return nic;
}

function queueCreate(
  m: Int32Array,
  q: number,
  dev: number,
  index: number,
  ringSize: number,
  poolSize: number,
): boolean {
  m[q + NIC_QUEUE.dev] = dev;
  m[q + NIC_QUEUE.id] = newObjectId(m);
  m[q + NIC_QUEUE.index] = index;
  m[q + NIC_QUEUE.ringSize] = ringSize;
  m[q + NIC_QUEUE.fillRing] = kmalloc(m, ringWords(ringSize, 1));
  m[q + NIC_QUEUE.rxRing] = kmalloc(m, ringWords(ringSize, RX_DESC.WORDS));
  m[q + NIC_QUEUE.rxStamps] = kmalloc(m, 2 * ringSize);
  m[q + NIC_QUEUE.irq] = kmalloc(m, IRQ_DESC.SIZE);
  const pool = pagePoolCreate(m, poolSize);
  if (pool !== 0) {
    m[pool + PAGE_POOL.queue] = q;
    m[pool + PAGE_POOL.dev] = dev;
  }
  m[q + NIC_QUEUE.pool] = pool;
  return (
    m[q + NIC_QUEUE.fillRing] !== 0 &&
    m[q + NIC_QUEUE.rxRing] !== 0 &&
    m[q + NIC_QUEUE.rxStamps] !== 0 &&
    m[q + NIC_QUEUE.irq] !== 0 &&
    m[q + NIC_QUEUE.pool] !== 0
  );
}

/** Frees a NIC that was never in use, its pools too. */
export function simNicDiscard(m: Int32Array, nic: number): void {
  for (let i = 0; i < m[nic + SIM_NIC.nrQueues]; i++) {
    const pool = m[nicQueueAt(m, nic, i) + NIC_QUEUE.pool];
    if (pool !== 0) pagePoolDestroy(m, pool);
  }
  simNicDestroy(m, nic);
}

/** Frees a NIC's memory, but for its pools, which are the caller's to retire or to destroy; nothing of it may be in use. */
export function simNicDestroy(m: Int32Array, nic: number): void {
  const nrQueues = m[nic + SIM_NIC.nrQueues];
  for (let i = 0; i < nrQueues; i++) {
    const q = nicQueueAt(m, nic, i);
    const ringSize = m[q + NIC_QUEUE.ringSize];
    kfree(m, m[q + NIC_QUEUE.fillRing], ringWords(ringSize, 1));
    kfree(m, m[q + NIC_QUEUE.rxRing], ringWords(ringSize, RX_DESC.WORDS));
    kfree(m, m[q + NIC_QUEUE.rxStamps], 2 * ringSize);
    kfree(m, m[q + NIC_QUEUE.irq], IRQ_DESC.SIZE);
  }
  kfree(m, m[nic + SIM_NIC.queues], NIC_QUEUE.SIZE * nrQueues);
  kfree(m, nic, SIM_NIC.SIZE);
}
