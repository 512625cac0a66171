// SPDX-License-Identifier: GPL-2.0-only
/**
 * The memory of a test: all its SharedArrayBuffers laid end to end in one space of byte addresses.
 *
 * Each buffer is a real SharedArrayBuffer behind a stand-in. Instrumented code makes views of the stand-in and gets
 * stand-ins of views (views.ts); code that is not instrumented gets an error from it and never the memory itself.
 */
import { RefusedError } from './refuse.js';
import { placeHere } from './source_position.js';

/** One shared buffer of the test. */
export interface ModelBuffer {
  readonly index: number;
  /** First byte in the common space of addresses; a multiple of 8. */
  readonly base: number;
  readonly byteLength: number;
  /** The memory, rounded up to whole doubles. */
  readonly sab: SharedArrayBuffer;
  readonly words: Int32Array;
  /** What the code under test holds. */
  readonly standIn: SharedArrayBuffer;
}

/** Turns the stand-in of a buffer back into the buffer. Shared by all tests of a process: stand-ins are unique. */
const buffers = new WeakMap<object, ModelBuffer>();

/** @returns the buffer behind a stand-in, or undefined for anything else */
export function modelBufferOf(value: unknown): ModelBuffer | undefined {
  return typeof value === 'object' && value !== null ? buffers.get(value) : undefined;
}

function makeStandIn(sab: SharedArrayBuffer, byteLength: number): SharedArrayBuffer {
  return new Proxy(sab, {
    get(target, key) {
      if (key === 'byteLength' || key === 'maxByteLength') return byteLength;
      if (key === 'growable') return false;
      if (key === 'constructor' || key === Symbol.toStringTag) return Reflect.get(target, key, target);
      const here = placeHere();
      throw new RefusedError(
        `${here === '' ? '' : `${here}: `}a shared buffer reached code that is not instrumented, or its "${String(key)}" was asked for; ` +
          'make typed arrays over it in instrumented code (--instrument PACKAGE adds a package)',
      );
    },
  });
}

/** All shared memory of one test. */
export class SharedMemory {
  readonly buffers: ModelBuffer[] = [];
  private bytes = 0;

  /** Adds a buffer of zeros. @returns its stand-in */
  allocate(byteLength: number): SharedArrayBuffer {
    const rounded = Math.max(8, Math.ceil(byteLength / 8) * 8);
    const sab = new SharedArrayBuffer(rounded);
    const standIn = makeStandIn(sab, byteLength);
    const buffer: ModelBuffer = {
      index: this.buffers.length,
      base: this.bytes,
      byteLength,
      sab,
      words: new Int32Array(sab),
      standIn,
    };
    this.bytes += rounded;
    this.buffers.push(buffer);
    buffers.set(standIn, buffer);
    return standIn;
  }

  /** Size of all buffers, in 32-bit words. */
  get wordCount(): number {
    return this.bytes >> 2;
  }

  /** @returns a copy of the whole memory */
  snapshot(): Int32Array {
    const copy = new Int32Array(this.wordCount);
    for (const b of this.buffers) copy.set(b.words, b.base >> 2);
    return copy;
  }

  /** Puts the whole memory back as `snapshot` found it. */
  restore(image: Int32Array): void {
    for (const b of this.buffers) b.words.set(image.subarray(b.base >> 2, (b.base >> 2) + b.words.length));
  }

  /** @returns the buffer that holds a byte address */
  bufferAt(address: number): ModelBuffer {
    for (const b of this.buffers) if (address < b.base + b.sab.byteLength) return b;
    throw new RangeError(`no shared buffer holds byte ${address}`);
  }

  /** Writes one word, by its number in the common space. */
  poke(word: number, value: number): void {
    const b = this.bufferAt(word * 4);
    b.words[word - (b.base >> 2)] = value;
  }
}
