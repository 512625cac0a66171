// SPDX-License-Identifier: GPL-2.0-only
/** How numbers are read from text, and values are printed: as the kernel, and as Python, do it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pprint, repr } from '../../dist/tools/pprint.js';
import { cpulistText, cpumaskText, parseCpumask } from '../../dist/uapi/cpumask.js';
import { dointvec, kstrtobool, kstrtoul } from '../../dist/uapi/kstrtoul.js';

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

describe('kstrtobool', () => {
  it.each(['1', 'y', 'Yes', 't', 'enable', 'on', 'ON', 'oN\n', '10'])('takes %j for yes', (text) => {
    expect(kstrtobool(text)).toBe(true);
  });
  it.each(['0', 'n', 'No', 'F', 'disable', 'off', 'OF', '0\n', '01'])('takes %j for no', (text) => {
    expect(kstrtobool(text)).toBe(false);
  });
  it.each(['', '\n', ' 1', '2', '-1', 'o', 'oo', 'x'])('refuses %j', (text) => {
    expect(outcome(() => kstrtobool(text))).toBe(-22);
  });
});

describe('masks of CPUs', () => {
  it.each([
    [[], 1, '0'],
    [[0, 1], 2, '3'],
    [[4], 5, '10'],
    [[0], 9, '001'],
    [[31], 32, '80000000'],
    [[], 33, '0,00000000'],
    [[0, 31, 32, 33], 34, '3,80000001'],
    [[63], 64, '80000000,00000000'],
  ])('show %j of %i as %s', (cpus, nrCpus, text) => {
    expect(cpumaskText(cpus, nrCpus)).toBe(text);
    expect(parseCpumask(`${text}\n`, nrCpus)).toEqual(cpus);
  });

  it.each([
    ['', 2, []],
    ['\n', 2, []],
    ['1\nx', 2, [0]],
    ['3,', 2, [0, 1]],
    ['1 0', 64, [32]],
    ['1, ,\t2', 64, [1, 32]],
    ['F', 34, [0, 1, 2, 3]],
    ['4', 2, -75],
    ['0,1', 2, -75],
    ['000000001', 2, -75],
    ['0,0,1', 64, -75],
    ['4,0', 34, -75],
    ['0x1', 64, -22],
    ['-1', 64, -22],
    ['1.', 64, -22],
  ])('read %j for %i CPUs as %j', (text, nrCpus, wanted) => {
    expect(outcome(() => parseCpumask(text, nrCpus))).toEqual(wanted);
  });

  it('are read as they are shown', () => {
    const cpus = fc.integer({ min: 1, max: 64 }).chain((n) =>
      fc.tuple(
        fc.constant(n),
        fc.uniqueArray(fc.integer({ min: 0, max: n - 1 })).map((ids) => ids.sort((a, b) => a - b)),
      ),
    );
    fc.assert(
      fc.property(cpus, ([n, ids]) => {
        expect(parseCpumask(cpumaskText(ids, n), n)).toEqual(ids);
      }),
    );
  });

  it.each([
    [[], ''],
    [[3], '3'],
    [[0, 1], '0-1'],
    [[0, 2, 3, 4, 9, 63], '0,2-4,9,63'],
  ])('list %j as %j', (cpus, text) => {
    expect(cpulistText(cpus)).toBe(text);
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
