// SPDX-License-Identifier: GPL-2.0-only
/** What the checker replaces in the code under test, beside clocks (they stand still by themselves). */
import type { Edit } from '../check/index.js';

/** A counter for statistics: it would make each turn of a loop a new state. The access stays, its value does not. */
function counter(file: string, find: string, replace: string): Edit {
  return { file, find, replace };
}

export const EDITS: readonly Edit[] = Object.freeze([
  {
    // A bound of one look reaches the same states as any larger one: the loop's counter is no state of the protocol.
    file: 'kernel/cpu_relax.js',
    find: 'export const SPIN_LOADS = 100;',
    replace: 'export const SPIN_LOADS = 1;',
  },
  {
    // Two frames are as many as 256: the third is more than can be staged.
    file: 'net/core/net_context.js',
    find: 'export const BACKLOG_STAGE_SLOTS = 256;',
    replace: 'export const BACKLOG_STAGE_SLOTS = 2;',
  },
  {
    file: 'net/core/flow_limit.js',
    find: 'export const FLOW_LIMIT_HISTORY = 128;',
    replace: 'export const FLOW_LIMIT_HISTORY = 4;',
  },
  counter(
    'kernel/sched.js',
    'cur.nvcsw++;\n    m[task.at + TASK.nvcsw] = cur.nvcsw;\n    trace(cur, TP_SCHED_SWITCH_OUT, state);\n    while',
    'm[task.at + TASK.nvcsw] = 0;\n    while',
  ),
  counter(
    'kernel/sched.js',
    'cur.nvcsw++;\n    m[task.at + TASK.nvcsw] = cur.nvcsw;\n    trace(cur, TP_SCHED_SWITCH_OUT, state);\n    let leftUs',
    'm[task.at + TASK.nvcsw] = 0;\n    let leftUs',
  ),
  counter('kernel/softirq.js', 'm[cpu.at + CPU.softirqRuns]++', 'm[cpu.at + CPU.softirqRuns] = 0'),
  counter('kernel/softirq.js', 'm[cpu.at + CPU.softirqHandovers]++', 'm[cpu.at + CPU.softirqHandovers] = 0'),
  counter('kernel/irq.js', 'm[at + IRQ_DESC.count]++', 'm[at + IRQ_DESC.count] = 0'),
  counter(
    'drivers/net/sim_nic_timed.js',
    'Atomics.add(m, q.at + NIC_QUEUE.interrupts, 1)',
    'Atomics.add(m, q.at + NIC_QUEUE.interrupts, 0)',
  ),
  counter(
    'drivers/net/sim_nic_driver.js',
    'm[q.at + NIC_QUEUE.pollSizes + pollSize(work)]++',
    'm[q.at + NIC_QUEUE.pollSizes + pollSize(work)] = 0',
  ),
  counter('net/core/napi_poll.js', 'm[at + NAPI.polls]++', 'm[at + NAPI.polls] = 0'),
  counter('net/core/napi_poll.js', 'm[at + NAPI.work] += work', 'm[at + NAPI.work] = 0'),
  counter(
    'net/core/rx.js',
    'net.m[net.softnet[net.cur.cpu.id].at + SOFTNET_DATA.processed] += n',
    'net.m[net.softnet[net.cur.cpu.id].at + SOFTNET_DATA.processed] = 0',
  ),
  counter(
    'net/core/napi_poll.js',
    'm[sd.at + SOFTNET_DATA.timeSqueeze]++',
    'm[sd.at + SOFTNET_DATA.timeSqueeze] = 0',
  ),
  counter('net/core/napi_schedule.js', 'm[at + NAPI.work] += workDone', 'm[at + NAPI.work] = 0'),
  counter('net/core/napi_schedule.js', 'm[at + NAPI.completions]++', 'm[at + NAPI.completions] = 0'),
  counter('net/core/napi_schedule.js', 'm[at + NAPI.emptyPolls]++', 'm[at + NAPI.emptyPolls] = 0'),
  counter('net/core/busy_poll.js', 'm[at + NAPI.work] += work', 'm[at + NAPI.work] = 0'),
  counter('net/core/busy_poll.js', 'net.m[n.at + NAPI.work] += work', 'net.m[n.at + NAPI.work] = 0'),
  // Polls in a row reach what polls in turns reach: nobody can tell a turn of eight from a slow poll.
  { file: 'net/core/napi_poll.js', find: 'const BUSY_POLLS = 8;', replace: 'const BUSY_POLLS = 1;' },
  // Whether it gave way is told, how often is not.
  counter('kernel/bh.js', 'cur.yields++', 'cur.yields = 1'),
  // Readers are woken behind every poll, not every fourth.
  counter('net/core/napi_poll.js', 'for (let polls = 1;; polls++)', 'for (let polls = POLLS_PER_WAKE;;)'),
]);
