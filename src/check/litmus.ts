// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests: what a test says, and how it becomes bodies and memory. */
import { CheckUsageError } from './refuse.js';

/** Something with fields at word offsets, as struct declarations have. */
export interface LabelStruct {
  readonly NAME: string;
  readonly FIELDS: readonly { readonly name: string; readonly offset: number; readonly words: number }[];
}

/**
 * Names elements of a typed array for traces: `what` is the name of one element, names of consecutive ones, or a struct
 * whose fields start at `index`; `instance` then stands in front of the fields' names.
 */
export type Label = (
  array: ArrayBufferView,
  index: number,
  what: string | readonly string[] | LabelStruct,
  instance?: string,
) => void;

/** How threads stand, for goals. */
export interface ThreadStates {
  /** Asleep in Atomics.wait. */
  asleep(name: string): boolean;
  /** Its function has returned. */
  ended(name: string): boolean;
}

/** A litmus test. `M` is what `memory` returns, `S` what `setup` does: both are constant for the threads. */
export interface LitmusSpec<M, S> {
  readonly name: string;
  /** Makes the SharedArrayBuffers and views; everything shared must be reachable from what it returns. */
  memory(): M;
  /** Prepares memory, names words for the trace. What it returns is handed on. */
  setup?(memory: M, label: Label): S;
  /** The threads, by name. */
  readonly threads: { readonly [name: string]: (memory: M, setup: S) => void };
  /** Threads that may sleep for ever. */
  readonly daemons?: readonly string[];
  /** What must hold whenever nothing can move: throws if it does not. */
  final?(memory: M, setup: S): void;
  /**
   * From every state a state must be reachable where this holds. Without it: one where nothing can move, so that
   * threads which spin for ever are found; `false`: no such demand.
   */
  readonly goal?: ((memory: M, setup: S, threads: ThreadStates) => boolean) | false;
  /** The outcome that must not be. */
  readonly forbids: string;
  /** Why it must not be. */
  readonly why: string;
}

const LITMUS = Symbol('softnet.litmus');

/** A checked and branded test. */
export interface Litmus {
  readonly [LITMUS]: true;
  readonly name: string;
  readonly forbids: string;
  readonly why: string;
  readonly threadNames: readonly string[];
  readonly spec: LitmusSpec<unknown, unknown>;
}

/** Most threads of a test. */
export const MAX_THREADS = 8;

/**
 * Declares a litmus test; export it from a module and hand that to `softnet check --module`.
 * @throws CheckUsageError for a test that cannot be run
 */
export function litmus<M, S = undefined>(spec: LitmusSpec<M, S>): Litmus {
  if (typeof spec !== 'object' || spec === null)
    throw new CheckUsageError('litmus() takes an object: { name, memory, threads, forbids, why }');
  const bad = (what: string): never => {
    throw new CheckUsageError(`litmus ${JSON.stringify(spec.name) ?? 'without a name'}: ${what}`);
  };
  if (typeof spec.name !== 'string' || !/^[\w.+-]+$/.test(spec.name)) {
    bad('the name must consist of letters, digits, "-", "_", "." and "+"');
  }
  const kindOf = (v: unknown): string => (v === null ? 'null' : typeof v);
  const mustBe = (key: string, value: unknown): void => {
    if (typeof value !== 'function') bad(`${key} must be a function; it is ${kindOf(value)}`);
  };
  mustBe('memory', spec.memory);
  if (spec.setup !== undefined) mustBe('setup', spec.setup);
  if (spec.final !== undefined) mustBe('final', spec.final);
  if (spec.goal !== undefined && spec.goal !== false && typeof spec.goal !== 'function')
    bad(`goal must be a function or false; it is ${kindOf(spec.goal)}`);
  if (typeof spec.threads !== 'object' || spec.threads === null)
    bad(`threads must be an object of functions; it is ${kindOf(spec.threads)}`);
  for (const [name, body] of Object.entries(spec.threads)) mustBe(`threads.${name}`, body);
  if (spec.daemons !== undefined && !Array.isArray(spec.daemons)) bad('daemons must be an array of names');
  const threadNames = Object.keys(spec.threads);
  if (threadNames.length === 0 || threadNames.length > MAX_THREADS) bad(`give 1 to ${MAX_THREADS} threads`);
  for (const d of spec.daemons ?? [])
    if (!threadNames.includes(d)) bad(`the daemon ${d} is no thread of the test`);
  if (!spec.forbids || !spec.why) bad('say which outcome it forbids, and why');
  return {
    [LITMUS]: true,
    name: spec.name,
    forbids: spec.forbids,
    why: spec.why,
    threadNames,
    spec: spec as unknown as LitmusSpec<unknown, unknown>,
  };
}

/** @returns the tests among a module's exports, single or in arrays, by order of export */
export function litmusTests(exports: Readonly<Record<string, unknown>>): Litmus[] {
  const found: Litmus[] = [];
  for (const value of Object.values(exports).flat(1)) {
    if (typeof value === 'object' && value !== null && LITMUS in value && !found.includes(value as Litmus)) {
      found.push(value as Litmus);
    }
  }
  const names = new Set<string>();
  for (const t of found) {
    if (names.has(t.name)) throw new CheckUsageError(`two litmus tests have the name ${t.name}`);
    names.add(t.name);
  }
  return found;
}

/** The error for a test that a suite does not have. */
export function noTest(name: string): CheckUsageError {
  return new CheckUsageError(`there is no litmus test ${name}; softnet check --list shows them`);
}

/** Thrown by `must`: told apart from exceptions of the code under test. */
export class AssertionFailure extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AssertionError';
  }
}

/** @returns true for what `must` throws, and node:assert */
export function isAssertion(e: unknown): e is Error {
  return e instanceof Error && e.name === 'AssertionError';
}

/** Asserts inside a thread, `final` or `goal`. @throws AssertionFailure */
export function must(condition: boolean, message: string): void {
  if (!condition) throw new AssertionFailure(message);
}
