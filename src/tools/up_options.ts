// SPDX-License-Identifier: GPL-2.0-only
/** What `softnet up` takes on its command line: devices with their options, and boot parameters. */
import { OptionError } from '../errors.js';
import type { BootOptions } from '../machine.js';
import type { NetDeviceOptions } from '../net_device.js';

type Values<T> = { -readonly [K in keyof T]?: T[K] };

/** One word of a command line: its name, what may stand behind the equals sign, and where it goes. */
interface Word<T> {
  readonly takes: string;
  readonly set: (into: Values<T>, text: string) => boolean;
}

type Table<T> = { readonly [name: string]: Word<T> };

function number<T>(key: keyof T): Word<T> {
  return {
    takes: 'a number',
    set: (into, text) => {
      if (!/^\d{1,15}$/.test(text)) return false;
      into[key] = Number(text) as T[keyof T];
      return true;
    },
  };
}

function choice<T, V>(key: keyof T, values: { readonly [text: string]: V }): Word<T> {
  return {
    takes: Object.keys(values).join(' or '),
    set: (into, text) => {
      if (!Object.hasOwn(values, text)) return false;
      into[key] = values[text] as T[keyof T];
      return true;
    },
  };
}

const ON_OFF = { on: true, off: false, 1: true, 0: false };

/** Options of `--dev NAME,option=value`. */
const DEVICE_WORDS: Table<NetDeviceOptions> = {
  queues: number('queues'),
  'max-queues': number('maxQueues'),
  config: choice('config', { persistent: 'persistent', none: 'none' }),
  reconfig: choice('reconfig', { rebuild: 'rebuild', delta: 'delta', 'safe-switch': 'safe-switch' }),
  ring: number('ringSize'),
  'ring-max': number('ringMax'),
  pool: number('poolSize'),
  'rx-usecs': number('rxUsecs'),
  'rx-frames': number('rxFrames'),
  gro: choice('gro', ON_OFF),
  'rx-gro-list': choice('rxGroList', ON_OFF),
  threaded: choice('threaded', ON_OFF),
  'defer-hard-irqs': number('deferHardIrqs'),
  'gro-flush-timeout': number('groFlushTimeoutNs'),
};

/** Values of `thread_backlog_napi`. */
export const THREAD_BACKLOG_NAPI = { off: 'off', on: 'on', 'no-bypass': 'no-bypass' } as const;

/** Words of `--append`, as the kernel's command line has them. */
const BOOT_WORDS: Table<BootOptions> = {
  napi_kthread_persist: choice('napiKthreadPersist', { off: 'off', v1: 'v1', fixed: 'fixed' }),
  thread_backlog_napi: choice('threadBacklogNapi', THREAD_BACKLOG_NAPI),
};

/** @returns what `--help` says of a table's words */
function wordList<T>(table: Table<T>): string {
  return Object.entries(table)
    .map(([name, w]) => `${name}=${w.takes.replaceAll(' or ', '|').replace('a number', 'N')}`)
    .join(', ');
}

export const DEVICE_HELP = wordList(DEVICE_WORDS);
export const BOOT_HELP = wordList(BOOT_WORDS);

function setWord<T>(what: string, table: Table<T>, into: Values<T>, word: string): void {
  const at = word.indexOf('=');
  const name = at < 0 ? word : word.slice(0, at);
  const found = Object.hasOwn(table, name) ? table[name] : undefined;
  if (found === undefined) throw new OptionError(what, word, `one of ${wordList(table)}`);
  // A word alone means "on" where that can be.
  const text = at < 0 ? 'on' : word.slice(at + 1);
  if (!found.set(into, text)) throw new OptionError(what, word, `${name}=${found.takes}`);
}

/**
 * Reads `NAME[,option=value…]`.
 * @throws OptionError that names what there is
 */
export function parseDevice(text: string): NetDeviceOptions {
  const [name, ...words] = text.split(',');
  const options: Values<NetDeviceOptions> = { name };
  for (const word of words) setWord(`--dev ${name}`, DEVICE_WORDS, options, word);
  return options as NetDeviceOptions;
}

/**
 * Reads the words of `--append`.
 * @throws OptionError that names what there is
 */
export function parseBootParameters(text: string): BootOptions {
  const options: Values<BootOptions> = {};
  for (const word of text.split(/\s+/)) if (word !== '') setWord('--append', BOOT_WORDS, options, word);
  return options;
}
