// SPDX-License-Identifier: GPL-2.0-only
/** Words of a key: numbers and texts, each behind a tag. Texts stand for all states of a process as numbers. */

const INTEGER = 1;
const DOUBLE = 2;
const TEXT = 3;
/** Tags from here on are the user's. */
export const FIRST_FREE_TAG = 4;

const texts = new Map<string, number>();

/** @returns a number that stands for a text */
export function textId(text: string): number {
  let id = texts.get(text);
  if (id === undefined) {
    id = texts.size;
    texts.set(text, id);
  }
  return id;
}

const double = new Float64Array(1);
const doubleWords = new Int32Array(double.buffer);

/** A key that is being written. */
export class KeyWords {
  /** What was written, up to `length`. */
  words: Int32Array<ArrayBuffer> = new Int32Array(4096);
  length = 0;

  /** Begins anew. */
  clear(): void {
    this.length = 0;
  }

  /** Writes a word as it is. */
  put(word: number): void {
    if (this.length === this.words.length) this.room(1);
    this.words[this.length++] = word;
  }

  private room(need: number): void {
    const words = new Int32Array(Math.max(this.words.length * 2, this.length + need));
    words.set(this.words);
    this.words = words;
  }

  /** Writes two words. */
  put2(a: number, b: number): void {
    if (this.length + 2 > this.words.length) this.room(2);
    this.words[this.length++] = a;
    this.words[this.length++] = b;
  }

  /** Writes a text. */
  text(text: string): void {
    this.put2(TEXT, textId(text));
  }

  /** Writes a number: -0 is none of the others, all NaN are one. */
  number(v: number): void {
    if ((v | 0) === v && !Object.is(v, -0)) {
      this.put2(INTEGER, v);
      return;
    }
    // There are many NaN, and nobody can tell them apart.
    double[0] = Number.isNaN(v) ? Number.NaN : v;
    this.put(DOUBLE);
    this.put2(doubleWords[1], doubleWords[0]);
  }
}
