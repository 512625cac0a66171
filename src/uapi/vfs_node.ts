// SPDX-License-Identifier: GPL-2.0-only
/** Nodes of the virtual files: directories and texts. Made when they are looked at. */

export interface VfsDirectory {
  readonly kind: 'directory';
  readonly names: () => string[];
  /** @returns what has that name, or null */
  readonly get: (name: string) => VfsNode | null;
}

export interface VfsFile {
  readonly kind: 'file';
  readonly read: () => string;
  /** Left out for files that nobody may write. */
  readonly write?: (text: string) => void;
}

export type VfsNode = VfsDirectory | VfsFile;

/** A directory with these entries. */
export function directory(entries: { readonly [name: string]: () => VfsNode }): VfsDirectory {
  return {
    kind: 'directory',
    names: () => Object.keys(entries),
    get: (name) => (Object.hasOwn(entries, name) ? entries[name]() : null),
  };
}

/** A file. */
export function file(read: () => string, write?: (text: string) => void): VfsFile {
  return write === undefined ? { kind: 'file', read } : { kind: 'file', read, write };
}
