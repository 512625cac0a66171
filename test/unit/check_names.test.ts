// SPDX-License-Identifier: GPL-2.0-only
import { expect, it } from 'vitest';
import { named } from '../../dist/tools/check/names.js';

const ALL = ['spin', 'kthread-stop', 'kthread-park', 'a.c', 'abc'];
const none = (name: string): Error => new Error(`no ${name}`);

it.each([
  [[], ALL],
  [
    ['kthread-park', 'spin'],
    ['spin', 'kthread-park'],
  ],
  [['kthread-*'], ['kthread-stop', 'kthread-park']],
  [
    ['*p*', 'spin'],
    ['spin', 'kthread-stop', 'kthread-park'],
  ],
  [['a.*'], ['a.c']],
  [['*'], ALL],
])('%j names %j', (wanted, meant) => {
  expect(named(ALL, wanted, none)).toEqual(meant);
});

it.each([['kthread'], ['kthread*x'], ['a?c'], ['']])('%j names nothing', (name) => {
  expect(() => named(ALL, ['spin', name], none)).toThrow(`no ${name}`);
});
