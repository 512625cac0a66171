// SPDX-License-Identifier: GPL-2.0-only
/** Mutants that the sweep found without a test: backlogs, steering, CPU hotplug, pools that are retired. */
import type { Mutant } from './mutant.js';

const QUEUE = 'net/core/backlog_queue.js';
const THREADS = 'net/core/backlog_threads.js';
const DEAD = 'net/core/cpu_dead.js';
const HOTPLUG = 'kernel/cpu_hotplug.js';
const SMP = 'kernel/smp.js';
const RETIRE = 'net/core/page_pool_retire.js';
const CONFIG = 'net/core/rps_config.js';
const RPS = 'net/core/rps.js';
const LIMIT = 'net/core/flow_limit.js';
const RX = 'net/core/netif_rx.js';

export const SWEEP_BACKLOG_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'stage-overflows',
    commit: 'own',
    why: 'a frame is staged although as many are as can be',
    edits: [{ file: QUEUE, find: 'stage.count === BACKLOG_STAGE_SLOTS', replace: 'false' }],
    test: 'backlog-stage-full',
    verdict: 'lost-wakeup',
  },
  {
    name: 'place-staged-for-ever',
    commit: 'own',
    why: 'a frame that is queued still counts as staged: its flow can never move',
    edits: [{ file: QUEUE, find: 'm[place + RPS_PLACE.staged] = 0;', replace: ';' }],
    test: 'rfs-move',
    verdict: 'lost-wakeup',
  },
  {
    name: 'backlog-limit-not-looked-at',
    commit: 'own',
    why: 'the input queue of a backlog has no bound',
    edits: [{ file: QUEUE, find: 'if (qlen > max)', replace: 'if (false)' }],
    test: 'backlog-full',
    verdict: 'assertion',
  },
  {
    name: 'ipi-of-another-cpu-not-raised',
    commit: 'own',
    why: 'an interrupt in the middle of a poll leaves a backlog on the list of its CPU, for the poll loop of another one',
    edits: [{ file: QUEUE, find: '!net.sendsIpis || cur.bhCpu !== on', replace: '!net.sendsIpis' }],
    test: 'backlog-irq-in-poll',
    verdict: 'lost-wakeup',
  },
  {
    name: 'own-cpu-bypasses-always',
    commit: 'seed 001',
    why: 'what is for the own CPU is left to the softirq although the boot parameter says otherwise',
    edits: [{ file: QUEUE, find: ' || mode === THREAD_BACKLOG_NAPI_NO_BYPASS', replace: '' }],
    test: 'backlog-own-cpu-thread',
    verdict: 'assertion',
  },
  {
    name: 'toggle-on-without-a-thread',
    commit: 'seed 002',
    why: 'a thread that could not be had is forgotten once another one could',
    edits: [{ file: THREADS, find: 'threaded && err === 0 && i <', replace: 'threaded && i <' }],
    test: 'backlog-toggle-refused',
    verdict: 'assertion',
  },
  {
    name: 'run-time-thread-robbed-at-dead',
    commit: 'seed 002',
    why: 'a backlog is taken from its run-time thread, which goes on when the CPU has gone',
    edits: [
      {
        file: DEAD,
        find: 'm[net.at + NET.threadBacklogNapi] !== THREAD_BACKLOG_NAPI_OFF',
        replace: 'true',
      },
    ],
    test: 'cpu-down-run-time-thread',
    verdict: 'lost-wakeup',
  },
  {
    name: 'cpu-down-decided-unlocked',
    commit: 'own',
    why: 'whether a CPU is to be taken down is looked at before the hotplug mutex is held',
    edits: [
      {
        file: HOTPLUG,
        find: 'sleepOnMutex(cur, HOTPLUG);\n    if (!cpuOnline(cpu) || onlineCpus(cur) === 1 || cpuTask(cpu) !== m[cpu.at + CPU.ownTask]) {',
        replace:
          'const not = !cpuOnline(cpu) || onlineCpus(cur) === 1 || cpuTask(cpu) !== m[cpu.at + CPU.ownTask];\n    sleepOnMutex(cur, HOTPLUG);\n    if (not) {',
      },
    ],
    test: 'cpu-two-controllers',
    verdict: 'assertion',
  },
  {
    name: 'smp-call-outside-rcu',
    commit: 'own',
    why: 'the CPU that is called may be gone before the function runs: nobody waits for the sender',
    edits: [
      {
        file: SMP,
        find: 'rcuReadLock(cur);\n    cur.cpu = onlineInstead(cur.cpus, cpu);',
        replace: 'cur.cpu = onlineInstead(cur.cpus, cpu);\n    rcuReadLock(cur);',
      },
    ],
    test: 'smp-call-cpu-down',
    verdict: 'race',
  },
  {
    name: 'pool-retired-without-grace',
    commit: 'own',
    why: 'who brings a buffer back may still look at the queue that the pool served',
    edits: [
      {
        file: RETIRE,
        find: 'm[at + NET.retiredPools] = pool;\n    synchronizeRcu(net.cur);',
        replace: 'm[at + NET.retiredPools] = pool;',
      },
    ],
    test: 'page-pool-retire',
    verdict: 'race',
  },
  {
    name: 'pool-freed-before-grace',
    commit: 'own',
    why: 'a pool is freed, and who brought its last buffer back is waited for behind that',
    edits: [
      {
        file: RETIRE,
        find: 'synchronizeRcu(net.cur);\n        pagePoolDestroy(m, pool);',
        replace: 'pagePoolDestroy(m, pool);\n        synchronizeRcu(net.cur);',
      },
    ],
    test: 'page-pool-retire',
    verdict: 'race',
  },
  {
    name: 'sock-flow-table-set-unlocked',
    commit: 'own',
    why: 'the table is exchanged before the mutex of sysctls is held: another one may free what this one empties',
    edits: [
      {
        file: CONFIG,
        find: 'sleepOnMutex(cur, at + NET.sysctlMutex);\n    const err = setSockFlowTable(net, entries === 0 ? 0 : roundUpPow2(entries));',
        replace:
          'const err = setSockFlowTable(net, entries === 0 ? 0 : roundUpPow2(entries));\n    sleepOnMutex(cur, at + NET.sysctlMutex);',
      },
    ],
    test: 'rfs-table-emptied',
    verdict: 'race',
  },
  {
    name: 'sock-flow-entries-outside-rcu',
    commit: 'own',
    why: 'the size of the table is read while it may be freed',
    edits: [
      { file: CONFIG, find: 'rcuReadLock(net.cur);', replace: '' },
      { file: CONFIG, find: 'rcuReadUnlock(net.cur);', replace: '' },
    ],
    test: 'rfs-entries-gone',
    verdict: 'race',
  },
  {
    name: 'rps-count-torn',
    commit: 'own',
    why: 'two devices count their maps at once, and one is lost',
    edits: [
      {
        file: CONFIG,
        find: 'Atomics.add(m, at + NET.rpsNeeded, 1);',
        replace: 'Atomics.store(m, at + NET.rpsNeeded, Atomics.load(m, at + NET.rpsNeeded) + 1);',
      },
    ],
    test: 'rps-two-devices',
    verdict: 'assertion',
  },
  {
    name: 'reader-without-flow-table',
    commit: 'own',
    why: 'a queue without a flow table steers to readers: it cannot tell what a flow has on its way',
    edits: [
      { file: RPS, find: 'table === 0 ? RPS_NO_CPU : readerOf(net, hash)', replace: 'readerOf(net, hash)' },
    ],
    test: 'rps-map-choice',
    verdict: 'assertion',
  },
  {
    name: 'flow-limit-published-early',
    commit: 'own',
    why: 'a table is used before it says how many buckets it has',
    edits: [
      {
        file: LIMIT,
        find: 'm[fl + SD_FLOW_LIMIT.logBuckets] = 31 - Math.clz32(nr);\n    Atomics.store(m, slot, fl);',
        replace: 'Atomics.store(m, slot, fl);\n    m[fl + SD_FLOW_LIMIT.logBuckets] = 31 - Math.clz32(nr);',
      },
    ],
    test: 'flow-limit-on',
    verdict: 'race',
  },
  {
    name: 'netif-rx-moves-early',
    commit: 'own',
    why: 'a source that runs on another CPU now goes there although its latest frame is still on its way',
    edits: [{ file: RX, find: ' && drained(net, place)', replace: '' }],
    test: 'netif-rx-moves',
    verdict: 'lost-wakeup',
  },
]);
