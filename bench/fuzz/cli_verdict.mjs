// SPDX-License-Identifier: GPL-2.0-only
/** What a command line may come to: a documented exit code, and of what is wrong one clear line that names it. */

/** What stands in for the work that a command would do says so with this. */
export const STAND_IN = 'here the machine would be booted';

/** Exit codes of every command (docs), and those that the clients have from the tools they stand for. */
const CODES = [0, 1, 2, 4, 7, 130];
const OF_CLIENTS = { ethtool: [81, 96], ip: [255] };
/** Words of an error that nobody has thought of. */
const INTERNAL =
  /\n\s+at |TypeError|ReferenceError|SyntaxError: (?!Un|Ex|Bad)|is not a function|Cannot (read|set) prop|is not iterable|is not defined|ERR_[A-Z]|Maximum call stack|ENOTEMPTY|\[object |unhandled|Assertion/i;
const MAX_LINES = 6;

/**
 * @param code the exit code, null for a signal
 * @returns a line on what must not be, or null
 */
export function cliWrong(argv, { code, stderr, stdout }) {
  const [command] = argv;
  const many = command === 'sysctl' && code >= 0 && code < 255;
  if (!CODES.includes(code) && !(OF_CLIENTS[command] ?? []).includes(code) && !many)
    return `exit code ${code}`;
  // What was given may hold such words.
  const given = argv.flatMap((word) => [word, word.slice(word.indexOf('=') + 1)]);
  const said = given.reduce((text, word) => (word.length > 3 ? text.replaceAll(word, '…') : text), stderr);
  if (INTERNAL.test(said))
    return `an error that nobody has thought of: ${JSON.stringify(stderr.slice(0, 400))}`;
  if (code === 1 && /^softnet: /m.test(stderr) && !stderr.includes(STAND_IN))
    return `wrong use that is no wrong use (exit code 1): ${JSON.stringify(stderr.slice(0, 400))}`;
  if (code === 0 || stderr.includes(STAND_IN)) return null;
  if (code === 2 && stderr.trim() === '' && stdout.trim() === '') return 'exit code 2 without a word';
  if (code === 2 && stderr.trimEnd().split('\n').length > MAX_LINES && !/^Usage: /im.test(stderr))
    return `many lines: ${JSON.stringify(stderr.slice(0, 600))}`;
  return null;
}
