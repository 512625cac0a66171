// SPDX-License-Identifier: GPL-2.0-only
//
// The source tree as syntax trees, for tests that hold its rules.

import { fileURLToPath } from 'node:url';
import {
  type ClassDeclaration,
  type ExportDeclaration,
  type ImportDeclaration,
  type Node,
  type SourceFile,
  type StringLiteral,
  SyntaxKind,
} from 'typescript/unstable/ast';
import { API } from 'typescript/unstable/sync';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** One import or re-export. */
export interface Import {
  /** As it is written. */
  readonly specifier: string;
  /** Path of the file from the root of the repository, if it is one of ours. */
  readonly file: string | null;
  /** Nothing is left of it at run time. */
  readonly typeOnly: boolean;
  readonly line: number;
}

export interface Source {
  /** Path from the root of the repository. */
  readonly path: string;
  readonly tree: SourceFile;
  readonly imports: readonly Import[];
}

/** Parses every file below src/. */
export function readSources(): Source[] {
  const api = new API({ cwd: ROOT });
  try {
    const [project] = api.updateSnapshot({ openProject: `${ROOT}tsconfig.json` }).getProjects();
    return project.rootFiles.map((name) => {
      const tree = project.program.getSourceFile(name);
      if (tree === undefined) throw new Error(`${name} is part of the project but cannot be read`);
      const path = name.slice(ROOT.length);
      return { path, tree, imports: importsOf(path, tree) };
    });
  } finally {
    api.close();
  }
}

/** Parses a text that is no file of the tree. */
export function readText(path: string, text: string): Source {
  const api = new API({
    cwd: '/',
    fs: {
      readFile: (name) => {
        if (name === '/tsconfig.json')
          return '{"files":["text.ts"],"compilerOptions":{"noLib":true,"types":[]}}';
        return name === '/text.ts' ? text : undefined;
      },
      fileExists: (name) => name === '/tsconfig.json' || name === '/text.ts',
    },
  });
  try {
    const [project] = api.updateSnapshot({ openProject: '/tsconfig.json' }).getProjects();
    const tree = project.program.getSourceFile('/text.ts');
    if (tree === undefined) throw new Error('the text cannot be read');
    return { path, tree, imports: importsOf(path, tree) };
  } finally {
    api.close();
  }
}

/** Calls `visit` for a node and everything inside it; what `visit` answers false for is not entered. */
export function walk(node: Node, visit: (node: Node) => boolean | undefined): void {
  if (visit(node) === false) return;
  node.forEachChild((child) => walk(child, visit));
}

/** The line of a node, from 1. */
export function lineOf(tree: SourceFile, node: Node): number {
  const start = node.getStart(tree);
  return tree.getLineStarts().filter((at) => at <= start).length;
}

function importsOf(path: string, tree: SourceFile): Import[] {
  const found: Import[] = [];
  const add = (specifier: Node, typeOnly: boolean) => {
    const { text } = specifier as StringLiteral;
    const file = text.startsWith('.') ? resolve(path, text) : null;
    found.push({ specifier: text, file, typeOnly, line: lineOf(tree, specifier) });
  };
  walk(tree, (node) => {
    if (node.kind === SyntaxKind.ImportDeclaration) {
      const { importClause, moduleSpecifier } = node as ImportDeclaration;
      add(moduleSpecifier, importClause !== undefined && isTypeOnly(importClause));
    } else if (node.kind === SyntaxKind.ExportDeclaration) {
      const { moduleSpecifier, isTypeOnly: typeOnly } = node as ExportDeclaration;
      if (moduleSpecifier !== undefined) add(moduleSpecifier, typeOnly);
    } else if (node.kind === SyntaxKind.CallExpression) {
      const { expression, arguments: args } = node as unknown as { expression: Node; arguments: Node[] };
      const dynamic =
        expression.kind === SyntaxKind.ImportKeyword && args[0]?.kind === SyntaxKind.StringLiteral;
      if (dynamic) add(args[0], false);
    }
    return true;
  });
  return found;
}

/** `import type …`, or nothing but `type` names in the braces. */
function isTypeOnly(clause: Node): boolean {
  const { phaseModifier, name, namedBindings } = clause as unknown as {
    phaseModifier?: SyntaxKind;
    name?: Node;
    namedBindings?: { kind: SyntaxKind; elements?: { isTypeOnly: boolean }[] };
  };
  if (phaseModifier === SyntaxKind.TypeKeyword) return true;
  if (name !== undefined || namedBindings?.elements === undefined) return false;
  return namedBindings.elements.length > 0 && namedBindings.elements.every((element) => element.isTypeOnly);
}

/** The file that `specifier` means in the file `path`: the source of what is built. */
function resolve(path: string, specifier: string): string {
  const { pathname } = new URL(specifier, `file:///${path}`);
  return pathname.slice(1).replace(/\.js$/, '.ts');
}

/** The bodies of a class that run without being called by name: constructor, accessors, initial values of fields. */
export function hiddenCode(node: Node): Node[] {
  if (node.kind !== SyntaxKind.ClassDeclaration && node.kind !== SyntaxKind.ClassExpression) return [];
  return (node as ClassDeclaration).members.filter((member) =>
    [
      SyntaxKind.Constructor,
      SyntaxKind.GetAccessor,
      SyntaxKind.SetAccessor,
      SyntaxKind.PropertyDeclaration,
      SyntaxKind.ClassStaticBlockDeclaration,
    ].includes(member.kind),
  );
}
