// SPDX-License-Identifier: GPL-2.0-only
/** The modules that the sweep mutates, as the litmus tests load them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import { parse } from 'acorn';
import { applyEdits } from '../../check/edits.js';
import type { Edit } from '../../check/index.js';
import { childrenOf, type Node } from '../../check/syntax.js';
import { EDITS } from '../edits.js';
import { HELPERS, isPlainStatement, type Mutation, mutationsOf } from './operators.js';

/**
 * What is swept: the code that shares state. Not here: struct declarations, GRO, header parsers (plain data of one
 * owner, which unit tests cover), kernel/histogram.ts, net/core/dev.ts (what control surfaces do to a device, one at a
 * time under its mutex; unit and e2e tests), and kernel/locking/api (for other programs; the tests of the API).
 */
export const SWEPT: readonly string[] = Object.freeze([
  'mm/ring.js',
  'mm/slab.js',
  'mm/list.js',
  'kernel/locking/spinlock.js',
  'kernel/locking/mutex.js',
  'kernel/task.js',
  'kernel/sched.js',
  'kernel/completion.js',
  'kernel/bh.js',
  'kernel/kthread.js',
  'kernel/smpboot.js',
  'kernel/rcu.js',
  'kernel/irq.js',
  'kernel/softirq.js',
  'kernel/hrtimer.js',
  'kernel/current.js',
  'kernel/cpu.js',
  'kernel/cpu_hotplug.js',
  'kernel/cpu_stand_in.js',
  'kernel/smp.js',
  'net/core/napi.js',
  'net/core/busy_poll.js',
  'net/core/eventpoll.js',
  'net/core/sock_busy.js',
  'net/core/napi_schedule.js',
  'net/core/poll_list.js',
  'net/core/napi_poll.js',
  'net/core/napi_control.js',
  'net/core/napi_id.js',
  'net/core/napi_thread.js',
  'net/core/napi_threaded.js',
  'net/core/net_context.js',
  'net/core/net_device.js',
  'net/core/rx.js',
  'net/core/skb_free.js',
  'net/core/sock_queue.js',
  'net/core/page_pool.js',
  'net/core/page_pool_retire.js',
  'net/core/backlog_queue.js',
  'net/core/backlog.js',
  'net/core/backlog_threads.js',
  'net/core/cpu_dead.js',
  'net/core/defer_free.js',
  'net/core/rps.js',
  'net/core/rps_config.js',
  'net/core/flow_limit.js',
  'net/core/netif_rx.js',
]);

/** A mutation of a module, with a name that stays when lines move. */
export interface SweepMutant extends Mutation {
  readonly file: string;
  /** Line of the TypeScript source. */
  readonly sourceLine: number;
  /** `file function operator: text`, with a number from the second of its kind on. */
  readonly key: string;
}

const root = new URL('../../', import.meta.url);

const texts = new Map<string, string>();

/** @returns the module's text as the litmus tests have it: with the edits that every check makes */
export function moduleText(file: string): string {
  let text = texts.get(file);
  if (text === undefined) {
    text = applyEdits(file, readFileSync(new URL(file, root), 'utf8'), EDITS);
    texts.set(file, text);
  }
  return text;
}

/** @returns all mutants of a module */
export function mutantsOf(file: string): SweepMutant[] {
  const map = new TraceMap(readFileSync(fileURLToPath(new URL(`${file}.map`, root)), 'utf8'));
  const seen = new Map<string, number>();
  return mutationsOf(moduleText(file)).map((mutation) => {
    const { fn, op, text, line, column } = mutation;
    const name = `${file} ${fn} ${op}: ${text}`;
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    const sourceLine = originalPositionFor(map, { line, column }).line ?? line;
    return { ...mutation, file, sourceLine, key: count === 1 ? name : `${name} #${count}` };
  });
}

/** @returns the edit that makes the mutant */
export function editOf(mutant: SweepMutant): Edit {
  const find = moduleText(mutant.file);
  const broken = find.slice(0, mutant.start) + mutant.replace + find.slice(mutant.end);
  return { file: mutant.file, find, replace: withHelpers(broken) };
}

function withHelpers(text: string): string {
  const at = text.lastIndexOf('//# sourceMappingURL');
  return at < 0 ? text + HELPERS : text.slice(0, at) + HELPERS + text.slice(at);
}

/** @returns an edit by which every statement of a function reports `file:offset` to `globalThis.sweepReached` */
export function reachEdit(file: string): Edit {
  const find = moduleText(file);
  const marks: { at: number; text: string }[] = [];
  const visit = (n: Node, parent: Node | null, inFunction: boolean): void => {
    if (inFunction && isPlainStatement(n)) {
      const mark = `globalThis.sweepReached(${JSON.stringify(`${file}:${n.start}`)});`;
      if (parent?.type === 'BlockStatement' || parent?.type === 'SwitchCase')
        marks.push({ at: n.start, text: mark });
      else if (n.type !== 'VariableDeclaration') {
        marks.push({ at: n.start, text: `{${mark}` });
        marks.push({ at: n.end, text: '}' });
      }
    }
    for (const c of childrenOf(n)) visit(c, n, inFunction || /Function/.test(n.type));
  };
  visit(
    parse(find, { ecmaVersion: 'latest', sourceType: 'module', locations: true }) as unknown as Node,
    null,
    false,
  );
  let replace = '';
  let from = 0;
  for (const m of marks.sort((a, b) => a.at - b.at)) {
    replace += find.slice(from, m.at) + m.text;
    from = m.at;
  }
  return { file, find, replace: replace + find.slice(from) };
}
