// SPDX-License-Identifier: GPL-2.0-only
/**
 * Looks ten times a second for what must not be: an operation that does not come back, a grace period that does not end,
 * a wait without progress, a frame that a reader found wrong. It counts its looks and not the time, so that a process that
 * was stopped, or a host without a core to spare, is not taken for a hang.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { KERNEL, KERNEL_AT } from '../../kernel/current.js';
import { rcuLines } from './diagnose.js';
import { TortureFailure } from './operations.js';
import { APP_WORD, PORT_STEADY } from './reader_words.js';
import type { World } from './world.js';

const LOOK_MS = 100;

export class Watchdog {
  private readonly world: World;
  /** Looks without progress that are a hang. */
  private readonly limit: number;
  /** Looks that an operation may take: it may itself wait for what hangs, and the report is to name that. */
  readonly operationLimit: number;
  private readonly onFailure: (error: Error) => void;
  private timer: NodeJS.Timeout | null = null;
  private looks = 0;
  private graceNumber = 0;
  private graceLooks = 0;
  /** Most looks that a grace period was under way for. */
  longestGrace = 0;

  constructor(world: World, stallS: number, onFailure: (error: Error) => void) {
    this.world = world;
    this.limit = Math.max(5, Math.round((stallS * 1000) / LOOK_MS));
    this.operationLimit = 2 * this.limit;
    this.onFailure = onFailure;
  }

  start(): void {
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  /** Looks so far. */
  get looksSo(): number {
    return this.looks;
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  private look(): void {
    this.looks++;
    for (const op of this.world.ops.underWay) {
      if (++op.looks === this.operationLimit) {
        const silent = `${this.seconds(op.looks)} without an answer`;
        this.fail(`${op.what} (${op.context}) does not come back: ${silent}`);
      }
    }
    this.lookAtGracePeriod();
    this.lookAtReaders();
  }

  private lookAtGracePeriod(): void {
    const { m } = this.world.machine.arena;
    const waiting = Atomics.load(m, KERNEL_AT + KERNEL.rcuWaiting) !== 0;
    const number = Atomics.load(m, KERNEL_AT + KERNEL.rcuGp);
    if (!waiting || number !== this.graceNumber) {
      this.graceNumber = number;
      this.graceLooks = 0;
      return;
    }
    this.longestGrace = Math.max(this.longestGrace, ++this.graceLooks);
    if (this.graceLooks === this.limit) {
      this.fail(`grace period ${number} does not end: ${this.seconds(this.graceLooks)}`, rcuLines(m));
    }
  }

  private lookAtReaders(): void {
    for (const [name, words] of this.world.apps) {
      const [reordered, duplicated, changed] = [
        APP_WORD.reordered,
        APP_WORD.duplicated,
        APP_WORD.changed,
      ].map((w) => Atomics.load(words, w));
      if (reordered + duplicated + changed === 0) continue;
      const port = words[APP_WORD.port];
      const kind = (port & PORT_STEADY) === 0 ? 'a flow that may change its queue' : 'a flow of one queue';
      this.fail(
        `app/${name}: ${reordered} frames out of order, ${duplicated} twice, ${changed} changed in the reader’s hands: ` +
          `port ${port} (${kind}), number ${words[APP_WORD.seq]} after ${words[APP_WORD.before]}`,
      );
    }
  }

  /**
   * Waits for a condition that must come.
   * @param progress a text that changes while there is progress towards it
   * @param state more lines for the report, if there is none
   */
  async until(
    what: string,
    condition: () => boolean,
    progress: () => string,
    state: () => readonly string[] = () => [],
  ): Promise<void> {
    let seen = '';
    let since = this.looks;
    while (!condition()) {
      const now = progress();
      if (now !== seen) {
        seen = now;
        since = this.looks;
      } else if (this.looks - since >= this.limit) {
        throw new TortureFailure(`${what}: no progress for ${this.seconds(this.looks - since)}`, state());
      }
      await delay(2);
      this.world.machine.throwIfDown();
    }
  }

  private seconds(looks: number): string {
    return `${(looks * LOOK_MS) / 1000} s`;
  }

  private fail(message: string, details: readonly string[] = []): void {
    this.onFailure(new TortureFailure(message, details));
  }
}
