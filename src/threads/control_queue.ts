// SPDX-License-Identifier: GPL-2.0-only
/**
 * Who may run next of the control operations: so many at a time, in the order they were asked for; one that is
 * exclusive waits until all before it have ended, and those behind it wait for it.
 */

interface Waiting {
  readonly exclusive: boolean;
  readonly start: (slot: number) => void;
}

export class ControlQueue {
  /** Numbers of those that are not running, the next one last. */
  private readonly slots: number[];
  private readonly waiting: Waiting[] = [];
  private readonly atOnce: number;
  private alone = false;

  constructor(atOnce: number) {
    this.atOnce = atOnce;
    this.slots = Array.from({ length: atOnce }, (_, i) => atOnce - 1 - i);
  }

  /** Runs `fn` when its turn has come; it gets a number that no other has at the time. @returns what it returns */
  async run<T>(exclusive: boolean, fn: (slot: number) => Promise<T>): Promise<T> {
    const slot = await new Promise<number>((start) => {
      this.waiting.push({ exclusive, start });
      this.next();
    });
    try {
      return await fn(slot);
    } finally {
      this.slots.push(slot);
      this.alone = false;
      this.next();
    }
  }

  private next(): void {
    for (;;) {
      const first = this.waiting[0];
      if (first === undefined || this.alone) return;
      if (first.exclusive && this.slots.length < this.atOnce) return;
      const slot = this.slots.pop();
      if (slot === undefined) return;
      this.waiting.shift();
      this.alone = first.exclusive;
      first.start(slot);
    }
  }
}
