// SPDX-License-Identifier: GPL-2.0-only
/** Defaults in the help of a command, as they would be written on its command line. */
import { type Argument, Help, type Option } from 'commander';

const plain = new Help();

/** @returns what stands for a default; undefined: it goes without saying */
function written(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.join(',');
  return value === undefined || value === false || value === '' ? undefined : String(value);
}

function readable<T extends Option | Argument>(given: T): T {
  const shown = Object.create(given) as T;
  shown.defaultValueDescription ??= written(given.defaultValue);
  if (shown.defaultValueDescription === undefined) shown.defaultValue = undefined;
  return shown;
}

/** For Command.configureHelp(). */
export const DEFAULT_HELP = {
  optionDescription: (option: Option): string => plain.optionDescription(readable(option)),
  argumentDescription: (argument: Argument): string => plain.argumentDescription(readable(argument)),
};
