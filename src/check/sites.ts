// SPDX-License-Identifier: GPL-2.0-only
/**
 * Sites: the places of instrumented code where a thread can be stopped, by number, and the modules they are in.
 * Numbers are unique in the process; the transform hands them out, each module announces its own when it is evaluated.
 */

/** What a site is. */
export const SITE_KIND_CALL = 0;
export const SITE_KIND_INDEX = 1;
export const SITE_KIND_NEW = 2;

/** One site, as the transform writes it into the module: line, column (from 0), kind, flags, function. */
export type SiteRow = readonly [line: number, column: number, kind: number, flags: number, fn: string];

/** The state of the thread here is not known completely: never merge. */
export const SITE_OPAQUE = 1;
/** Inside a getter, a setter or an implicit conversion: no shared access is sound here. */
export const SITE_ACCESSOR = 2;

/** An instrumented module. */
export interface SiteModule {
  /** Address without the checker's query. */
  readonly url: string;
  /** Hash of the source as it runs (edits applied). */
  readonly hash: string;
  readonly first: number;
  readonly rows: readonly SiteRow[];
  /** Addresses of what it imports by a path. */
  readonly imports: readonly string[];
}

const modules: SiteModule[] = [];
const bySite: (SiteModule | undefined)[] = [];
const sessions = new Map<string, SiteModule[]>();

/** A module announces its sites. */
export function addModule(session: string, module: SiteModule): void {
  modules.push(module);
  for (let i = 0; i < module.rows.length; i++) bySite[module.first + i] = module;
  const list = sessions.get(session);
  if (list === undefined) sessions.set(session, [module]);
  else list.push(module);
}

/** @returns the modules that were loaded in a session */
export function modulesOf(session: string): readonly SiteModule[] {
  return sessions.get(session) ?? [];
}

/** @returns a site's row, or undefined for a number nobody announced */
export function siteRow(site: number): SiteRow | undefined {
  const m = bySite[site];
  return m?.rows[site - m.first];
}

/** @returns a site's module */
export function siteModule(site: number): SiteModule | undefined {
  return bySite[site];
}
