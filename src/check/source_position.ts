// SPDX-License-Identifier: GPL-2.0-only
/** From a site to a line of the source as its author wrote it: through the source map that lies beside the module. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import { siteModule, siteRow } from './sites.js';

/** A place in a source file. */
export interface SourcePosition {
  readonly fn: string;
  /** Path from the working directory where that is shorter, else absolute. */
  readonly file: string;
  readonly line: number;
}

const maps = new Map<string, TraceMap | null>();

function mapOf(path: string): TraceMap | null {
  let map = maps.get(path);
  if (map === undefined) {
    const at = `${path}.map`;
    map = existsSync(at) ? new TraceMap(readFileSync(at, 'utf8')) : null;
    maps.set(path, map);
  }
  return map;
}

/** @returns where a site stands, or null for a number that is no site */
export function positionOf(site: number): SourcePosition | null {
  const row = siteRow(site);
  const module = siteModule(site);
  if (row === undefined || module === undefined) return null;
  const path = fileURLToPath(module.url.replace(/\?.*$/, ''));
  const map = mapOf(path);
  if (map !== null) {
    const o = originalPositionFor(map, { line: row[0], column: row[1] });
    if (o.source !== null)
      return { fn: row[4], file: shorter(resolve(dirname(path), o.source)), line: o.line };
  }
  return { fn: row[4], file: shorter(path), line: row[0] };
}

/** @returns `file:line` of the innermost frame of instrumented code on an error's stack, '' if there is none */
export function placeOfError(e: unknown): string {
  const stack = e instanceof Error ? (e.stack ?? '') : '';
  const at = /(file:\/\/[^\s()]+?)[?&]softnet-check=[\w-]+:(\d+):\d+/.exec(stack);
  if (at === null) return '';
  const path = fileURLToPath(at[1].replace(/\?.*$/, ''));
  const line = Number(at[2]);
  // The transform keeps lines, not columns: the end of the line says which one of the source it comes from.
  const map = mapOf(path);
  const o = map === null ? null : originalPositionFor(map, { line, column: 1 << 30 });
  if (o !== null && o.source !== null) return `${shorter(resolve(dirname(path), o.source))}:${o.line}`;
  return `${shorter(path)}:${line}`;
}

/** @returns the same of the stack as it stands: however deep the checker and the engine are in it */
export function placeHere(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 50;
  const here = placeOfError(new Error());
  Error.stackTraceLimit = limit;
  return here;
}

function shorter(path: string): string {
  const r = relative(process.cwd(), path);
  return r.length < path.length && !r.startsWith('../..') ? r : path;
}

/** @returns `file:line` */
export function placeText(p: SourcePosition): string {
  return `${p.file}:${p.line}`;
}
