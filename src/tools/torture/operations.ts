// SPDX-License-Identifier: GPL-2.0-only
/** The control operations of a run: which are under way, what became of the latest, how many there were. */
import { OptionError, SoftnetError } from '../../errors.js';

/** Operations remembered for the report of a failure. */
const REMEMBERED = 40;

/** One operation, under way or done. */
export interface Operation {
  readonly number: number;
  readonly context: string;
  readonly kind: string;
  readonly what: string;
  readonly beganMs: number;
  /** Looks of the watchdog that it has been under way for. */
  looks: number;
  /** '' while it is under way, 'OK', or the name of its errno. */
  answer: string;
  tookMs: number;
}

/** What an operation came to. */
export interface Answer<T> {
  readonly value: T | null;
  /** 'OK', or the name of an errno. */
  readonly code: string;
  /** Places in the one order of questions and answers: who was answered before another asked came before it. */
  readonly asked: number;
  readonly answered: number;
}

/** Something that must not be. */
export class TortureFailure extends Error {
  /** Lines that say more. */
  readonly details: readonly string[];

  constructor(message: string, details: readonly string[] = []) {
    super(message);
    this.details = details;
  }
}

/** @returns the name of an errno for what a user may be told; null: it is no refusal */
export function refusal(error: unknown): string | null {
  if (error instanceof SoftnetError) return error.code;
  if (error instanceof OptionError) return 'EINVAL';
  if (error instanceof Error && error.message.includes('device was removed')) return 'ENODEV';
  if (error instanceof Error && error.message.includes('device is being removed')) return 'ENODEV';
  return null;
}

export class Operations {
  readonly underWay = new Set<Operation>();
  readonly latest: Operation[] = [];
  /** By kind: how many, and how many of them were refused. */
  readonly counts = new Map<string, { done: number; refused: number }>();
  total = 0;
  refused = 0;
  slowestMs = 0;
  private clock = 0;

  /**
   * Carries an operation out and notes it. A refusal is an answer.
   * @param allowed refusals that may come; ENOMEM only where a fault has been injected
   */
  async run<T>(
    context: string,
    kind: string,
    what: string,
    fn: () => Promise<T>,
    allowed: () => readonly string[] = () => USUAL,
  ): Promise<Answer<T>> {
    const op: Operation = {
      number: ++this.total,
      context,
      kind,
      what,
      beganMs: performance.now(),
      looks: 0,
      answer: '',
      tookMs: 0,
    };
    this.underWay.add(op);
    this.latest.push(op);
    if (this.latest.length > REMEMBERED) this.latest.shift();
    const asked = ++this.clock;
    let value: T | null = null;
    try {
      value = await fn();
      op.answer = 'OK';
    } catch (error) {
      const code = refusal(error);
      op.answer = code ?? 'died';
      if (code === null) throw error;
      if (!allowed().includes(code)) {
        throw new TortureFailure(`${kind} was refused with ${code}: ${(error as Error).message}`);
      }
      this.refused++;
    } finally {
      this.underWay.delete(op);
      op.tookMs = performance.now() - op.beganMs;
      this.slowestMs = Math.max(this.slowestMs, op.tookMs);
    }
    const count = this.counts.get(kind) ?? { done: 0, refused: 0 };
    count.done++;
    if (op.answer !== 'OK') count.refused++;
    this.counts.set(kind, count);
    return { value, code: op.answer, asked, answered: ++this.clock };
  }

  /** The latest operations, a line each, those under way first. */
  lines(): string[] {
    const line = (o: Operation): string =>
      `#${o.number} ${o.context}: ${o.what} ${o.answer === '' ? `under way for ${ms(performance.now() - o.beganMs)}` : `${o.answer}, ${ms(o.tookMs)}`}`;
    const old = [...this.underWay].filter((o) => !this.latest.includes(o));
    return [...old, ...this.latest].map(line);
  }
}

/** What others do at the same time may make any operation come too late. */
export const USUAL: readonly string[] = ['EBUSY', 'EINVAL', 'ENOENT', 'ENODEV', 'EOPNOTSUPP'];
/** The same while requests for threads are refused on purpose. */
export const WITHOUT_THREADS: readonly string[] = [...USUAL, 'ENOMEM'];

function ms(n: number): string {
  return `${n.toFixed(1)} ms`;
}
