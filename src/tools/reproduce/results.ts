// SPDX-License-Identifier: GPL-2.0-only
/** Where the results of a run lie, and what of an earlier run may be used again. */
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import { OptionError } from '../../errors.js';
import { FORMAT, type Host, type PartResult, type RunDocument } from '../../report/document.js';
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

/** Makes the directory. @throws OptionError if that is not possible */
export function makeOutput(output: Output, given: string): void {
  try {
    makeFolder(dirname(output.report));
  } catch (error) {
    throw new OptionError('out', given, `a directory that can be made (${(error as Error).message})`);
  }
}

/** Writes a file so that nobody ever reads half of it; into a device or a pipe as it is: nothing may be put in its place. */
export function save(file: string, text: string): void {
  if (existsSync(file) && !statSync(file).isFile()) {
    writeFileSync(file, text);
    return;
  }
  const half = `${file}.part`;
  writeFileSync(half, text);
  renameSync(half, file);
}

/** What must be the same for results to go together. */
export interface Identity {
  readonly version: string;
  readonly profile: string;
  readonly host: Host;
}

/**
 * The parts of an earlier run that need not be run again: those that were done, with the same arguments.
 * @param wanted arguments of each part by its id
 * @throws OptionError if the results are of another version, profile or host, or none at all
 */
export function resumable(
  file: string,
  identity: Identity,
  wanted: ReadonlyMap<string, readonly string[]>,
): Map<string, PartResult> {
  const before = readRun(file);
  if (before === null) return new Map();
  const other = difference(before, identity);
  if (other !== null) {
    throw new OptionError('resume', file, `no --resume, or another --out: these results are of ${other}`);
  }
  const same = before.parts.filter(
    (p) => p.state === 'done' && JSON.stringify(wanted.get(p.id)) === JSON.stringify(p.argv),
  );
  return new Map(same.map((p) => [p.id, p]));
}

/** @returns the run there, null if there is no file */
function readRun(file: string): RunDocument | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return null;
  }
  try {
    const run = JSON.parse(text) as RunDocument;
    if (run.command === 'softnet reproduce' && Array.isArray(run.parts)) return run;
  } catch {
    // Told below.
  }
  throw new OptionError('resume', file, 'no --resume: this file is none of softnet reproduce');
}

function difference(run: RunDocument, { version, profile, host }: Identity): string | null {
  if (run.format !== FORMAT || run.version !== version) return `version ${run.version}, not ${version}`;
  if (run.profile !== profile) return `--${run.profile}, not --${profile}`;
  for (const key of ['cpu', 'cores', 'os', 'node'] as const) {
    if (run.host?.[key] !== host[key]) return `another host (${key} ${run.host?.[key]}, not ${host[key]})`;
  }
  return null;
}
