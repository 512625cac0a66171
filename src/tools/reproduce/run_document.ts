// SPDX-License-Identifier: GPL-2.0-only
/** The document of a run, while it goes on and at its end; what an earlier run left there stays in it. */
import { FORMAT, type Host, type PartResult, type RunDocument } from '../../report/document.js';
import { PART_IDS } from './part_ids.js';
import type { Earlier, Identity } from './results.js';
import { typed } from './typed.js';

/** What this process did so far. */
export interface RunSoFar {
  readonly identity: Identity;
  readonly earlier: Earlier;
  /** Ids of the parts that were asked for this time. */
  readonly selected: readonly string[];
  /** By their ids, those of the earlier run included. */
  readonly results: ReadonlyMap<string, PartResult>;
  readonly started: string;
  readonly seconds: number;
  readonly interrupted: boolean;
  /** As the user gave it. */
  readonly out: string;
}

export function documentOf(now: RunSoFar): RunDocument {
  const { identity, earlier, results } = now;
  const before = earlier.run;
  const asked = [...now.selected, ...(before?.not_run ?? []), ...(before?.parts ?? []).map((p) => p.id)];
  const wanted = PART_IDS.filter((id) => asked.includes(id));
  const notRun = wanted.filter((id) => !results.has(id));
  const parts = PART_IDS.flatMap((id) => results.get(id) ?? []);
  const broken = parts.some((p) => p.state === 'interrupted');
  return {
    command: 'softnet reproduce',
    format: FORMAT,
    ...identity,
    host: busiest(identity.host, before?.host ?? null),
    started: before?.started ?? now.started,
    seconds: Math.round(((before?.seconds ?? 0) + now.seconds) * 1e3) / 1e3,
    interrupted: now.interrupted || broken || (before?.interrupted === true && notRun.length > 0),
    not_run: notRun,
    ...(broken || notRun.length > 0 ? { resume: resumeLine(identity.profile, wanted, now.out) } : {}),
    parts,
  };
}

function resumeLine(profile: string, wanted: readonly string[], out: string): string {
  const some = wanted.length < PART_IDS.length ? ['--parts', wanted.join(',')] : [];
  return typed(['reproduce', `--${profile}`, ...some, '--resume', '--out', out]);
}

/** Results are no better than the busiest moment at which some of them were begun. */
function busiest(host: Host, before: Host | null): Host {
  return { ...host, load: Math.max(host.load, before?.load ?? 0) };
}
