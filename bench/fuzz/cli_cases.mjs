// SPDX-License-Identifier: GPL-2.0-only
/**
 * Command lines by number: words of the table of commands as it is (commands, options, choices), words of the clients, and
 * values that are right, wrong, extreme, missing, twice there or of another option. All paths lie in the folder of the case, or
 * where nothing can be made.
 */
import { commandTable } from '../../dist/tools/command_line.js';
import { caseRandom } from './campaign.mjs';

/** Names of files and folders that are there, and what is in them. */
export const FILES = {
  'garbage.pcap': Uint8Array.from({ length: 200 }, (_, i) => (i * 37) & 255),
  'empty.json': '',
  'half.json': '{"format": 1, "command": "softnet reprod',
  'other.json': '[1, 2, {"a": null}]',
  'module.mjs': 'export const nothing = 1;\n',
};
export const FOLDERS = ['folder', 'records'];

const PATHS = [
  ...Object.keys(FILES),
  ...FOLDERS,
  'no/such/file',
  'none.json',
  'out.html',
  'new',
  '/proc/nope/x/y',
  '/dev/null/x',
  `${'p'.repeat(300)}`,
  '.',
  '',
];
const NUMBERS = [
  '1',
  '2',
  '0',
  '3',
  '-1',
  '-0',
  '0.5',
  '1e3',
  '1e999',
  'NaN',
  'Infinity',
  '0x10',
  ' 1',
  '1 ',
  '١',
  '4294967296',
  '9'.repeat(40),
  '1,2',
  '64',
  '65',
  '007',
];
const WORDS = [
  '',
  ' ',
  'x',
  'ß',
  '💥',
  'ａｌｌ',
  '__proto__',
  'constructor',
  'toString',
  '%s%n',
  '$(x)',
  "it's",
  'a'.repeat(500),
  ',',
  ',,',
  'a,,b',
  '/',
  '--',
  '=',
  '\u202etxt',
  '[object Object]',
  'null',
  'undefined',
];
/** What options and arguments of commands take, so that some lines get far. */
const GOOD = [
  'eth0',
  'eth0,queues=2',
  'eth0,queues=0',
  'eth0,threaded=on,foo=1',
  ',queues=1',
  'softirq',
  'threaded',
  'softirq,threaded',
  'asap',
  'capture',
  'nic',
  'loopback,few',
  'ipi',
  'seed',
  '64/25',
  '64/25,0/1',
  '83:0',
  '83:0,1:1:1',
  '0,1',
  '1/2',
  '2/1',
  '0/0',
  '5s',
  '1m',
  '3h',
  '0s',
  'default',
  'faults',
  'all',
  'none',
  'gc=1',
  'gc=-1,nope=1',
  'config=none,reconfig=delta',
  'fixed',
  'off',
  'on',
  'inline',
  'napi_struct',
  'backlog-ways',
  'napi_kthread_persist=v1',
  'quiet splash',
  'net.core.netdev_budget=1',
  'net.core.netdev_budget',
  'link',
  'set',
  'show',
  'dev',
  'up',
  'down',
  'name',
  'read',
  'write',
  'list',
  '/sys/class/net/eth0/threaded',
  '/proc/net/softnet_stat',
  'combined',
  'rx',
  'netdev',
  'napi-get',
  '{"id": 1}',
  '{',
  'napi/eth0-1',
];
/** Options of the clients, which read what stands behind their names by themselves. */
const CLIENT_OPTIONS = [
  '--family',
  '--do',
  '--dump',
  '--json',
  '--output-json',
  '--socket',
  '-w',
  '-n',
  '-a',
  '-l',
  '-L',
  '-g',
  '-G',
  '-c',
  '-C',
  '-S',
  '-p',
  '-pc',
  '-f',
  '-j',
  '-d',
  '-V',
  '--help',
  '-h',
  '--version',
];
const CLIENTS = ['ynl', 'sysfs', 'cat', 'sysctl', 'ethtool', 'ip', 'ps', 'taskset', 'chrt'];

/** The commands and their options, as the parser has them. */
const TABLE = commandTable(() => {}).commands.map((c) => ({
  name: c.name(),
  args: c.registeredArguments.length,
  options: c.options.map((o) => ({
    flags: [o.short, o.long].filter((f) => f !== undefined),
    takes: o.required || o.optional,
    choices: o.argChoices,
    isPath: /file|dir|path|out/.test(o.flags),
  })),
}));

/** @returns the arguments behind `softnet` */
export function cliCase(seed, number) {
  const random = caseRandom(seed, 'cli', number);
  if (random.chance(0.03)) return Array.from({ length: random.below(5) }, () => anyWord(random));
  const command = random.pick(TABLE);
  const argv = [command.name];
  if (CLIENTS.includes(command.name)) {
    for (let n = random.below(6); n > 0; n--)
      argv.push(random.chance(0.5) ? random.pick(CLIENT_OPTIONS) : anyWord(random));
    return argv;
  }
  for (let n = random.below(5); n > 0; n--) argv.push(...option(random, command));
  for (let n = random.below(command.args + 2); n > 0; n--) argv.push(value(random, random.chance(0.5)));
  if (random.chance(0.1)) argv.splice(random.below(argv.length + 1), 0, anyWord(random));
  if (random.chance(0.05)) argv.splice(random.below(argv.length), 1);
  return argv;
}

function option(random, command) {
  if (command.options.length === 0 || random.chance(0.05))
    return [random.pick(['--nope', '-x', '--', '--jsn', '-', '--help', '--version', '--no-json'])];
  // Of another command, now and then.
  const { options } = random.chance(0.05) ? random.pick(TABLE.filter((c) => c.options.length > 0)) : command;
  const o = random.pick(options);
  const flag = random.pick(o.flags);
  if (!o.takes) return random.chance(0.05) ? [`${flag}=1`] : [flag];
  if (random.chance(0.05)) return [flag];
  const v = o.choices !== undefined && random.chance(0.7) ? random.pick(o.choices) : value(random, o.isPath);
  return random.chance(0.3) && flag.startsWith('--') ? [`${flag}=${v}`] : [flag, v];
}

function value(random, isPath) {
  if (isPath && random.chance(0.8)) return random.pick(PATHS);
  return random.pick([NUMBERS, NUMBERS, GOOD, GOOD, GOOD, WORDS, PATHS].flatMap((list) => random.pick(list)));
}

function anyWord(random) {
  return random.pick([
    () => value(random, false),
    () => random.pick(TABLE).name,
    () => random.pick(CLIENT_OPTIONS),
    () =>
      random.pick(
        random
          .pick(TABLE)
          .options.flatMap((o) => o.flags)
          .concat('--help'),
      ),
  ])();
}
