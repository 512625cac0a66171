// SPDX-License-Identifier: GPL-2.0-only
/** The library without a machine. */
import { STAND_IN } from './cli_verdict.mjs';

export * from '../../dist/index.js?real';

/** Would boot a machine. */
export async function boot() {
  throw new Error(STAND_IN);
}
