// SPDX-License-Identifier: GPL-2.0-only
/** `softnet ps`: the machine's threads, with the ids that taskset, chrt, top -H and perf take. */
import type { ThreadInfo } from '../uapi/server/backend.js';
import { type Client, clientArgs, err, out } from './client.js';
import { EXIT_CHECK_FAILED, EXIT_OK, EXIT_USAGE } from './exit_codes.js';

/** @returns the threads that run */
export async function threadsOf(client: Client): Promise<ThreadInfo[] | null> {
  const answer = await client.ask('GET', '/threads');
  return answer.ok ? (JSON.parse(answer.body) as { threads: ThreadInfo[] }).threads : null;
}

/** Runs the command. @returns its exit code */
export async function ps(all: readonly string[]): Promise<number> {
  const { client, args } = clientArgs(all);
  const json = args.includes('--json');
  const rest = args.filter((a) => a !== '--json');
  if (rest.length > 0) {
    const help = rest[0] === '--help' || rest[0] === '-h';
    (help ? out : err)('usage: softnet ps [--json]\nExample:\n  softnet ps\n');
    return help ? EXIT_OK : EXIT_USAGE;
  }
  const threads = await threadsOf(client);
  if (threads === null) return EXIT_CHECK_FAILED;
  if (json) out(`${JSON.stringify({ threads }, null, 2)}\n`);
  else {
    out(`${'TID'.padStart(9)}     TIME/s  WAKEUPS  NAME\n`);
    for (const t of threads) {
      const time = t.cpu_ns === null ? '-' : (t.cpu_ns / 1e9).toFixed(3);
      const tid = t.tid === 0 ? '-' : String(t.tid);
      out(`${tid.padStart(9)} ${time.padStart(10)} ${String(t.wakeups).padStart(8)}  ${t.name}\n`);
    }
  }
  return EXIT_OK;
}
