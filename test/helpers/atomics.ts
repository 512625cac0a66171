// SPDX-License-Identifier: GPL-2.0-only
/** Lets "another thread" do something at a chosen atomic step of the code under test. */
import { vi } from 'vitest';

/** An operation of Atomics on a word. */
export type WordOp = (m: Int32Array, at: number, ...values: number[]) => number;

/** Puts a hook around an operation, until vi.restoreAllMocks. The hook calls `real` when it wants. */
export function hookAtomics(
  op: 'load' | 'store' | 'compareExchange',
  hook: (real: WordOp, m: Int32Array, at: number, ...values: number[]) => number,
): void {
  const real = Atomics[op].bind(Atomics) as unknown as WordOp;
  const hooked: WordOp = (m, at, ...values) => hook(real, m, at, ...values);
  vi.spyOn(Atomics, op).mockImplementation(hooked as never);
}

/** Runs `act` once, just before the next operation. */
export function beforeNext(op: 'load' | 'store' | 'compareExchange', act: () => void): void {
  let done = false;
  hookAtomics(op, (real, m, at, ...values) => {
    if (!done) {
      done = true;
      act();
    }
    return real(m, at, ...values);
  });
}
