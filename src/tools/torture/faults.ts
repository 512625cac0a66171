// SPDX-License-Identifier: GPL-2.0-only
/** Faults by seed and rate: a context for each, which lets it happen at random intervals. */
import { spawn } from 'node:child_process';
import type { NetDevice } from '../../index.js';
import type { QueueStats } from '../../net_device.js';
import { RING_FAULTS } from '../../threads/control_ops.js';
import { ClientFaults } from './client_faults.js';
import { collectGarbage } from './frame_check.js';
import type { Life } from './life.js';
import type { FaultName } from './profiles.js';
import { APP_WORD, type DyingArgs } from './reader_words.js';
import type { Context, Slot, World } from './world.js';

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
    const died = new Float64Array([performance.timeOrigin + performance.now()]);
    return life.dieOf(victim.name, 'thread-death', () => world.machine.endThread(victim.serial), died);
  },

  'app-death': ({ world, random }, life) =>
    appDies(world, life, 'app-death', random.pick(['throws', 'exits'])),

  'worker-oom': ({ world }, life) => appDies(world, life, 'worker-oom', 'hoards'),

  sigstop: ({ random }) => {
    const seconds = (random.between(10, 300) / 1000).toFixed(3);
    // Twice: on a host with far more to do than cores a process was seen to stop for good after it had been told to go on.
    const script = 'kill -STOP "$1"; sleep "$2"; kill -CONT "$1"; sleep 0.2; kill -CONT "$1"';
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

  'irq-repeat': (c) => irqAtRandom(c, { holdUs: 0, raises: c.random.between(1, 200), lose: false }),

  'irq-late': (c) =>
    irqAtRandom(c, { holdUs: c.random.between(1000, 20_000), raises: c.random.below(2), lose: false }),

  'irq-lost': async (c) => {
    const { world, random } = c;
    const slot = random.pick(world.slots);
    const index = random.below(slot.maxQueues);
    const { device } = slot;
    const before = queueOf(slot, device, index)?.lostInterrupts;
    await irqFault(c, slot, index, { holdUs: random.between(1000, 50_000), raises: 0, lose: true });
    const after = queueOf(slot, device, index)?.lostInterrupts;
    if (before === undefined || after === undefined || before === after) return false;
    await world.gate.pause(random.between(1, 200));
    // What drivers do that know of NICs which lose interrupts (Linux: igb_watchdog_task): one by software, now and then.
    if (slot.device === device) await irqFault(c, slot, index, { holdUs: 0, raises: 1, lose: false });
    return true;
  },

  'ring-corrupt': async (c) => {
    const { world, name, random } = c;
    const slot = random.pick(world.slots);
    const { device } = slot;
    const index = random.below(slot.maxQueues);
    const what = random.pick(RING_FAULTS);
    const count = random.between(1, what.endsWith('index') ? 4 : 64);
    const before = queueOf(slot, device, index);
    const text = `queue ${index} reports wrong: ${what}, ${count} times`;
    await slot.makingUp;
    if (slot.device !== device) return false;
    slot.makingUp = world.device(name, slot, 'ring-fault', text, (d) => d.faultRing(index, what, count));
    await slot.makingUp;
    const after = queueOf(slot, device, index);
    if (before === null || after === null) return false;
    return before.madeUpDescs !== after.madeUpDescs || before.badIndices !== after.badIndices;
  },

  'clock-jump': async ({ world, random }) => {
    const { machine } = world;
    if (random.chance(0.5)) return machine.jumpClocks(random.between(1, 5000) * 1e6);
    const victim = random.pick(machine.threads().filter((t) => t.running));
    if (!machine.jumpClocks(random.between(1, 1000) * 1e6, victim.serial)) return false;
    await world.gate.pause(random.between(10, 300));
    // All others are there a little later.
    return machine.jumpClocks(0);
  },

  'client-vanish': async (c, life) => {
    life.clients ??= await ClientFaults.start(c.world.machine);
    return life.clients.vanish(c);
  },
};

/** What a queue has counted; null: its device is not there any more. */
function queueOf(slot: Slot, device: NetDevice | null, index: number): QueueStats | null {
  return device === null || slot.device !== device ? null : device.queueStats()[index];
}

/** An application is run that dies. */
function appDies(world: World, life: Life, fault: FaultName, exportName: string): Promise<boolean> {
  const name = `${exportName}${++life.deaths}`;
  const diedMs = new SharedArrayBuffer(8);
  const args: DyingArgs = { diedMs };
  const kill = (): boolean => {
    world.machine
      .runApp(APPS, { name, exportName, args })
      .then((app) => app.result)
      .catch(() => {});
    return true;
  };
  return life.dieOf(`app/${name}`, fault, kill, new Float64Array(diedMs));
}

/** What happens to an interrupt. */
interface IrqFault {
  readonly holdUs: number;
  readonly raises: number;
  readonly lose: boolean;
}

function irqAtRandom(c: Context, fault: IrqFault): Promise<boolean> {
  const slot = c.random.pick(c.world.slots);
  return irqFault(c, slot, c.random.below(slot.maxQueues), fault);
}

async function irqFault(
  { world, name }: Context,
  slot: Slot,
  index: number,
  { holdUs, raises, lose }: IrqFault,
): Promise<boolean> {
  const held = holdUs > 0 ? `${lose ? 'lost' : 'held back'} for ${holdUs} us, ` : '';
  const what = `irq ${index} ${held}raised ${raises} times`;
  const a = await world.device(name, slot, 'irq-fault', what, (d) => d.faultIrq(index, holdUs, raises, lose));
  return a.code === 'OK';
}

/** Those that end the machine. */
const LETHAL: readonly FaultName[] = ['thread-death', 'app-death', 'worker-oom'];

/** The context of one fault: `rate` times a second on average. */
export async function faultContext(c: Context, life: Life, fault: FaultName, rate: number): Promise<void> {
  const { world, random } = c;
  while (await world.gate.pass()) {
    // Exponential distances: as if each moment were as good as any other.
    await world.gate.pause(Math.min(60_000, (-Math.log(1 - random.below(1e6) / 1e6) / rate) * 1000));
    if (world.gate.closing) continue;
    // A death is counted where it is heard of.
    const done = await FAULTS[fault](c, life);
    if (done && !LETHAL.includes(fault)) life.faults[fault] = (life.faults[fault] ?? 0) + 1;
  }
}
