// SPDX-License-Identifier: GPL-2.0-only
/** How numbers are read from text, and values are printed: as the kernel, and as Python, do it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pprint, repr } from '../../dist/tools/pprint.js';
import { dointvec, kstrtoul } from '../../dist/uapi/kstrtoul.js';

/** What a call comes to: its value, or the errno it is refused with. */
function outcome(fn: () => unknown): unknown {
  try {
    return fn();
  } catch (error) {
    return (error as { err: number }).err;
  }
}

describe('kstrtoul', () => {
  // Seen on a live kernel through /sys/class/net/DEV/threaded and napi_defer_hard_irqs.
  it.each([
    ['0', 0n],
    ['1\n', 1n],
    ['+1', 1n],
    ['01', 1n],
    ['0x1', 1n],
    ['0X10\n', 16n],
    ['010', 8n],
    ['18446744073709551615', 2n ** 64n - 1n],
    ['18446744073709551616', -34],
    ['-1', -22],
    ['', -22],
    ['\n', -22],
    ['yes', -22],
    [' 1', -22],
    ['1 ', -22],
    ['1x', -22],
    ['0x', -22],
    ['08', -22],
    ['1\n\n', -22],
    ['++1', -22],
  ])('reads %j', (text, wanted) => {
    expect(outcome(() => kstrtoul(text))).toBe(wanted);
  });

  it('reads every number it is given in decimal, octal and hexadecimal', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (n) => {
        expect(kstrtoul(`${n}\n`)).toBe(n);
        expect(kstrtoul(`0x${n.toString(16)}`)).toBe(n);
        expect(kstrtoul(`0${n.toString(8)}`)).toBe(n);
      }),
    );
  });
});

describe('dointvec', () => {
  it.each([
    ['300\n', 300],
    [' 300 \n', 300],
    ['-5', -5],
    ['0x10', 16],
    ['010', 8],
    ['2147483647', 2147483647],
    ['2147483648', -22],
    ['-2147483648', -2147483648],
    ['99999999999', -22],
    ['300x', -22],
    ['', -22],
    ['1 2', -22],
  ])('reads %j', (text, wanted) => {
    expect(outcome(() => dointvec(text, -(2 ** 31), 2 ** 31 - 1))).toBe(wanted);
  });

  it('keeps to its bounds', () => {
    expect(outcome(() => dointvec('0', 1, 256))).toBe(-22);
    expect(outcome(() => dointvec('257', 1, 256))).toBe(-22);
    expect(dointvec('256', 1, 256)).toBe(256);
  });
});

describe('pprint', () => {
  it.each([
    [null, 'None'],
    [[], '[]'],
    [{ b: true, a: null }, "{'a': None, 'b': True}"],
    [{ f: [] }, "{'f': set()}"],
    [["it's", 'a"b'], `["it's", 'a"b']`],
  ])('prints %j as Python does', (value, wanted) => {
    expect(pprint(value)).toBe(wanted);
  });

  it('breaks what does not fit into 80 columns, keys sorted, one a line', () => {
    const one = {
      id: 8194,
      ifindex: 1,
      threaded: 'enabled',
      pid: 7,
      'defer-hard-irqs': 0,
      'gro-flush-timeout': 0,
    };
    expect(pprint([one])).toBe(
      [
        "[{'defer-hard-irqs': 0,",
        "  'gro-flush-timeout': 0,",
        "  'id': 8194,",
        "  'ifindex': 1,",
        "  'pid': 7,",
        "  'threaded': 'enabled'}]",
      ].join('\n'),
    );
  });

  it('fills a line up to its last column', () => {
    const fits = { k: 'x'.repeat(71) };
    expect(pprint(fits)).toBe(repr(fits));
    expect(pprint(fits)).toHaveLength(80);
    const pair = { a: 'x'.repeat(34), b: 'y'.repeat(34) };
    expect(pprint(pair)).toBe(`{'a': '${'x'.repeat(34)}', 'b': '${'y'.repeat(34)}'}`.replace(', ', ',\n '));
  });
});
