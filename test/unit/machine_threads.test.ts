// SPDX-License-Identifier: GPL-2.0-only
//
// Machine.threads() while a thread's task_struct goes away: the thread that stops it is done before its worker's
// report reaches the main thread.
import { afterEach, expect, it } from 'vitest';
import { mutexLock, mutexUnlock } from '../../dist/kernel/locking/mutex.js';
import { SPIN_CONTENDED } from '../../dist/kernel/locking/spinlock.js';
import { TASK } from '../../dist/kernel/task.js';
import { Machine } from '../../dist/machine.js';
import { kmalloc } from '../../dist/mm/slab.js';
import { IFF_UP, NET_DEVICE } from '../../dist/net/core/net_device.js';

const MAIN = 1;

let machine: Machine | undefined;

afterEach(async () => {
  await machine?.shutdown();
  machine = undefined;
});

it('threads() tells the truth of a thread that is gone and not yet reported', {
  timeout: 20_000,
}, async () => {
  machine = await Machine.boot({ cpus: 1 });
  const dev = await machine.addDevice({ name: 'eth0', threaded: true });
  const { m } = machine.arena;
  const poller = () => machine?.threads().find((t) => t.name.startsWith('napi/'));
  const before = poller();
  expect(before?.tid).toBe((await dev.napis())[0].tid);

  // The control worker is held at the device's mutex while the main thread can still hand it its operation …
  const lock = dev.at + NET_DEVICE.lock;
  mutexLock(m, lock, MAIN);
  const down = dev.down();
  while (Atomics.load(m, lock) !== SPIN_CONTENDED) await new Promise(setImmediate);
  mutexUnlock(m, lock, MAIN);
  // … then the main thread hears of nothing until the poller is stopped and its memory is used for something else.
  while ((Atomics.load(m, dev.at + NET_DEVICE.flags) & IFF_UP) !== 0);
  for (let i = 0; i < 8; i++) {
    const at = kmalloc(m, TASK.SIZE);
    m.fill(-1, at, at + TASK.SIZE);
  }
  expect(poller()).toMatchObject({ name: before?.name, tid: before?.tid });
  expect(poller()?.wakeups).toBeGreaterThanOrEqual(before?.wakeups ?? 0);
  await down;
  expect(poller()?.tid).toBe(before?.tid);
});
