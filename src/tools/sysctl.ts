// SPDX-License-Identifier: GPL-2.0-only
/** `softnet sysctl`: procps' sysctl on the machine's net.core. Its exit code is the number of what failed. */
import { strerror } from '../uapi/refuse.js';
import { type Client, clientArgs, err, out } from './client.js';
import { EXIT_CHECK_FAILED, EXIT_OK } from './exit_codes.js';

const USAGE = `
Usage:
 softnet sysctl [options] [variable[=value] ...]

Options:
  -a, --all            show all variables
  -e, --ignore         no error for an unknown variable
  -N, --names          names without values
  -n, --values         values without names
  -q, --quiet          do not show what was set
  -w, --write          set variables
  -h, --help           this text

Example:
  softnet sysctl -w net.core.netdev_budget=600
`;

const LONG: { readonly [name: string]: string } = {
  all: 'a',
  ignore: 'e',
  names: 'N',
  values: 'n',
  quiet: 'q',
  write: 'w',
  help: 'h',
};

interface Sysctl {
  readonly name: string;
  readonly value: string;
}

/** Runs the command. @returns its exit code */
export async function sysctl(argv: readonly string[]): Promise<number> {
  const { client, args } = clientArgs(argv);
  const flags = new Set<string>();
  const words: string[] = [];
  for (const arg of args) {
    if (!arg.startsWith('-') || arg === '-') {
      words.push(arg);
      continue;
    }
    const letters = arg.startsWith('--') ? [LONG[arg.slice(2)] ?? arg] : [...arg.slice(1)];
    for (const letter of letters) {
      if (!/^[aAXenNqwh]$/.test(letter)) {
        const text = arg.startsWith('--') ? `unrecognized option '${arg}'` : `invalid option -- '${letter}'`;
        err(`sysctl: ${text}\n${USAGE}`);
        return EXIT_CHECK_FAILED;
      }
      flags.add(letter === 'A' || letter === 'X' ? 'a' : letter);
    }
  }
  if (flags.has('h')) {
    out(USAGE);
    return EXIT_OK;
  }
  if (words.length === 0 && !flags.has('a')) {
    err(USAGE);
    return EXIT_CHECK_FAILED;
  }
  if (flags.has('a')) {
    for (const s of await list(client)) show(s, flags);
    return EXIT_OK;
  }
  let failures = 0;
  for (const [i, word] of words.entries()) if (!(await one(client, flags, word, i))) failures++;
  return failures;
}

async function list(client: Client): Promise<Sysctl[]> {
  const answer = await client.ask('GET', '/sysctl');
  return answer.ok ? (JSON.parse(answer.body) as Sysctl[]) : [];
}

function show({ name, value }: Sysctl, flags: ReadonlySet<string>): void {
  if (flags.has('N')) out(`${name}\n`);
  else if (flags.has('n')) out(`${value}\n`);
  else out(`${name} = ${value}\n`);
}

/** Shows or sets one. @returns false if that failed */
async function one(client: Client, flags: ReadonlySet<string>, word: string, i: number): Promise<boolean> {
  const at = word.indexOf('=');
  if (at < 0 && flags.has('w')) {
    err(`sysctl: command line(${i}): invalid syntax, continuing...\n`);
    return false;
  }
  const path = (at < 0 ? word : word.slice(0, at)).trim().replaceAll('.', '/').replace(/\/+$/, '');
  const name = path.replaceAll('/', '.');
  // "…" stands for no name at all: whatever is asked of it does not exist.
  const file = `/proc/sys/${path}`;
  const all = await list(client);
  const below = all.filter((s) => s.name === name || s.name.startsWith(`${name}.`));
  if (below.length === 0) {
    if (flags.has('e')) return true;
    err(`sysctl: cannot stat ${file}: No such file or directory\n`);
    return false;
  }
  if (at < 0) {
    for (const s of below) show(s, flags);
    return true;
  }
  const value = word.slice(at + 1).trim();
  const answer = await client.ask('PUT', file, `${value}\n`);
  if (answer.error !== null) {
    const why = answer.error.errno === 0 ? answer.error.message : strerror(answer.error.errno);
    err(`sysctl: setting key "${name}": ${why}\n`);
    return false;
  }
  if (!flags.has('q')) show({ name, value }, flags);
  return true;
}
