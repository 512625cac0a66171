// SPDX-License-Identifier: GPL-2.0-only
/** Reads the configuration as users do, at rest, and compares it with what the operations imply. */
import type { NetDevice } from '../../index.js';
import type { Register } from './expected.js';
import type { Slot, World } from './world.js';

/** @returns what is not as the operations imply, a line each */
export async function configErrors(world: World): Promise<string[]> {
  const errors: string[] = [];
  const compare = <T extends string | number | boolean>(
    what: string,
    register: Register<T>,
    seen: T,
  ): void => {
    if (!register.allows(seen)) errors.push(`${what} is ${seen}, must be ${register.text}`);
  };
  for (const slot of world.slots) {
    if (slot.device !== null) await deviceErrors(world, slot, slot.device, compare, errors);
  }
  world.machine.softnetStat().forEach((cpu, i) => {
    compare(`CPU ${i} online`, world.cpuOnline[i], cpu.online);
  });
  const reply = await world.ops.run('rest', 'read', 'all sysctls', () =>
    world.machine.uapi({ kind: 'sysctls' }),
  );
  const sysctls = (reply.value?.value ?? []) as { name: string; value: string }[];
  for (const { name, value } of sysctls) {
    const register = world.sysctls.get(name);
    if (register !== undefined) compare(name, register, Number(value));
    if (name === 'net.core.backlog_threaded') compare(name, world.backlogThreaded, value === '1');
  }
  return errors;
}

type Compare = <T extends string | number | boolean>(what: string, register: Register<T>, seen: T) => void;

async function deviceErrors(
  world: World,
  slot: Slot,
  device: NetDevice,
  compare: Compare,
  errors: string[],
): Promise<void> {
  const { model, label } = slot;
  const { machine, ops } = world;
  const text = async (file: string): Promise<string> => {
    const path = `/sys/class/net/${label}/${file}`;
    const { value } = await ops.run('rest', 'read', path, () => machine.uapi({ kind: 'read', path }));
    return String(value?.value ?? '').trim();
  };
  const ethtool = async (op: string): Promise<{ [name: string]: number }> => {
    const request = { kind: 'ethtool', op, dev: label, values: {} } as const;
    const { value } = await ops.run('rest', 'read', `${op} ${label}`, () => machine.uapi(request));
    return (value?.value ?? {}) as { [name: string]: number };
  };
  compare(`${label} operstate`, model.up, (await text('operstate')) === 'up');
  if (!slot.napi) return;
  compare(`${label} threaded`, model.threaded, (await text('threaded')) !== '0');
  compare(`${label} channels`, model.channels, (await ethtool('channels-get'))['combined-count']);
  compare(`${label} ring`, model.rx, (await ethtool('rings-get')).rx);
  const napis = (await ops.run('rest', 'read', `${label} napis`, () => device.napis())).value ?? [];
  if (napis.length !== device.queues)
    errors.push(`${label} has ${napis.length} instances for ${device.queues} channels`);
  for (const n of napis) {
    const what = `${label} napi ${n.index}`;
    const q = model.queues[n.index];
    compare(`${what} mode`, q.mode, n.mode);
    compare(`${what} defer-hard-irqs`, q.defer, n.deferHardIrqs);
    compare(`${what} gro-flush-timeout`, q.gro, n.groFlushTimeoutNs);
    compare(`${what} irq-suspend-timeout`, q.suspend, n.irqSuspendTimeoutNs);
    const stranded = n.mode === 'disabled' && model.mayStrandThread(n.index);
    if ((n.mode === 'disabled') !== (n.tid === null) && !stranded) {
      errors.push(`${what} is ${n.mode} and has ${n.tid === null ? 'no thread' : `thread ${n.tid}`}`);
    }
  }
}
