// SPDX-License-Identifier: GPL-2.0-only
/** How a machine of a run ends before its time: what must hold behind the death of a thread. */
import type { Machine } from '../../index.js';
import { TortureFailure } from './operations.js';
import type { FaultName } from './profiles.js';

/** @returns true if it is the error of a machine that lost that thread; a NAPI thread's name changes with its instance */
export function tellsOf(
  error: Error,
  dying: { readonly thread: string; readonly fault: FaultName },
): boolean {
  const { thread, fault } = dying;
  const [, name, why] = /^thread (\S+) died: ([^\n]*)$/.exec(error.message) ?? [];
  if (fault === 'worker-oom' && !/out of memory/.test(why ?? '')) return false;
  return name !== undefined && (name === thread || (name.startsWith('napi/') && thread.startsWith('napi/')));
}

/** Everything rejects with the one error, and no worker is left. @throws TortureFailure */
export async function bury(machine: Machine, why: Error): Promise<void> {
  await machine.abandon(why);
  for (const [what, op] of [
    ['an operation', machine.uapi({ kind: 'sysctls' })],
    ['shutdown', machine.shutdown()],
  ] as const) {
    const said = await op.then(
      () => 'nothing',
      (error: Error) => error.message,
    );
    if (said !== why.message) throw new TortureFailure(`${what} says ${said} after “${why.message}”`);
  }
  if (machine.workers !== 0) throw new TortureFailure(`${machine.workers} workers are left behind`);
}

/** Sleeps, not beyond the user's interrupt. */
export function sleep(ms: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      stopped.removeEventListener('abort', end);
      resolve();
    }
    stopped.addEventListener('abort', end);
    if (stopped.aborted) end();
  });
}
