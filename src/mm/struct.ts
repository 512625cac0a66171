// SPDX-License-Identifier: GPL-2.0-only
/**
 * Struct declarations over 32-bit words.
 *
 * A struct is declared once, as a list of *lines*: a line names who writes it and starts on a cache line of its
 * own, so words which different threads write never share one. Offsets are computed here and nowhere else;
 * `softnet pahole` prints them.
 */

/** Words in a cache line (64 bytes). */
export const CACHE_LINE_WORDS = 16;

/** One field: its size and alignment in 32-bit words, and what it means. */
export interface FieldDecl {
  readonly words: number;
  readonly align: number;
  readonly doc: string;
}

/** A 32-bit word. */
export function word(doc: string): FieldDecl {
  return { words: 1, align: 1, doc };
}

/** `count` consecutive 32-bit words. */
export function words(count: number, doc: string): FieldDecl {
  return { words: count, align: 1, doc };
}

/** A double (two words, 8-byte aligned), only ever accessed plainly: by its owner, or ordered by another atomic. */
export function f64(doc: string): FieldDecl {
  return { words: 2, align: 2, doc };
}

/** Fields that the same party writes; `writer` says who that is and by what right. */
export interface LineDecl<K extends string = string> {
  readonly writer: string;
  readonly fields: { readonly [P in K]: FieldDecl };
}

/** Declares a line: starts on a new cache line. */
export function line<const F extends { readonly [name: string]: FieldDecl }>(
  writer: string,
  fields: F,
): LineDecl<keyof F & string> {
  return { writer, fields: fields as { readonly [P in keyof F & string]: FieldDecl } };
}

/** What `softnet pahole` prints of one field. */
export interface FieldInfo {
  readonly name: string;
  readonly offset: number;
  readonly words: number;
  readonly line: number;
  readonly writer: string;
  readonly doc: string;
}

/** Everything known about a struct beside its offsets. */
export interface StructInfo {
  /** Linux's name of the struct, where it has one. */
  readonly NAME: string;
  /** Size in words, a multiple of the cache line. */
  readonly SIZE: number;
  readonly FIELDS: readonly FieldInfo[];
}

/** A declared struct: `S.field` is the field's offset in words. */
export type Struct<K extends string> = { readonly [P in K]: number } & StructInfo;

/** The field names of a union of lines. */
type FieldsOf<L> = L extends LineDecl<infer K> ? K : never;

/** Rounds a count of words up to whole cache lines. */
export function cacheAlign(count: number): number {
  return (count + CACHE_LINE_WORDS - 1) & ~(CACHE_LINE_WORDS - 1);
}

/**
 * Lays a struct out. Offsets are in words from the start of the struct, which the allocator places on a cache line.
 * @param name the struct's name as `pahole` shows it
 * @param lines its lines, in order
 */
export function struct<const L extends readonly LineDecl[]>(
  name: string,
  ...lines: L
): Struct<FieldsOf<L[number]>> {
  const offsets: Record<string, number> = {};
  const fields: FieldInfo[] = [];
  let at = 0;
  for (const { writer, fields: decls } of lines) {
    at = cacheAlign(at);
    for (const [field, decl] of Object.entries(decls)) {
      at = Math.ceil(at / decl.align) * decl.align;
      if (field in offsets) throw new Error(`struct ${name}: field ${field} is declared twice`);
      offsets[field] = at;
      fields.push({
        name: field,
        offset: at,
        words: decl.words,
        line: Math.floor(at / CACHE_LINE_WORDS),
        writer,
        doc: decl.doc,
      });
      at += decl.words;
    }
  }
  const info: StructInfo = { NAME: name, SIZE: cacheAlign(at), FIELDS: fields };
  return Object.freeze({ ...offsets, ...info }) as Struct<FieldsOf<L[number]>>;
}
