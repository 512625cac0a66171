// SPDX-License-Identifier: GPL-2.0-only
/** The threads of softnet check, of which there are none. */
import { STAND_IN } from './cli_verdict.mjs';

export * from '../../dist/tools/check/pool.js?real';

/** Would explore. */
export async function runPool() {
  throw new Error(STAND_IN);
}
