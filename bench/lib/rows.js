// SPDX-License-Identifier: GPL-2.0-only
/**
 * The rows, in the order they run. A row is
 *   name, title    as the user sees them
 *   threads        how many of its threads are busy at once
 *   minCores       cores below which its figures tell nothing
 *   fewCores       what its figures are while cores are fewer than threads: see lib/trust.js
 *   hostMatters    false if a busy host does not change what it measures
 *   onlyWhenNamed  true if it runs only when asked for
 *   execArgv       options of Node it needs
 *   run(env)       measures; see lib/row_process.js for `env`. Returns figures, checks and samples (lib/check.js)
 */
import { backlog } from '../rows/backlog.js';
import { busy } from '../rows/busy.js';
import { kthread } from '../rows/kthread.js';
import { memory } from '../rows/memory.js';
import { path } from '../rows/path.js';
import { reconfig } from '../rows/reconfig.js';
import { ring } from '../rows/ring.js';
import { scale } from '../rows/scale.js';
import { state } from '../rows/state.js';
import { wake } from '../rows/wake.js';

export const rows = [state, ring, wake, kthread, reconfig, path, backlog, busy, memory, scale];
