// SPDX-License-Identifier: GPL-2.0-only
/** The simulated NIC, sending. Nothing is plugged in: a frame leaves and is gone. */
import type { NetContext } from '../../net/core/net_context.js';

/**
 * Sends `len` bytes at byte `off` of the arena by a queue of a device. The bytes are read before it returns.
 * @returns true if the frame left
 */
export function nicTransmit(
  _net: NetContext,
  _dev: number,
  _queueAt: number,
  _off: number,
  _len: number,
): boolean {
  return true;
}
