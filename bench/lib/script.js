// SPDX-License-Identifier: GPL-2.0-only
/** Command lines of the scripts in bench/: `--help` with exit code 0, and what is wrong in one line with exit code 2. */
import { Command, InvalidArgumentError } from 'commander';

const EXIT_USAGE = 2;

/** @returns a command to add options to; `parse()` ends the process where there is nothing to run */
export function script(name, description) {
  return new Command(`node bench/${name}.mjs`)
    .description(description)
    .allowExcessArguments(false)
    .showSuggestionAfterError(false)
    .configureOutput({
      outputError: (text, write) => write(`${name}: ${text.replace(/^error: /, '')}`),
    })
    .exitOverride((end) => process.exit(end.exitCode === 0 ? 0 : EXIT_USAGE));
}

/** A reader of numbers from `min` on. */
export function number(min, max = Number.MAX_VALUE) {
  return (text) => {
    const n = Number(text);
    if (text.trim() === '' || !(n >= min && n <= max))
      throw new InvalidArgumentError(`Give ${range('a number', min, max)}.`);
    return n;
  };
}

/** A reader of whole numbers from `min` on. */
export function whole(min, max = Number.MAX_SAFE_INTEGER) {
  return (text) => {
    const n = Number(text);
    if (text.trim() === '' || !Number.isInteger(n) || n < min || n > max) {
      throw new InvalidArgumentError(`Give ${range('a whole number', min, max)}.`);
    }
    return n;
  };
}

/** A reader of lists with commas, of some of `choices`. */
export function some(choices) {
  return (text) => {
    const list = text.split(',');
    if (list.every((word) => choices.includes(word))) return list;
    throw new InvalidArgumentError(`Give some of ${choices.join(', ')}, with a comma between them.`);
  };
}

function range(what, min, max) {
  return max >= Number.MAX_SAFE_INTEGER ? `${what}, ${min} or above` : `${what} from ${min} to ${max}`;
}
