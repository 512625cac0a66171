// SPDX-License-Identifier: GPL-2.0-only
/** What the files of this folder share: a command's place in the table, and readers of options. */
import { type Command, InvalidArgumentError } from 'commander';

/** Takes a command's exit code. */
export type Done = (code: number) => void;
/** Puts a command into the table. What it needs to run is loaded when it runs. */
export type AddCommand = (cli: Command, done: Done) => void;

/** A reader of whole numbers within bounds. */
export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const n = Number(text);
    if (text.trim() === '' || !Number.isInteger(n) || n < min || n > max) {
      throw new InvalidArgumentError(`Give a whole number from ${min} to ${max}.`);
    }
    return n;
  };
}

/** Appends to a list: for options that may be given again. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

/** A reader of i/n: part i of n, from 1 on. */
export function shard(text: string): readonly [number, number] {
  const found = /^(\d+)\/(\d+)$/.exec(text);
  const [i, n] = [Number(found?.[1]), Number(found?.[2])];
  if (i >= 1 && i <= n && n <= 1_000_000) return [i, n];
  throw new InvalidArgumentError('Give i/n: part i of n, from 1 on.');
}
