// SPDX-License-Identifier: GPL-2.0-only
//
// Threads of platform.test.ts.

/** @returns what this thread's clock says */
export function now(cur) {
  return cur.platform.nowNs();
}
