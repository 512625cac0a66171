// SPDX-License-Identifier: GPL-2.0-only
/** A test made ready: memory allocated and set up, bodies bound, words named. */
import { isAssertion, type Label, type Litmus, type ThreadStates } from './litmus.js';
import { CheckUsageError, RefusedError } from './refuse.js';
import { type Body, running } from './runner.js';
import { freezeForThreads } from './runtime.js';
import { SharedMemory } from './shared_memory.js';
import { placeOfError } from './source_position.js';
import { viewOf } from './views.js';

function oneLine(e: unknown): string {
  return String(e).replace(/\s*\n\s*/g, ' ');
}

export class Setting {
  readonly test: Litmus;
  readonly memory = new SharedMemory();
  readonly bodies: readonly Body[];
  readonly names: readonly string[];
  readonly daemon: readonly boolean[];
  /** Memory as setup left it, in 32-bit words. */
  readonly base: Int32Array;
  private readonly given: unknown;
  private readonly made: unknown;
  private readonly labels = new Map<number, string>();

  constructor(test: Litmus) {
    this.test = test;
    const { spec } = test;
    running.memory = this.memory;
    running.phase = 'memory';
    try {
      this.given = this.own('memory', () => spec.memory());
      running.phase = 'direct';
      const label: Label = (array, index, what, instance) => this.label(array, index, what, instance);
      this.made = this.own('setup', () => spec.setup?.(this.given, label));
    } finally {
      running.phase = 'direct';
    }
    freezeForThreads(this.given, `litmus ${test.name}: memory`);
    freezeForThreads(this.made, `litmus ${test.name}: what setup returns`);
    this.base = this.memory.snapshot();
    this.names = test.threadNames;
    this.daemon = this.names.map((n) => spec.daemons?.includes(n) ?? false);
    this.bodies = this.names.map((n) => () => spec.threads[n](this.given, this.made));
  }

  /** Calls a function of the test itself: what it throws is the test's mistake. @throws CheckUsageError */
  private own<R>(name: string, call: () => R): R {
    running.turns = 0;
    try {
      return call();
    } catch (e) {
      if (e instanceof RefusedError || e instanceof CheckUsageError || (name === 'goal' && isAssertion(e)))
        throw e;
      const at = placeOfError(e);
      throw new CheckUsageError(
        `litmus ${this.test.name}: ${name}() throws ${oneLine(e)}${at === '' ? '' : ` (${at})`}`,
      );
    }
  }

  private label(
    array: ArrayBufferView,
    index: number,
    what: Parameters<Label>[2],
    instance: string | undefined,
  ): void {
    const view = viewOf(array);
    if (view === undefined) throw new CheckUsageError(`litmus ${this.test.name}: label() of a private array`);
    if (typeof what === 'string') this.labels.set(view.address(index), what);
    else if ('FIELDS' in what) {
      for (const f of what.FIELDS) {
        for (let w = 0; w < f.words; w++) {
          const name = `${instance ?? what.NAME}.${f.name}${f.words > 1 ? `[${w}]` : ''}`;
          this.labels.set(view.address(index + f.offset + w), name);
        }
      }
    } else {
      for (let i = 0; i < what.length; i++) this.labels.set(view.address(index + i), what[i]);
    }
  }

  /** @returns the name of the word at a byte address: its label, else buffer and offset */
  wordName(addr: number): string {
    for (let a = addr; a >= addr - (addr & 7); a--) {
      const name = this.labels.get(a);
      if (name !== undefined && (a === addr || addr - a < 4))
        return a === addr ? name : `${name}+${addr - a}`;
    }
    const b = this.memory.bufferAt(addr);
    const at = addr - b.base;
    return `${this.memory.buffers.length > 1 ? `buffer${b.index}` : 'word'}${at % 4 === 0 ? `[${at / 4}]` : `.byte[${at}]`}`;
  }

  /** Runs `final` on memory as it stands. @throws what it throws */
  final(): void {
    running.phase = 'direct';
    running.turns = 0;
    this.test.spec.final?.(this.given, this.made);
  }

  /** Runs `goal` on memory as it stands. */
  goal(threads: ThreadStates): boolean {
    const { goal } = this.test.spec;
    return typeof goal === 'function' ? this.own('goal', () => goal(this.given, this.made, threads)) : false;
  }
}
