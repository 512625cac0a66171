// SPDX-License-Identifier: GPL-2.0-only
/**
 * What attributes each operation of the family `netdev` takes, and in which ranges (Linux: netdev-genl-gen.c, made
 * from Documentation/netlink/specs/netdev.yaml). The checks come before anything else, in the order of the message.
 */
import { EINVAL, ERANGE } from '../kernel/errno.js';
import { Refusal } from './refuse.js';
import type { Attributes } from './request.js';

/** Bounds of one attribute; those of its type unless said otherwise. */
interface Policy {
  readonly type: 'u32' | 'uint';
  readonly min?: number;
  readonly max?: number;
  /** Names of the values 0, 1, …: either is accepted. */
  readonly names?: readonly string[];
}

/** Attributes that one operation takes. */
export type PolicyTable = { readonly [name: string]: Policy };

const U32_MAX = 0xffffffff;
const S32_MAX = 0x7fffffff;

export const NAPI_THREADED_NAMES: readonly string[] = ['disabled', 'enabled', 'busy-poll'];
export const QUEUE_TYPE_NAMES: readonly string[] = ['rx', 'tx'];

const IFINDEX: Policy = { type: 'u32', min: 1 };

export const DEV_GET: PolicyTable = { ifindex: IFINDEX };
export const NAPI_GET_DO: PolicyTable = { id: { type: 'u32' } };
export const NAPI_GET_DUMP: PolicyTable = { ifindex: IFINDEX };
export const QUEUE_GET_DO: PolicyTable = {
  ifindex: IFINDEX,
  type: { type: 'u32', max: 1, names: QUEUE_TYPE_NAMES },
  id: { type: 'u32' },
};
export const QUEUE_GET_DUMP: PolicyTable = { ifindex: IFINDEX };
export const NAPI_SET: PolicyTable = {
  id: { type: 'u32' },
  'defer-hard-irqs': { type: 'u32', max: S32_MAX },
  'gro-flush-timeout': { type: 'uint' },
  'irq-suspend-timeout': { type: 'uint' },
  threaded: { type: 'u32', max: 2, names: NAPI_THREADED_NAMES },
};

/**
 * Checks a message's attributes. @returns them as numbers
 * @throws Refusal -EINVAL for an attribute the operation does not take or a value of another type, -ERANGE for one
 *   out of range
 */
export function validate(table: PolicyTable, attrs: Attributes): { readonly [name: string]: number } {
  const values: { [name: string]: number } = {};
  for (const [name, given] of Object.entries(attrs)) {
    const policy = Object.hasOwn(table, name) ? table[name] : undefined;
    const badAttr = `.${name}`;
    if (policy === undefined) {
      throw new Refusal(-EINVAL, undefined, { msg: 'Unsupported attribute', badAttr });
    }
    const byName = typeof given === 'string' ? (policy.names ?? []).indexOf(given) : -1;
    const value = byName >= 0 ? byName : given;
    const typeMax = policy.type === 'u32' ? U32_MAX : Number.MAX_SAFE_INTEGER;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > typeMax) {
      throw new Refusal(-EINVAL, undefined, { msg: `${name} must be ${kindOf(policy)}`, badAttr });
    }
    const min = policy.min ?? 0;
    const max = policy.max ?? typeMax;
    if (value < min || value > max) {
      throw new Refusal(-ERANGE, undefined, { msg: 'integer out of range', badAttr, policy: { min, max } });
    }
    values[name] = value;
  }
  return values;
}

function kindOf(p: Policy): string {
  const number = p.type === 'u32' ? 'a whole number from 0 to 4294967295' : 'a whole number from 0 on';
  return p.names === undefined ? number : `${number}, or one of ${p.names.join(', ')}`;
}

/** @throws Refusal -EINVAL unless the message has the attribute (Linux: GENL_REQ_ATTR_CHECK) */
export function required(values: { readonly [name: string]: number }, name: string): number {
  if (!Object.hasOwn(values, name)) throw new Refusal(-EINVAL, undefined, { missType: name });
  return values[name];
}
