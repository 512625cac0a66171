// SPDX-License-Identifier: GPL-2.0-only
/** Defaults in the help are what a user would write. */
import { describe, expect, it } from 'vitest';
import { commandTable } from '../../dist/tools/command_line.js';

const commands = commandTable(() => {}).commands;
/** The help without its line breaks. */
const helpOf = (name: string): string =>
  commands
    .find((c) => c.name() === name)
    ?.helpInformation()
    .replaceAll(/\s+/g, ' ') ?? '';

describe('the help', () => {
  it('of torture has a time and a part as its command line takes them', () => {
    expect(helpOf('torture')).toMatch(/--duration <time> [^(]*\(default: 30s\)/);
    expect(helpOf('torture')).toMatch(/--shard <i\/n> [^(]*\(default: 1\/1\)/);
  });

  it.each(commands.map((c) => [c.name()]))('of %s shows no default as the program has it', (name) => {
    expect(helpOf(name)).not.toMatch(/default: (\[|\{|""|false)/);
  });

  it.each(
    ['torture', 'stream'].flatMap((name) =>
      (commands.find((c) => c.name() === name)?.options ?? [])
        .filter((o) => o.parseArg !== undefined && o.defaultValueDescription !== undefined)
        .map((o) => [name, o.long, o.defaultValueDescription, o] as const),
    ),
  )('of %s %s: %s is the default', (_command, _long, text, o) => {
    expect(o.parseArg?.(String(text), undefined as never)).toEqual(o.defaultValue);
  });
});
