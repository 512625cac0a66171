// SPDX-License-Identifier: GPL-2.0-only
/** Signals that end a run: its command is ended with it, and what there is is kept. */
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Ending {
  /** Aborted by the first of them. */
  readonly signal: AbortSignal;
  /** @returns 128 and the number of the signal that came, null if none did */
  caught(): number | null;
  /** From here on they do again what they did before. */
  release(): void;
}

/** Catches SIGINT, SIGTERM and SIGHUP until it is released. */
export function endOnSignals(): Ending {
  const controller = new AbortController();
  let code: number | null = null;
  const onSignal = (name: NodeJS.Signals): void => {
    // Whose terminal is gone cannot be told anything any more; the results are kept all the same.
    if (name === 'SIGHUP') for (const out of [process.stdout, process.stderr]) sayNothingOf(out);
    code ??= 128 + constants.signals[name];
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    caught: () => code,
    release: () => {
      for (const name of SIGNALS) process.removeListener(name, onSignal);
    },
  };
}

function sayNothingOf(out: NodeJS.WriteStream): void {
  out.removeAllListeners('error');
  out.on('error', () => {});
}

/**
 * After everything is kept: a process whose terminal is gone ends by the signal, because Node would abort at its exit when it
 * restores that terminal.
 */
export function endWithoutTerminal(code: number | null): void {
  const terminal = [process.stdin, process.stdout, process.stderr].some((s) => s.isTTY === true);
  if (code === 128 + constants.signals.SIGHUP && terminal) process.kill(process.pid, 'SIGHUP');
}
