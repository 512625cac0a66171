// SPDX-License-Identifier: GPL-2.0-only
/** Contexts that operate on the machine: what each does next is drawn by weight. */
import { DEVICE_OPS } from './device_ops.js';
import { backlogOp, onoffOp, sysctlOp } from './machine_ops.js';
import type { Context } from './world.js';

/** Kinds that are drawn here; sockets and devices have contexts of their own. */
const MACHINE_OPS: { readonly [kind: string]: (c: Context) => Promise<void> } = {
  sysctl: sysctlOp,
  backlog: backlogOp,
};

/** A process context: one operation after the other, mostly without a pause. */
export async function controlContext(c: Context): Promise<void> {
  const { world, random } = c;
  const kinds = Object.entries(world.profile.weights).filter(([k]) => k in DEVICE_OPS || k in MACHINE_OPS);
  const total = kinds.reduce((n, [, w]) => n + w, 0);
  while (await world.gate.pass()) {
    let draw = random.below(total);
    const kind = kinds.find(([, w]) => {
      draw -= w;
      return draw < 0;
    })?.[0];
    if (kind === undefined) continue;
    if (kind in MACHINE_OPS) await MACHINE_OPS[kind](c);
    else await DEVICE_OPS[kind](c, random.pick(world.slots));
    await world.gate.pause(random.chance(0.7) ? 0 : random.below(30));
  }
}

/** Takes CPUs offline and brings them back. */
export async function onoffContext(c: Context, intervalS: number): Promise<void> {
  const { gate } = c.world;
  while (await gate.pass()) {
    await onoffOp(c);
    await gate.pause(intervalS * 1000);
  }
}
