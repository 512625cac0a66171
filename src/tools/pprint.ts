// SPDX-License-Identifier: GPL-2.0-only
/** Values as Python prints them: its repr, and pprint's layout in 80 columns. For output that people know from ynl. */

const WIDTH = 80;

/** @returns the text without a newline at the end; keys are sorted; arrays inside an object are sets */
export function pprint(value: unknown): string {
  return layOut(value, 0, 0, false);
}

/** Python's repr, on one line. */
export function repr(value: unknown, inObject = false): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) {
    const items = value.map((v) => repr(v)).join(', ');
    if (!inObject) return `[${items}]`;
    return value.length === 0 ? 'set()' : `{${items}}`;
  }
  if (typeof value === 'object') {
    const items = Object.entries(value).map(([k, v]) => `${quoted(k)}: ${repr(v, true)}`);
    return `{${items.join(', ')}}`;
  }
  return String(value);
}

function quoted(s: string): string {
  const q = s.includes("'") && !s.includes('"') ? '"' : "'";
  const escaped = s.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return q + (q === "'" ? escaped.replaceAll("'", "\\'") : escaped) + q;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, sorted(v)]),
  );
}

/** @param indent column where it begins @param allowance characters that must follow on its last line */
function layOut(given: unknown, indent: number, allowance: number, inObject: boolean): string {
  const value = sorted(given);
  const line = repr(value, inObject);
  if (line.length <= WIDTH - indent - allowance) return line;
  const inner = indent + 1;
  if (Array.isArray(value)) {
    const items = value.map((v, i) => layOut(v, inner, i === value.length - 1 ? allowance + 1 : 1, false));
    return `[${items.join(`,\n${' '.repeat(inner)}`)}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    const items = entries.map(([k, v], i) => {
      const key = `${quoted(k)}: `;
      const last = i === entries.length - 1;
      return key + layOut(v, inner + key.length, last ? allowance + 1 : 1, true);
    });
    return `{${items.join(`,\n${' '.repeat(inner)}`)}}`;
  }
  return line;
}
