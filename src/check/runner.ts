// SPDX-License-Identifier: GPL-2.0-only
/**
 * Runs a thread's function against the log of its results.
 *
 * The function starts from its beginning each time. Each operation on shared memory that the log knows gets its result
 * from there. At the first one beyond it whoever runs the thread is told; it may append a result to the log, and the run
 * goes on, or else it is aborted by a throw. Nothing yields and nothing is rolled back, so the code under test stays
 * plain code.
 *
 * Phases: `load` while modules are evaluated, `memory` while a test makes its buffers, `direct` while setup, final or
 * goal look at memory by themselves, `run` while a thread runs.
 */
import { OP_END, OP_FAIL, OP_NAMES, OP_READ, OP_WRITE, type Value, valueText } from './ops.js';
import { RefusedError } from './refuse.js';
import type { SharedMemory } from './shared_memory.js';
import { placeHere } from './source_position.js';

/** What a thread does next: the answer of a run. */
export interface Pending {
  kind: number;
  /** Byte address, -1 for OP_END and OP_FAIL. */
  addr: number;
  /** Element type (ops.ts). */
  type: number;
  /** First operand, converted to the element type; expected value of a wait; most threads of a notify. */
  a: Value;
  /** Second operand; for a wait 1 if it has a time-out. */
  b: Value;
  /** State of a built-in that is half done (fill, set, copyWithin), and raw operands. */
  extra: string;
  /** What was thrown. */
  error: unknown;
}

/** A thread's function: it does all its work by calling instrumented code. */
export type Body = () => void;

export type Phase = 'load' | 'memory' | 'direct' | 'run';

/** Thrown through the code under test to end a run. */
const ABORT = Object.freeze({ softnetCheckAbort: true });

/** A call is about to be made; Atomics and the methods of views are calls. */
export const SITE_CALL = 1;
/** An element is about to be read or written. */
export const SITE_INDEX = 2;

/** Loops that touch no shared memory for so many turns are taken for endless. */
const MAX_TURNS = 2_000_000;
/** Those of setup, final and goal also if they touch it: no thread runs that could end them. */
const MAX_OWN_TURNS = 10_000_000;

interface RunnerState {
  phase: Phase;
  memory: SharedMemory | null;
  aborting: boolean;
  /** What kind of registered site stands right before the next operation (SITE_*), 0 for none. */
  armed: number;
  turns: number;
}

/** State that the shims and the runtime look at. One thread of one test at a time. */
export const running: RunnerState = { phase: 'load', memory: null, aborting: false, armed: 0, turns: 0 };

let log: Value[] = [];
let logLength = 0;
let position = 0;
let expected: Int32Array = new Int32Array(0);
let refused: RefusedError | null = null;
let lastSite = 0;
let currentSite: () => number = () => 0;
let history: History = { results: log, ops: expected, length: 0 };
let edge: Edge = () => false;
/** What the edge threw, in an array of one; null if nothing. */
let broken: readonly unknown[] | null = null;

const pending: Pending = { kind: 0, addr: -1, type: 0, a: 0, b: 0, extra: '', error: undefined };

/** The runtime says which site was registered last: two operations of one site are `m[i]++`. */
export function setSiteProbe(probe: () => number): void {
  currentSite = probe;
}

/** @returns true if `e` is the abort of a run: `catch` blocks let it pass */
export function isAbort(e: unknown): boolean {
  return e === ABORT;
}

/** @returns the message with the place of the code that runs in front, unless it names one */
function placed(message: string): string {
  const here = /^\S+:\d+(:\d+)?: /.test(message) ? '' : placeHere();
  return here === '' ? message : `${here}: ${message}`;
}

/** Ends the run with a refusal: the code cannot be checked soundly. */
export function refuse(message: string): never {
  refused ??= new RefusedError(placed(message));
  running.aborting = true;
  throw ABORT;
}

/** Counts a turn of a loop. */
export function turn(): void {
  if (running.phase === 'run') {
    if (++running.turns > MAX_TURNS) refuse('a loop goes on for ever without touching shared memory');
  } else if (++running.turns > MAX_OWN_TURNS && running.phase !== 'load') {
    throw new Error('a loop goes on for ever, and no other thread runs now');
  }
}

/**
 * One operation on shared memory, in a run.
 * @param extra what distinguishes the middle of a built-in; '' for a single operation
 * @returns its result in this history
 */
export function operate(kind: number, addr: number, type: number, a: Value, b: Value, extra: string): Value {
  if (running.aborting) throw ABORT;
  const site = currentSite();
  const half = kind === OP_WRITE && isSecondHalf(site, addr);
  const wanted = kind === OP_READ || kind === OP_WRITE ? SITE_INDEX : SITE_CALL;
  if (extra === '' && running.armed !== wanted && !half) {
    refuse(
      'shared memory is touched by a built-in (spread, destructuring, iteration, join, …); use an index loop',
    );
  }
  running.armed = 0;
  running.turns = 0;
  if (position < logLength) {
    if (expected[position * 2] !== kind || expected[position * 2 + 1] !== addr) {
      refuse(
        `the thread did ${OP_NAMES[kind]} at byte ${addr} where it did ${OP_NAMES[expected[position * 2]]} at byte ` +
          `${expected[position * 2 + 1]} before: it depends on something other than shared memory (time, randomness, ` +
          'state outside the test)',
      );
    }
    lastSite = site;
    return log[position++];
  }
  pending.kind = kind;
  pending.addr = addr;
  pending.type = type;
  pending.a = a;
  pending.b = b;
  // What m[i]++ has read is not in any variable.
  pending.extra = half ? `~${valueText(log[position - 1])}` : extra;
  if (!goesOn()) throw ABORT;
  lastSite = site;
  return log[position++];
}

/** Tells of the operation in `pending`. @returns true if its result is in the log now; else the run is being aborted */
function goesOn(): boolean {
  running.aborting = true;
  running.phase = 'direct';
  let on = false;
  try {
    on = edge(pending, false);
  } catch (e) {
    if (e !== ABORT) broken = [e];
  }
  running.phase = 'run';
  if (!on) return false;
  running.aborting = false;
  logLength = history.length;
  expected = history.ops;
  return true;
}

/** @returns true in the middle of `m[i]++` or `m[i] += v`: a write where the same site has just read */
function isSecondHalf(site: number, addr: number): boolean {
  const last = position - 1;
  return last >= 0 && site === lastSite && expected[last * 2] === OP_READ && expected[last * 2 + 1] === addr;
}

/** A history: results, and the operations (kind, address) that they belong to. */
export interface History {
  readonly results: Value[];
  /** kind, address of each result. */
  ops: Int32Array;
  length: number;
}

/**
 * Called at each operation beyond the history, and at the end of the thread.
 * @returns true if the operation's result has been appended to the history: the run goes on with it
 */
export type Edge = (p: Pending, ended: boolean) => boolean;

/**
 * Runs `body` with a history.
 * @param past results so far
 * @param begin called before, to forget the registered sites
 * @returns what the thread does next; the object is reused by the next run
 * @throws RefusedError if the code cannot be checked
 */
export function run(body: Body, past: History, begin: () => void, atEdge: Edge): Pending {
  history = past;
  log = past.results;
  logLength = past.length;
  expected = past.ops;
  edge = atEdge;
  position = 0;
  refused = null;
  broken = null;
  lastSite = 0;
  running.phase = 'run';
  running.aborting = false;
  running.armed = 0;
  running.turns = 0;
  begin();
  let error: unknown;
  let threw = false;
  try {
    body();
  } catch (e) {
    if (e !== ABORT) {
      error = e;
      threw = true;
    }
  }
  const { aborting } = running;
  running.phase = 'direct';
  running.aborting = false;
  if (broken !== null) throw broken[0];
  if (refused !== null) throw refused;
  if (error instanceof RefusedError) throw error;
  if (aborting) return pending;
  pending.kind = threw ? OP_FAIL : OP_END;
  pending.addr = -1;
  pending.type = 0;
  pending.a = 0;
  pending.b = 0;
  pending.extra = '';
  pending.error = error;
  if (position < logLength) {
    throw new RefusedError(
      'a thread ended earlier than in the run before: it depends on something other than memory',
    );
  }
  atEdge(pending, true);
  return pending;
}
