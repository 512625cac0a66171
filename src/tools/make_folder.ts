// SPDX-License-Identifier: GPL-2.0-only
/** Folders for what commands write. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder, and those above it that are not there. One by one: where none can be made (below /proc, say), Node's own
 * `recursive` goes on trying for ever.
 * @throws the system's error
 */
export function makeFolder(path: string): void {
  const missing: string[] = [];
  for (let dir = resolve(path); !existsSync(dir); dir = dirname(dir)) missing.unshift(dir);
  for (const dir of missing) mkdirSync(dir);
}
