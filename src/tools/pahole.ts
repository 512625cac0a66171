// SPDX-License-Identifier: GPL-2.0-only
/** `softnet pahole`: prints the words of a struct, their offsets, cache lines, and who writes them. */
import { NIC_QUEUE, SIM_NIC } from '../drivers/net/sim_nic.js';
import { CPU } from '../kernel/cpu.js';
import { KERNEL } from '../kernel/current.js';
import { HRTIMER } from '../kernel/hrtimer.js';
import { IRQ_DESC } from '../kernel/irq.js';
import { TASK } from '../kernel/task.js';
import { RING } from '../mm/ring.js';
import { MM_STRUCT } from '../mm/slab.js';
import { CACHE_LINE_WORDS, type StructInfo } from '../mm/struct.js';
import { NAPI } from '../net/core/napi.js';
import { NAPI_CONFIG, NET_DEVICE } from '../net/core/net_device.js';
import { PAGE_POOL } from '../net/core/page_pool.js';
import { SKB } from '../net/core/skbuff.js';
import { SOCK } from '../net/core/sock_queue.js';
import { NET, SOFTNET_DATA } from '../net/core/softnet_data.js';
import { FQDIR, IPQ } from '../net/ipv4/inet_fragment.js';
import { EXIT_OK, EXIT_USAGE } from './exit_codes.js';

/** Every struct that lies in shared memory. */
export const STRUCTS: readonly StructInfo[] = [
  MM_STRUCT,
  RING,
  KERNEL,
  CPU,
  TASK,
  IRQ_DESC,
  HRTIMER,
  NET,
  SOFTNET_DATA,
  NET_DEVICE,
  NAPI_CONFIG,
  NAPI,
  PAGE_POOL,
  SKB,
  SOCK,
  FQDIR,
  IPQ,
  SIM_NIC,
  NIC_QUEUE,
];

/** Runs the command. @returns its exit code */
export function pahole(name: string | undefined, json: boolean): number {
  const chosen = name === undefined ? STRUCTS : STRUCTS.filter((s) => s.NAME === name);
  if (chosen.length === 0) {
    process.stderr.write(
      `softnet pahole: no struct ${name}; there are ${STRUCTS.map((s) => s.NAME).join(', ')}\n`,
    );
    return EXIT_USAGE;
  }
  if (json) process.stdout.write(`${JSON.stringify({ structs: chosen.map(asJson) }, null, 2)}\n`);
  else if (name === undefined) process.stdout.write(overview());
  else process.stdout.write(structText(chosen[0]));
  return EXIT_OK;
}

function overview(): string {
  const width = Math.max(...STRUCTS.map((s) => s.NAME.length));
  const lines = STRUCTS.map(
    (s) => `${s.NAME.padEnd(width)}  ${String(s.SIZE * 4).padStart(5)} bytes  ${linesOf(s)} cache lines`,
  );
  return `${lines.join('\n')}\nsoftnet pahole STRUCT shows one of them.\n`;
}

function structText(s: StructInfo): string {
  let text = `struct ${s.NAME} {\n`;
  let writer = '';
  for (const f of s.FIELDS) {
    if (f.writer !== writer) {
      text += `        /* --- cache line ${f.line}: written by ${f.writer} --- */\n`;
      writer = f.writer;
    }
    const decl = f.words === 1 ? `${f.name};` : `${f.name}[${f.words}];`;
    const place = `/* ${String(f.offset * 4).padStart(5)} ${String(f.words * 4).padStart(4)} */`;
    text += `        word ${decl.padEnd(26)} ${place}  ${f.doc}\n`;
  }
  const used = s.FIELDS.reduce((n, f) => n + f.words, 0);
  text += `\n        /* size: ${s.SIZE * 4}, cachelines: ${linesOf(s)}, members: ${s.FIELDS.length} */\n`;
  text += `        /* padding between lines: ${(s.SIZE - used) * 4} bytes */\n};\n`;
  return text;
}

function linesOf(s: StructInfo): number {
  return s.SIZE / CACHE_LINE_WORDS;
}

function asJson(s: StructInfo): object {
  return {
    name: s.NAME,
    size_bytes: s.SIZE * 4,
    cache_lines: linesOf(s),
    fields: s.FIELDS.map((f) => ({
      name: f.name,
      offset_bytes: f.offset * 4,
      size_bytes: f.words * 4,
      cache_line: f.line,
      writer: f.writer,
      doc: f.doc,
    })),
  };
}
