// SPDX-License-Identifier: GPL-2.0-only
/** The thread that reads the damaged captures. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { caseRandom, residentBytes } from './campaign.mjs';
import { damagedCapture } from './capture_cases.mjs';
import { captureOutcome } from './capture_outcome.mjs';
import { WATCH } from './watched_worker.mjs';

const { words, from, count, seed, folder } = workerData;
/** Cases until what is used again and again has been used once. */
const WARM = 2000;
const MAX_MORE_BYTES = 96 << 20;
const outcomes = {};
let warmBytes = 0;

function openFiles() {
  return process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
}

async function run() {
  const path = join(folder, 'case.pcap');
  const before = openFiles();
  for (let n = from; n < from + count && Atomics.load(words, WATCH.stop) === 0; n++) {
    Atomics.store(words, WATCH.current, n);
    const bytes = damagedCapture(seed, n);
    const outcome = await captureOutcome(caseRandom(seed, 'pieces', n), bytes, path);
    if (outcome.wrong !== null) return { from: n, what: `capture ${n}: ${outcome.wrong}` };
    const name = outcome.error !== null ? 'refused' : outcome.warning !== null ? 'cut off' : 'read';
    outcomes[name] = (outcomes[name] ?? 0) + 1;
    if (n === from + WARM) warmBytes = residentBytes();
    Atomics.add(words, WATCH.done, 1);
  }
  const opened = openFiles() - before;
  if (opened > 0) return { from, what: `${opened} files were left open` };
  const bytes = warmBytes === 0 ? 0 : residentBytes() - warmBytes;
  if (bytes > MAX_MORE_BYTES) return { from, what: `memory grows: ${bytes >> 20} MiB since case ${WARM}` };
  return { outcomes, figures: { rss_growth_mib: bytes >> 20 } };
}

parentPort.postMessage(await run());
