// SPDX-License-Identifier: GPL-2.0-only
/** Results of the parts of a campaign, kept as files: written by `--record`, read by `softnet merge`. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OptionError } from '../errors.js';

/** Of the files' form: another one is refused. */
const FORMAT = 1;

/** The result of one piece of a campaign. */
export interface CampaignRecord {
  readonly command: 'softnet torture' | 'softnet check';
  /** What all pieces of a campaign have in common. */
  readonly campaign: { readonly [name: string]: unknown };
  /** All pieces by name: whoever merges tells which are missing. For torture the seeds, for check the tests. */
  readonly pieces: readonly string[];
  /** Which of them this is. */
  readonly piece: string;
  readonly verdict: 'SUCCESS' | 'FAILURE' | 'INCOMPLETE';
  /** One line: counts, or what was wrong. */
  readonly summary: string;
  /** The command that repeats it. */
  readonly repeat: string;
  /** All that the command knows of it. */
  readonly report: unknown;
}

/** A name that no other writer has: on a volume of many hosts process ids are no such thing. */
function own(): string {
  return randomBytes(6).toString('hex');
}

/** Makes sure that records can be written. @throws OptionError */
export function prepareRecords(dir: string): void {
  const probe = join(dir, `.probe-${own()}`);
  try {
    if (!existsSync(dir)) mkdirSync(dir);
    writeFileSync(probe, '');
    renameSync(probe, join(dir, '.softnet'));
  } catch (error) {
    tryRemove(probe);
    throw new OptionError('record', dir, `a folder that can be written to (${(error as Error).message})`);
  }
}

/**
 * The file of a record. A success and a run that was cut short replace the like of an earlier run; a failure has a name of its own,
 * so that nothing ever takes its place, whoever else writes at the time.
 */
function fileName(r: CampaignRecord): string {
  const piece = `${r.command.split(' ')[1]}-${encodeURIComponent(r.piece)}`;
  if (r.verdict === 'SUCCESS') return `${piece}.json`;
  return r.verdict === 'FAILURE' ? `${piece}.failure-${own()}.json` : `${piece}.incomplete.json`;
}

/**
 * Writes a record as a whole or not at all. Where that is not possible it says so on stderr in one line: the verdict is more than its
 * record, and the pieces behind it are still to run.
 * @returns whether it is written
 */
export function writeRecord(dir: string, r: CampaignRecord): boolean {
  const name = fileName(r);
  const part = join(dir, `.${name}.${own()}`);
  try {
    writeFileSync(part, `${JSON.stringify({ format: FORMAT, ...r }, null, 1)}\n`);
    renameSync(part, join(dir, name));
    return true;
  } catch (error) {
    tryRemove(part);
    const why = (error as Error).message;
    process.stderr.write(`${r.command}: the record ${join(dir, name)} cannot be written: ${why}\n`);
    return false;
  }
}

/** The folder may be gone, or nobody may write to it any more. */
function tryRemove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Whoever keeps it from being written keeps it from being removed: the reason is told already.
  }
}

/** Reads every record of a folder. @throws OptionError for what cannot be read, or is none */
export function readRecords(dir: string): CampaignRecord[] {
  let names: string[];
  try {
    names = readdirSync(dir)
      .filter((n) => /^(torture|check)-.*\.json$/.test(n))
      .sort();
  } catch (error) {
    throw new OptionError('DIR', dir, `a folder of records (${(error as Error).message})`);
  }
  return names.map((name) => parseRecord(join(dir, name)));
}

function parseRecord(path: string): CampaignRecord {
  let r: Partial<CampaignRecord> & { format?: unknown };
  try {
    r = JSON.parse(readFileSync(path, 'utf8')) as typeof r;
  } catch (error) {
    throw new OptionError('record', path, `what --record wrote (${(error as Error).message})`);
  }
  if (!isRecord(r))
    throw new OptionError('record', path, `a record of format ${FORMAT}, as --record writes it`);
  return r;
}

function isRecord(r: (Partial<CampaignRecord> & { format?: unknown }) | null): r is CampaignRecord {
  return (
    r !== null &&
    typeof r === 'object' &&
    r.format === FORMAT &&
    ['softnet torture', 'softnet check'].includes(r.command ?? '') &&
    r.campaign !== null &&
    typeof r.campaign === 'object' &&
    Array.isArray(r.pieces) &&
    r.pieces.every((p) => typeof p === 'string') &&
    typeof r.piece === 'string' &&
    r.pieces.includes(r.piece) &&
    typeof r.summary === 'string' &&
    typeof r.repeat === 'string' &&
    ['SUCCESS', 'FAILURE', 'INCOMPLETE'].includes(r.verdict ?? '')
  );
}
