// SPDX-License-Identifier: GPL-2.0-only
/** Plugging timed wires in and out, in process context, under the device mutex. */
import { TIMED_WIRE } from '../drivers/net/sim_nic_timed.js';
import { timedAttach, timedDetach, timedMayAttach } from '../drivers/net/sim_nic_timed_main.js';
import { timedCreate } from '../drivers/net/sim_nic_timed_make.js';
import { ENOENT, ENOMEM } from '../kernel/errno.js';
import { releaseMutex, sleepOnMutex } from '../kernel/sched.js';
import { NET_DEVICE } from '../net/core/net_device.js';
import type { ThreadContext } from './context.js';
import type { ControlOp, ControlResult } from './control_ops.js';

/** The value is the wire's word index and when it starts. */
export function attachWire(
  ctx: ThreadContext,
  op: Extract<ControlOp, { name: 'wire-attach' }>,
): ControlResult {
  const { cur, net, driver } = ctx;
  sleepOnMutex(cur, op.dev + NET_DEVICE.lock);
  let err = timedMayAttach(cur.m, op.dev, op.params.queue);
  const at = err === 0 ? timedCreate(net, op.dev, op.params) : 0;
  let startNs = 0;
  if (at !== 0) {
    timedAttach(driver, at, op.params.startInNs);
    startNs = net.f[(at + TIMED_WIRE.startNs) >> 1];
  } else if (err === 0) {
    err = -ENOMEM;
  }
  releaseMutex(cur, op.dev + NET_DEVICE.lock);
  return { err, value: { at, startNs } };
}

/** The value is what came of it: TimedCounts. */
export function detachWire(ctx: ThreadContext, dev: number): ControlResult {
  const { cur, driver } = ctx;
  sleepOnMutex(cur, dev + NET_DEVICE.lock);
  const value = timedDetach(driver, dev);
  releaseMutex(cur, dev + NET_DEVICE.lock);
  return { err: value === null ? -ENOENT : 0, value };
}
