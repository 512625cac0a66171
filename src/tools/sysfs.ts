// SPDX-License-Identifier: GPL-2.0-only
/** `softnet sysfs` and `softnet cat`: files below /sys and /proc of the machine. */
import { strerror } from '../uapi/refuse.js';
import { clientArgs, err, out, type RemoteError } from './client.js';
import { EXIT_CHECK_FAILED, EXIT_OK, EXIT_USAGE } from './exit_codes.js';

const USAGE = `usage: softnet sysfs read PATH | softnet sysfs write PATH VALUE | softnet sysfs list PATH
Example:
  softnet sysfs write /sys/class/net/eth0/threaded 1
`;
const CAT_USAGE = `usage: softnet cat PATH…
Example:
  softnet cat /proc/net/softnet_stat
`;

function why(e: RemoteError): string {
  return e.errno === 0 ? e.message : strerror(e.errno);
}

/** Runs `softnet sysfs`. @returns its exit code */
export async function sysfs(all: readonly string[]): Promise<number> {
  const { client, args } = clientArgs(all);
  const [verb, path, value] = args;
  if (args.includes('--help') || args.includes('-h')) {
    out(USAGE);
    return EXIT_OK;
  }
  const wanted = { read: 2, list: 2, write: 3 }[verb];
  if (wanted !== args.length || !path.startsWith('/')) {
    err(USAGE);
    return EXIT_USAGE;
  }
  const answer =
    verb === 'write'
      ? await client.ask('PUT', path, `${value}\n`)
      : await client.ask('GET', verb === 'list' ? `${path}/` : path.replace(/(?<=.)\/+$/, ''));
  if (answer.error !== null) {
    const what = verb === 'write' ? 'write error' : path;
    err(`softnet sysfs: ${verb === 'write' ? `${path}: ` : ''}${what}: ${why(answer.error)}\n`);
    return EXIT_CHECK_FAILED;
  }
  out(answer.body);
  return EXIT_OK;
}

/** Runs `softnet cat`. @returns its exit code */
export async function cat(all: readonly string[]): Promise<number> {
  const { client, args } = clientArgs(all);
  if (args.length === 0 || args.includes('--help') || args.includes('-h')) {
    (args.length === 0 ? err : out)(CAT_USAGE);
    return args.length === 0 ? EXIT_USAGE : EXIT_OK;
  }
  let code = EXIT_OK;
  for (const path of args) {
    const known = /^\/(sys|proc)(\/|$)/.test(path);
    const answer = known ? await client.ask('GET', path.replace(/\/+$/, '')) : null;
    if (answer?.ok) {
      out(answer.body);
      continue;
    }
    err(`cat: ${path}: ${answer?.error ? why(answer.error) : 'No such file or directory'}\n`);
    code = EXIT_CHECK_FAILED;
  }
  return code;
}
