// SPDX-License-Identifier: GPL-2.0-only
/** `softnet merge`: the parts of a campaign that ran in different places, as one verdict. */
import { OptionError } from '../errors.js';
import { EXIT_CHECK_FAILED, EXIT_OK } from './exit_codes.js';
import { type CampaignRecord, readRecords } from './records.js';
import { table } from './table.js';

/** What a campaign came to. */
interface Merged {
  readonly command: string;
  readonly campaign: CampaignRecord['campaign'];
  readonly verdict: 'SUCCESS' | 'FAILURE';
  readonly pieces: number;
  readonly missing: readonly string[];
  readonly records: readonly CampaignRecord[];
}

/** Runs the command. @returns its exit code: 0 every piece is there and succeeded, 1 otherwise */
export function merge(dirs: readonly string[], json: boolean): number {
  const all = dirs.flatMap((dir) => readRecords(dir));
  if (all.length === 0)
    throw new OptionError('DIR', dirs.join(', '), 'a folder that --record has written to');
  const merged = mergeRecords(all);
  if (json) {
    process.stdout.write(`${JSON.stringify(merged, null, 2)}\n`);
  } else {
    process.stdout.write(mergedText(merged));
  }
  return merged.verdict === 'SUCCESS' ? EXIT_OK : EXIT_CHECK_FAILED;
}

/** Puts records together. @throws OptionError if they are of different campaigns */
export function mergeRecords(all: readonly CampaignRecord[]): Merged {
  const [first] = all;
  const text = JSON.stringify([first.command, first.campaign, first.pieces]);
  for (const r of all) {
    if (JSON.stringify([r.command, r.campaign, r.pieces]) === text) continue;
    throw new OptionError(
      'records',
      `${first.command} ${describe(first)} and ${r.command} ${describe(r)}`,
      'those of one campaign',
    );
  }
  // A piece that ran twice counts with its worse result; a run that was cut short is none if there is another.
  const worst = new Map<string, CampaignRecord>();
  for (const r of all) {
    const other = worst.get(r.piece);
    if (other === undefined || rank(r) > rank(other)) worst.set(r.piece, r);
  }
  const missing = first.pieces.filter((p) => !worst.has(p));
  const records = first.pieces.flatMap((p) => worst.get(p) ?? []);
  const good = missing.length === 0 && records.every((r) => r.verdict === 'SUCCESS');
  return {
    command: first.command,
    campaign: first.campaign,
    verdict: good ? 'SUCCESS' : 'FAILURE',
    pieces: first.pieces.length,
    missing,
    records,
  };
}

function rank(r: CampaignRecord): number {
  return ['INCOMPLETE', 'SUCCESS', 'FAILURE'].indexOf(r.verdict);
}

function describe(r: CampaignRecord): string {
  return Object.entries(r.campaign)
    .map(([name, v]) => `${name}=${v}`)
    .join(' ');
}

function mergedText(m: Merged): string {
  const head = m.command === 'softnet torture' ? 'seed' : 'test';
  const rows = m.records.map((r) => [r.piece, r.verdict, r.summary]);
  const lines = [table([[head, 'verdict', 'result'], ...rows]).trimEnd()];
  for (const r of m.records) {
    if (r.verdict === 'FAILURE') lines.push(`!!! ${head} ${r.piece}: repeat: ${r.repeat}`);
  }
  if (m.missing.length > 0) lines.push(`!!! no result of ${head} ${m.missing.join(', ')}`);
  const done = `${m.records.length} of ${m.pieces}`;
  const params = describe(m.records[0]);
  lines.push(`${m.command}: ${params === '' ? '' : `${params}: `}${done} ${head}s: ${m.verdict}`);
  return `${lines.join('\n')}\n`;
}
