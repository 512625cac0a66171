// SPDX-License-Identifier: GPL-2.0-only
/** Looks into JSON documents of which nothing is certain: a command may have been interrupted, or be of another version. */

export type Json = { readonly [key: string]: unknown };

/** @returns the value as an object; one without keys if it is none */
export function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

/** @returns the value as a list of objects; an empty one if it is none */
export function objects(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}

/** @returns the value as a finite number, or null */
export function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** @returns the value as text, '' if it is none */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** @returns the values that are there */
export function present<T>(values: readonly (T | null | undefined)[]): T[] {
  return values.filter((v): v is T => v !== null && v !== undefined);
}
