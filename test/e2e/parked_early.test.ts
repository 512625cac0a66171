// SPDX-License-Identifier: GPL-2.0-only
/** A thread that is parked before it first ran, and stopped while it is parked: it ends, and nobody dies. */
import { expect, it } from 'vitest';
import { boot } from '../../dist/index.js';

it('a thread parked before it first ran can be stopped', async () => {
  const machine = await boot({ cpus: 1, controlWorkers: 2 });
  await machine.addDevice({ name: 'eth0', queues: 4 });
  const threaded = async (text: string) => {
    const { err } = await machine.uapi({ kind: 'write', path: '/sys/class/net/eth0/threaded', text });
    expect(err).toBe(0);
  };
  const link = (up: boolean) => machine.uapi({ kind: 'link-set', dev: 'eth0', up });
  for (let i = 0; i < 40; i++) {
    // Made, parked with the link, stopped: each as soon as the one before it lets go of the device.
    await Promise.all([threaded('1'), link(false)]);
    await threaded('0');
    await link(true);
  }
  expect(machine.threads().filter((t) => t.running && t.name.startsWith('napi/'))).toEqual([]);
  await machine.shutdown();
});
