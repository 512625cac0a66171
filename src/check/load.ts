// SPDX-License-Identifier: GPL-2.0-only
/** Loads a program under check: its modules, instrumented, in a session of their own. */
import { createHash } from 'node:crypto';
import nodeModule from 'node:module';
import { pathToFileURL } from 'node:url';
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
 * @throws RefusedError for code that cannot be checked, CheckUsageError for an edit that does not match
 */
export async function loadProgram(file: string | URL, options: LoadOptions = {}): Promise<Program> {
  const url = typeof file === 'string' ? pathToFileURL(file) : file;
  const id = `s${++count}`;
  const edits = options.edits ?? [];
  const session: Session = { id, packages: options.packages ?? [], edits };
  hooks()(session);
  running.phase = 'load';
  let exports: Record<string, unknown>;
  try {
    exports = (await import(`${url.href}?softnet-check=${id}`)) as Record<string, unknown>;
  } catch (e) {
    throw asOwn(e);
  }
  running.phase = 'direct';
  const modules = modulesOf(id);
  for (const e of edits) {
    if (!modules.some((m) => editConcerns(decodeURIComponent(new URL(m.url).pathname), e))) {
      throw new CheckUsageError(`no module ${e.file} was loaded; bring the edit up to date`);
    }
  }
  const hashes = modules.map((m) => m.hash).sort();
  const digest = createHash('sha256').update(hashes.join()).digest('hex').slice(0, 12);
  return { session: id, exports, digest };
}

/** Errors of the loader's thread come back as copies: gives them their classes again. */
function asOwn(e: unknown): unknown {
  if (!(e instanceof Error) || e instanceof RefusedError || e instanceof CheckUsageError) return e;
  if (e.name === 'RefusedError') return new RefusedError(e.message);
  if (e.name === 'CheckUsageError') return new CheckUsageError(e.message);
  return e;
}
