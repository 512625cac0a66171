// SPDX-License-Identifier: GPL-2.0-only
/** Which tests or mutants a command line names. */

/**
 * @param wanted names; `*` in one stands for any text. None: all.
 * @param none the error for a name that means nothing
 * @returns those of `all` that are meant, in their order
 */
export function named(
  all: readonly string[],
  wanted: readonly string[],
  none: (name: string) => Error,
): readonly string[] {
  if (wanted.length === 0) return all;
  const meant = new Set<string>();
  for (const name of wanted) {
    const found = name.includes('*') ? all.filter(matcher(name)) : all.filter((n) => n === name);
    if (found.length === 0) throw none(name);
    for (const n of found) meant.add(n);
  }
  return all.filter((n) => meant.has(n));
}

function matcher(pattern: string): (name: string) => boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[^\w-]/g, '\\$&'));
  const whole = new RegExp(`^${parts.join('.*')}$`);
  return (name) => whole.test(name);
}
