// SPDX-License-Identifier: GPL-2.0-only
/** The commands that softnet reproduce runs, of which it runs none. */
import { STAND_IN } from './cli_verdict.mjs';

/** Would run one. */
export async function runChild() {
  throw new Error(STAND_IN);
}
