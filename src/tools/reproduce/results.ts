// SPDX-License-Identifier: GPL-2.0-only
/** Where the results of a run lie, and what of an earlier run may be used again. */
import {
  copyFileSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import { OptionError } from '../../errors.js';
import { At } from '../../report/at.js';
import { FORMAT, type Host, type PartResult, type RunDocument } from '../../report/document.js';
import { damageOf } from '../../report/validate.js';
import { makeFolder } from '../make_folder.js';

/** The two files of a run. */
export interface Output {
  readonly report: string;
  readonly results: string;
}

/** @param out a directory, or the HTML file; the results lie beside it with the ending .json */
export function outputAt(out: string): Output {
  const path = resolve(out);
  if (/^\.html?$/.test(extname(path))) {
    return { report: path, results: path.replace(/\.html?$/, '.json') };
  }
  return { report: join(path, 'report.html'), results: join(path, 'results.json') };
}

/** What an `--out` that cannot be used is told to be. */
const WANTED = 'a directory, or a file, that can be written';

/**
 * Makes the directory and tries what is done to the files in the end: who finds out after the work has lost it.
 * @param files what is going to be written; what is there already stays as it is
 * @throws OptionError if that is not possible
 */
export function makeOutput(files: readonly string[], given: string): void {
  if (given === '') throw new OptionError('out', "''", WANTED);
  try {
    makeFolder(dirname(files[0]));
    for (const file of files) tryFile(file);
  } catch (error) {
    throw new OptionError('out', given, `${WANTED} (${(error as Error).message})`);
  }
}

/** Does what `save` does, with what is there, or with a file that is gone afterwards. */
function tryFile(file: string): void {
  const there = statSync(file, { throwIfNoEntry: false });
  if (there?.isDirectory() === true) throw new Error(`${file} is a directory`);
  if (there !== undefined && !there.isFile()) return;
  const target = there === undefined ? file : realpathSync(file);
  const [half, end] = [halfOf(target), there === undefined ? `${target}.try` : target];
  try {
    if (there === undefined) writeFileSync(half, '');
    else copyFileSync(target, half);
    renameSync(half, end);
  } catch (error) {
    rmSync(half, { force: true });
    throw error;
  }
  if (there === undefined) rmSync(end);
}

/**
 * Writes a file so that nobody ever reads half of it; where a link leads; into a device or a pipe as it is, as nothing may be
 * put in its place.
 */
export function save(file: string, text: string): void {
  const there = statSync(file, { throwIfNoEntry: false });
  if (there !== undefined && !there.isFile()) {
    writeFileSync(file, text);
    return;
  }
  const target = there === undefined ? file : realpathSync(file);
  writeFileSync(halfOf(target), text);
  renameSync(halfOf(target), target);
}

function halfOf(file: string): string {
  return `${file}.part`;
}

/** What must be the same for results to go together. */
export interface Identity {
  readonly version: string;
  readonly profile: string;
  readonly host: Host;
}

/** What an earlier run left. */
export interface Earlier {
  /** null: there was none. */
  readonly run: RunDocument | null;
  /** Parts that need not be run again, by their ids: those that were done, with the same arguments. */
  readonly done: ReadonlyMap<string, PartResult>;
  /** Parts that were not: what there is of them stays until they are run again. */
  readonly open: ReadonlyMap<string, PartResult>;
}

export const NOTHING_EARLIER: Earlier = { run: null, done: new Map(), open: new Map() };

/**
 * @param wanted arguments of each part by its id
 * @returns what there is of an earlier run
 * @throws OptionError if the results are of another version, profile or host, or none at all
 */
export function resumable(
  file: string,
  identity: Identity,
  wanted: ReadonlyMap<string, readonly string[]>,
): Earlier {
  const run = readRun(file);
  if (run === null) return NOTHING_EARLIER;
  const other = difference(run, identity);
  if (other !== null) {
    throw new OptionError('resume', file, `no --resume, or another --out: these results are of ${other}`);
  }
  const same = run.parts.filter((p) => JSON.stringify(wanted.get(p.id)) === JSON.stringify(p.argv));
  const those = (done: boolean): Map<string, PartResult> =>
    new Map(same.filter((p) => (p.state === 'done') === done).map((p) => [p.id, p]));
  return { run, done: those(true), open: those(false) };
}

/** @returns the run there, null if there is no file */
function readRun(file: string): RunDocument | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return null;
  }
  const run = new At(parsed(text));
  if (run.at('command').text !== 'softnet reproduce') {
    throw new OptionError('resume', file, 'no --resume: this file is none of softnet reproduce');
  }
  // Another format has another shape: that it is of another version is told by who asked.
  const damage = run.at('format').number === FORMAT ? damageOf(run.value) : null;
  if (damage !== null) {
    throw new OptionError('resume', file, `no --resume, or another --out: it is damaged: ${damage}`);
  }
  return run.value as RunDocument;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function difference(run: RunDocument, { version, profile, host }: Identity): string | null {
  if (run.format !== FORMAT || run.version !== version) return `version ${run.version}, not ${version}`;
  if (run.profile !== profile) return `--${run.profile}, not --${profile}`;
  for (const key of ['cpu', 'cores', 'os', 'node'] as const) {
    if (run.host?.[key] !== host[key]) return `another host (${key} ${run.host?.[key]}, not ${host[key]})`;
  }
  return null;
}
