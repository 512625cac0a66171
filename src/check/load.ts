// SPDX-License-Identifier: GPL-2.0-only
/** Loads a program under check: its modules, instrumented, in a session of their own. */
import { createHash } from 'node:crypto';
import nodeModule from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MessageChannel } from 'node:worker_threads';
import { type Edit, editConcerns } from './edits.js';
import { Instrument, type Resolved, type Session } from './instrument.js';
import { CheckUsageError, RefusedError } from './refuse.js';
import { running } from './runner.js';
import { modulesOf } from './sites.js';

export interface LoadOptions {
  /** Packages whose code is instrumented, too. */
  readonly packages?: readonly string[];
  readonly edits?: readonly Edit[];
}

/** A loaded program. */
export interface Program {
  readonly session: string;
  /** What the module exports. */
  readonly exports: Readonly<Record<string, unknown>>;
  /** Hash over the instrumented sources: a counterexample of other code cannot be replayed. */
  readonly digest: string;
}

/** Hooks in the thread that imports: Node 22.15 and 23.5 brought them, 26 wants no others. */
interface SyncHooks {
  resolve(
    specifier: string,
    context: { parentURL?: string },
    next: (specifier: string, context?: object) => Resolved,
  ): Resolved;
  load(url: string, context: object, next: (url: string, context?: object) => object): object;
}
const { registerHooks } = nodeModule as { registerHooks?: (hooks: SyncHooks) => unknown };

let announce: ((s: Session) => void) | undefined;
let count = 0;

/** Installs the hooks at the first load of a process. @returns what makes a session known to them */
function hooks(): (s: Session) => void {
  announce ??= registerHooks === undefined ? hooksElsewhere() : hooksHere(registerHooks);
  return announce;
}

function hooksHere(install: (hooks: SyncHooks) => unknown): (s: Session) => void {
  const sessions = new Map<string, Session>();
  const instrument = new Instrument(new URL('./', import.meta.url).href, (id) => sessions.get(id) as Session);
  install({
    resolve: (specifier, context, next) =>
      instrument.own(specifier, context.parentURL) ??
      instrument.resolved(specifier, context.parentURL, next(specifier, context)),
    load: (url, context, next) => instrument.load(url) ?? next(url, context),
  });
  return (s) => sessions.set(s.id, s);
}

function hooksElsewhere(): (s: Session) => void {
  const channel = new MessageChannel();
  nodeModule.register(new URL('./hooks.js', import.meta.url), {
    data: { port: channel.port2, checker: new URL('./', import.meta.url).href },
    transferList: [channel.port2],
  });
  channel.port1.unref();
  return (s) => channel.port1.postMessage(s);
}

/**
 * Loads a module and what it imports.
 * @param file path, or file: address
 * @throws RefusedError for code that cannot be checked, CheckUsageError for an edit that does not match and a module
 * that cannot be imported
 */
export async function loadProgram(file: string | URL, options: LoadOptions = {}): Promise<Program> {
  const edits = options.edits ?? [];
  const { id, exports } = await importMarked(file, { packages: options.packages ?? [], edits });
  const modules = modulesOf(id);
  for (const e of edits) {
    if (!modules.some((m) => editConcerns(fileURLToPath(m.url.replace(/\?.*$/, '')), e))) {
      throw new CheckUsageError(`no module ${e.file} was loaded; bring the edit up to date`);
    }
  }
  const hashes = modules.map((m) => m.hash).sort();
  const digest = createHash('sha256').update(hashes.join()).digest('hex').slice(0, 12);
  return { session: id, exports, digest };
}

/**
 * Imports a module as it is, not instrumented, with `softnet/check` bound as under check.
 * @returns what it exports
 * @throws CheckUsageError if it cannot be imported
 */
export async function loadPlain(
  file: string | URL,
  packages: readonly string[] = [],
): Promise<Readonly<Record<string, unknown>>> {
  return (await importMarked(file, { packages, edits: [], plain: true })).exports;
}

async function importMarked(
  file: string | URL,
  what: Omit<Session, 'id'>,
): Promise<{ id: string; exports: Record<string, unknown> }> {
  const url = typeof file === 'string' ? pathToFileURL(file) : file;
  const id = `s${++count}`;
  hooks()({ id, ...what });
  running.phase = 'load';
  try {
    const exports = (await import(`${url.href}?softnet-check=${id}`)) as Record<string, unknown>;
    return { id, exports };
  } catch (e) {
    throw asOwn(e, fileURLToPath(url));
  } finally {
    running.phase = 'direct';
  }
}

/** Errors of the loader's thread come back as copies: gives them their classes again. Others are the module's own. */
function asOwn(e: unknown, file: string): unknown {
  if (e instanceof RefusedError || e instanceof CheckUsageError) return e;
  if (!(e instanceof Error)) return new CheckUsageError(`${file} cannot be imported: it throws ${String(e)}`);
  if (e.name === 'RefusedError') return new RefusedError(e.message);
  if (e.name === 'CheckUsageError') return new CheckUsageError(e.message);
  const message = e.message.replace(/[?&]softnet-check=[\w-]+/g, '');
  const at = /file:\/\/[^\s?)]+[^\s)]*:(\d+):\d+/.exec(e.stack ?? '');
  const place =
    at === null ? '' : ` (${at[0].replace(/[?&]softnet-check=[\w-]+/, '').replace('file://', '')})`;
  return new CheckUsageError(`${file} cannot be imported: ${e.name}: ${message}${place}`);
}
