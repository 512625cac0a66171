// SPDX-License-Identifier: GPL-2.0-only
/** Source edits applied at load: how a module is replaced under check, and how mutants are made. */
import { CheckUsageError } from './refuse.js';

/** One edit of one file. */
export interface Edit {
  /** End of the file's path, as `net/core/napi_poll.js`. */
  readonly file: string;
  /** Text that must stand in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** @returns true if `path` ends in the edit's file, at a folder's border */
export function editConcerns(path: string, edit: Edit): boolean {
  const p = path.replaceAll('\\', '/');
  return p === edit.file || p.endsWith(`/${edit.file}`);
}

/**
 * Applies the edits that concern a file.
 * @throws CheckUsageError if a text to replace does not stand there exactly once
 */
export function applyEdits(path: string, source: string, edits: readonly Edit[]): string {
  let text = source;
  for (const e of edits) {
    if (!editConcerns(path, e)) continue;
    const at = text.indexOf(e.find);
    if (at < 0 || text.indexOf(e.find, at + 1) >= 0) {
      throw new CheckUsageError(
        `${path}: the text to replace stands there ${at < 0 ? 'nowhere' : 'more than once'}: ${JSON.stringify(e.find)}; ` +
          'bring the edit up to date',
      );
    }
    text = text.slice(0, at) + e.replace + text.slice(at + e.find.length);
  }
  return text;
}
