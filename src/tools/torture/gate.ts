// SPDX-License-Identifier: GPL-2.0-only
/** Where the contexts of a run wait while it stutters: all of them are there, then everything must come to rest. */

export class Gate {
  private contexts = 0;
  private parked = 0;
  private closed = false;
  private ended = false;
  private opening: Promise<void> = Promise.resolve();
  private open_: () => void = () => {};
  private allParked: () => void = () => {};
  private readonly pauses = new Set<() => void>();

  /** Contexts that are not at the gate. */
  get away(): number {
    return this.contexts - this.parked;
  }

  /** true once the contexts are to return. */
  get over(): boolean {
    return this.ended;
  }

  /** true while contexts are to come to the gate. */
  get closing(): boolean {
    return this.closed || this.ended;
  }

  /** Runs a context: a loop that calls `pass` and ends when that is false. */
  async enter(context: () => Promise<void>): Promise<void> {
    this.contexts++;
    try {
      await context();
    } finally {
      this.contexts--;
      this.tell();
    }
  }

  /** Waits while the gate is closed. @returns false if the context is to end */
  async pass(): Promise<boolean> {
    while (this.closed && !this.ended) {
      this.parked++;
      this.tell();
      await this.opening;
      this.parked--;
    }
    return !this.ended;
  }

  /** Sleeps; not beyond the closing of the gate. */
  async pause(ms: number): Promise<void> {
    if (this.closing) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.pauses.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.pauses.add(end);
    });
  }

  /** Closes the gate. Resolves when every context waits at it. */
  close(): Promise<void> {
    this.closed = true;
    this.opening = new Promise((resolve) => {
      this.open_ = resolve;
    });
    const here = new Promise<void>((resolve) => {
      this.allParked = resolve;
    });
    for (const end of [...this.pauses]) end();
    this.tell();
    return here;
  }

  open(): void {
    this.closed = false;
    this.open_();
  }

  /** Lets every context return. */
  end(): void {
    this.ended = true;
    this.open();
    for (const end of [...this.pauses]) end();
  }

  private tell(): void {
    if (this.closed && this.parked === this.contexts) this.allParked();
  }
}
