// SPDX-License-Identifier: GPL-2.0-only
//
// A process of its own: boots machines, ends all threads of each at once, and takes what is left away while the pool may be
// making workers in their place. Says so when it has come to its end.

import { setTimeout as delay } from 'node:timers/promises';
import { boot } from '../../dist/index.js';

const LIVES = 6;

for (let i = 0; i < LIVES; i++) {
  const machine = await boot({ cpus: 2, warmThreads: 6, maxThreads: 40 });
  machine.panic.catch(() => {});
  await machine.addDevice({ name: 'eth0', queues: 4, threaded: true });
  for (const t of machine.threads()) if (t.running) machine.endThread(t.serial);
  // Moments at which workers are at different points of being loaded.
  await delay(40 * i);
  await machine.abandon(new Error('enough'));
  if (machine.workers !== 0) console.log(`${machine.workers} workers are left`);
}
console.log('survived');
