// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of CPUs that come and go, and of frames freed on the CPU that serves their pool. */
import type { Mutant } from './mutant.js';

const BH = 'kernel/bh.js';
const HOTPLUG = 'kernel/cpu_hotplug.js';
const HRTIMER = 'kernel/hrtimer.js';
const SOFTIRQ = 'kernel/softirq.js';
const DEAD = 'net/core/cpu_dead.js';
const DEFER = 'net/core/defer_free.js';
const POLL_LIST = 'net/core/poll_list.js';
const QUEUE = 'net/core/backlog_queue.js';

const REPORT = 'if (Atomics.exchange(m, cpu.at + CPU.dying, 0) !== 0)';
const IN_FLIGHT =
  'if (Atomics.compareExchange(m, sd.at + SOFTNET_DATA.deferIpiScheduled, 0, 1) !== 0)\n        return; // F1';

export const HOTPLUG_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'cpu-reports-once',
    commit: 'own',
    why: 'the CPU’s thread remembers by itself that it has reported: it may not have seen that the CPU came back (C1)',
    edits: [
      {
        file: SOFTIRQ,
        find: 'cur.pinned = true;\n    let interrupted = false;\n    for (;;) {',
        replace:
          'cur.pinned = true;\n    let interrupted = false;\n    let reported = false;\n    for (;;) {',
      },
      {
        file: SOFTIRQ,
        find: `${REPORT}\n                complete(m, cpu.at + CPU.idleDead);`,
        replace: 'if (!reported) { reported = true; complete(m, cpu.at + CPU.idleDead); }',
      },
      {
        file: SOFTIRQ,
        find: 'if (cpuRunsSoftirq(cur, interrupted)) {',
        replace: 'reported = false;\n        if (cpuRunsSoftirq(cur, interrupted)) {',
      },
    ],
    test: 'cpu-down-up',
    verdict: 'deadlock',
  },
  {
    name: 'cpu-reports-twice',
    commit: 'own',
    why: 'the CPU’s thread reports each time it looks, asked or not: the next one to take it down does not wait (C1)',
    edits: [{ file: SOFTIRQ, find: REPORT, replace: 'if (true)' }],
    test: 'cpu-down-up',
    verdict: 'lost-wakeup',
  },
  {
    name: 'cpu-asked-unwoken',
    commit: 'own',
    why: 'the CPU’s thread is asked whether it rests, and sleeps on (C2)',
    edits: [
      {
        file: HOTPLUG,
        find: 'Atomics.store(m, cpu.at + CPU.dying, 1); // C2\n    tryToWakeUp(cur, cpuTask(cpu));',
        replace: 'Atomics.store(m, cpu.at + CPU.dying, 1);',
      },
    ],
    test: 'cpu-down-up',
    verdict: 'deadlock',
  },
  {
    name: 'cpu-asked-behind-wake-up',
    commit: 'own',
    why: 'the CPU’s thread is woken before it is asked: it looks, and sleeps again (C2)',
    edits: [
      {
        file: HOTPLUG,
        find: 'Atomics.store(m, cpu.at + CPU.dying, 1); // C2\n    tryToWakeUp(cur, cpuTask(cpu));',
        replace: 'tryToWakeUp(cur, cpuTask(cpu)); Atomics.store(m, cpu.at + CPU.dying, 1);',
      },
    ],
    test: 'cpu-down-up',
    verdict: 'deadlock',
  },
  {
    name: 'cpu-not-waited-for',
    commit: 'own',
    why: 'what the CPU has is taken while its thread may be in the middle of it (C2)',
    edits: [{ file: HOTPLUG, find: 'sleepOnCompletion(cur, cpu.at + CPU.idleDead); // C2', replace: '' }],
    test: 'cpu-down-busy',
    verdict: 'race',
  },
  {
    name: 'cpu-last-one-goes',
    commit: 'own',
    why: 'no CPU is left',
    edits: [{ file: HOTPLUG, find: 'onlineCpus(cur) === 1', replace: 'false' }],
    test: 'cpu-down-up',
    verdict: 'deadlock',
  },
  {
    name: 'cpu-up-unwoken',
    commit: 'own',
    why: 'the CPU’s thread sleeps on though it is online, with softirqs pending from before it went',
    edits: [
      {
        file: HOTPLUG,
        find: 'Atomics.store(m, cpu.online, 1);\n        tryToWakeUp(cur, cpuTask(cpu));',
        replace: 'Atomics.store(m, cpu.online, 1);',
      },
    ],
    test: 'cpu-down-up-squeezed',
    verdict: 'lost-wakeup',
  },
  {
    name: 'cpu-pending-taken-offline',
    commit: 'own',
    why: 'a CPU that went forgets what is pending, and comes back believing that it looks at its poll list',
    edits: [
      {
        file: HOTPLUG,
        find: 'hrtimersCpuDead(cur, cpu, to); // H6',
        replace: 'hrtimersCpuDead(cur, cpu, to); Atomics.store(m, cpu.softirqPending, 0);',
      },
      { file: DEAD, find: 'Atomics.store(m, sd.inNetRxAction, 0);', replace: '' },
    ],
    test: 'cpu-down-up-squeezed',
    verdict: 'lost-wakeup',
  },
  {
    name: 'offline-without-bh-lock',
    commit: 'own',
    why: 'the CPU goes while somebody is in a poll of it (B3)',
    edits: [
      { file: HOTPLUG, find: 'localBhDisable(cur);', replace: '' },
      { file: HOTPLUG, find: 'localBhEnable(cur);', replace: '' },
    ],
    test: 'cpu-down-bh',
    verdict: 'assertion',
  },
  {
    name: 'bh-online-looked-at-early',
    commit: 'own',
    why: 'a thread looks whether the CPU is online before it has its BH lock (B4)',
    edits: [
      {
        file: BH,
        find: 'lockCpu(cur);\n        while (!cur.pinned && !cpuOnline(cur.cpu))\n            moveOff(cur); // B4',
        replace:
          'if (!cur.pinned && !cpuOnline(cur.cpu)) cur.cpu = onlineInstead(cur.cpus, cur.cpu);\n        lockCpu(cur);',
      },
    ],
    test: 'cpu-down-bh',
    verdict: 'assertion',
  },
  {
    name: 'bh-stays-on-offline-cpu',
    commit: 'own',
    why: 'a thread polls for a CPU that is offline (B4)',
    edits: [
      {
        file: BH,
        find: 'while (!cur.pinned && !cpuOnline(cur.cpu))',
        replace: 'while (false)',
      },
    ],
    test: 'cpu-down-bh',
    verdict: 'assertion',
  },
  {
    name: 'softirq-left-when-home-comes-back',
    commit: 'own',
    why: 'a thread that raised a softirq goes to its own CPU to run it, and nobody wakes the one where it is pending',
    edits: [
      {
        file: SOFTIRQ,
        find: 'if (cur.bhCpu === cpu)\n            return;',
        replace: 'return;',
      },
    ],
    test: 'cpu-up-process',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timer-online-not-looked-at',
    commit: 'own',
    why: 'a timer is started on a CPU whose timers have been taken away (H5)',
    edits: [{ file: HRTIMER, find: 'cpu = onlineInstead(cur.cpus, cpu); // H5', replace: '' }],
    test: 'cpu-down-timer',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timer-online-looked-at-early',
    commit: 'own',
    why: 'a starter looks whether the CPU is online before it has the lock of its timers (H5)',
    edits: [
      { file: HRTIMER, find: 'cpu = onlineInstead(cur.cpus, cpu); // H5', replace: '' },
      {
        file: HRTIMER,
        find: 'let cpu = cur.cpus[on.id];',
        replace: 'const cpu = onlineInstead(cur.cpus, cur.cpus[on.id]);',
      },
    ],
    test: 'cpu-down-timer',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timers-not-moved',
    commit: 'own',
    why: 'a CPU that goes keeps its timers (H6)',
    edits: [{ file: HOTPLUG, find: 'hrtimersCpuDead(cur, cpu, to); // H6', replace: '' }],
    test: 'cpu-down-timer',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timers-moved-unwoken',
    commit: 'own',
    why: 'the CPU that gets the timers sleeps on (H3)',
    edits: [{ file: HRTIMER, find: 'tryToWakeUp(cur, cpuTask(to)); // H3', replace: '' }],
    test: 'cpu-down-timer',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timers-moved-under-one-lock',
    commit: 'own',
    why: 'timers are moved without the lock of the list they come from',
    edits: [
      {
        file: HRTIMER,
        find: 'spinLock(m, from.id < to.id ? from.timerLock : to.timerLock);',
        replace: 'spinLock(m, to.timerLock);',
      },
      { file: HRTIMER, find: 'spinLock(m, from.id < to.id ? to.timerLock : from.timerLock);', replace: '' },
      {
        file: HRTIMER,
        find: 'spinUnlock(m, from.timerLock);\n    spinUnlock(m, to.timerLock);',
        replace: 'spinUnlock(m, to.timerLock);',
      },
    ],
    test: 'cpu-down-timer-cancel',
    verdict: 'race',
  },
  {
    name: 'cpu-down-without-grace-period',
    commit: 'own',
    why: 'an interrupt that found the CPU online is still at work when it has gone',
    edits: [{ file: HOTPLUG, find: 'synchronizeRcu(cur);', replace: '' }],
    test: 'cpu-down-irq',
    verdict: 'race',
  },
  {
    name: 'irq-goes-to-offline-cpu',
    commit: 'own',
    why: 'a handler runs on behalf of a CPU that is offline',
    edits: [
      {
        file: 'kernel/irq.js',
        find: 'onlineInstead(cur.cpus, cur.cpus[Atomics.load(m, at + IRQ_DESC.affinity)])',
        replace: 'cur.cpus[Atomics.load(m, at + IRQ_DESC.affinity)]',
      },
    ],
    test: 'cpu-down-irq',
    verdict: 'race',
  },
  {
    name: 'poll-list-online-not-looked-at',
    commit: 'own',
    why: 'an instance is put onto the list of a CPU that has gone (L1)',
    edits: [{ file: POLL_LIST, find: 'while (!cpuOnline(cpu)) {', replace: 'while (false) {' }],
    test: 'cpu-down-schedule',
    verdict: 'lost-wakeup',
  },
  {
    name: 'poll-list-online-looked-at-early',
    commit: 'own',
    why: 'who schedules looks whether the CPU is online before it has the lock of the list (L1)',
    edits: [
      {
        file: POLL_LIST,
        find: 'irqLockCpu(cpu);\n    while (!cpuOnline(cpu)) {',
        replace: 'cpu = onlineInstead(cpus, cpu);\n    irqLockCpu(cpu);\n    while (false) {',
      },
    ],
    test: 'cpu-down-schedule',
    verdict: 'lost-wakeup',
  },
  {
    name: 'poll-list-not-moved',
    commit: 'own',
    why: 'a CPU that goes keeps its poll list (L2)',
    edits: [{ file: DEAD, find: 'listSpliceTailInit(m, sd.pollList, sd.roundList); // L2', replace: '' }],
    test: 'cpu-down-schedule',
    verdict: 'lost-wakeup',
  },
  {
    name: 'ipi-list-not-sent',
    commit: 'own',
    why: 'a CPU that goes keeps the list of those it is to interrupt (R5)',
    edits: [{ file: DEAD, find: 'netRpsAction(net, cpu); // R5', replace: '' }],
    test: 'cpu-down-sender',
    verdict: 'lost-wakeup',
  },
  {
    name: 'ipi-list-online-not-looked-at',
    commit: 'own',
    why: 'a backlog is put onto the list of a CPU that has gone (R4)',
    edits: [
      {
        file: QUEUE,
        find: 'const on = lockOnline(net, cpu); // R4',
        replace: 'const on = cpu; irqLockCpu(on);',
      },
    ],
    test: 'cpu-down-sender',
    verdict: 'lost-wakeup',
  },
  {
    name: 'sched-threaded-left-at-dead',
    commit: 'seed 001',
    why: 'a frame queued between park and dead leaves the backlog to a thread that is parked (R7)',
    edits: [
      {
        file: DEAD,
        find: '(Atomics.load(m, backlog.state) & NAPIF_STATE_SCHED_THREADED) !== 0 // R7',
        replace: 'false',
      },
    ],
    test: 'cpu-down-thread',
    verdict: 'lost-wakeup',
  },
  {
    name: 'sched-threaded-kept-at-dead',
    commit: 'seed 001',
    why: 'the backlog is given to a softirq and stays its thread’s: both run it when the CPU is back (R7)',
    edits: [{ file: DEAD, find: 'Atomics.and(m, backlog.state, ~NAPIF_STATE_SCHED_THREADED);', replace: '' }],
    test: 'cpu-down-thread',
    verdict: 'lost-wakeup',
  },
  {
    name: 'sched-threaded-looked-for-early',
    commit: 'own',
    why: 'who found the CPU online is not waited for before SCHED_THREADED is looked for (R7)',
    edits: [{ file: HOTPLUG, find: 'synchronizeRcu(cur);', replace: '' }],
    test: 'cpu-down-thread',
    verdict: 'lost-wakeup',
  },
  {
    name: 'backlog-thread-of-offline-cpu',
    commit: 'own',
    why: 'a backlog is scheduled for a thread that is parked (R6)',
    edits: [
      { file: QUEUE, find: 'if (!cpuOnline(cur.cpus[sd.cpu]))\n        return false; // R6', replace: '' },
    ],
    test: 'cpu-down-thread',
    verdict: 'lost-wakeup',
  },
  {
    name: 'backlog-thread-not-unparked',
    commit: 'own',
    why: 'the thread stays parked when its CPU is back',
    edits: [
      {
        file: 'net/core/backlog_threads.js',
        find: 'smpbootUnparkThread(cur, store(cpu));',
        replace: ';',
      },
    ],
    test: 'cpu-down-up-thread',
    verdict: 'lost-wakeup',
  },
  {
    name: 'backlog-thread-not-parked',
    commit: 'own',
    why: 'the thread is not parked when its CPU goes: the softirq is given what it polls',
    edits: [
      {
        file: 'net/core/backlog_threads.js',
        find: 'smpbootParkThread(cur, store(cpu));',
        replace: ';',
      },
    ],
    test: 'cpu-down-thread-busy',
    verdict: 'race',
  },
  {
    name: 'defer-count-decides',
    commit: '97e719a82b43',
    why: 'the count says whether an interrupt is on its way; the CPU resets it before that has arrived',
    edits: [
      { file: DEFER, find: 'if (count >= max >>> 1)', replace: 'if (count === max >>> 1)' },
      { file: DEFER, find: IN_FLIGHT, replace: '' },
    ],
    test: 'defer-free-busy',
    verdict: 'exception',
  },
  {
    name: 'defer-sent-twice',
    commit: 'own',
    why: 'nobody looks whether an interrupt is on its way',
    edits: [{ file: DEFER, find: IN_FLIGHT, replace: '' }],
    test: 'defer-free-busy',
    verdict: 'exception',
  },
  {
    name: 'defer-scheduled-cleared-late',
    commit: 'own',
    why: 'an interrupt counts as on its way when the softirq may have taken the list already (F2)',
    edits: [
      {
        file: DEFER,
        find: 'Atomics.store(cur.m, sdAt + SOFTNET_DATA.deferIpiScheduled, 0); // F2',
        replace: '',
      },
      {
        file: DEFER,
        find: 'raiseSoftirq(cur, cur.cpu, NET_RX_SOFTIRQ);',
        replace:
          'raiseSoftirq(cur, cur.cpu, NET_RX_SOFTIRQ); Atomics.store(cur.m, sdAt + SOFTNET_DATA.deferIpiScheduled, 0);',
      },
    ],
    test: 'defer-free',
    verdict: 'lost-wakeup',
  },
  {
    name: 'defer-rest-left',
    commit: 'own',
    why: 'below half of the limit nobody is told (Linux leaves them lying)',
    edits: [
      {
        file: DEFER,
        find: 'else if (!net.deferredTo.includes(sd))\n        net.deferredTo.push(sd);',
        replace: '',
      },
    ],
    test: 'defer-free',
    verdict: 'lost-wakeup',
  },
  {
    name: 'defer-online-not-looked-at',
    commit: 'own',
    why: 'a frame is left to a CPU whose list has been emptied for good (F3)',
    edits: [
      { file: DEFER, find: 'if (cpuOnline(cpu))\n            return sd; // F3', replace: 'return sd;' },
    ],
    test: 'defer-free-cpu-down',
    verdict: 'lost-wakeup',
  },
  {
    name: 'defer-list-not-emptied',
    commit: 'own',
    why: 'a CPU that goes keeps the frames it was to free (F4)',
    edits: [{ file: DEAD, find: 'skbDeferFreeAll(net, sd); // F4', replace: '' }],
    test: 'defer-free-cpu-down',
    verdict: 'lost-wakeup',
  },
  {
    name: 'defer-list-looked-at-unlocked',
    commit: 'own',
    why: 'the list of a CPU that goes is passed over while somebody is about to add to it (F4)',
    edits: [
      {
        file: DEFER,
        find: 'export function skbDeferFreeAll(net, sd) {\n    const { m } = net;',
        replace:
          'export function skbDeferFreeAll(net, sd) {\n    const { m } = net;\n    if (Atomics.load(m, sd.at + SOFTNET_DATA.deferList) === 0) return;',
      },
    ],
    test: 'defer-free-cpu-down',
    verdict: 'lost-wakeup',
  },
]);
