// SPDX-License-Identifier: GPL-2.0-only
/**
 * Marks on objects that no code can see: private fields put on objects made elsewhere. A WeakMap does the same, but each
 * object that is soon dropped costs every collection of garbage.
 */

/** Hands its argument on as `this`. */
class Given {
  constructor(o: object) {
    // biome-ignore lint/correctness/noConstructorReturn: that is what makes it possible
    return o;
  }
}

/** A mark that an object may bear. */
export interface Stamp<T> {
  /** Puts it on; an object takes it once. */
  set(o: object, value: T): void;
  /** @returns it, or undefined for an object without */
  get(o: object): T | undefined;
}

/** @returns a mark unlike all others */
export function makeStamp<T>(): Stamp<T> {
  class Marked extends Given {
    #value: T;

    constructor(o: object, value: T) {
      super(o);
      this.#value = value;
    }

    static get(o: object): T | undefined {
      return #value in o ? o.#value : undefined;
    }
  }
  return {
    set(o, value) {
      new Marked(o, value);
    },
    get: (o) => Marked.get(o),
  };
}
