// SPDX-License-Identifier: GPL-2.0-only
/** What ethtool -S says of a queue while instances come and go. */
import { expect, it } from 'vitest';
import { boot } from '../../dist/index.js';

it.each(['delta', 'rebuild', 'safe-switch'] as const)(
  'the numbers of a queue go on when its channels and link change (%s)',
  async (reconfig) => {
    const machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({ name: 'eth0', queues: 2, reconfig });
    const ask = async (op: string, values: { [name: string]: number } = {}) => {
      const r = await machine.uapi({ kind: 'ethtool', op, dev: 'eth0', values });
      expect(r.err).toBe(0);
      return r.value as { [name: string]: number };
    };
    await eth0.generate({ count: 5000, flows: 64 });
    const before = await ask('stats-get');
    const names = Object.keys(before).filter((n) => /^rx_queue_\d_(packets|bytes|polls|interrupts)$/.test(n));
    expect(names.length).toBe(8);
    for (const n of names) expect(before[n]).toBeGreaterThan(0);
    await ask('channels-set', { 'combined-count': 1 });
    expect(Object.keys(await ask('stats-get'))).not.toContain('rx_queue_1_polls');
    await ask('channels-set', { 'combined-count': 2 });
    for (const up of [false, true])
      expect((await machine.uapi({ kind: 'link-set', dev: 'eth0', up })).err).toBe(0);
    const after = await ask('stats-get');
    for (const n of names) expect(after[n], n).toBeGreaterThanOrEqual(before[n]);
    // What came is still all that came, and each frame needs a share of a poll.
    expect(after.rx_packets).toBe(5000);
    expect(after.rx_queue_1_polls).toBeGreaterThanOrEqual(Math.ceil(after.rx_queue_1_packets / 64));
    await machine.shutdown();
  },
);
