// SPDX-License-Identifier: GPL-2.0-only
/**
 * Doubly linked circular lists in the arena (Linux: include/linux/list.h): a head and its entries are two words each,
 * next and prev. All accesses are plain: a lock or an owner orders them, as each user's file says.
 */
import { type FieldDecl, words } from './struct.js';

/** Declares a list head or entry inside a struct. */
export function listHead(doc: string): FieldDecl {
  return words(2, doc);
}

/** Makes the list empty, or the entry unlinked (Linux: INIT_LIST_HEAD). */
export function initListHead(m: Int32Array, at: number): void {
  m[at] = at;
  m[at + 1] = at;
}

/** @returns true if the list has no entries, or the entry is in no list (Linux: list_empty) */
export function listEmpty(m: Int32Array, at: number): boolean {
  return m[at] === at;
}

/** Appends an unlinked entry (Linux: list_add_tail). */
export function listAddTail(m: Int32Array, entry: number, head: number): void {
  const last = m[head + 1];
  m[entry] = head;
  m[entry + 1] = last;
  m[last] = entry;
  m[head + 1] = entry;
}

/** Unlinks an entry and leaves it unlinked (Linux: list_del_init). */
export function listDelInit(m: Int32Array, entry: number): void {
  const next = m[entry];
  const prev = m[entry + 1];
  m[prev] = next;
  m[next + 1] = prev;
  initListHead(m, entry);
}

/** Moves all entries of `list` to the end of `head`; `list` is empty afterwards (Linux: list_splice_tail_init). */
export function listSpliceTailInit(m: Int32Array, list: number, head: number): void {
  if (listEmpty(m, list)) return;
  const first = m[list];
  const last = m[list + 1];
  const at = m[head + 1];
  m[first + 1] = at;
  m[at] = first;
  m[last] = head;
  m[head + 1] = last;
  initListHead(m, list);
}
