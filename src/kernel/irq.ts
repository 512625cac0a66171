// SPDX-License-Identifier: GPL-2.0-only
/**
 * Interrupts (Linux: kernel/irq/, handle_edge_irq). A handler runs in the thread that raises the interrupt, on
 * behalf of the CPU its affinity names.
 *
 * States of `istate`
 *   MASKED      the driver (or the device) holds it back; a raise leaves PENDING
 *   depth       disable_irq so many times, the bits from IRQ_DEPTH on; while above 0 a raise leaves PENDING
 *   INPROGRESS  some thread runs the handler
 *   PENDING     raised while it could not be taken; taken when the last obstacle goes
 *
 * Owners: `istate` anybody by CAS; whoever sets INPROGRESS runs the handler and owns `count`; the
 * rest is set up before the interrupt is first raised.
 *
 * Invariants: one thread at a time runs a handler; a raise is never lost: either the handler starts after it or
 * PENDING stands and no obstacle-remover has passed yet.
 *
 * Ordering
 *   I1 device: descriptors published, then CAS of istate (raise)       pairs with  I2
 *   I2 handler and what it schedules: CAS of istate, then the rings     pairs with  I1
 *   I3 unmask: CAS clears MASKED and takes PENDING in one go            pairs with  I1
 */
import { line, struct, word } from '../mm/struct.js';
import { onlineInstead } from './cpu.js';
import type { Current } from './current.js';
import { rcuReadLock, rcuReadUnlock } from './rcu.js';

export const IRQ_MASKED = 1;
export const IRQ_INPROGRESS = 4;
export const IRQ_PENDING = 8;
/** The bits from here on count nested irqDisable calls (Linux: desc->depth). */
export const IRQ_DEPTH = 1 << 8;
const IRQ_DEPTH_MASK = -IRQ_DEPTH;
/** What keeps a handler from being called. */
const IRQ_OBSTACLES = IRQ_MASKED | IRQ_DEPTH_MASK;

export const IRQ_DESC = struct(
  'irq_desc',
  line('any thread, compare-and-swap', {
    istate: word('IRQ_MASKED, IRQ_INPROGRESS, IRQ_PENDING, and how often it is disabled'),
  }),
  line('driver, before first use; affinity: anybody, atomically', {
    handler: word('which handler (an entry of irqHandlers)'),
    devId: word('its argument'),
    affinity: word('CPU on whose behalf the handler runs'),
  }),
  line('whoever has set INPROGRESS', {
    count: word('times the handler ran'),
  }),
);

/** A view of an irq_desc. Make once a thread, keep. */
export class IrqDesc {
  readonly m: Int32Array;
  readonly at: number;
  readonly istate: number;

  constructor(m: Int32Array, at: number) {
    this.m = m;
    this.at = at;
    this.istate = at + IRQ_DESC.istate;
  }
}

/** Prepares an interrupt (Linux: request_irq). It starts unmasked. */
export function requestIrq(d: IrqDesc, handler: number, devId: number, cpu: number): void {
  const { m, at } = d;
  m[at + IRQ_DESC.handler] = handler;
  m[at + IRQ_DESC.devId] = devId;
  Atomics.store(m, at + IRQ_DESC.affinity, cpu);
}

/** Moves the interrupt to another CPU from the next raise on (Linux: irq_set_affinity). */
export function irqSetAffinity(d: IrqDesc, cpu: number): void {
  Atomics.store(d.m, d.at + IRQ_DESC.affinity, cpu);
}

/**
 * The device raises its interrupt.
 * @returns true if the handler ran here, false if it is masked, disabled or being run elsewhere (then PENDING stands)
 */
export function raiseIrq(cur: Current, d: IrqDesc): boolean {
  const { m, istate } = d;
  let v = Atomics.load(m, istate);
  for (;;) {
    const blocked = (v & (IRQ_OBSTACLES | IRQ_INPROGRESS)) !== 0;
    const next = blocked ? v | IRQ_PENDING : (v & ~IRQ_PENDING) | IRQ_INPROGRESS;
    const was = Atomics.compareExchange(m, istate, v, next); // I1
    if (was === v) {
      if (blocked) return false;
      handleIrq(cur, d);
      return true;
    }
    v = was;
  }
}

/** Masks the interrupt at its source; cheap, from the handler (Linux: the irq_chip’s irq_mask). */
export function irqMask(d: IrqDesc): void {
  Atomics.or(d.m, d.istate, IRQ_MASKED);
}

/** Unmasks it; what was raised meanwhile is handled here and now (Linux: irq_unmask, and the device raising again). */
export function irqUnmask(cur: Current, d: IrqDesc): void {
  releaseObstacle(cur, d, IRQ_MASKED);
}

/** Keeps the handler from being called until irqEnable, and waits until it is not running. Nests. Process context. */
export function irqDisable(cur: Current, d: IrqDesc): void {
  const { m, istate } = d;
  Atomics.add(m, istate, IRQ_DEPTH);
  while ((Atomics.load(m, istate) & IRQ_INPROGRESS) !== 0) cur.platform.usleep(20);
}

/** Undoes one irqDisable; what was raised meanwhile is handled here and now. */
export function irqEnable(cur: Current, d: IrqDesc): void {
  releaseObstacle(cur, d, IRQ_DEPTH);
}

/** Takes MASKED, or one level of depth, away. */
function releaseObstacle(cur: Current, d: IrqDesc, what: number): void {
  const { m, istate } = d;
  let v = Atomics.load(m, istate);
  for (;;) {
    const cleared = what === IRQ_MASKED ? v & ~IRQ_MASKED : v - IRQ_DEPTH;
    const take = cleared === IRQ_PENDING;
    const was = Atomics.compareExchange(m, istate, v, take ? IRQ_INPROGRESS : cleared); // I3
    if (was === v) {
      if (take) handleIrq(cur, d);
      return;
    }
    v = was;
  }
}

/** Runs the handler until nothing is pending. INPROGRESS is held. */
function handleIrq(cur: Current, d: IrqDesc): void {
  const { m, at, istate } = d;
  const handler = cur.irqHandlers[m[at + IRQ_DESC.handler]];
  const devId = m[at + IRQ_DESC.devId];
  const home = cur.cpu;
  rcuReadLock(cur);
  for (;;) {
    // As long as its CPU is offline another one takes it (Linux: irq_migrate_all_off_this_cpu).
    cur.cpu = onlineInstead(cur.cpus, cur.cpus[Atomics.load(m, at + IRQ_DESC.affinity)]);
    handler(cur, devId); // I2
    m[at + IRQ_DESC.count]++;
    let v = Atomics.load(m, istate);
    let again = false;
    for (;;) {
      again = (v & IRQ_PENDING) !== 0 && (v & IRQ_OBSTACLES) === 0;
      const was = Atomics.compareExchange(m, istate, v, again ? v & ~IRQ_PENDING : v & ~IRQ_INPROGRESS);
      if (was === v) break;
      v = was;
    }
    if (!again) break;
  }
  cur.cpu = home;
  rcuReadUnlock(cur);
}
