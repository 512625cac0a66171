// SPDX-License-Identifier: GPL-2.0-only
/**
 * The timed wire: when each frame arrives is fixed beforehand, and a descriptor is done when the clock passes its time.
 * The hardware costs no core and no thread: whoever polls the queue looks at the clock first, and an interrupt is a timer.
 *
 * States of an arrival: to come; due (the clock has passed its time); taken (in the receive ring), missed (no posted
 * buffer) or dropped (the link is down). `next` is the first that is to come or due.
 * States of a wire: attached, link up; attached, link down (`down`); detached.
 *
 * Owners
 *   schedule, templates   control, before the wire is published; constant afterwards
 *   next, counters, the hardware's ends of both rings   link up: owner of SCHED; link down, or the instances being
 *                  changed: holder of the device mutex with the timer cancelled, and (not an echo's) the timer's function
 *   down           holder of the device mutex; to 0 with the timer cancelled
 *   echo ring      producer: holder of echoLock; consumer: as `next`
 *   timer          whoever arms it; its function runs in the thread of the CPU that has the interrupt
 *
 * Invariants
 *   - Arrivals are taken in order of time, each once.
 *   - No arrival is lost: while the link is up and arrivals are to come or due, somebody is to look at the clock again.
 *     Either the instance is owned (its owner polls, or sees MISSED and polls again), or its interrupt is masked and
 *     whoever masked it polls (deferral: the watchdog; a busy poller: itself), or it is unmasked, and then whoever
 *     unmasked it looked at `next` behind that: it raised the interrupt, or started the timer for a time not later
 *     than the next arrival's. A timer may be started by one who saw an older `next`: that is earlier, never later, and its
 *     function looks again. So a poll that owns the instance meanwhile, a second one that completes, or a frame echoed by
 *     another thread change nothing: what each of them starts is at most the time of the first arrival that is left.
 *     An interrupt that comes while a socket has the instance is spent. If the socket then defers, the watchdog is the one
 *     who looks, though the interrupt is not masked; so it is with a NIC whose interrupt masks itself when it is raised.
 *   - A wire that is detached is freed when nobody can have a pointer to it: polls and echoes read it under RCU, and the timer
 *     is cancelled behind the grace period, for until then they may start it.
 *
 * Ordering
 *   W1 poll: store of next, then complete (CAS of the state)           pairs with  W2
 *   W2 who unmasks: CAS of the interrupt's state, then load of next    pairs with  W1, W3
 *   W3 timer: load of the interrupt's state; masked: leaves it to whoever unmasks  pairs with  W2
 *   W4 echo: store of echoProd, then load of the interrupt's state     pairs with  W2 (which then loads echoProd)
 *   W5 control: store of NIC_QUEUE.timed, then raises the interrupt (attach) or waits for a grace period (detach), then
 *      cancels the timer   pairs with  W6
 *   W7 link down: last look at the clock, then down = 1, then starts the timer; link up: cancels the timer, looks at the
 *      clock, then down = 0                                             pairs with  W8
 *   W8 timer: load of down, then the wire                              pairs with  W7
 *   W6 poll, echo: load of NIC_QUEUE.timed inside a read section       pairs with  W5
 */
import type { Current } from '../../kernel/current.js';
import { HRTIMER, HRTIMER_MAX_US, hrtimerStartAt } from '../../kernel/hrtimer.js';
import { IRQ_DESC, IRQ_MASKED, irqUnmask, raiseIrq } from '../../kernel/irq.js';
import { spinLock, spinUnlock } from '../../kernel/locking/spinlock.js';
import { rcuReadLock, rcuReadUnlock } from '../../kernel/rcu.js';
import { f64, line, struct, word, words } from '../../mm/struct.js';
import type { NetContext } from '../../net/core/net_context.js';
import { countDrops } from '../../net/core/skb_free.js';
import { DROP_DEV_READY, DROP_RX_MISSED } from '../../net/core/softnet_data.js';
import { NIC_QUEUE, type NicQueue, RX_DESC, SIM_NIC } from './sim_nic.js';
import type { SimNicDriver } from './sim_nic_driver.js';
import { writeFrame, writeTrainFrame } from './sim_nic_timed_frames.js';

/** Kinds of schedules: `startNs + i * periodNs`; `startNs + times[i]`; each frame sent comes back `periodNs` later. */
export const SCHEDULE_PERIODIC = 0;
export const SCHEDULE_TIMES = 1;
export const SCHEDULE_ECHO = 2;

/** Most frames on their way back from an echo, a power of two: what is sent beyond them is lost. */
export const ECHO_SLOTS = 4096;

/** Most arrivals of a wire. */
export const TIMED_MAX_COUNT = 0x7fffffff;

/** While the link is down, frames that came are counted this often, us. */
export const DOWN_TICK_US = 10_000;

export const TIMED_WIRE = struct(
  'timed_wire',
  line('control, before it is published', {
    id: word('serial number: a view with another one is stale'),
    nic: word('sim_nic'),
    queue: word('nic_queue it feeds'),
    schedule: word('SCHEDULE_*'),
    count: word('arrivals in all; 0: an echo without end'),
    startNs: f64('when the schedule begins (CLOCK_MONOTONIC)'),
    periodNs: f64('distance of arrivals, or the time until an echo is back'),
    times: word('doubles: time of each arrival behind startNs; an echo’s ring of due times'),
    timesWords: word('words of these'),
    template: word('frames, one a flow or a train of them, `stride` words apart'),
    stride: word('words from one to the next'),
    frameBytes: word('length of a frame'),
    flows: word('flows; frame i, or datagram i, belongs to flow i % flows'),
  }),
  line('control, before it is published', {
    hashes: word('receive hash of each flow'),
    seqBase: word('number of the first frame (wraps)'),
    seqOff: word('bytes from the start of a frame to where its number stands, 0: no room'),
    train: word('frames a datagram comes in, all of them before the next; 0: one, and it is never looked at'),
    lastBytes: word('length of the last frame of a train'),
  }),
  line('owner of SCHED; link down: device mutex, timer', {
    next: word('arrivals taken, missed or dropped so far: index of the next one (echo: wraps)'),
  }),
  line('owner of SCHED; link down: device mutex, timer', {
    arrived: word('frames put into the ring'),
    missed: word('frames dropped for want of a posted buffer'),
    dropped: word('frames dropped because the link was down'),
    endNs: f64('when the last arrival was taken, missed or dropped'),
  }),
  line('holder of the device mutex', { down: word('1 while the link is down') }),
  line('as `next`; the main thread waits', { done: word('1 once no arrival is left') }),
  line('lock holders', { echoLock: word('spin lock of those who send to an echo') }),
  line('echoLock', {
    echoProd: word('frames sent to the echo so far (wraps)'),
    echoLost: word('frames it had no room for'),
    echoLastNs: f64('when the last one is back'),
  }),
  line('see struct hrtimer', { timer: words(HRTIMER.SIZE, 'the next interrupt; link down: the next count') }),
);

/** A thread's view of a wire: what of it is constant, the words of the same names. Make once, keep. */
export interface TimedWire {
  readonly at: number;
  readonly id: number;
  readonly nic: number;
  readonly schedule: number;
  readonly count: number;
  readonly startNs: number;
  readonly periodNs: number;
  /** Index of the times in the Float64Array. */
  readonly times: number;
  readonly template: number;
  readonly stride: number;
  readonly frameBytes: number;
  readonly flows: number;
  readonly hashes: number;
  readonly seqBase: number;
  readonly seqOff: number;
  readonly train: number;
  readonly lastBytes: number;
  readonly timer: number;
}

/** @returns this thread's view of the wire at `at`, which feeds `q` */
export function timedView(net: NetContext, q: NicQueue, at: number): TimedWire {
  const known = q.timed;
  if (known !== null && known.at === at && known.id === net.m[at + TIMED_WIRE.id]) return known;
  const { m, f } = net;
  const view: TimedWire = {
    at,
    id: m[at + TIMED_WIRE.id],
    nic: m[at + TIMED_WIRE.nic],
    schedule: m[at + TIMED_WIRE.schedule],
    count: m[at + TIMED_WIRE.count],
    startNs: f[(at + TIMED_WIRE.startNs) >> 1],
    periodNs: f[(at + TIMED_WIRE.periodNs) >> 1],
    times: m[at + TIMED_WIRE.times] >> 1,
    template: m[at + TIMED_WIRE.template],
    stride: m[at + TIMED_WIRE.stride],
    frameBytes: m[at + TIMED_WIRE.frameBytes],
    flows: m[at + TIMED_WIRE.flows],
    hashes: m[at + TIMED_WIRE.hashes],
    seqBase: m[at + TIMED_WIRE.seqBase],
    seqOff: m[at + TIMED_WIRE.seqOff],
    train: m[at + TIMED_WIRE.train],
    lastBytes: m[at + TIMED_WIRE.lastBytes],
    timer: at + TIMED_WIRE.timer,
  };
  q.timed = view;
  return view;
}

/** When arrival `i` is due, ns. An echo's: by the consumer of its ring, or under echoLock. */
function arrivalNs(f: Float64Array, w: TimedWire, i: number): number {
  if (w.schedule === SCHEDULE_PERIODIC) return w.startNs + i * w.periodNs;
  if (w.schedule === SCHEDULE_TIMES) return w.startNs + f[w.times + i];
  return f[w.times + (i & (ECHO_SLOTS - 1))];
}

/** @returns how many arrivals from `next` on are due. By the owner of `next`. */
function dueAt(net: NetContext, w: TimedWire, next: number, nowNs: number): number {
  const { m, f } = net;
  let n = 0;
  if (w.schedule === SCHEDULE_PERIODIC) {
    // What nearly every look of a busy loop finds.
    if (nowNs < w.startNs + next * w.periodNs) return 0;
    // The division may be off by one where the multiplication of arrivalNs is not.
    const passed = Math.floor((nowNs - w.startNs) / w.periodNs);
    n = Math.max(0, Math.min(passed, w.count - 1) - next);
    while (n > 0 && arrivalNs(f, w, next + n - 1) > nowNs) n--;
  }
  const end =
    w.schedule === SCHEDULE_ECHO
      ? (Atomics.load(m, w.at + TIMED_WIRE.echoProd) - next) | 0 // then the slots
      : w.count - next;
  while (n < end && arrivalNs(f, w, next + n) <= nowNs) n++;
  return n;
}

/**
 * What the hardware has done until now: puts every frame that is due into the receive ring, as far as there are posted
 * buffers. The owner of SCHED, at the start of a poll.
 * @param at the queue's timed_wire
 */
export function timedAdvance(driver: SimNicDriver, q: NicQueue, at: number): void {
  const { net } = driver;
  const { m, f } = net;
  // The driver is about to change what it receives into: what is due waits.
  if (Atomics.load(m, q.at + NIC_QUEUE.away) !== 0) return;
  const w = timedView(net, q, at);
  const next = m[at + TIMED_WIRE.next];
  const nowNs = net.cur.platform.nowNs();
  const due = dueAt(net, w, next, nowNs);
  if (due === 0) return;
  const { fillConsumer: fill, rxProducer: rx } = q;
  fill.begin();
  rx.beginAgain();
  const taken = fill.available(due);
  let bytes = taken * w.frameBytes;
  if (w.train !== 0) bytes = takeTrain(net, q, w, next, taken);
  else {
    for (let i = 0; i < taken; i++) {
      const skb = m[fill.slot(i)];
      const index = (next + i) | 0;
      const flow = (index >>> 0) % w.flows;
      const seq = (w.seqBase + index) | 0;
      writeFrame(net, w, skb, flow, seq);
      f[q.stamps + rx.index(i)] = arrivalNs(f, w, index);
      const desc = rx.slot(i);
      m[desc + RX_DESC.skb] = skb;
      m[desc + RX_DESC.len] = w.frameBytes;
      m[desc + RX_DESC.hash] = m[w.hashes + flow];
      m[desc + RX_DESC.seq] = seq;
    }
  }
  if (taken > 0) {
    m[q.at + NIC_QUEUE.rxFramesTotal] += taken;
    f[(q.at + NIC_QUEUE.rxBytes) >> 1] += bytes;
    m[at + TIMED_WIRE.arrived] += taken;
    rx.publish(taken); // D1, D5
    fill.release(taken);
  }
  if (due > taken) {
    m[q.at + NIC_QUEUE.rxMissed] += due - taken;
    m[at + TIMED_WIRE.missed] += due - taken;
    countDrops(net, DROP_RX_MISSED, due - taken);
  }
  advanceTo(net, w, (next + due) | 0, nowNs);
}

/** The same for frames of trains, as far as there are buffers for them. @returns their bytes */
function takeTrain(net: NetContext, q: NicQueue, w: TimedWire, next: number, taken: number): number {
  const { m, f } = net;
  const { fillConsumer: fill, rxProducer: rx } = q;
  let bytes = 0;
  for (let i = 0; i < taken; i++) {
    const skb = m[fill.slot(i)];
    const index = next + i;
    const len = writeTrainFrame(net, w, skb, index);
    bytes += len;
    f[q.stamps + rx.index(i)] = arrivalNs(f, w, index);
    const desc = rx.slot(i);
    m[desc + RX_DESC.skb] = skb;
    m[desc + RX_DESC.len] = len;
    m[desc + RX_DESC.hash] = m[w.hashes + (Math.floor(index / w.train) % w.flows)];
    m[desc + RX_DESC.seq] = (w.seqBase + index) | 0;
  }
  return bytes;
}

/** The link is down: frames that are due are dropped, and counted. By the owner of `next`. @returns what the clock showed, ns */
export function timedDrop(net: NetContext, w: TimedWire): number {
  const { m } = net;
  const next = m[w.at + TIMED_WIRE.next];
  const nowNs = net.cur.platform.nowNs();
  const due = dueAt(net, w, next, nowNs);
  if (due === 0) return nowNs;
  m[w.nic + SIM_NIC.rxDropped] += due;
  m[w.at + TIMED_WIRE.dropped] += due;
  countDrops(net, DROP_DEV_READY, due);
  advanceTo(net, w, (next + due) | 0, nowNs);
  return nowNs;
}

function advanceTo(net: NetContext, w: TimedWire, next: number, nowNs: number): void {
  const { m, f } = net;
  const last = next === w.count && w.count !== 0;
  if (last) f[(w.at + TIMED_WIRE.endNs) >> 1] = nowNs;
  Atomics.store(m, w.at + TIMED_WIRE.next, next); // W1
  if (!last) return;
  Atomics.store(m, w.at + TIMED_WIRE.done, 1);
  Atomics.notify(m, w.at + TIMED_WIRE.done);
}

/** @returns when the interrupt for what is to come is due under the queue's moderation, ns; Infinity: not at all */
function interruptNs(net: NetContext, q: NicQueue, w: TimedWire): number {
  const { m, f } = net;
  const rxUsecs = Atomics.load(m, q.at + NIC_QUEUE.rxUsecs);
  const rxFrames = Atomics.load(m, q.at + NIC_QUEUE.rxFrames);
  const echo = w.schedule === SCHEDULE_ECHO;
  if (echo) spinLock(m, w.at + TIMED_WIRE.echoLock); // the slots stay as they are
  const next = Atomics.load(m, w.at + TIMED_WIRE.next); // W2
  const left = echo ? (m[w.at + TIMED_WIRE.echoProd] - next) | 0 : w.count - next;
  let at = Number.POSITIVE_INFINITY;
  if (left > 0) {
    if (rxUsecs > 0) at = arrivalNs(f, w, next) + rxUsecs * 1e3;
    const batch = rxUsecs === 0 && rxFrames === 0 ? 1 : rxFrames;
    // The end of a schedule is not waited for: its last frame has an interrupt.
    const nth = echo ? batch : Math.min(batch, left);
    if (nth > 0 && nth <= left) at = Math.min(at, arrivalNs(f, w, (next + nth - 1) | 0));
  }
  if (echo) spinUnlock(m, w.at + TIMED_WIRE.echoLock);
  return at;
}

/** Raises the interrupt if it is due, or starts the timer for it. Under RCU. */
function arm(driver: SimNicDriver, cur: Current, q: NicQueue, w: TimedWire): void {
  const { m } = cur;
  const dueNs = interruptNs(driver.net, q, w);
  if (dueNs === Number.POSITIVE_INFINITY) return;
  const nowNs = cur.platform.nowNs();
  if (dueNs <= nowNs) {
    Atomics.add(m, q.at + NIC_QUEUE.interrupts, 1);
    raiseIrq(cur, q.irq);
    return;
  }
  // As many microseconds as the clock shows then: never before it.
  const expiresUs = Math.ceil(Math.min(dueNs, nowNs + HRTIMER_MAX_US * 1e3) / 1e3) | 0;
  const cpu = cur.cpus[Atomics.load(m, q.irq.at + IRQ_DESC.affinity)];
  hrtimerStartAt(cur, w.timer, expiresUs, cpu);
}

/** Unmasks a queue's interrupt; fed by a timed wire it is raised, or set up for the next arrival. Under RCU. */
export function timedUnmask(driver: SimNicDriver, q: NicQueue): void {
  const { net } = driver;
  irqUnmask(net.cur, q.irq);
  const at = Atomics.load(net.m, q.at + NIC_QUEUE.timed); // W6
  if (at !== 0) arm(driver, net.cur, q, timedView(net, q, at));
}

/** The timer's function. In the thread of a CPU. */
export function timedTimer(driver: SimNicDriver, cur: Current, at: number): void {
  const { net } = driver;
  const { m } = net;
  const q = driver.queue(m[at + TIMED_WIRE.queue]);
  const w = timedView(net, q, at);
  if (Atomics.load(m, at + TIMED_WIRE.down) !== 0) {
    // An echo may have started it at any time: what came back is counted when the link is up again.
    if (w.schedule === SCHEDULE_ECHO) return;
    const nextUs = (Math.ceil(timedDrop(net, w) / 1e3) + DOWN_TICK_US) | 0;
    if (Atomics.load(m, at + TIMED_WIRE.done) === 0) hrtimerStartAt(cur, w.timer, nextUs, cur.cpu);
    return;
  }
  if ((Atomics.load(m, q.irq.istate) & IRQ_MASKED) !== 0) return; // W3
  arm(driver, cur, q, w);
}

/**
 * The driver has sent frames by a queue whose wire is an echo: each comes back after the turnaround, as the template's
 * next frame. Any thread; under the wire's own lock, so that senders need none.
 * @returns how many it took: none if no echo feeds the queue; what it has no room for is counted as lost
 */
export function timedEcho(driver: SimNicDriver, queueAt: number, frames: number): number {
  const { net } = driver;
  const { m, f, cur } = net;
  rcuReadLock(cur);
  const at = Atomics.load(m, queueAt + NIC_QUEUE.timed); // W6
  const q = driver.queue(queueAt);
  if (at === 0 || timedView(net, q, at).schedule !== SCHEDULE_ECHO) {
    rcuReadUnlock(cur);
    return 0;
  }
  const w = timedView(net, q, at);
  spinLock(m, at + TIMED_WIRE.echoLock);
  const prod = m[at + TIMED_WIRE.echoProd];
  const used = (prod - Atomics.load(m, at + TIMED_WIRE.next)) | 0;
  const down = Atomics.load(m, at + TIMED_WIRE.down) !== 0;
  const taken = down ? 0 : Math.min(frames, ECHO_SLOTS - used);
  // Clocks of threads differ by a little: the ring is in order of time all the same.
  const last = (at + TIMED_WIRE.echoLastNs) >> 1;
  const backNs = Math.max(cur.platform.nowNs() + w.periodNs, f[last]);
  f[last] = backNs;
  for (let i = 0; i < taken; i++) f[w.times + ((prod + i) & (ECHO_SLOTS - 1))] = backNs;
  m[at + TIMED_WIRE.echoLost] += frames - taken;
  Atomics.store(m, at + TIMED_WIRE.echoProd, (prod + taken) | 0); // W4
  spinUnlock(m, at + TIMED_WIRE.echoLock);
  if (taken > 0 && (Atomics.load(m, q.irq.istate) & IRQ_MASKED) === 0) arm(driver, cur, q, w);
  rcuReadUnlock(cur);
  return taken;
}
