// SPDX-License-Identifier: GPL-2.0-only
/**
 * Module hooks, in the loader's own thread. A module is instrumented if its address carries a session's mark; the mark
 * is handed on to what it imports by a path, and to the packages the session names.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { applyEdits, type Edit } from './edits.js';
import { transform } from './transform.js';

/** One load of a program under check. */
export interface Session {
  readonly id: string;
  /** Packages to instrument beside files that are imported by a path. */
  readonly packages: readonly string[];
  readonly edits: readonly Edit[];
}

interface HookData {
  readonly port: MessagePort;
  /** Folder of the checker: never instrumented. */
  readonly checker: string;
}

interface ResolveResult {
  url: string;
  format?: string | null;
  shortCircuit?: boolean;
}

interface LoadResult {
  format: string;
  source?: string;
  shortCircuit?: boolean;
}

const MARK = /[?&]softnet-check=([\w-]+)/;

const sessions = new Map<string, Session>();
let data: HookData | undefined;
let nextSite = 1;

export function initialize(d: HookData): void {
  data = d;
}

function session(id: string): Session {
  // Messages that were posted before the import have arrived: they are taken here, not when the loop comes round.
  for (;;) {
    const message = data === undefined ? undefined : receiveMessageOnPort(data.port);
    if (message === undefined) break;
    const s = message.message as Session;
    sessions.set(s.id, s);
  }
  const s = sessions.get(id);
  if (s === undefined) throw new Error(`no session ${id}`);
  return s;
}

export async function resolve(
  specifier: string,
  context: { parentURL?: string },
  next: (specifier: string, context: object) => Promise<ResolveResult>,
): Promise<ResolveResult> {
  if (specifier === 'softnet/check' && data !== undefined && MARK.test(context.parentURL ?? '')) {
    return { url: `${data.checker}index.js`, format: 'module', shortCircuit: true };
  }
  const found = await next(specifier, context);
  const mark = MARK.exec(context.parentURL ?? '');
  if (mark === null || data === undefined || MARK.test(found.url) || !found.url.startsWith('file:'))
    return found;
  if (found.url.startsWith(data.checker)) return found;
  const byPath = /^(\.{0,2}\/|file:)/.test(specifier);
  const named = session(mark[1]).packages.some((p) => specifier === p || specifier.startsWith(`${p}/`));
  if (!byPath && !named) return found;
  return { ...found, url: `${found.url}${found.url.includes('?') ? '&' : '?'}softnet-check=${mark[1]}` };
}

export async function load(
  url: string,
  context: object,
  next: (url: string, context: object) => Promise<LoadResult>,
): Promise<LoadResult> {
  const mark = MARK.exec(url);
  if (mark === null || data === undefined) return next(url, context);
  const s = session(mark[1]);
  const plain = url.replace(MARK, '');
  if (plain.endsWith('.json') || plain.endsWith('.node')) return next(url, context);
  const file = fileURLToPath(plain.replace(/\?.*$/, ''));
  const source = applyEdits(file, readFileSync(file, 'utf8'), s.edits);
  const { code, sites } = transform(source, {
    runtime: `${data.checker}runtime_face.js`,
    url: plain,
    session: s.id,
    firstSite: nextSite,
  });
  nextSite += sites;
  return { format: 'module', source: code, shortCircuit: true };
}
