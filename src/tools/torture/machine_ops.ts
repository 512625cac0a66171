// SPDX-License-Identifier: GPL-2.0-only
/** Random operations on the machine: sysctls, threads of backlogs, CPUs. */
import { Register, UNKNOWN } from './expected.js';
import type { Context } from './world.js';

/** Sysctls and values that they are set to. */
const SYSCTLS: { readonly [name: string]: readonly number[] } = {
  'net.core.netdev_budget': [16, 64, 300, 600],
  'net.core.netdev_budget_usecs': [200, 2000, 4000],
  'net.core.dev_weight': [16, 64, 128],
  'net.core.gro_normal_batch': [1, 8, 16],
  'net.core.netdev_max_backlog': [100, 1000, 2000],
  'net.core.skb_defer_max': [0, 16, 64],
  'net.core.busy_read': [0, 0, 20, 50],
  'net.core.busy_poll': [0, 0, 20, 50],
  'net.core.rps_sock_flow_entries': [0, 256, 1024],
};

/** Sets a sysctl. */
export async function sysctlOp({ world, name, random }: Context): Promise<void> {
  const key = random.pick(Object.keys(SYSCTLS));
  const value = random.pick(SYSCTLS[key]);
  const { machine, ops, sysctls } = world;
  const a = await ops.run(name, 'sysctl', `${key}=${value}`, () => machine.setSysctl(key, value));
  const register = sysctls.get(key) ?? new Register<number>(UNKNOWN);
  sysctls.set(key, register);
  if (a.code === 'OK') register.write(value, a);
}

/** Switches the backlogs between interrupts and threads. */
export async function backlogOp({ world, name, random }: Context): Promise<void> {
  const threaded = random.chance(0.5);
  const { machine, ops } = world;
  const a = await ops.run(
    name,
    'backlog',
    `backlog_threaded=${threaded}`,
    () => machine.setBacklogThreaded(threaded),
    world.faulty().allowed,
  );
  if (a.code === 'OK') world.backlogThreaded.write(threaded, a);
  else if (a.code === 'ENOMEM') world.backlogThreaded.write(UNKNOWN, a);
}

/** Takes a CPU offline or brings one back. The last one online stays. */
export async function onoffOp({ world, name, random }: Context): Promise<void> {
  const { machine, ops, cpuOnline } = world;
  const cpu = random.below(machine.cpus);
  const online = cpuOnline[cpu].isSurely(false) || random.chance(0.3);
  const what = `CPU ${cpu} ${online ? 'online' : 'offline'}`;
  const a = await ops.run(name, 'onoff', what, () => machine.setCpuOnline(cpu, online));
  if (a.code === 'OK') cpuOnline[cpu].write(online, a);
}
