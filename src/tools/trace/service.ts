// SPDX-License-Identifier: GPL-2.0-only
/** Traces of a machine for the clients of its control socket, one at a time. */
import type { Machine } from '../../machine.js';
import { packTrace } from '../../trace.js';
import type { Backend } from '../../uapi/server/backend.js';
import { HttpError } from '../../uapi/server/http_error.js';

export function traceService(machine: Machine): Pick<Backend, 'trace' | 'endTrace'> {
  let ending: AbortController | null = null;
  return {
    async trace(seconds, gone) {
      if (machine.traced)
        throw new HttpError(409, 'the machine is being traced; try again when that has ended');
      const end = new AbortController();
      ending = end;
      const abort = (): void => end.abort();
      gone.addEventListener('abort', abort);
      try {
        return packTrace(await machine.trace(seconds, end.signal));
      } finally {
        gone.removeEventListener('abort', abort);
        if (ending === end) ending = null;
      }
    },
    endTrace() {
      if (ending === null) return false;
      ending.abort();
      return true;
    },
  };
}
