// SPDX-License-Identifier: GPL-2.0-only
/** A place in a JSON document: what is there, and its JSON Pointer (RFC 6901). Every figure of a report says where it is from. */

export class At {
  readonly path: string;
  readonly value: unknown;

  constructor(value: unknown, path = '') {
    this.value = value;
    this.path = path;
  }

  /** @returns the place behind these keys; its value is undefined where there is none */
  at(...keys: (string | number)[]): At {
    let value = this.value;
    let path = this.path;
    for (const key of keys) {
      const inside = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
      value = inside ? (value as { [k: string]: unknown })[key] : undefined;
      path += `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
    }
    return new At(value, path);
  }

  /** @returns the elements of a list; none if this is no list */
  items(): At[] {
    return Array.isArray(this.value) ? this.value.map((_, i) => this.at(i)) : [];
  }

  /** @returns the fields of an object; none if this is no object */
  fields(): { readonly key: string; readonly at: At }[] {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
    return Object.keys(value).map((key) => ({ key, at: this.at(key) }));
  }

  get number(): number | null {
    return typeof this.value === 'number' && Number.isFinite(this.value) ? this.value : null;
  }

  get text(): string {
    return typeof this.value === 'string' ? this.value : '';
  }
}

/** @returns the places that hold a number */
export function numbers(places: readonly At[]): { readonly at: At; readonly v: number }[] {
  return places.flatMap((at) => (at.number === null ? [] : [{ at, v: at.number }]));
}
