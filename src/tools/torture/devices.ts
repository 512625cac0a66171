// SPDX-License-Identifier: GPL-2.0-only
/** The devices of a run: made with options by chance, taken away, made anew. */
import type { NetDevice, NetDeviceOptions } from '../../index.js';
import { DeviceModel } from './expected.js';
import { type Context, cameAt, type Slot, type World } from './world.js';

const MAX_QUEUES = 4;

/** Options of a device by chance. Even places hold devices whose flows stay in order. */
function optionsOf(
  { random }: Context,
  slot: Slot,
  name: string,
): Required<Pick<NetDeviceOptions, 'queues' | 'maxQueues'>> & NetDeviceOptions {
  const maxQueues = random.between(1, MAX_QUEUES);
  const ringMax = random.pick([64, 256]);
  const netifRx = slot.index > 0 && random.chance(0.1);
  return {
    name,
    queues: random.between(1, maxQueues),
    maxQueues,
    receive: netifRx ? 'netif_rx' : 'napi',
    config: random.chance(0.7) ? 'persistent' : 'none',
    reconfig: random.pick(['delta', 'rebuild', 'safe-switch'] as const),
    threaded: !netifRx && random.chance(0.5),
    ringSize: ringMax >> random.below(3),
    ringMax,
    poolSize: 4 * ringMax,
    gro: random.chance(0.8),
    rxUsecs: random.pick([0, 0, 50]),
  };
}

/** Makes a place for a device. */
export function newSlot(index: number): Slot {
  return {
    index,
    device: null,
    model: new DeviceModel({ persistent: false, queues: 1, maxQueues: 1, ringSize: 1, threaded: false }),
    steady: index % 2 === 0,
    napi: true,
    poolSize: 0,
    maxQueues: 1,
    ringMax: 8,
    label: `eth${index}`,
    ports: [],
    makingUp: null,
  };
}

/** Puts a device into its place. */
export async function addDevice(c: Context, slot: Slot, generation: number): Promise<void> {
  const { world, name, random } = c;
  const { machine, ops } = world;
  const label = `eth${slot.index}.${generation}`;
  const o = optionsOf(c, slot, label);
  const rps = slot.steady && random.chance(0.5) ? random.subset(machine.cpus) : [];
  const { wasHit, allowed } = world.faulty();
  const made = await ops.run(name, 'add', `add ${JSON.stringify(o)}`, () => machine.addDevice(o), allowed);
  const device = made.value;
  if (device === null) return;
  for (let i = 0; rps.length > 0 && i < o.maxQueues; i++) {
    await ops.run(name, 'rps', `${label} rps_cpus ${i} [${rps}]`, () => device.setRpsCpus(i, rps));
  }
  slot.model = new DeviceModel({
    persistent: o.config === 'persistent',
    queues: o.queues,
    maxQueues: o.maxQueues,
    ringSize: o.ringSize ?? 0,
    threaded: o.threaded === true,
  });
  if (wasHit()) slot.model.forgetModes(made);
  slot.napi = o.receive !== 'netif_rx';
  slot.poolSize = o.poolSize ?? 0;
  slot.maxQueues = o.maxQueues;
  slot.ringMax = o.ringMax ?? 0;
  slot.label = label;
  slot.device = device;
}

/** Takes the device away; its wire is out. */
export async function removeDevice({ world, name }: Context, slot: Slot): Promise<void> {
  const { device } = slot;
  if (device === null) return;
  slot.device = null;
  await slot.makingUp;
  // Nothing comes any more; AF_XDP sockets may send, in vain, until it is gone.
  const came = cameAt(world.machine, device);
  world.accounts.arrivedBefore = (world.accounts.arrivedBefore + came) >>> 0;
  await world.ops.run(name, 'remove', `remove ${slot.label}`, () => device.remove());
  world.accounts.arrivedBefore = (world.accounts.arrivedBefore + device.txStats().dropped) >>> 0;
}

/** @returns the devices there are */
export function devicesOf(world: World): NetDevice[] {
  return world.slots.flatMap((s) => s.device ?? []);
}
