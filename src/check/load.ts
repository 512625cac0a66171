// SPDX-License-Identifier: GPL-2.0-only
/** Loads a program under check: its modules, instrumented, in a session of their own. */
import { createHash } from 'node:crypto';
import nodeModule from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MessageChannel } from 'node:worker_threads';
import { type Edit, editConcerns } from './edits.js';
import type { Resolved, Session } from './instrument.js';
import { CheckUsageError, RefusedError } from './refuse.js';
import { running } from './runner.js';
import { modulesOf, type SiteModule } from './sites.js';

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

type Announce = (s: Session) => void;

let announce: Promise<Announce> | undefined;
let count = 0;

/** Installs the hooks at the first load of a process. @returns what makes a session known to them */
function hooks(): Promise<Announce> {
  announce ??= registerHooks === undefined ? hooksElsewhere() : hooksHere(registerHooks);
  return announce;
}

async function hooksHere(install: (hooks: SyncHooks) => unknown): Promise<Announce> {
  // The parser and the transform are wanted in the thread that has the hooks, and in no other.
  const { Instrument } = await import('./instrument.js');
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

async function hooksElsewhere(): Promise<Announce> {
  const channel = new MessageChannel();
  nodeModule.register(new URL('./hooks.js', import.meta.url), {
    data: { port: channel.port2, checker: new URL('./', import.meta.url).href },
    transferList: [channel.port2],
  });
  channel.port1.unref();
  return (s) => channel.port1.postMessage(s);
}

/** A program whose modules are loaded one after the other: what several of them import exists once. */
export class OpenProgram {
  private readonly session: Session;

  constructor(options: LoadOptions = {}) {
    this.session = newSession({ packages: options.packages ?? [], edits: options.edits ?? [] });
  }

  /**
   * Loads a module and what it imports.
   * @param file path, or file: address
   * @returns the program as this module sees it: what else was loaded does not change its digest
   * @throws RefusedError for code that cannot be checked, CheckUsageError for an edit that does not match and a module
   * that cannot be imported
   */
  async load(file: string | URL): Promise<Program> {
    const url = addressOf(file);
    const { session } = this;
    const exports = await importMarked(url, session);
    const all = modulesOf(session.id);
    // Which module a name of a package stands for is known to the engine alone.
    const modules = session.packages.length > 0 ? all : reachedFrom(url.href, all);
    const hashes = modules.map((m) => m.hash).sort();
    const digest = createHash('sha256').update(hashes.join()).digest('hex').slice(0, 12);
    return { session: session.id, exports, digest };
  }

  /** @throws CheckUsageError if an edit concerns no module that was loaded so far */
  checkEdits(edits: readonly Edit[]): void {
    const modules = modulesOf(this.session.id);
    for (const e of edits) {
      if (!modules.some((m) => editConcerns(fileURLToPath(m.url.replace(/\?.*$/, '')), e))) {
        throw new CheckUsageError(`no module ${e.file} was loaded; bring the edit up to date`);
      }
    }
  }
}

/** @returns the module at an address and all that it imports by paths; every module where it is not found */
function reachedFrom(address: string, modules: readonly SiteModule[]): readonly SiteModule[] {
  const byUrl = new Map(modules.map((m) => [m.url, m]));
  const first = byUrl.get(address);
  if (first === undefined) return modules;
  const found = new Set([first]);
  for (const m of found) {
    for (const url of m.imports) {
      const next = byUrl.get(url);
      if (next !== undefined) found.add(next);
    }
  }
  return [...found];
}

/**
 * Loads a module and what it imports.
 * @param file path, or file: address
 * @throws RefusedError for code that cannot be checked, CheckUsageError for an edit that does not match and a module
 * that cannot be imported
 */
export async function loadProgram(file: string | URL, options: LoadOptions = {}): Promise<Program> {
  const open = new OpenProgram(options);
  const program = await open.load(file);
  open.checkEdits(options.edits ?? []);
  return program;
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
  return importMarked(addressOf(file), newSession({ packages, edits: [], plain: true }));
}

function newSession(what: Omit<Session, 'id'>): Session {
  return { id: `s${++count}`, ...what };
}

function addressOf(file: string | URL): URL {
  return typeof file === 'string' ? pathToFileURL(file) : file;
}

async function importMarked(url: URL, session: Session): Promise<Record<string, unknown>> {
  (await hooks())(session);
  running.phase = 'load';
  try {
    return (await import(`${url.href}?softnet-check=${session.id}`)) as Record<string, unknown>;
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
