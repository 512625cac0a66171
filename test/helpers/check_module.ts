// SPDX-License-Identifier: GPL-2.0-only
/** Loads a module of litmus tests under the built checker. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import {
  check,
  type Litmus,
  litmusTests,
  loadProgram,
  type Program,
  type Verdict,
} from '../../dist/check/index.js';

const folder = mkdtempSync(join(tmpdir(), 'softnet-check-'));
let count = 0;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a module. @returns its path */
export function writeModule(source: string, name = `m${++count}.mjs`): string {
  const path = join(folder, name);
  writeFileSync(path, source);
  return path;
}

/** @returns the tests of a module, by name */
export async function loadTests(path: string): Promise<{ program: Program; tests: Map<string, Litmus> }> {
  const program = await loadProgram(path);
  return { program, tests: new Map(litmusTests(program.exports).map((t) => [t.name, t])) };
}

/** Checks the only test of a module given as source; `litmus` and `must` are imported for it. */
export async function checkSource(source: string): Promise<Verdict> {
  const head = "import { litmus, must } from 'softnet/check';\n";
  const { program, tests } = await loadTests(writeModule(head + source));
  return check([...tests.values()][0], program, undefined, { audit: true });
}
