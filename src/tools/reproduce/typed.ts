// SPDX-License-Identifier: GPL-2.0-only
/** Commands as they are to be typed. */

/** What a shell takes as it stands. */
const PLAIN = /^[\w@%+=:,./-]+$/;

/** @returns the word as a POSIX shell gives it on */
export function quoted(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** @returns the line for a checkout after `npm ci`, and for whoever installed the package: there softnet is on no PATH */
export function typed(argv: readonly string[]): string {
  return ['npx', 'softnet', ...argv.map(quoted)].join(' ');
}
