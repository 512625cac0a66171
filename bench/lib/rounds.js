// SPDX-License-Identifier: GPL-2.0-only
/**
 * How an application thread (workers/path_app.js) tells the main thread that it has read a round's frames: a counter to
 * wait on, and behind it what the round came to. Written by the application, read after the counter.
 */

const DONE = 0;
const SUM = 1;
const MISPLACED = 2;
/** When the last frame was read, ns: a double behind the words. */
const END_NS = 1;
/** How often the main thread looks whether it waits in vain, ms. */
const LOOK_MS = 1000;

/** Both sides' view of a round's outcome. */
export class Rounds {
  constructor(sab = new SharedArrayBuffer(64)) {
    this.sab = sab;
    this.m = new Int32Array(sab);
    this.f = new Float64Array(sab, 16);
  }

  /** Application: the round is read. */
  finish(sum, misplaced, endNs) {
    this.m[SUM] = sum;
    this.m[MISPLACED] = misplaced;
    this.f[END_NS] = endNs;
    Atomics.add(this.m, DONE, 1);
    Atomics.notify(this.m, DONE);
  }

  /** Main thread: rounds finished so far. Read before the frames are sent. */
  get done() {
    return Atomics.load(this.m, DONE);
  }

  /**
   * Main thread: waits until more than `before` rounds are finished.
   * @param lost rejects if that cannot happen any more
   * @param look called now and then meanwhile; throws if that cannot happen any more
   */
  async next(before, lost, look) {
    while (this.done === before) {
      const wait = Atomics.waitAsync(this.m, DONE, before, LOOK_MS);
      if (wait.async) await Promise.race([wait.value, lost]);
      look();
    }
    return { sum: this.m[SUM], misplaced: this.m[MISPLACED], endNs: this.f[END_NS] };
  }
}
