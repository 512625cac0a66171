// SPDX-License-Identifier: GPL-2.0-only
/** Faults by seed and rate: a context for each, which lets it happen at random intervals. */
import { spawn } from 'node:child_process';
import { ClientFaults } from './client_faults.js';
import { collectGarbage } from './frame_check.js';
import type { Life } from './life.js';
import type { FaultName } from './profiles.js';
import { APP_WORD } from './reader_words.js';
import type { Context } from './world.js';

const APPS = new URL('./apps.js', import.meta.url);

type Fault = (c: Context, life: Life) => Promise<boolean>;

/** What each does once. @returns false if there was nothing to do it to */
const FAULTS: { readonly [name in FaultName]: Fault } = {
  'kthread-fail': async ({ world, random }) => {
    world.armed = true;
    world.armings++;
    world.machine.failKthread(random.between(1, 4));
    await world.gate.pause(random.between(10, 200));
    world.machine.failKthread(0);
    world.armed = false;
    world.armings++;
    return true;
  },

  'thread-death': async ({ world, random }, life) => {
    const threads = world.machine.threads().filter((t) => t.running && !t.name.startsWith('control/'));
    const victim = random.pick(threads);
    return life.dieOf(victim.name, 'thread-death', () => world.machine.endThread(victim.serial));
  },

  'app-death': async ({ world, random }, life) => {
    const exportName = random.pick(['throws', 'exits']);
    const name = `${exportName}${random.below(1000)}`;
    return life.dieOf(`app/${name}`, 'app-death', () => {
      world.machine
        .runApp(APPS, { name, exportName })
        .then((app) => app.result)
        .catch(() => {});
      return true;
    });
  },

  sigstop: ({ random }) => {
    const seconds = (random.between(10, 300) / 1000).toFixed(3);
    const script = 'kill -STOP "$1"; sleep "$2"; kill -CONT "$1"';
    // In a group of its own: Ctrl-C must not end it while this process is stopped.
    const child = spawn('sh', ['-c', script, 'sh', String(process.pid), seconds], {
      stdio: 'ignore',
      detached: true,
    });
    return new Promise((resolve) => {
      child.on('error', () => resolve(false));
      child.on('exit', (code) => resolve(code === 0));
    });
  },

  gc: async ({ world, random }) => {
    for (const words of world.apps.values()) {
      if (random.chance(0.5)) Atomics.store(words, APP_WORD.collect, 1);
    }
    if (random.chance(0.5)) collectGarbage();
    return true;
  },

  'irq-repeat': (c) => irqFault(c, 0, c.random.between(1, 200)),

  'irq-late': (c) => irqFault(c, c.random.between(1000, 20_000), c.random.below(2)),

  'client-vanish': async (c, life) => {
    life.clients ??= await ClientFaults.start(c.world.machine);
    return life.clients.vanish(c);
  },
};

async function irqFault({ world, name, random }: Context, holdUs: number, raises: number): Promise<boolean> {
  const slot = random.pick(world.slots);
  const index = random.below(slot.maxQueues);
  const what = `irq ${index} ${holdUs > 0 ? `held back for ${holdUs} us, ` : ''}raised ${raises} times`;
  const a = await world.device(name, slot, 'irq-fault', what, (d) => d.faultIrq(index, holdUs, raises));
  return a.code === 'OK';
}

/** The context of one fault: `rate` times a second on average. */
export async function faultContext(c: Context, life: Life, fault: FaultName, rate: number): Promise<void> {
  const { world, random } = c;
  while (await world.gate.pass()) {
    // Exponential distances: as if each moment were as good as any other.
    await world.gate.pause(Math.min(60_000, (-Math.log(1 - random.below(1e6) / 1e6) / rate) * 1000));
    if (world.gate.closing) continue;
    // A death is counted where it is heard of.
    const done = await FAULTS[fault](c, life);
    if (done && !fault.endsWith('-death')) life.faults[fault] = (life.faults[fault] ?? 0) + 1;
  }
}
