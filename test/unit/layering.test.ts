// SPDX-License-Identifier: GPL-2.0-only
//
// The rules of the source tree: which folder may import which, and what protocol code may not contain, because a
// model checker runs the same files with every access to shared memory a step of its own.

import {
  type BinaryExpression,
  type CallExpression,
  type ElementAccessExpression,
  type Node,
  type PropertyAccessExpression,
  SyntaxKind,
} from 'typescript/unstable/ast';
import { describe, expect, it } from 'vitest';
import { hiddenCode, lineOf, readSources, readText, type Source, walk } from '../helpers/source_tree.js';

/** From the bottom to the top; a file may import from its own layer and from those below. */
const LAYERS: readonly (readonly [name: string, files: RegExp])[] = [
  // Knows nothing of what it checks.
  ['check', /^src\/check\//],
  ['locks', /^src\/kernel\/(locking\/(spinlock|mutex)|cpu_relax)\.ts$/],
  ['mm', /^src\/mm\//],
  ['kernel', /^src\/kernel\//],
  ['errors', /^src\/errors\.ts$/],
  ['net/core', /^src\/net\/core\//],
  ['net/xdp', /^src\/net\/xdp\//],
  ['protocols and drivers', /^src\/(net\/(?!core\/)|drivers\/)/],
  ['litmus', /^src\/litmus\//],
  ['uapi', /^src\/uapi\//],
  ['threads', /^src\/threads\//],
  [
    'library',
    /^src\/(machine|applications|failure|device_inlet|device_rest|cable|boot_options|statistics|lay_out|socket|sender|loopback|xsk|net_device|net_device_options|timed_wire|vhost|trace|trace_names|trace_merge|trace_rings|tracing|index|app)\.ts$/,
  ],
  // Knows documents, and nothing of what made them.
  ['report', /^src\/report\//],
  ['tools', /^src\/tools\//],
  ['cli', /^src\/cli\.ts$/],
];

/** What the model checker runs. The public locks in kernel/locking/api are for other programs. */
const PROTOCOL_CODE = /^src\/(mm|kernel|net\/core|net\/xdp)\/(?!locking\/api\/)/;

/** The small interface through which time and the operating system come in: the checker replaces these. */
const PLATFORM = ['src/kernel/platform.ts', 'src/kernel/clock_ms.ts', 'src/kernel/cpu_relax.ts'];

const sources = readSources();
const byPath = new Map(sources.map((source) => [source.path, source]));
const protocolCode = sources.filter(({ path }) => PROTOCOL_CODE.test(path));

function layerOf(path: string): number {
  return LAYERS.findIndex(([, files]) => files.test(path));
}

/** Folders beside each other in one layer: net/ipv4 and drivers may not import one another. */
function folderOf(path: string): string {
  return /^src\/(net\/[^/]+|drivers)\//.exec(path)?.[1] ?? LAYERS[layerOf(path)]?.[0] ?? path;
}

/** Imports that do not point down, as lines of text. */
function wrongImports({ path, imports }: Source): string[] {
  const wrong: string[] = [];
  for (const { file, line } of imports) {
    if (file === null) continue;
    const [from, to] = [layerOf(path), layerOf(file)];
    const sideways = from === to && folderOf(path) !== folderOf(file);
    if (to > from || sideways) wrong.push(`${path}:${line} imports ${file}`);
  }
  return wrong;
}

const isShared = (text: string) => /^(m|b|f|mem|words|bytes)$/.test(text);

/** `m[…]`, `this.m[…]`, `cur.m[…]`: words of the arena. */
function isSharedElement(node: Node): boolean {
  if (node.kind !== SyntaxKind.ElementAccessExpression) return false;
  const { expression } = node as ElementAccessExpression;
  if (expression.kind === SyntaxKind.Identifier) return isShared(expression.getText());
  if (expression.kind !== SyntaxKind.PropertyAccessExpression) return false;
  return isShared((expression as PropertyAccessExpression).name.getText());
}

function isAtomics(node: Node): boolean {
  if (node.kind !== SyntaxKind.PropertyAccessExpression) return false;
  return (node as PropertyAccessExpression).expression.getText() === 'Atomics';
}

const isSharedAccess = (node: Node) => isAtomics(node) || isSharedElement(node);

/** `f(m, …)`: may touch it. (`new View(m, …)` may not, by the same rule.) */
function isSharedCall(node: Node): boolean {
  if (node.kind !== SyntaxKind.CallExpression) return false;
  return (node as CallExpression).arguments.some((arg) => /^(\w+\.)*(m|b|f)$/.test(arg.getText()));
}

function contains(node: Node, what: (node: Node) => boolean): boolean {
  let found = false;
  walk(node, (inner) => {
    found ||= what(inner);
    return !found;
  });
  return found;
}

/** A place in a file, with its text, for messages. */
function place({ path, tree }: Source, node: Node): string {
  return `${path}:${lineOf(tree, node)} ${node.getText(tree).split('\n')[0].slice(0, 80)}`;
}

/** Places where `breaks` says that a rule is broken. */
function breaches(source: Source, breaks: (node: Node) => boolean): string[] {
  const found: string[] = [];
  walk(source.tree, (node) => {
    if (breaks(node)) found.push(place(source, node));
    return true;
  });
  return found;
}

const SUSPENDING = new Set([
  SyntaxKind.AsyncKeyword,
  SyntaxKind.AwaitExpression,
  SyntaxKind.AwaitKeyword,
  SyntaxKind.YieldExpression,
]);

/** async, await, for await, generators. */
function suspends(node: Node): boolean {
  if (SUSPENDING.has(node.kind)) return true;
  return (
    (node as { asteriskToken?: Node }).asteriskToken !== undefined && node.kind !== SyntaxKind.YieldExpression
  );
}

/** `let` and `var` of a module, wherever its top level puts them. */
function mutableState({ tree }: Source): Node[] {
  return tree.statements.filter(
    (statement) =>
      statement.kind === SyntaxKind.VariableStatement &&
      /^(export )?(let|var)\b/.test(statement.getText(tree)),
  );
}

/** Constructors, accessors and field values that touch shared memory. */
function hiddenAccesses(source: Source): string[] {
  const found: string[] = [];
  walk(source.tree, (node) => {
    for (const body of hiddenCode(node)) {
      if (contains(body, (inner) => isSharedAccess(inner) || isSharedCall(inner)))
        found.push(place(source, body));
    }
    return true;
  });
  return found;
}

const BUILT_INS =
  /^(map|filter|forEach|some|every|reduce|reduceRight|find|findIndex|findLast|flatMap|sort|toSorted|from)$/;

/** A function given to an array built-in that touches shared memory. */
function isSharedCallback(node: Node): boolean {
  if (node.kind !== SyntaxKind.CallExpression) return false;
  const { expression, arguments: args } = node as CallExpression;
  if (expression.kind !== SyntaxKind.PropertyAccessExpression) return false;
  if (!BUILT_INS.test((expression as PropertyAccessExpression).name.getText())) return false;
  return args.some((arg) => contains(arg, isSharedAccess));
}

/** `m[i] += <shared access>`: two accesses in one statement, the first read before the second. */
function isCompound(node: Node): boolean {
  if (node.kind !== SyntaxKind.BinaryExpression) return false;
  const { left, operatorToken, right } = node as BinaryExpression;
  const compound = /^[^=!<>]+=$|^(<<|>>|>>>)=$/.test(operatorToken.getText());
  return compound && isSharedElement(left) && contains(right, isSharedAccess);
}

/** Time, chance and the operating system. */
function isOutside(node: Node): boolean {
  if (node.kind !== SyntaxKind.Identifier) return false;
  if (
    !/^(Date|performance|process|setTimeout|setInterval|setImmediate|queueMicrotask|fetch)$/.test(
      node.getText(),
    )
  ) {
    return node.getText() === 'random' && node.parent.getText() === 'Math.random';
  }
  const { parent } = node;
  return !(
    parent.kind === SyntaxKind.PropertyAccessExpression && (parent as PropertyAccessExpression).name === node
  );
}

describe('imports', () => {
  it('come from files that have a layer', () => {
    const homeless = sources.filter(({ path }) => layerOf(path) < 0).map(({ path }) => path);
    expect(homeless, 'give these files a place in LAYERS').toEqual([]);
    const lost = sources.flatMap(({ path, imports }) =>
      imports.filter(({ file }) => file !== null && !byPath.has(file)).map(({ file }) => `${path}: ${file}`),
    );
    expect(lost).toEqual([]);
    expect(sources.length).toBeGreaterThan(50);
  });

  it('point down', () => {
    expect(sources.flatMap(wrongImports)).toEqual([]);
  });

  it('make no circle of files that need one another to run', () => {
    const circles: string[] = [];
    const done = new Set<string>();
    const visit = (path: string, way: string[]): void => {
      const at = way.indexOf(path);
      if (at >= 0) circles.push([...way.slice(at), path].join(' → '));
      if (at >= 0 || done.has(path)) return;
      for (const { file, typeOnly } of byPath.get(path)?.imports ?? []) {
        if (file !== null && !typeOnly) visit(file, [...way, path]);
      }
      done.add(path);
    };
    for (const { path } of sources) visit(path, []);
    expect(circles).toEqual([]);
  });

  it('of protocol code are files of the tree: no package, nothing of Node', () => {
    const outside = protocolCode.flatMap(({ path, imports }) =>
      imports.filter(({ file }) => file === null).map(({ specifier }) => `${path}: ${specifier}`),
    );
    expect(outside).toEqual([]);
  });
});

describe('protocol code', () => {
  it.each([
    ['is never suspended: no async, await, generators', (s: Source) => breaches(s, suspends)],
    ['has no mutable module state', (s: Source) => mutableState(s).map((node) => place(s, node))],
    ['touches no shared memory in constructors, accessors and initial values', hiddenAccesses],
    [
      'touches no shared memory in callbacks of array built-ins',
      (s: Source) => breaches(s, isSharedCallback),
    ],
    ['reads no shared memory on the right of m[i] op=', (s: Source) => breaches(s, isCompound)],
  ])('%s', (_rule, find) => {
    expect(protocolCode.length).toBeGreaterThan(30);
    expect(protocolCode.flatMap(find)).toEqual([]);
  });

  it('gets time, chance and the operating system through the platform only', () => {
    const rest = protocolCode.filter(({ path }) => !PLATFORM.includes(path));
    expect(rest.flatMap((source) => breaches(source, isOutside))).toEqual([]);
  });
});

describe('the rules themselves', () => {
  const bad = readText(
    'src/kernel/bad.ts',
    `import { napi } from '../net/core/napi.js';
import { type Mode, poll } from '../threads/worker.js';
import type { Machine } from '../machine.js';
import { readFileSync } from 'node:fs';
export let state = 0;
var other = 1;
export async function a() { for await (const x of y) await x; }
export function* b() { yield 1; }
const c = { async d() {}, *e() {} };
class F {
  readonly m: Int32Array;
  at = Atomics.load(g, 0);
  constructor(m: Int32Array) { this.m = m; this.n = m[5]; }
  get state() { return Atomics.load(this.m, 1); }
  get name() { return readName(this.m, this.at); }
  view = new View(this.m, 4);
  set state(v) { this.m[2] = v; }
  fine() { return Atomics.load(this.m, 1) + this.m[2]; }
}
list.map((i) => m[i]);
cur.m[1] += Atomics.load(m, 2);
m[1] = m[2] + 1;
const now = Date.now() + performance.now() + Math.random() + cur.platform.process;
`,
  );

  it('see imports that point up', () => {
    expect(wrongImports(bad)).toEqual([
      'src/kernel/bad.ts:1 imports src/net/core/napi.ts',
      'src/kernel/bad.ts:2 imports src/threads/worker.ts',
      'src/kernel/bad.ts:3 imports src/machine.ts',
    ]);
    expect(bad.imports.map(({ typeOnly, file }) => [typeOnly, file === null])).toEqual([
      [false, false],
      [false, false],
      [true, false],
      [false, true],
    ]);
  });

  it('see imports between folders of one layer', () => {
    const sideways = readText('src/drivers/net/x.ts', "import { udp } from '../../net/ipv4/udp.js';");
    expect(wrongImports(sideways)).toHaveLength(1);
  });

  it('see every breach in a bad file, and none in what is allowed', () => {
    const lines = (found: string[]) => [...new Set(found.map((text) => Number(/:(\d+) /.exec(text)?.[1])))];
    expect(lines(breaches(bad, suspends))).toEqual([7, 8, 9]);
    expect(mutableState(bad).map((node) => lineOf(bad.tree, node))).toEqual([5, 6]);
    expect(lines(hiddenAccesses(bad))).toEqual([12, 13, 14, 15, 17]);
    expect(lines(breaches(bad, isSharedCallback))).toEqual([20]);
    expect(lines(breaches(bad, isCompound))).toEqual([21]);
    expect(lines(breaches(bad, isOutside))).toEqual([23]);
    expect(breaches(bad, isOutside)).toHaveLength(3);
  });
});
