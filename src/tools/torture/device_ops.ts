// SPDX-License-Identifier: GPL-2.0-only
/** Random operations on devices: modes, channels, rings, link, moderation, affinity, steering. */
import type { DeviceModel } from './expected.js';
import type { Context, Slot } from './world.js';

type DeviceOp = (c: Context, slot: Slot) => Promise<unknown>;

const NS = [0, 0, 20_000, 100_000, 500_000];

/** By kind, as the weights of a profile name them. */
export const DEVICE_OPS: { readonly [kind: string]: DeviceOp } = {
  threaded: ({ world, name, random }, slot) => {
    const threaded = random.chance(0.6);
    const apply = slot.model.setThreaded.bind(slot.model, threaded);
    return world.device(
      name,
      slot,
      'threaded',
      `threaded=${threaded}`,
      (d) => d.setThreaded(threaded),
      apply,
    );
  },

  napi: ({ world, name, random }, slot) => {
    const index = random.below(slot.maxQueues);
    const values = {
      ...(random.chance(0.6) ? { threaded: random.chance(0.6) } : {}),
      ...(random.chance(0.3) ? { deferHardIrqs: random.below(4) } : {}),
      ...(random.chance(0.3) ? { groFlushTimeoutNs: random.pick(NS) } : {}),
      ...(random.chance(0.2) ? { irqSuspendTimeoutNs: random.pick(NS) } : {}),
    };
    return world.device(
      name,
      slot,
      'napi-set',
      `napi ${index} ${JSON.stringify(values)}`,
      (d) => d.setNapi(index, values),
      (a) => {
        const q = slot.model.queues[index];
        if (values.threaded !== undefined) q.mode.write(values.threaded ? 'enabled' : 'disabled', a);
        if (values.deferHardIrqs !== undefined) q.defer.write(values.deferHardIrqs, a);
        if (values.groFlushTimeoutNs !== undefined) q.gro.write(values.groFlushTimeoutNs, a);
        if (values.irqSuspendTimeoutNs !== undefined) q.suspend.write(values.irqSuspendTimeoutNs, a);
      },
    );
  },

  busy: async (c, slot) => {
    const { world, name, random } = c;
    if (world.busySlot !== null) return;
    world.busySlot = slot;
    const { model } = slot;
    const index = random.below(slot.maxQueues);
    const set = (threaded: boolean | 'busy-poll'): Promise<{ code: string }> =>
      world.device(
        name,
        slot,
        'busy-poll',
        `napi ${index} threaded=${threaded}`,
        (d) => d.setNapi(index, { threaded }),
        (a) =>
          model.queues[index].mode.write(
            threaded === 'busy-poll' ? threaded : threaded ? 'enabled' : 'disabled',
            a,
          ),
      );
    try {
      if ((await set('busy-poll')).code !== 'OK') return;
      await world.gate.pause(random.between(5, 200));
      // Sometimes everything must come to rest while it polls.
      if (world.gate.closing && random.chance(0.5)) await world.gate.pass();
      // The instance may be away: the device's own mode reaches what is kept of it. One without a config begins afresh.
      for (let n = 0; n < 5 && slot.model === model; n++) {
        if ((await set(random.chance(0.5))).code === 'OK') break;
        if (n > 1) await DEVICE_OPS.threaded(c, slot);
        if (modeIsOff(model, index)) break;
      }
    } finally {
      world.busySlot = null;
    }
  },

  channels: ({ world, name, random }, slot) => {
    if (slot.steady) return Promise.resolve();
    const n = random.between(1, slot.maxQueues);
    return world.device(
      name,
      slot,
      'channels',
      `channels=${n}`,
      (d) => d.setChannels(n),
      (a) => {
        slot.model.channels.write(n, a);
        slot.model.readded(a);
      },
    );
  },

  ring: ({ world, name, random }, slot) => {
    const rx = slot.ringMax >> random.below(3);
    return world.device(
      name,
      slot,
      'ring',
      `ring rx=${rx}`,
      (d) => d.setRing(rx),
      (a) => {
        slot.model.rx.write(rx, a);
        slot.model.readded(a);
      },
    );
  },

  link: ({ world, name, random }, slot) => {
    const up = random.chance(0.6);
    return world.device(
      name,
      slot,
      'link',
      up ? 'up' : 'down',
      (d) => (up ? d.up() : d.down()),
      (a) => {
        slot.model.up.write(up, a);
        slot.model.readded(a);
      },
    );
  },

  coalesce: ({ world, name, random }, slot) => {
    const us = random.pick([0, 0, 20, 100]);
    const frames = us === 0 ? 0 : random.pick([0, 4, 16]);
    return world.device(name, slot, 'coalesce', `coalesce ${us} us, ${frames} frames`, (d) =>
      d.setCoalesce(us, frames),
    );
  },

  irq: ({ world, name, random }, slot) => {
    const index = random.below(slot.maxQueues);
    const cpu = random.below(world.machine.cpus);
    return world.device(name, slot, 'irq', `irq ${index} to CPU ${cpu}`, (d) => d.setIrqAffinity(index, cpu));
  },

  rps: ({ world, name, random }, slot) => {
    if (slot.steady) return Promise.resolve();
    const index = random.below(slot.maxQueues);
    const cpus = random.subset(world.machine.cpus);
    return world.device(name, slot, 'rps', `rps_cpus ${index} [${cpus}]`, (d) => d.setRpsCpus(index, cpus));
  },

  rfs: ({ world, name, random }, slot) => {
    if (slot.steady) return Promise.resolve();
    const index = random.below(slot.maxQueues);
    const n = random.pick([0, 64, 256]);
    return world.device(name, slot, 'rfs', `rps_flow_cnt ${index} ${n}`, (d) => d.setRpsFlowCnt(index, n));
  },

  dump: async ({ world, name, random }, slot) => {
    if (random.chance(0.5)) {
      await world.device(name, slot, 'dump', 'napis', (d) => d.napis());
      return;
    }
    const attrs = {};
    const dump = { kind: 'netlink', op: 'napi-get', dump: true, attrs } as const;
    await world.device(name, slot, 'dump', 'napi-get', () => world.machine.uapi(dump));
  },
};

function modeIsOff(model: DeviceModel, index: number): boolean {
  const { mode } = model.queues[index];
  return mode.isSurely('disabled') || mode.isSurely('enabled');
}
