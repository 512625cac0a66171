// SPDX-License-Identifier: GPL-2.0-only
/**
 * `softnet taskset` and `softnet chrt`: util-linux's tools on a thread of the machine, by name or by id. The host's
 * tool does the work on the real thread; options and output are its own.
 */
import { spawnSync } from 'node:child_process';
import { clientArgs, err, out } from './client.js';
import { EXIT_CHECK_FAILED, EXIT_OK, EXIT_SKIPPED, EXIT_USAGE } from './exit_codes.js';
import { threadsOf } from './ps.js';

const USAGE: { readonly [tool: string]: string } = {
  taskset: `usage: softnet taskset -p [options] [MASK or, with -c, LIST] THREAD
THREAD is a name as softnet ps shows it, or a thread id; the rest is taskset(1)'s.
Example:
  softnet taskset -pc 1 napi/eth0-8193
`,
  chrt: `usage: softnet chrt [options] -p [PRIORITY] THREAD
THREAD is a name as softnet ps shows it, or a thread id; the rest is chrt(1)'s.
Example:
  softnet chrt -f -p 50 napi/eth0-8193
`,
};

/** Runs the command. @returns the tool's exit code */
export async function onThread(tool: 'taskset' | 'chrt', all: readonly string[]): Promise<number> {
  const { client, args } = clientArgs(all);
  if (args.includes('--help') || args.includes('-h')) {
    out(USAGE[tool]);
    return EXIT_OK;
  }
  const who = args.at(-1) ?? '';
  // Without -p the tools start a program: that is the host's business.
  const given = args.slice(0, -1).some((a) => a === '--pid' || /^-[a-zA-Z]*p[a-zA-Z]*$/.test(a));
  if (!given || who.startsWith('-')) {
    err(USAGE[tool]);
    return EXIT_USAGE;
  }
  const threads = await threadsOf(client);
  if (threads === null) return EXIT_CHECK_FAILED;
  const found = threads.filter((t) => t.name === who || (t.tid !== 0 && String(t.tid) === who));
  if (found.length !== 1) {
    const names = threads.map((t) => t.name).join(', ');
    err(
      found.length === 0
        ? `${tool}: the machine has no thread ${who}; it has ${names}\n`
        : `${tool}: ${found.length} threads are called ${who}; give an id: ${found.map((t) => t.tid).join(', ')}\n`,
    );
    return EXIT_CHECK_FAILED;
  }
  const { tid, name } = found[0];
  if (tid === 0) {
    err(
      `${tool}: the ids of threads are not available on this host (no /proc), so ${name} cannot be reached\n`,
    );
    return EXIT_SKIPPED;
  }
  const run = spawnSync(tool, [...args.slice(0, -1), String(tid)], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (run.error !== undefined) {
    err(`${tool}: this host has no ${tool}; install util-linux, or set thread ${tid} (${name}) otherwise\n`);
    return EXIT_SKIPPED;
  }
  return run.status ?? EXIT_CHECK_FAILED;
}
