// SPDX-License-Identifier: GPL-2.0-only
/** AF_XDP sockets as a program uses them. */
import { describe, expect, it } from 'vitest';
import { boot } from '../../dist/index.js';
import { until } from '../helpers/traffic.js';

const APPS = new URL('../helpers/xsk_apps.mjs', import.meta.url);

interface ReaderResult {
  readonly frames: number;
  readonly misplaced: number;
  readonly late: number;
}

describe('an AF_XDP socket', () => {
  it.each([
    ['softirq', false],
    ['a thread', true],
  ])('gets every frame of its queue, in order, with %s', async (_mode, threaded) => {
    await using machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({ name: 'eth0', threaded });
    const xsk = await machine.openXsk(eth0);
    const app = await machine.runApp<ReaderResult>(APPS, {
      name: 'xsk',
      exportName: 'reader',
      xsks: [xsk],
    });
    const count = 50_000;
    await eth0.generate({ count, flows: 16 });
    await until(() => xsk.statistics.delivered === count);
    await xsk.close();
    const got = await app.result;
    expect(got).toMatchObject({ frames: count, misplaced: 0, late: 0 });
    expect(machine.drops()).toEqual({});
    // The queue receives for the stack again, with all its buffers.
    await until(() => eth0.queueStats()[0].buffersFree === 4096);
  });
});
