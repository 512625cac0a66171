// SPDX-License-Identifier: GPL-2.0-only
/** A machine that is asked for days must not remember what it answered. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { boot } from '../../dist/index.js';
import { until } from '../helpers/traffic.js';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

it('results of control operations are not kept', async () => {
  const machine = await boot();
  const eth0 = await machine.addDevice({ name: 'eth0' });
  const results: WeakRef<object>[] = [];
  for (let i = 0; i < 20; i++) results.push(new WeakRef(await eth0.napis()));
  const alive = () => results.filter((r) => r.deref() !== undefined).length;
  // The last one may still be in a register somewhere.
  await until(() => {
    gc();
    return alive() <= 1;
  });
  expect(alive()).toBeLessThanOrEqual(1);
  await machine.shutdown();
});
