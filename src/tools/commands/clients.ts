// SPDX-License-Identifier: GPL-2.0-only
/**
 * The commands that speak to a machine that is up, in the table of commands. What stands behind their names is read by
 * themselves, as the tools they stand for read it.
 */
import type { AddCommand } from './command.js';

type Run = (args: readonly string[]) => Promise<number>;

interface ClientCommand {
  readonly name: string;
  readonly usage: string;
  readonly does: string;
  readonly load: () => Promise<Run>;
}

const CLIENTS: readonly ClientCommand[] = [
  {
    name: 'ynl',
    usage: '--family netdev --do|--dump OP [--json TEXT] [--output-json]',
    does: 'netlink: devices, queues, NAPI instances',
    load: async () => (await import('../ynl.js')).ynl,
  },
  {
    name: 'sysfs',
    usage: 'read|write|list PATH [VALUE]',
    does: 'files below /sys',
    load: async () => (await import('../sysfs.js')).sysfs,
  },
  {
    name: 'cat',
    usage: 'PATH…',
    does: 'files below /proc and /sys',
    load: async () => (await import('../sysfs.js')).cat,
  },
  {
    name: 'sysctl',
    usage: '[-w] [-n] [-a] [NAME[=VALUE]…]',
    does: 'net.core.*',
    load: async () => (await import('../sysctl.js')).sysctl,
  },
  {
    name: 'ethtool',
    usage: '-l|-L|-g|-G|-c|-C|-S DEV …',
    does: 'channels, rings, moderation, counters',
    load: async () => (await import('../ethtool.js')).ethtool,
  },
  {
    name: 'ip',
    usage: 'link [show|set] …',
    does: 'links: show, up, down, name',
    load: async () => (await import('../ip.js')).ip,
  },
  {
    name: 'ps',
    usage: '[--json]',
    does: 'threads, with the ids the host knows them by',
    load: async () => (await import('../ps.js')).ps,
  },
  {
    name: 'taskset',
    usage: '-p… [MASK] THREAD',
    does: 'affinity of a thread, by name or id',
    load: async () => {
      const { onThread } = await import('../taskset.js');
      return (args) => onThread('taskset', args);
    },
  },
  {
    name: 'chrt',
    usage: '… -p [PRIORITY] THREAD',
    does: 'scheduling policy of a thread, by name or id',
    load: async () => {
      const { onThread } = await import('../taskset.js');
      return (args) => onThread('chrt', args);
    },
  },
];

export const addClients: AddCommand = (cli, done) => {
  for (const { name, usage, does, load } of CLIENTS) {
    cli
      .command(name)
      .description(`on a machine that is up: ${does}`)
      .usage(usage)
      .argument('[args...]')
      .helpOption(false)
      .allowUnknownOption()
      .passThroughOptions()
      .action(async (args: string[]) => {
        done(await runClient(name, await load(), args));
      });
  }
};

/** What keeps any of them from reaching a machine is one line. */
async function runClient(name: string, run: Run, args: readonly string[]): Promise<number> {
  const { noMachine } = await import('../client.js');
  try {
    return await run(args);
  } catch (error) {
    return noMachine(name, error);
  }
}
