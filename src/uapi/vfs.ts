// SPDX-License-Identifier: GPL-2.0-only
/** The virtual files: a path is looked up from node to node, as the kernel's file systems do. */
import { EACCES, EINVAL, EISDIR, ENOENT, ENOTDIR } from '../kernel/errno.js';
import type { NetContext } from '../net/core/net_context.js';
import type { UapiHost } from './host.js';
import { procNode } from './procfs.js';
import { Refusal } from './refuse.js';
import { sysfsNode } from './sysfs.js';
import { directory, type VfsNode } from './vfs_node.js';

/** A text that is written at once: a page, as sysfs takes it. */
const MAX_WRITE = 4096;

function root(net: NetContext, host: UapiHost): VfsNode {
  return directory({ proc: () => procNode(net), sys: () => sysfsNode(net, host) });
}

/** Names as PATH gives them; empty ones and "." do not count. */
function lookUp(net: NetContext, host: UapiHost, path: string): VfsNode {
  if (!path.startsWith('/')) throw new Refusal(-EINVAL, `${path}: give a path from / on`);
  let node = root(net, host);
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (node.kind === 'file') throw new Refusal(-ENOTDIR);
    const next = node.get(name);
    if (next === null) throw new Refusal(-ENOENT);
    node = next;
  }
  return node;
}

/** @returns the text of a file @throws Refusal */
export function readPath(net: NetContext, host: UapiHost, path: string): string {
  const node = lookUp(net, host, path);
  if (node.kind === 'directory') throw new Refusal(-EISDIR);
  return node.read();
}

/** Writes a text to a file. @throws Refusal */
export function writePath(net: NetContext, host: UapiHost, path: string, text: string): void {
  const node = lookUp(net, host, path);
  if (node.kind === 'directory') throw new Refusal(-EISDIR);
  if (node.write === undefined) throw new Refusal(-EACCES);
  if (text.length > MAX_WRITE) throw new Refusal(-EINVAL);
  node.write(text);
}

/** @returns the names in a directory, sorted; a directory's with a slash behind @throws Refusal */
export function listPath(net: NetContext, host: UapiHost, path: string): string[] {
  const node = lookUp(net, host, path);
  if (node.kind === 'file') throw new Refusal(-ENOTDIR);
  return node
    .names()
    .map((name) => (node.get(name)?.kind === 'directory' ? `${name}/` : name))
    .sort();
}
