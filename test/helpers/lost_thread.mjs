// SPDX-License-Identifier: GPL-2.0-only
//
// A process of its own: boots a machine, has traffic run, ends one of its threads in the middle, and tells what
// became of every operation, on one line of JSON. Arguments: what to do, and to which thread.

import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { boot } from '../../dist/index.js';

const [mode, victim] = process.argv.slice(2);
const SINK = new URL('../../dist/threads/sink.js', import.meta.url);
const APPS = new URL('./apps.mjs', import.meta.url);

/** Kernel ids of the workers, in the order they were made. */
function workerTids() {
  const names = /^(softnet\/idle|cpu\/|ksoftirqd\/|napi\/|nic\/|app\/|control\/)/;
  const isWorker = (tid) => {
    try {
      return names.test(readFileSync(`/proc/self/task/${tid}/comm`, 'utf8'));
    } catch {
      return false; // it has just ended
    }
  };
  return readdirSync('/proc/self/task')
    .filter(isWorker)
    .map(Number)
    .sort((a, b) => a - b);
}

/** The worker that runs a thread of the machine: both lists are in the order of creation. */
async function workerOf(machine, name) {
  const { pool } = machine.kthreadd;
  while (workerTids().length !== pool.threads.length) await nextTurn();
  const { tid } = machine.threads().find((t) => t.name.startsWith(name));
  const workers = [...pool.threads].sort((a, b) => a.threadId - b.threadId);
  return workers[workerTids().indexOf(tid)];
}

const outcome = {};
/** Waits for an operation and keeps its error. */
async function keep(what, promise) {
  try {
    await promise;
    outcome[what] = 'done';
  } catch (error) {
    outcome[what] = error.message;
  }
}

const machine = await boot({ cpus: 2 });
const eth0 = await machine.addDevice({ name: 'eth0', queues: 2, threaded: victim.startsWith('napi') });
const sockets = [await machine.openUdp({ port: 9 })];
const app = await machine.runApp(SINK, { name: 'sink', sockets, args: {} });
const started = [...machine.kthreadd.pool.threads];
const allGone = Promise.all(started.map((worker) => once(worker, 'exit')));

if (mode === 'unhandled') {
  // A program that looks at nothing: it must end, and say why.
  app.result.catch(() => {});
  const traffic = eth0.generate({ count: 1e9, flows: 16 });
  while (eth0.progress < 20_000) await nextTurn();
  (await workerOf(machine, victim)).terminate();
  await traffic;
}

const pending = [
  keep('traffic', eth0.generate({ count: 1e9, flows: 16 })),
  keep('panic', machine.panic),
  keep('app', app.result),
];
while (eth0.progress < 20_000) await nextTurn();

switch (mode) {
  case 'terminate': {
    (await workerOf(machine, victim)).terminate();
    break;
  }
  case 'control': {
    // The thread ends while an operation waits for it to give its instance up.
    const worker = await workerOf(machine, victim);
    pending.push(
      keep(
        'control',
        eth0.setThreaded(false).then(() => eth0.setThreaded(true)),
      ),
    );
    worker.terminate();
    break;
  }
  case 'close': {
    // A socket was closed, but its memory is freed only when those before it in the queue had their turn.
    const worker = await workerOf(machine, victim);
    const spare = await machine.openUdp({ port: 10 });
    pending.push(spare.close().catch(() => {}));
    const queue = Array.from({ length: 500 }, () => eth0.napis());
    pending.push(...queue.map((operation) => operation.catch(() => {})));
    worker.terminate();
    break;
  }
  case 'exit': {
    pending.push(
      keep(
        'runApp',
        machine.runApp(APPS, { name: victim, exportName: 'exits' }).then((a) => a.result),
      ),
    );
    break;
  }
}
await Promise.all(pending);
await keep('next operation', eth0.napis());
await keep('shutdown', machine.shutdown());
await allGone;
await nextTurn();
outcome.workersLeft = machine.kthreadd.pool.threads.length;
console.log(JSON.stringify(outcome));
