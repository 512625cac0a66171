// SPDX-License-Identifier: GPL-2.0-only
/**
 * Which modules are instrumented, and what is handed to the engine instead of them. A module is instrumented if its
 * address carries a session's mark; the mark is handed on to what it imports by a path, and to the packages the session
 * names. The hooks of both kinds (in this thread, in the loader's own) come down to this.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { applyEdits, type Edit } from './edits.js';
import { RefusedError } from './refuse.js';
import { transform } from './transform.js';

/** One load of a program under check. */
export interface Session {
  readonly id: string;
  /** Packages to instrument beside files that are imported by a path. */
  readonly packages: readonly string[];
  readonly edits: readonly Edit[];
  /** Load the modules as they are: only what the first one exports is wanted. */
  readonly plain?: boolean;
}

/** What a resolve hook gives. */
export interface Resolved {
  url: string;
  format?: string | null;
  shortCircuit?: boolean;
  importAttributes?: Record<string, string>;
}

/** What a load hook gives. */
export interface Loaded {
  format: 'module';
  source: string;
  shortCircuit: true;
}

/** Stands for the session in what is kept. */
const SESSION = '<softnet-check-session>';
const MARK = /[?&]softnet-check=([\w-]+)/;

export class Instrument {
  /** Folder of the checker: never instrumented. */
  private readonly checker: string;
  private readonly session: (id: string) => Session;
  private nextSite = 1;
  /** Instrumented modules by address and source. */
  private readonly done = new Map<string, string>();

  /**
   * @param checker address of the checker's folder
   * @param session looks up a session by the id in a mark
   */
  constructor(checker: string, session: (id: string) => Session) {
    this.checker = checker;
    this.session = session;
  }

  /** @returns where an import leads that the engine need not be asked about, or undefined */
  own(specifier: string, parent: string | undefined): Resolved | undefined {
    if (specifier !== 'softnet/check' || !MARK.test(parent ?? '')) return undefined;
    return { url: `${this.checker}index.js`, format: 'module', shortCircuit: true };
  }

  /** @returns what the engine found, marked if it belongs to the code under test */
  resolved<R extends Resolved>(specifier: string, parent: string | undefined, found: R): R {
    const mark = MARK.exec(parent ?? '');
    if (mark === null || MARK.test(found.url) || !found.url.startsWith('file:')) return found;
    if (found.url.startsWith(this.checker) || found.url.endsWith('.node')) return found;
    const byPath = /^(\.{0,2}\/|file:)/.test(specifier);
    const named = this.session(mark[1]).packages.some(
      (p) => specifier === p || specifier.startsWith(`${p}/`),
    );
    if (!byPath && !named) return found;
    const url = `${found.url}${found.url.includes('?') ? '&' : '?'}softnet-check=${mark[1]}`;
    if (this.session(mark[1]).plain === true) return { ...found, url };
    // Data becomes a module whose default export is constant.
    return isJson(found.url) ? { ...found, url, format: 'module', importAttributes: {} } : { ...found, url };
  }

  /**
   * @returns the instrumented module, or undefined for an address without a mark
   * @throws RefusedError, CheckUsageError
   */
  load(url: string): Loaded | undefined {
    const mark = MARK.exec(url);
    if (mark === null) return undefined;
    const s = this.session(mark[1]);
    if (s.plain === true) return undefined;
    const plain = url.replace(MARK, '');
    const file = fileURLToPath(plain.replace(/\?.*$/, ''));
    const runtime = `${this.checker}runtime_face.js`;
    if (file.endsWith('.cjs')) {
      throw new RefusedError(
        `${file}: a CommonJS module cannot be instrumented; write it as an ES module (import and export, .mjs)`,
      );
    }
    const source = applyEdits(file, readFileSync(file, 'utf8'), s.edits);
    if (isJson(plain))
      return { format: 'module', source: jsonModule(source, plain, s.id, runtime), shortCircuit: true };
    return { format: 'module', source: this.instrumented(plain, source, s.id), shortCircuit: true };
  }

  /** Transforms a source once for all sessions: a mutant changes one module of many. */
  private instrumented(url: string, source: string, session: string): string {
    const key = `${url}\n${source}`;
    let code = this.done.get(key);
    if (code === undefined) {
      const runtime = `${this.checker}runtime_face.js`;
      const made = transform(source, { runtime, url, session: SESSION, firstSite: this.nextSite });
      this.nextSite += made.sites;
      code = made.code;
      this.done.set(key, code);
    }
    // The sites are the same places in every session; only whose program it is differs.
    return code.replace(SESSION, session);
  }
}

function isJson(url: string): boolean {
  return url.replace(/\?.*$/, '').endsWith('.json');
}

/** @returns a module that exports the document, frozen, and counts as part of the program */
function jsonModule(text: string, url: string, session: string, runtime: string): string {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return (
    `import { $ } from ${JSON.stringify(runtime)}; ` +
    `$.mod(${JSON.stringify(session)}, ${JSON.stringify(url)}, '${hash}', 0, [], []);\n` +
    `export default $.m(JSON.parse(${JSON.stringify(text)}), ${JSON.stringify(fileURLToPath(url.replace(/\?.*$/, '')))});\n`
  );
}
