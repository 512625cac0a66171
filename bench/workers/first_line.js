// SPDX-License-Identifier: GPL-2.0-only
/** A new worker’s first line: writes down when it ran. What an empty worker of an ES module does, and no more. */
import { workerData } from 'node:worker_threads';

workerData.atNs[0] = Number(process.hrtime.bigint());
Atomics.store(workerData.ran, 0, 1);
Atomics.notify(workerData.ran, 0);
