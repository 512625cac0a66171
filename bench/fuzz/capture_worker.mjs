// SPDX-License-Identifier: GPL-2.0-only
/** The process that reads the damaged captures. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { caseRandom, residentBytes } from './campaign.mjs';
import { damagedCapture } from './capture_cases.mjs';
import { captureOutcome } from './capture_outcome.mjs';
import { serveCases } from './watched.mjs';

/** Cases until what is used again and again has been used once. */
const WARM = 2000;
const MAX_MORE_BYTES = 96 << 20;

function openFiles() {
  return process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
}

await serveCases(({ seed, from, folder }) => {
  const outcomes = {};
  const path = join(folder, 'case.pcap');
  const before = openFiles();
  let warmBytes = 0;
  return {
    async one(n) {
      const bytes = damagedCapture(seed, n);
      const outcome = await captureOutcome(caseRandom(seed, 'pieces', n), bytes, path);
      if (outcome.wrong !== null) return { what: `capture ${n}: ${outcome.wrong}` };
      const name = outcome.error !== null ? 'refused' : outcome.warning !== null ? 'cut off' : 'read';
      outcomes[name] = (outcomes[name] ?? 0) + 1;
      if (n === from + WARM) warmBytes = residentBytes();
      return null;
    },
    end() {
      const opened = openFiles() - before;
      if (opened > 0) return { what: `${opened} files were left open` };
      const bytes = warmBytes === 0 ? 0 : residentBytes() - warmBytes;
      if (bytes > MAX_MORE_BYTES) return { what: `memory grows: ${bytes >> 20} MiB since case ${WARM}` };
      return { outcomes, figures: { rss_growth_mib: bytes >> 20 } };
    },
  };
});
