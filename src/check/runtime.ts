// SPDX-License-Identifier: GPL-2.0-only
/**
 * What instrumented code calls. Before every call and every indexed access it registers the site and a closure over
 * the variables that are still needed; at the abort of a run the stack of these is the thread's continuation.
 *
 * `depth` is the number of frames whose site is registered. A function notes it on entry and registers at that place,
 * so a frame that has returned is overwritten by the next one at its depth.
 */
import { type ClosureLook, constantId, isNative, makeConstant } from './constants.js';
import { carried, changed } from './realm.js';
import { RefusedError } from './refuse.js';
import { isAbort, refuse, running, SITE_CALL, SITE_INDEX, setSiteProbe, turn } from './runner.js';
import { type ClosureTag, type Introspection, Serializer } from './serialize.js';
import { atomicsShim, randomShim, SHIMS } from './shims.js';
import {
  addModule,
  SITE_ACCESSOR,
  SITE_KIND_INDEX,
  SITE_KIND_NEW,
  SITE_OPAQUE,
  type SiteRow,
  siteModule,
  siteRow,
} from './sites.js';
import { makeStamp } from './stamp.js';
import { isViewMethod, viewOf } from './views.js';

type Held = () => readonly unknown[];
type Callee = (() => unknown) | undefined;

const siteAt: number[] = [];
const heldAt: (Held | undefined)[] = [];
const calleeAt: Callee[] = [];
/** Whether a function has begun since the site below depth i was registered: that one was called, no other. */
const entered: boolean[] = [];
/** Whether the frame belongs to a function that the engine called by itself. */
const foreignAt: boolean[] = [];
let depth = 0;
let top = -1;
/** Added to the depth of a function that no site called. */
const FOREIGN = 1 << 24;
/** What does an operation when it is called. */
const OPERATIONS: ReadonlySet<unknown> = new Set(
  Object.values(Object.getOwnPropertyDescriptors(atomicsShim)).map((d) => d.value),
);

const tags = makeStamp<ClosureTag>();
const privates = new WeakMap<object, (o: object) => readonly unknown[] | null>();
/** Sites in the code of a function. */
const sitesOf = new WeakMap<object, Set<number>>();
/** Classes and functions of instrumented modules. */
const own = new WeakSet<object>();
const NOTHING: readonly never[] = Object.freeze([]);

function register(frame: number, site: number, held: Held, callee: Callee): void {
  if (running.aborting) {
    if (running.phase !== 'run') return;
    refuse(
      'an exception was swallowed by code that is not instrumented (--instrument PACKAGE adds a package)',
    );
  }
  const at = frame & (FOREIGN - 1);
  foreignAt[at] = frame >= FOREIGN;
  entered[at + 1] = false;
  siteAt[at] = site;
  heldAt[at] = held;
  calleeAt[at] = callee;
  depth = at + 1;
  top = at;
}

function foreign(o: object): boolean {
  for (
    let p = Object.getPrototypeOf(o) as object | null;
    p !== null;
    p = Object.getPrototypeOf(p) as object | null
  ) {
    const maker = Object.getOwnPropertyDescriptor(p, 'constructor')?.value as object | undefined;
    if (maker === undefined || own.has(maker)) continue;
    if (typeof maker === 'function' && tags.get(maker) !== undefined) continue;
    if (!isNative(maker)) return true;
  }
  return false;
}

const introspection: Introspection = {
  tagOf: (fn) => tags.get(fn),
  foreign,
  privatesOf(o) {
    let all: readonly unknown[] | null = null;
    for (
      let p = Object.getPrototypeOf(o) as object | null;
      p !== null;
      p = Object.getPrototypeOf(p) as object | null
    ) {
      const owner = p.constructor as object | undefined;
      const read = owner === undefined ? undefined : privates.get(owner);
      const values = read?.(o) ?? null;
      if (values !== null) all = [...(all ?? []), ...values];
    }
    return all;
  },
};

/** The object `$` of instrumented modules; names are short because it stands at every site. */
export const $ = {
  ...SHIMS,
  /** A function begins. @returns its depth */
  in(): number {
    if (entered[depth]) return depth + FOREIGN;
    entered[depth] = true;
    return depth;
  },
  /** A call is about to be made; `v` is its last argument. */
  a<T>(v: T, at: number, site: number, held: Held, callee?: Callee): T {
    register(at, site, held, callee);
    running.armed = SITE_CALL;
    return v;
  },
  /** The same for calls whose arguments cannot be wrapped: spread into them. */
  e(at: number, site: number, held: Held, callee?: Callee): readonly never[] {
    register(at, site, held, callee);
    running.armed = SITE_CALL;
    return NOTHING;
  },
  /** An element is about to be read or written; `v` is the index, or the value to write. */
  i<T>(v: T, at: number, site: number, held: Held): T {
    register(at, site, held, undefined);
    running.armed = SITE_INDEX;
    return v;
  },
  /** What a pattern takes apart: an element read by that is no indexed access of the code. */
  n<T>(v: T): T {
    running.armed = 0;
    return v;
  },
  /** A computed name in an object literal. */
  k: (v: unknown): string | symbol => (typeof v === 'symbol' ? v : `${v}`),
  /** @returns the method that a call has fetched; what cannot be seen into for an accessor */
  g(o: unknown, name: string): unknown {
    if (o === undefined || o === null || viewOf(o) !== undefined) return undefined;
    for (let p = Object(o) as object | null; p !== null; p = Object.getPrototypeOf(p) as object | null) {
      const d = Object.getOwnPropertyDescriptor(p, name);
      if (d !== undefined) return 'value' in d ? d.value : Symbol(name);
    }
    return undefined;
  },
  /** A closure was made. `assigns`: it, or one inside it, assigns a variable of the function around it. */
  f<T extends object>(fn: T, id: string, held: Held, assigns: boolean, where: string): T {
    if (running.phase === 'load' && assigns) {
      throw new RefusedError(
        `${where}: a closure made at module level changes a variable it holds: that is mutable module state; ` +
          'make it inside the thread’s function',
      );
    }
    tags.set(fn, { id, held, assigns });
    return fn;
  },
  /** A loop turns. */
  l: turn,
  /** A catch block begins: the abort passes through. */
  c(e: unknown): void {
    if (isAbort(e) || running.aborting) throw e;
  },
  /** A finally block begins. @returns whether it is to run */
  ok: (): boolean => !running.aborting,
  /** A constant of a module. */
  m<T>(v: T, where: string): T {
    makeConstant(v, where, closures);
    return v;
  },
  /** A class with private fields: how to read them. */
  p(cls: object, read: (o: object) => readonly unknown[] | null): void {
    own.add(cls);
    privates.set(cls, read);
  },
  /** A class or function of instrumented code: its instances hold nothing that cannot be seen. */
  q<T extends object>(made: T): T {
    own.add(made);
    return made;
  },
  /** A property of `o` is about to be changed, where that could be state outside the test. */
  w<T>(o: T, where: string): T {
    if (running.phase !== 'run' || running.aborting) return o;
    if ((typeof o !== 'object' && typeof o !== 'function') || o === null) return o;
    if (constantId(o) !== undefined)
      throw new TypeError(
        'this object belongs to a module or to the test: it must not change while threads run',
      );
    return refuse(
      `${where}: a thread changes an object outside the test's memory, which other runs would see`,
    );
  },
  /** The same for a private field: objects that the thread made itself are its own. */
  h<T>(o: T): T {
    if (running.phase === 'run' && typeof o === 'object' && o !== null && constantId(o) !== undefined)
      throw new TypeError(
        'this object belongs to a module or to the test: it must not change while threads run',
      );
    return o;
  },
  /** The same where an object of the engine is reached by another name. */
  t: changed,
  /** A function is called on an object of the caller's choice. */
  x: carried,
  random: randomShim,
  /** A module begins: its sites, and what it imports. */
  mod(
    session: string,
    url: string,
    hash: string,
    first: number,
    rows: readonly SiteRow[],
    imports: readonly string[],
  ): void {
    addModule(session, { url, hash, first, rows, imports });
  },
};

function heldBy(fn: object): readonly unknown[] | undefined {
  const tag = tags.get(fn);
  if (tag === undefined) return isNative(fn) ? undefined : NOTHING;
  try {
    return tag.held();
  } catch {
    return NOTHING;
  }
}

const closures: ClosureLook = { foreign, held: heldBy, assigns: (fn) => tags.get(fn)?.assigns ?? false };

setSiteProbe(() => (top < 0 ? 0 : siteAt[top]));

/** Makes what a test hands to its threads constant. */
export function freezeForThreads(value: unknown, where: string): void {
  makeConstant(value, where, closures);
}

/** Forgets all registered sites: a run begins. */
export function beginRun(): void {
  depth = 0;
  top = -1;
  entered[0] = false;
}

/** @returns the sites of the frames, outermost first */
export function siteStack(): number[] {
  return siteAt.slice(0, top + 1);
}

/** @returns the site of the operation that ended the run */
export function topSite(): number {
  return top < 0 ? 0 : siteAt[top];
}

function place(site: number): string {
  const row = siteRow(site);
  const url = siteModule(site)?.url ?? '';
  return row === undefined ? '' : `${url.replace(/^file:\/\//, '')}:${row[0]}:${row[1] + 1}`;
}

/** @returns true if the code of `fn` has the site: then the frame above a call of `fn` is `fn` itself */
function contains(fn: object, site: number): boolean {
  let known = sitesOf.get(fn);
  if (known === undefined) {
    const text = Function.prototype.toString.call(fn);
    known = new Set(Array.from(text.matchAll(/\$d, (\d+), \(\) =>/g), (m) => Number(m[1])));
    sitesOf.set(fn, known);
  }
  return known.has(site);
}

function refuseForeign(i: number, caller: number): never {
  refuse(
    `${place(siteAt[i])}: shared memory is touched in a function that ${place(caller)} did not call itself ` +
      '(a callback of a built-in, an iterator, an implicit conversion); use a loop, or --instrument the package',
  );
}

/**
 * Refuses stacks of frames on which a shared access would not be sound: each frame must have been called by the one
 * below it, at the site that stands there. A getter, an iterator, valueOf or a callback of a built-in has not: what
 * the engine holds meanwhile cannot be known.
 * @returns false if a caller cannot be checked: then the state must not be merged
 */
function checkFrames(): boolean {
  let known = true;
  for (let i = 0; i <= top; i++) {
    const row = siteRow(siteAt[i]);
    if (row === undefined) continue;
    if ((row[3] & SITE_ACCESSOR) !== 0) {
      refuse(
        `${place(siteAt[i])}: shared memory is touched inside a getter, setter or implicit conversion; make it a method`,
      );
    }
    if (foreignAt[i]) refuseForeign(i, siteAt[i - 1] ?? 0);
    if (row[2] === SITE_KIND_NEW) {
      refuse(`${place(siteAt[i])}: shared memory is touched inside a constructor; do it after construction`);
    }
    if (i === top && row[2] === SITE_KIND_INDEX) break;
    let callee: unknown;
    try {
      callee = calleeAt[i]?.();
    } catch {
      callee = undefined;
    }
    if (i === top) {
      // A built-in that does the operation (call, bind, a conversion) holds what cannot be seen.
      if (!OPERATIONS.has(callee) && !isViewMethod(callee)) known = false;
      break;
    }
    if (typeof callee !== 'function' && row[2] !== SITE_KIND_INDEX) known = false;
    else if (typeof callee !== 'function' || !contains(callee, siteAt[i + 1])) {
      refuseForeign(i + 1, siteAt[i]);
    }
  }
  return known;
}

const out = new Serializer(introspection);

/**
 * The continuation at the abort of a run, in words.
 * @returns what holds them until the next call, or null where it cannot be known: such a state is never merged
 */
export function continuationKey(): Serializer | null {
  const known = checkFrames();
  out.begin();
  try {
    for (let i = 0; i <= top; i++) {
      const site = siteAt[i];
      const row = siteRow(site);
      if (row !== undefined && (row[3] & SITE_OPAQUE) !== 0) return null;
      out.put(site);
      out.list(heldAt[i]?.() ?? NOTHING);
    }
  } catch (e) {
    if (isAbort(e)) throw e;
    return null; // a variable in its dead zone
  }
  // No site has this number.
  out.put(-1);
  return out.opaque || !known ? null : out;
}

/** @returns what holds no words: the key of a thread that has ended */
export function emptyKey(): Serializer {
  out.begin();
  return out;
}
