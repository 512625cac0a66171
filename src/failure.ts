// SPDX-License-Identifier: GPL-2.0-only
/** What a machine has died of, and whoever waits for something that will not come any more. */
export class Failure {
  /** What it died of; null: it lives. */
  error: Error | null = null;
  /** Never resolves; rejects when it dies. */
  readonly died: Promise<never>;
  private readonly reject: (error: Error) => void;
  private readonly waiting = new Set<(error: Error) => void>();

  constructor() {
    let reject: (error: Error) => void = () => {};
    this.died = new Promise<never>((_, r) => {
      reject = r;
    });
    this.reject = reject;
    this.died.catch(() => {});
  }

  /** The machine has died of `error`. @returns false if it was dead */
  is(error: Error): boolean {
    if (this.error !== null) return false;
    this.error = error;
    this.reject(error);
    for (const tell of this.waiting) tell(error);
    return true;
  }

  throwIfAny(): void {
    if (this.error !== null) throw this.error;
  }

  /**
   * Settles as `p` does, or rejects as soon as the machine dies. Promise.race would leave something behind in `died` each
   * time: a machine lives long.
   */
  or<T>(p: Promise<T>): Promise<T> {
    const raced = new Promise<T>((resolve, reject) => {
      this.waiting.add(reject);
      p.then(resolve, reject).finally(() => this.waiting.delete(reject));
      if (this.error !== null) reject(this.error);
    });
    // Whoever does not look at the outcome must not bring the process down: the failure is remembered here.
    raced.catch(() => {});
    return raced;
  }
}
