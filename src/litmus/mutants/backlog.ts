// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of backlogs: queueing, processing, ways to have one run, toggles, flushing, steering. */
import type { Mutant } from './mutant.js';

const BACKLOG = 'net/core/backlog.js';
const QUEUE = 'net/core/backlog_queue.js';
const THREADS = 'net/core/backlog_threads.js';
const POLL = 'net/core/napi_poll.js';
const RPS = 'net/core/rps.js';
const CONFIG = 'net/core/rps_config.js';
const LIMIT = 'net/core/flow_limit.js';

const GIVE_UP = 'Atomics.and(m, n.state, ~(NAPIF_STATE_SCHED | NAPIF_STATE_SCHED_THREADED)); // R2';
const WIN = 'mine = (Atomics.or(m, state, NAPIF_STATE_SCHED) & NAPIF_STATE_SCHED) === 0; // R1';
const FLUSHED = 'Atomics.store(m, sd.inputQueueHead, (m[sd.inputQueueHead] + n) | 0); // V1';

export const BACKLOG_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'backlog-state-zeroed',
    commit: 'dad6b9770263',
    why: 'to give the backlog up clears its whole state: it is not threaded any more',
    edits: [{ file: BACKLOG, find: GIVE_UP, replace: 'Atomics.store(m, n.state, 0);' }],
    test: 'backlog-thread',
    verdict: 'lost-wakeup',
  },
  {
    name: 'backlog-keeps-sched-threaded',
    commit: 'dad6b9770263',
    why: 'to give the backlog up leaves SCHED_THREADED: the thread never rests, and polls what the softirq is given',
    edits: [{ file: BACKLOG, find: GIVE_UP, replace: 'Atomics.and(m, n.state, ~NAPIF_STATE_SCHED);' }],
    test: 'backlog-bypass',
    verdict: 'livelock',
  },
  {
    name: 'backlog-thread-runs-for-sched',
    commit: 'seed 001',
    why: 'the boot-time thread runs for SCHED, which the softirq may hold',
    edits: [
      {
        file: THREADS,
        find: '(Atomics.load(net.m, n.state) & NAPIF_STATE_SCHED_THREADED) !== 0, // M1',
        replace: '(Atomics.load(net.m, n.state) & 1) !== 0,',
      },
    ],
    test: 'backlog-bypass',
    verdict: 'lost-wakeup',
  },
  {
    name: 'backlog-thread-and-interrupt',
    commit: 'seed 001',
    why: 'the thread is woken, and the remote CPU is put onto the list of those to interrupt as well',
    edits: [
      {
        file: QUEUE,
        find: 'tryToWakeUp(cur, Atomics.load(m, sd.at + SOFTNET_DATA.backlogTask)); // R9',
        replace:
          'tryToWakeUp(cur, Atomics.load(m, sd.at + SOFTNET_DATA.backlogTask)); rpsIpiAdd(net, cpu, sd);',
      },
    ],
    test: 'backlog-toggle-off',
    verdict: 'race',
  },
  {
    name: 'backlog-interrupt-sticks',
    commit: 'seed 001',
    why: 'with threads the remote CPU is put onto the list, and the interrupts are not sent',
    edits: [
      {
        file: QUEUE,
        find: 'tryToWakeUp(cur, Atomics.load(m, sd.at + SOFTNET_DATA.backlogTask)); // R9',
        replace: 'rpsIpiAdd(net, cpu, sd);',
      },
    ],
    test: 'backlog-thread',
    verdict: 'lost-wakeup',
  },
  {
    name: 'backlog-toggle-torn',
    commit: 'seed 002',
    why: 'THREADED is cleared by a load and a store: SCHED_THREADED, set in between, is lost',
    edits: [
      {
        file: THREADS,
        find: 'Atomics.and(m, state, ~NAPIF_STATE_THREADED);',
        replace: 'Atomics.store(m, state, Atomics.load(m, state) & ~NAPIF_STATE_THREADED);',
      },
    ],
    test: 'backlog-toggle-off',
    verdict: 'lost-wakeup',
  },
  {
    name: 'backlog-toggle-on-torn',
    commit: 'seed 002',
    why: 'THREADED is set by a load and a store: a completion in between is undone',
    edits: [
      {
        file: THREADS,
        find: 'Atomics.or(m, state, NAPIF_STATE_THREADED); // R8',
        replace: 'Atomics.store(m, state, Atomics.load(m, state) | NAPIF_STATE_THREADED);',
      },
    ],
    test: 'backlog-toggle-on',
    verdict: 'lost-wakeup',
  },
  {
    name: 'backlog-toggle-plain',
    commit: 'seed 002',
    why: 'THREADED is set by plain accesses',
    edits: [
      {
        file: THREADS,
        find: 'Atomics.or(m, state, NAPIF_STATE_THREADED); // R8',
        replace: 'm[state] |= NAPIF_STATE_THREADED;',
      },
    ],
    test: 'backlog-toggle-on',
    verdict: 'race',
  },
  {
    name: 'backlog-threaded-before-its-thread',
    commit: 'own',
    why: 'the backlog is called threaded before its thread can be found (R8)',
    edits: [
      {
        file: THREADS,
        find: 'Atomics.store(m, sd.at + SOFTNET_DATA.backlogTask, task); // R8',
        replace:
          'Atomics.or(m, sd.backlog + NAPI.state, NAPIF_STATE_THREADED); Atomics.store(m, sd.at + SOFTNET_DATA.backlogTask, task);',
      },
    ],
    test: 'backlog-toggle-new',
    verdict: 'lost-wakeup',
  },
  {
    name: 'backlog-given-up-behind-the-lock',
    commit: 'own',
    why: 'the backlog is given up when the lock is free again: what is queued in between has nobody (R2)',
    edits: [
      {
        file: BACKLOG,
        find: `${GIVE_UP}\n        spinUnlock(m, sd.inputLock);`,
        replace: `spinUnlock(m, sd.inputLock);\n        ${GIVE_UP}`,
      },
    ],
    test: 'backlog-thread',
    verdict: 'lost-wakeup',
  },
  {
    name: 'backlog-sched-torn',
    commit: 'own',
    why: 'SCHED is set by a load and a store: a toggle in between is undone (R1)',
    edits: [
      {
        file: QUEUE,
        find: WIN,
        replace:
          'const was = Atomics.load(m, state); Atomics.store(m, state, was | NAPIF_STATE_SCHED); mine = (was & NAPIF_STATE_SCHED) === 0;',
      },
    ],
    test: 'backlog-toggle-on',
    verdict: 'lost-wakeup',
  },
  {
    name: 'backlog-scheduled-always',
    commit: 'own',
    why: 'a backlog whose owner has taken all frames is scheduled again (R1)',
    edits: [{ file: QUEUE, find: WIN, replace: `${WIN}\n        mine = true;` }],
    test: 'backlog-thread',
    verdict: 'livelock',
  },
  {
    name: 'backlog-woken-before-sched-threaded',
    commit: 'own',
    why: 'the thread is woken before it is told that it owns the backlog (R3)',
    edits: [
      { file: QUEUE, find: 'Atomics.or(m, state, NAPIF_STATE_SCHED_THREADED); // R3', replace: '' },
      {
        file: QUEUE,
        find: 'tryToWakeUp(cur, Atomics.load(m, sd.at + SOFTNET_DATA.backlogTask)); // R9',
        replace:
          'tryToWakeUp(cur, Atomics.load(m, sd.at + SOFTNET_DATA.backlogTask)); Atomics.or(m, state, NAPIF_STATE_SCHED_THREADED);',
      },
    ],
    test: 'backlog-thread',
    verdict: 'lost-wakeup',
  },
  {
    name: 'backlog-bypass-and-thread',
    commit: 'own',
    why: 'the bypass is taken, and SCHED_THREADED set for the thread, too',
    edits: [
      {
        file: QUEUE,
        find: 'napiPollListAdd(net, cpu, net.napi(sd.backlog));',
        replace:
          'Atomics.or(m, state, NAPIF_STATE_SCHED_THREADED); napiPollListAdd(net, cpu, net.napi(sd.backlog));',
      },
    ],
    test: 'backlog-bypass',
    verdict: 'livelock',
  },
  {
    name: 'ipi-list-softirq-not-raised',
    commit: 'own',
    why: 'an interrupt puts a CPU onto the list of those to interrupt, and nobody looks at it',
    edits: [{ file: QUEUE, find: 'if (!net.sendsIpis || cur.bhCpu !== on)', replace: 'if (false)' }],
    test: 'backlog-interrupt',
    verdict: 'lost-wakeup',
  },
  {
    name: 'ipi-list-read-unlocked',
    commit: 'own',
    why: 'the list of those to interrupt is read before its lock is held: who is added meanwhile is lost (R4)',
    edits: [
      {
        file: QUEUE,
        find: 'irqLockCpu(cpu);\n    let at = Atomics.load(m, mine.rpsIpiList);',
        replace: 'let at = Atomics.load(m, mine.rpsIpiList);\n    irqLockCpu(cpu);',
      },
    ],
    test: 'backlog-two-remote',
    verdict: 'lost-wakeup',
  },
  {
    name: 'ipi-next-read-late',
    commit: 'own',
    why: 'the next of the list is read once the backlog may be on another list',
    edits: [
      {
        file: QUEUE,
        find: 'const next = m[at + SOFTNET_DATA.rpsIpiNext];\n        sendIpi(net, at);',
        replace: 'sendIpi(net, at);\n        const next = m[at + SOFTNET_DATA.rpsIpiNext];',
      },
    ],
    test: 'backlog-two-remote',
    verdict: 'race',
  },
  {
    name: 'ipi-word-freed-late',
    commit: 'own',
    why: 'the call’s word is free only behind the function, which may have led to another call (G2)',
    edits: [
      { file: 'kernel/smp.js', find: 'Atomics.store(m, csd, 0); // G2', replace: '' },
      {
        file: 'kernel/smp.js',
        find: 'func(cur, data);',
        replace: 'func(cur, data); Atomics.store(m, csd, 0);',
      },
    ],
    test: 'backlog-two-senders',
    verdict: 'exception',
  },
  {
    name: 'head-before-sockets',
    commit: 'own',
    why: 'inputQueueHead passes frames that are not in their sockets yet (V1)',
    edits: [
      { file: BACKLOG, find: FLUSHED, replace: '' },
      { file: BACKLOG, find: 'flushSockets(net);', replace: `${FLUSHED}\n    flushSockets(net);` },
    ],
    test: 'rfs-move',
    verdict: 'lost-wakeup',
  },
  {
    name: 'head-counts-flushed-at-once',
    commit: 'own',
    why: 'frames taken out of the middle are counted before those in front of them are in their sockets (V1)',
    edits: [
      {
        file: BACKLOG,
        find: '(qlen === 0 ? flushed : 0)',
        replace: 'flushed',
      },
      { file: BACKLOG, find: 'qlen === 0 ? 0 : flushed;', replace: '0;' },
    ],
    test: 'backlog-flush-order',
    verdict: 'assertion',
  },
  {
    name: 'head-forgets-flushed',
    commit: 'own',
    why: 'frames taken out of the middle are never counted: their flow cannot move any more (V1)',
    edits: [{ file: BACKLOG, find: 'm[at + SOFTNET_DATA.flushed]++;', replace: '' }],
    test: 'backlog-flush-order',
    verdict: 'lost-wakeup',
  },
  {
    name: 'flush-does-not-wait',
    commit: 'b22800f9d3b1',
    why: 'the flush leaves the process queue to a thread that may be in the middle of it',
    edits: [{ file: BACKLOG, find: 'while (waits) {', replace: 'while (false) {' }],
    test: 'backlog-flush-thread',
    verdict: 'race',
  },
  {
    name: 'flush-waits-for-idle-only',
    commit: 'own',
    why: 'the process queue is not counted as empty: who flushes waits for ever (X1)',
    edits: [{ file: BACKLOG, find: 'm[at + SOFTNET_DATA.processQueueEmpty]++; // X1', replace: '' }],
    test: 'backlog-flush-softirq',
    verdict: 'livelock',
  },
  {
    name: 'flush-unlinks-unlocked',
    commit: 'own',
    why: 'the number is read when the lock is free again: it may have changed for the last time (X2)',
    edits: [
      {
        file: BACKLOG,
        find: 'const empty = m[at + SOFTNET_DATA.processQueueEmpty]; // X2\n    spinUnlock(m, sd.inputLock);',
        replace: 'spinUnlock(m, sd.inputLock);\n    const empty = m[at + SOFTNET_DATA.processQueueEmpty];',
      },
    ],
    test: 'backlog-flush-softirq',
    verdict: 'race',
  },
  {
    name: 'flow-moves-at-once',
    commit: 'own',
    why: 'a flow goes to another CPU while its frames wait on the old one (V2)',
    edits: [{ file: RPS, find: 'if (drained(net, place))', replace: 'if (true)' }],
    test: 'rfs-move',
    verdict: 'lost-wakeup',
  },
  {
    name: 'flow-leaves-at-once',
    commit: 'own',
    why: 'a flow that is steered nowhere is taken in while its frames wait on another CPU (V2)',
    edits: [
      { file: RPS, find: 'if (drained(net, place))', replace: 'if (wanted < 0 || drained(net, place))' },
    ],
    test: 'rfs-other-flow',
    verdict: 'lost-wakeup',
  },
  {
    name: 'map-leaves-at-once',
    commit: 'own',
    why: 'frames for a CPU that went are taken in while earlier ones wait there (V2)',
    edits: [
      {
        file: RPS,
        find: 'if (drained(net, place))',
        replace: 'if (wanted < 0 || drained(net, place))',
      },
    ],
    test: 'rps-cpu-down',
    verdict: 'lost-wakeup',
  },
  {
    name: 'map-freed-without-grace-period',
    commit: 'own',
    why: 'a map is freed under a poll that chooses from it',
    edits: [{ file: CONFIG, find: 'synchronizeRcu(net.cur);', replace: '' }],
    test: 'rps-map-change',
    verdict: 'race',
  },
  {
    name: 'sock-flow-freed-without-grace-period',
    commit: 'own',
    why: 'the socket flow table is freed under a reader that writes into it',
    edits: [{ file: CONFIG, find: 'synchronizeRcu(net.cur);', replace: '' }],
    test: 'rfs-table-gone',
    verdict: 'race',
  },
  {
    name: 'rps-needed-torn',
    commit: 'own',
    why: 'a poll reads plainly what those who set steering up add to',
    edits: [
      {
        file: POLL,
        find: 'Atomics.load(m, net.at + NET.rpsNeeded)',
        replace: 'm[net.at + NET.rpsNeeded]',
      },
    ],
    test: 'rps-map-change',
    verdict: 'race',
  },
  {
    name: 'flow-limit-unlocked',
    commit: 'own',
    why: 'two count in one CPU’s table at once',
    edits: [
      { file: LIMIT, find: 'irqLockCpu(cpu);', replace: '' },
      { file: LIMIT, find: 'irqUnlockCpu(cpu);', replace: '' },
    ],
    test: 'flow-limit',
    verdict: 'race',
  },
  {
    name: 'flow-limit-freed-without-grace-period',
    commit: 'own',
    why: 'a table is freed under an interrupt that counts in it',
    edits: [{ file: LIMIT, find: 'synchronizeRcu(net.cur);', replace: '' }],
    test: 'flow-limit',
    verdict: 'race',
  },
]);
