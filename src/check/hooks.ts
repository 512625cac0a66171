// SPDX-License-Identifier: GPL-2.0-only
/** Module hooks in the loader's own thread, for a Node that has no hooks in the thread that imports. */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { Instrument, type Resolved, type Session } from './instrument.js';

interface HookData {
  readonly port: MessagePort;
  /** Folder of the checker. */
  readonly checker: string;
}

const sessions = new Map<string, Session>();
let instrument: Instrument | undefined;

export function initialize(d: HookData): void {
  instrument = new Instrument(d.checker, (id) => {
    // Messages that were posted before the import have arrived: they are taken here, not when the loop comes round.
    for (;;) {
      const message = receiveMessageOnPort(d.port);
      if (message === undefined) break;
      const s = message.message as Session;
      sessions.set(s.id, s);
    }
    const s = sessions.get(id);
    if (s === undefined) throw new Error(`no session ${id}`);
    return s;
  });
}

export async function resolve(
  specifier: string,
  context: { parentURL?: string },
  next: (specifier: string, context: object) => Promise<Resolved>,
): Promise<Resolved> {
  const own = instrument?.own(specifier, context.parentURL);
  if (own !== undefined) return own;
  const found = await next(specifier, context);
  return instrument?.resolved(specifier, context.parentURL, found) ?? found;
}

export async function load(
  url: string,
  context: object,
  next: (url: string, context: object) => Promise<object>,
): Promise<object> {
  return instrument?.load(url) ?? next(url, context);
}
