// SPDX-License-Identifier: GPL-2.0-only
/** Traffic: what two neighbouring devices are fed by, one episode after another, until the run rests. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { App, NetDevice } from '../../index.js';
import type { Sender } from '../../sender.js';
import { addDevice, removeDevice } from './devices.js';
import { TortureFailure } from './operations.js';
import type { SenderArgs } from './reader_words.js';
import { arrivedAt, type Context, type Slot, waitingAt } from './world.js';

const APPS = new URL('./apps.js', import.meta.url);
/** A recording of real traffic that comes with the package. */
const CAPTURE = fileURLToPath(new URL('../../../test/fixtures/mixed.pcap.gz', import.meta.url));
const NO_END = Number.MAX_SAFE_INTEGER;

/** The context of two places: feeds them, replaces their devices, joins them. */
export async function wires(c: Context, pair: readonly Slot[]): Promise<void> {
  const { world, random } = c;
  const { gate } = world;
  const replaces = (world.profile.weights.device ?? 0) > 0;
  let generation = 0;
  for (const slot of pair) await addDevice(c, slot, generation);
  while (await gate.pass()) {
    const [a, b] = pair;
    if (replaces && random.chance(0.1)) {
      const slot = random.pick(pair);
      await removeDevice(c, slot);
      await gate.pause(random.below(20));
      await addDevice(c, slot, ++generation);
    }
    for (const slot of pair) if (slot.device === null) await addDevice(c, slot, ++generation);
    if (b !== undefined && random.chance(0.2)) await cabled(c, a, b);
    else await Promise.all(pair.map((slot) => fed(c, slot)));
  }
}

/** One device, fed by a wire of some kind for a while. */
async function fed(c: Context, slot: Slot): Promise<void> {
  const { world, random } = c;
  const { device } = slot;
  if (device === null) return;
  const before = arrivedAt(world.machine, device);
  const kind = random.below(10);
  let sent: number;
  if (kind === 0) sent = await replayed(c, slot, device);
  else if (kind <= 2 && slot.napi) sent = await timed(c, slot, device);
  else if (kind <= 5) sent = await bursts(c, slot, device);
  else sent = await generated(c, slot, device);
  slot.ports = [];
  const arrived = (arrivedAt(world.machine, device) - before) >>> 0;
  if (arrived !== sent >>> 0) {
    throw new TortureFailure(
      `${slot.label}: ${sent} frames were put on the wire, ${arrived} came, were missed or dropped`,
    );
  }
}

async function generated(c: Context, slot: Slot, device: NetDevice): Promise<number> {
  const { world, random } = c;
  const flows = random.between(1, 32);
  const asap = random.chance(0.2);
  const port = world.port(slot.steady);
  slot.ports = [port];
  const run = device.generate({
    count: asap ? random.between(1000, 20_000) : NO_END,
    flows,
    frameBytes: random.pick([60, 64, 300, 1514]),
    port,
    pace: asap ? 'asap' : random.pick([500, 2000, 5000, 10_000]),
    whenFull: random.chance(0.5) ? 'drop' : 'wait',
  });
  return stopLater(c, random.between(10, 400), slot.label, device, run);
}

/**
 * Frames come in bursts, each of which must be taken before the next one comes: an event that is lost shows when nothing
 * follows it.
 */
async function bursts({ world, random }: Context, slot: Slot, device: NetDevice): Promise<number> {
  const { machine, gate, until } = world;
  const n = random.between(1, 20);
  const port = world.port(slot.steady);
  slot.ports = [port];
  let sent = 0;
  for (let i = 0; i < n && !gate.closing; i++) {
    const count = random.pick([1, 2, 8, 64, 200]);
    const flows = Math.min(count, 16);
    sent += (await device.generate({ count, flows, port, whenFull: 'drop' })).frames;
    const waiting = (): number => waitingAt(machine, device);
    const text = (): string => `${waiting()}`;
    await until(`${slot.label}: frames in its rings, and nobody takes them`, () => waiting() === 0, text);
  }
  return sent;
}

async function replayed(c: Context, slot: Slot, device: NetDevice): Promise<number> {
  const { random } = c;
  if (!existsSync(CAPTURE)) return 0;
  const run = device.replay(CAPTURE, {
    pace: random.pick([2000, 20_000]),
    whenFull: random.chance(0.5) ? 'drop' : 'wait',
  });
  return stopLater(c, random.between(10, 300), slot.label, device, run);
}

/** Ends a run when its time is up. @returns its frames */
async function stopLater(
  { world, name }: Context,
  ms: number,
  label: string,
  device: NetDevice,
  run: Promise<{ frames: number }>,
): Promise<number> {
  run.catch(() => {});
  await Promise.race([world.gate.pause(ms), run]);
  const ended = await world.ops.run(name, 'wire', `${label} wire out`, async () => {
    await device.stopWire();
    return (await run).frames;
  });
  return ended.value ?? 0;
}

async function timed({ world, name, random }: Context, slot: Slot, device: NetDevice): Promise<number> {
  const queue = random.below(slot.maxQueues);
  const port = world.port(slot.steady, true);
  const periodNs = random.pick([50_000, 200_000, 1_000_000]);
  const o = { periodNs, count: 1 << 20, queue, port, flows: random.between(1, 8) };
  const begun = await world.ops.run(
    name,
    'timed',
    `${slot.label} timed wire ${JSON.stringify(o)}`,
    async () => {
      // A queue that is not in use is refused before anything is asked of the device.
      return device.startTimed(o);
    },
  );
  const wire = begun.value;
  if (wire === null) return 0;
  slot.ports = [port];
  await world.gate.pause(random.between(10, 300));
  const stopped = await world.ops.run(name, 'timed', `${slot.label} timed wire out`, () => wire.stop());
  const r = stopped.value;
  if (r === null) throw new TortureFailure(`${slot.label}: its timed wire could not be taken out`);
  return r.arrived + r.missed + r.dropped;
}

/** Two devices joined by a cable, with senders at one or both ends. */
async function cabled(c: Context, a: Slot, b: Slot): Promise<void> {
  const { world, name, random } = c;
  const [devA, devB] = [a.device, b.device];
  if (devA === null || devB === null) return;
  const { machine, ops, gate } = world;
  const joined = await ops.run(name, 'cable', `cable ${a.label} ${b.label}`, () =>
    machine.connect(devA, devB),
  );
  const cable = joined.value;
  if (cable === null) return;
  const ends = random.chance(0.4) ? [a, b] : [random.pick([a, b])];
  // A frame that one end sends is numbered by the other.
  const work = ends.map((end) => sending(c, end, end === a ? b : a));
  await Promise.all(work);
  for (const end of [a, b]) end.ports = [];
  await ops.run(name, 'cable', `cable ${a.label} ${b.label} out`, () => cable.disconnect());
  await gate.pause(random.below(5));
}

/** An application that sends by a device for a while. */
async function sending(c: Context, from: Slot, to: Slot): Promise<void> {
  const { device } = from;
  if (device === null) return;
  const port = c.world.port(to.steady);
  to.ports = [port];
  await sendBy(c, device, from.label, port);
}

/** Opens a sender by a device, has an application send by it, and closes it. */
export async function sendBy(
  { world, name, random }: Context,
  device: NetDevice | NonNullable<typeof world.lo>,
  label: string,
  port: number,
): Promise<void> {
  const { machine, ops, gate } = world;
  const o = { cpu: random.below(machine.cpus) };
  const opened = await ops.run(name, 'sender', `${label} sender open`, () => machine.openSender(device, o));
  const sender: Sender | null = opened.value;
  if (sender === null) return;
  const app = world.newApp('tx');
  const args: SenderArgs = {
    words: app.words,
    port,
    flows: random.between(1, 8),
    batch: random.pick([1, 8, 64]),
    bytes: random.pick([18, 200, 1400]),
    pauseMs: random.pick([1, 1, 2, 5]),
  };
  const running: App<number> = await machine.runApp<number>(APPS, {
    name: app.name,
    exportName: 'sender',
    args,
    senders: [sender],
    cpu: o.cpu,
  });
  await gate.pause(random.between(10, 300));
  await ops.run(name, 'sender', `${label} sender close`, () => sender.close());
  await ops.run(name, 'app', `app/${app.name} ends`, () => running.result);
  world.apps.delete(app.name);
}

/** The context of the loopback device. */
export async function loopback(c: Context): Promise<void> {
  const { world } = c;
  while (await world.gate.pass()) {
    const { lo } = world;
    if (lo === null) return;
    await sendBy(c, lo, 'lo', world.port(true));
    await world.gate.pause(c.random.between(5, 100));
  }
}
