// SPDX-License-Identifier: GPL-2.0-only
/** Busy polling by a call of an AF_XDP socket. */
import type { ThreadContext } from './context.js';

/**
 * Polls the NAPI instance of a socket's queue once.
 * @returns false if there is no instance that can be polled
 */
export function xskBusyPoll(_ctx: ThreadContext, _at: number, _prefer: boolean, _budget: number): boolean {
  return false;
}
