// SPDX-License-Identifier: GPL-2.0-only
/** What a system call costs: threads here cross no boundary, so calls of sockets are charged what was asked for. */
import type { Current } from '../kernel/current.js';
import type { NetContext } from '../net/core/net_context.js';
import { NET } from '../net/core/softnet_data.js';

/** Spins for as long as entering and leaving the kernel takes (boot option syscallNs); nothing while that is 0. */
export function chargeSyscall(ctx: { readonly cur: Current; readonly net: NetContext }): void {
  const { net, cur } = ctx;
  const ns = net.m[net.at + NET.syscallNs];
  if (ns === 0) return;
  const { platform } = cur;
  const endNs = platform.nowNs() + ns;
  while (platform.nowNs() < endNs);
}
