// SPDX-License-Identifier: GPL-2.0-only
/**
 * `softnet torture`, in the manner of rcutorture: the first and the last line carry all parameters, a status line comes
 * every few seconds, the last one says SUCCESS or FAILURE.
 */
import { EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE } from './exit_codes.js';
import { type CampaignRecord, prepareRecords, writeRecord } from './records.js';
import { addCounts, type Counts, countsText, noCounts } from './torture/counts.js';
import { parameterLine, parameters, repeatCommand, seedsOf, type TortureOptions } from './torture/options.js';
import { runSeed, type SeedReport } from './torture/run.js';

/** Runs the command. @returns its exit code */
export async function torture(o: TortureOptions): Promise<number> {
  if (o.record !== null) prepareRecords(o.record);
  const line = parameterLine(o);
  const say = (text: string): void => {
    if (!o.json) process.stdout.write(`${text}\n`);
  };
  say(`${line}: start`);
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  const reports: SeedReport[] = [];
  const seeds = seedsOf(o);
  let recorded = true;
  try {
    for (const seed of seeds) {
      if (interrupt.signal.aborted) break;
      const report = await withStatus(o, seed, interrupt.signal, say);
      reports.push(report);
      // The verdict first: that nothing can be written is no reason to keep it back.
      tell(o, report, seeds.length > 1, say);
      if (o.record !== null && !writeRecord(o.record, recordOf(o, report))) recorded = false;
    }
  } finally {
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
  }
  const failed = reports.filter((r) => r.failure !== null);
  const interrupted = interrupt.signal.aborted;
  const verdict = failed.length === 0 ? 'SUCCESS' : 'FAILURE';
  if (o.json) {
    const doc = {
      command: 'softnet torture',
      parameters: parameters(o),
      interrupted,
      verdict,
      runs: reports.map((r) => ({ ...r, repeat: repeatCommand(o, r.seed) })),
    };
    process.stdout.write(`${JSON.stringify(doc, null, 2)}\n`);
  } else {
    const cut = interrupted ? 'interrupted, ' : '';
    say(`${line}: ${cut}${countsText(sum(reports))}: ${verdict}`);
  }
  if (failed.length > 0) return EXIT_CHECK_FAILED;
  if (!recorded) return EXIT_USAGE;
  return interrupted ? EXIT_INTERRUPTED : EXIT_OK;
}

/** What is kept of a seed. */
function recordOf(o: TortureOptions, r: SeedReport): CampaignRecord {
  const { shard, ...campaign } = parameters(o);
  void shard;
  const success = r.interrupted ? 'INCOMPLETE' : 'SUCCESS';
  return {
    command: 'softnet torture',
    campaign,
    pieces: seedsOf({ ...o, shard: [1, 1] }).map(String),
    piece: String(r.seed),
    verdict: r.failure === null ? success : 'FAILURE',
    summary: r.failure === null ? countsText(r.counts) : r.failure.message,
    repeat: repeatCommand(o, r.seed),
    report: r,
  };
}

async function withStatus(
  o: TortureOptions,
  seed: number,
  stopped: AbortSignal,
  say: (text: string) => void,
): Promise<SeedReport> {
  let timer: NodeJS.Timeout | undefined;
  const beganMs = performance.now();
  const onBegin = (look: () => Counts): void => {
    if (o.statInterval === 0) return;
    timer = setInterval(() => {
      const s = Math.round((performance.now() - beganMs) / 1000);
      say(`seed ${seed}, ${s} s: ${countsText(look())}`);
    }, o.statInterval * 1000);
  };
  try {
    return await runSeed(o, seed, stopped, onBegin);
  } finally {
    clearInterval(timer);
  }
}

/** Says how a seed ended. */
function tell(o: TortureOptions, r: SeedReport, several: boolean, say: (text: string) => void): void {
  if (r.failure !== null) {
    const lines = [
      `!!! seed ${r.seed}: ${r.failure.message}`,
      ...r.failure.details.map((l) => `!!!   ${l}`),
      `!!! repeat: ${repeatCommand(o, r.seed)}`,
    ];
    if (o.json) process.stderr.write(`softnet torture: seed ${r.seed}: ${r.failure.message}\n`);
    else for (const l of lines) say(l);
  }
  if (several) say(`seed ${r.seed}: ${countsText(r.counts)}: ${r.verdict}`);
}

function sum(reports: readonly SeedReport[]): Counts {
  const all = noCounts();
  for (const { counts } of reports) addCounts(all, counts);
  return all;
}
