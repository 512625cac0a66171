// SPDX-License-Identifier: GPL-2.0-only
/** Faults of the hardware, injected from process context: the paths of interrupts and packets know nothing of them. */
import { NIC_QUEUE, nicQueueAt, SIM_NIC } from '../drivers/net/sim_nic.js';
import { ENOENT } from '../kernel/errno.js';
import { IRQ_PENDING, irqDisable, irqEnable, raiseIrq } from '../kernel/irq.js';
import { NET_DEVICE } from '../net/core/net_device.js';
import type { ThreadContext } from './context.js';
import type { ControlOp } from './control_ops.js';

/** Sleep between two looks for an interrupt to lose, us. */
const LOOK_US = 50;

/**
 * Interrupts of a queue come late or not at all, and then more often than frames do. Device mutex held.
 * @returns 0, or -ENOENT for a queue that there is not
 */
export function irqFault(
  ctx: ThreadContext,
  dev: number,
  op: Extract<ControlOp, { name: 'irq-fault' }>,
): number {
  const { cur, driver } = ctx;
  const { m } = cur;
  const nic = m[dev + NET_DEVICE.priv];
  if (op.index >= m[nic + SIM_NIC.nrQueues]) return -ENOENT;
  const q = nicQueueAt(m, nic, op.index);
  const { irq } = driver.queue(q);
  if (op.holdUs > 0) {
    irqDisable(cur, irq);
    if (op.lose) loseOne(ctx, q, irq.istate, op.holdUs);
    else cur.platform.usleep(op.holdUs);
    irqEnable(cur, irq);
  }
  // Without an instance the driver has not asked for interrupts: the hardware raises none.
  const served = m[q + NIC_QUEUE.napi] !== 0 || m[q + NIC_QUEUE.service] !== 0;
  for (let i = 0; served && i < op.raises; i++) raiseIrq(cur, irq);
  return 0;
}

/** Swallows what is raised while the interrupt is disabled: waits up to `us` for one to come. */
function loseOne({ cur }: ThreadContext, q: number, istate: number, us: number): void {
  const { m } = cur;
  for (
    let waitedUs = 0;
    waitedUs < us && (Atomics.load(m, istate) & IRQ_PENDING) === 0;
    waitedUs += LOOK_US
  ) {
    cur.platform.usleep(LOOK_US);
  }
  if ((Atomics.and(m, istate, ~IRQ_PENDING) & IRQ_PENDING) !== 0) m[q + NIC_QUEUE.lostIrqs]++;
}
