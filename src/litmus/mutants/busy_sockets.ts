// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of sockets that busy poll: taking an instance, giving it up, deferral, suspended interrupts, waits. */
import type { Mutant } from './mutant.js';

const BUSY_POLL = 'net/core/busy_poll.js';
const NAPI_SCHEDULE = 'net/core/napi_schedule.js';
const NAPI_CONTROL = 'net/core/napi_control.js';
const SOCK_BUSY = 'net/core/sock_busy.js';
const EVENTPOLL = 'net/core/eventpoll.js';

export const BUSY_SOCKET_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'stop-flushes-behind-last-poll',
    commit: '2019',
    why: 'the instance may run elsewhere when its lists are flushed',
    edits: [
      {
        file: BUSY_POLL,
        find: [
          '    if (work === budget) {',
          '        m[at + NAPI.work] = 0;',
          '        groFlushNormal(net, n, true);',
        ].join('\n'),
        replace: [
          '    groFlushNormal(net, n, true);',
          '    if (work === budget) {',
          '        m[at + NAPI.work] = 0;',
        ].join('\n'),
      },
    ],
    test: 'busy-poll-once',
    verdict: 'race',
  },
  {
    name: 'gapless-stop',
    commit: 'open',
    why: 'each stop counts the empty polls anew: the interrupt is never unmasked',
    edits: [
      {
        file: BUSY_POLL,
        find: 'if (found || m[net.at + NET.busyPollStop] === BUSY_POLL_STOP_LINUX)',
        replace: 'if (true)',
      },
    ],
    test: 'busy-poll-gapless-counted',
    verdict: 'assertion',
  },
  {
    name: 'gapless-stop-mended',
    commit: 'own',
    why: 'the value that is to do as Linux does mends its open bug',
    edits: [
      {
        file: BUSY_POLL,
        find: 'if (found || m[net.at + NET.busyPollStop] === BUSY_POLL_STOP_LINUX)',
        replace: 'if (found)',
      },
    ],
    test: 'busy-poll-gapless-linux',
    verdict: 'assertion',
  },
  {
    name: 'stop-watchdog-first',
    commit: 'own',
    why: 'as in Linux: the watchdog fires during the last poll, does nothing, and is not started again',
    edits: [
      {
        file: BUSY_POLL,
        find: ['    const work = napiCallPoll(net, n, budget);', '    if (work'].join('\n'),
        replace: [
          '    if (deferUs > 0)',
          '        hrtimerStart(cur, at + NAPI.timer, deferUs);',
          '    const work = napiCallPoll(net, n, budget);',
          '    if (work',
        ].join('\n'),
      },
      { file: BUSY_POLL, find: 'hrtimerStart(cur, at + NAPI.timer, deferUs); // N15', replace: '' },
    ],
    test: 'busy-poll-deferred-full',
    verdict: 'lost-wakeup',
  },
  {
    name: 'stop-watchdog-while-owned',
    commit: 'own',
    why: 'the watchdog fires before the instance is given up, and is not started again',
    edits: [
      {
        file: BUSY_POLL,
        find: [
          '            Atomics.and(m, state, ~NAPIF_STATE_SCHED);',
          '            hrtimerStart(cur, at + NAPI.timer, deferUs); // N15',
        ].join('\n'),
        replace: [
          '            hrtimerStart(cur, at + NAPI.timer, deferUs);',
          '            Atomics.and(m, state, ~NAPIF_STATE_SCHED);',
        ].join('\n'),
      },
    ],
    test: 'busy-poll-deferred-full',
    verdict: 'lost-wakeup',
  },
  {
    name: 'stop-without-watchdog',
    commit: 'own',
    why: 'what is deferred is left to nobody',
    edits: [{ file: BUSY_POLL, find: 'hrtimerStart(cur, at + NAPI.timer, deferUs); // N15', replace: '' }],
    test: 'busy-poll-deferred-rest',
    verdict: 'lost-wakeup',
  },
  {
    name: 'stop-deferred-keeps-sched',
    commit: 'own',
    why: 'what is deferred stays owned by nobody who polls',
    edits: [{ file: BUSY_POLL, find: 'Atomics.and(m, state, ~NAPIF_STATE_SCHED);', replace: '' }],
    test: 'busy-poll-deferred-full',
    verdict: 'lost-wakeup',
  },
  {
    name: 'stop-not-scheduled',
    commit: 'own',
    why: 'a last poll that used its budget leaves the instance owned and on no list',
    edits: [{ file: BUSY_POLL, find: 'napiScheduleOwned(net, n);', replace: '' }],
    test: 'busy-poll-once-full',
    verdict: 'lost-wakeup',
  },
  {
    name: 'stop-keeps-in-busy-poll',
    commit: 'own',
    why: 'the last poll cannot complete',
    edits: [
      {
        file: BUSY_POLL,
        find: '~(NAPIF_STATE_MISSED | NAPIF_STATE_IN_BUSY_POLL)',
        replace: '~NAPIF_STATE_MISSED',
      },
    ],
    test: 'busy-poll-once',
    verdict: 'lost-wakeup',
  },
  {
    name: 'stop-clears-missed-late',
    commit: 'own',
    why: 'an event that came behind the last poll is forgotten (N11)',
    edits: [
      {
        file: BUSY_POLL,
        find: 'Atomics.and(m, state, ~(NAPIF_STATE_MISSED | NAPIF_STATE_IN_BUSY_POLL)); // N11',
        replace: 'Atomics.and(m, state, ~NAPIF_STATE_IN_BUSY_POLL);',
      },
      {
        file: BUSY_POLL,
        find: ['    const work = napiCallPoll(net, n, budget);', '    if (work'].join('\n'),
        replace: [
          '    const work = napiCallPoll(net, n, budget);',
          '    Atomics.and(m, state, ~NAPIF_STATE_MISSED);',
          '    if (work',
        ].join('\n'),
      },
    ],
    test: 'busy-poll-shared-interrupt',
    verdict: 'assertion',
  },
  {
    name: 'stop-without-last-poll',
    commit: 'own',
    why: 'the instance is given up without a poll that would unmask its interrupt',
    edits: [
      {
        file: BUSY_POLL,
        find: ['    const work = napiCallPoll(net, n, budget);', '    if (work'].join('\n'),
        replace: [
          '    const work = budget - 1;',
          '    Atomics.and(m, state, ~NAPIF_STATE_SCHED);',
          '    if (work',
        ].join('\n'),
      },
    ],
    test: 'busy-poll-loop',
    verdict: 'lost-wakeup',
  },
  {
    name: 'stop-defers-uncalled',
    commit: 'own',
    why: 'a socket that does not prefer busy polling leaves its packets to the watchdog',
    edits: [
      {
        file: BUSY_POLL,
        find: ['if ((flags & NAPI_F_PREFER_BUSY_POLL) !== 0) {', '        if (found'].join('\n'),
        replace: ['if (flags >= 0) {', '        if (found'].join('\n'),
      },
    ],
    test: 'busy-poll-stop-values',
    verdict: 'assertion',
  },
  {
    name: 'take-torn',
    commit: 'own',
    why: 'two sockets take one instance (N12)',
    edits: [
      {
        file: BUSY_POLL,
        find: [
          'if (Atomics.compareExchange(m, state, val, next) === val)',
          '            return true; // N12',
        ].join('\n'),
        replace: [
          'if (Atomics.load(m, state) === val) {',
          '            Atomics.store(m, state, next);',
          '            return true;',
          '        }',
        ].join('\n'),
      },
    ],
    test: 'busy-poll-two',
    verdict: 'race',
  },
  {
    name: 'take-ignores-sched',
    commit: 'own',
    why: 'a socket polls what a softirq or another socket polls',
    edits: [
      {
        file: BUSY_POLL,
        find: '(NAPIF_STATE_DISABLE | NAPIF_STATE_SCHED | NAPIF_STATE_IN_BUSY_POLL)',
        replace: '(NAPIF_STATE_DISABLE | NAPIF_STATE_IN_BUSY_POLL)',
      },
    ],
    test: 'busy-poll-once',
    verdict: 'race',
  },
  {
    name: 'take-ignores-disable',
    commit: 'own',
    why: 'sockets take the instance again and again, and disable has to wait',
    edits: [
      {
        file: BUSY_POLL,
        find: '(NAPIF_STATE_DISABLE | NAPIF_STATE_SCHED | NAPIF_STATE_IN_BUSY_POLL)',
        replace: '(NAPIF_STATE_SCHED | NAPIF_STATE_IN_BUSY_POLL)',
      },
    ],
    test: 'busy-poll-disable-pending',
    verdict: 'assertion',
  },
  {
    name: 'take-without-in-busy-poll',
    commit: 'own',
    why: 'a poll within the loop completes, and the loop goes on',
    edits: [
      {
        file: BUSY_POLL,
        find: 'val | NAPIF_STATE_IN_BUSY_POLL | NAPIF_STATE_SCHED;',
        replace: 'val | NAPIF_STATE_SCHED;',
      },
    ],
    test: 'busy-poll-loop',
    verdict: 'race',
  },
  {
    name: 'take-without-sched',
    commit: 'own',
    why: 'the loop polls what it does not own',
    edits: [
      {
        file: BUSY_POLL,
        find: 'val | NAPIF_STATE_IN_BUSY_POLL | NAPIF_STATE_SCHED;',
        replace: 'val | NAPIF_STATE_IN_BUSY_POLL;',
      },
    ],
    test: 'busy-poll-once',
    verdict: 'race',
  },
  {
    name: 'complete-ignores-in-busy-poll',
    commit: 'own',
    why: 'complete gives up what its owner goes on to poll',
    edits: [
      {
        file: NAPI_SCHEDULE,
        find: '(NAPIF_STATE_NPSVC | NAPIF_STATE_IN_BUSY_POLL)) !== 0',
        replace: 'NAPIF_STATE_NPSVC) !== 0',
      },
    ],
    test: 'busy-poll-loop',
    verdict: 'race',
  },
  {
    name: 'loop-without-read-section',
    commit: 'own',
    why: 'the instance is freed while a socket polls it',
    edits: [
      {
        file: BUSY_POLL,
        find: ['rcuReadLock(cur);', '        const at = napiById(net, napiId);', '        const again'].join(
          '\n',
        ),
        replace: ['const at = napiById(net, napiId);', '        const again'].join('\n'),
      },
      {
        file: BUSY_POLL,
        find: ['rcuReadUnlock(cur);', '        if (!again)'].join('\n'),
        replace: 'if (!again)',
      },
    ],
    test: 'busy-poll-delete',
    verdict: 'race',
  },
  {
    name: 'loop-without-flush',
    commit: 'own',
    why: 'frames that a loop took stay with it: the socket does not see them',
    edits: [
      {
        file: BUSY_POLL,
        find: ['            groFlushNormal(net, n, true);', '        }', '        skbDefer'].join('\n'),
        replace: ['        }', '        skbDefer'].join('\n'),
      },
    ],
    test: 'busy-sock-frames',
    verdict: 'livelock',
  },
  {
    name: 'loop-keeps-cpu',
    commit: 'own',
    why: 'a loop does not look whether others want the CPU',
    edits: [{ file: BUSY_POLL, find: 'resched = needResched(cur) || ', replace: 'resched = ' }],
    test: 'busy-poll-gives-way',
    verdict: 'assertion',
  },
  {
    name: 'loop-gives-way-not',
    commit: 'own',
    why: 'a loop that ended for others begins again before they ran',
    edits: [{ file: BUSY_POLL, find: ['        condResched(cur);', ''].join('\n'), replace: '' }],
    test: 'busy-poll-gives-way',
    verdict: 'assertion',
  },
  {
    name: 'loop-resched-ignored',
    commit: 'own',
    why: 'a loop within a read section begins again',
    edits: [
      { file: BUSY_POLL, find: 'resched && (flags & NAPI_F_END_ON_RESCHED) === 0', replace: 'resched' },
    ],
    test: 'busy-poll-end-on-resched',
    verdict: 'livelock',
  },
  {
    name: 'loop-ends-for-others',
    commit: 'own',
    why: 'a loop that made room for others does not begin again: its caller sleeps too early',
    edits: [
      {
        file: BUSY_POLL,
        find: 'return resched && (flags & NAPI_F_END_ON_RESCHED) === 0;',
        replace: 'return false;',
      },
    ],
    test: 'busy-poll-gives-way',
    verdict: 'assertion',
  },
  {
    name: 'prefer-not-told',
    commit: 'own',
    why: 'who owns the instance does not hear that a socket would rather poll it',
    edits: [{ file: BUSY_POLL, find: 'Atomics.or(m, state, NAPIF_STATE_PREFER_BUSY_POLL);', replace: '' }],
    test: 'busy-poll-stop-values',
    verdict: 'assertion',
  },
  {
    name: 'suspend-without-read-section',
    commit: 'own',
    why: 'the watchdog of an instance that is freed is started',
    edits: [
      {
        file: BUSY_POLL,
        find: ['rcuReadLock(cur);', '    const at = napiById(net, napiId);', '    const timeoutNs'].join(
          '\n',
        ),
        replace: ['const at = napiById(net, napiId);', '    const timeoutNs'].join('\n'),
      },
      { file: BUSY_POLL, find: ['// N13', '    rcuReadUnlock(cur);'].join('\n'), replace: '' },
    ],
    test: 'busy-suspend-delete',
    verdict: 'assertion',
  },
  {
    name: 'resume-without-read-section',
    commit: 'own',
    why: 'an instance that is freed is scheduled',
    edits: [
      {
        file: BUSY_POLL,
        find: ['rcuReadLock(cur);', '    const at = napiById(net, napiId);', '    if (at'].join('\n'),
        replace: ['const at = napiById(net, napiId);', '    if (at'].join('\n'),
      },
      { file: BUSY_POLL, find: ['    }', '    rcuReadUnlock(cur);'].join('\n'), replace: '    }' },
    ],
    test: 'busy-suspend-delete',
    verdict: 'race',
  },
  {
    name: 'suspend-value-plain',
    commit: 'own',
    why: 'what a socket reads of an instance that comes back is written plainly',
    edits: [
      {
        file: NAPI_CONTROL,
        find: 'Atomics.store(m, at + NAPI.irqSuspendTimeoutNs, m[config + NAPI_CONFIG.irqSuspendTimeoutNs]);',
        replace: 'm[at + NAPI.irqSuspendTimeoutNs] = m[config + NAPI_CONFIG.irqSuspendTimeoutNs];',
      },
    ],
    test: 'busy-suspend-disable',
    verdict: 'race',
  },
  {
    name: 'resume-does-not-schedule',
    commit: 'own',
    why: 'interrupts come again only when the watchdog fires',
    edits: [{ file: BUSY_POLL, find: 'napiSchedule(net, net.napi(at));', replace: '' }],
    test: 'busy-epoll-prefer',
    verdict: 'lost-wakeup',
  },
  {
    name: 'epoll-does-not-resume',
    commit: 'own',
    why: 'a wait sleeps with interrupts suspended',
    edits: [
      {
        file: EVENTPOLL,
        find: [
          '// Until a socket is ready again nobody knows which instance to poll.',
          '        if (params.preferBusyPoll)',
          '            napiResumeIrqs(net, napiId);',
        ].join('\n'),
        replace: '',
      },
    ],
    test: 'busy-epoll-prefer',
    verdict: 'lost-wakeup',
  },
  {
    name: 'epoll-looks-first',
    commit: 'own',
    why: 'a frame that comes between the look and the sleeping state wakes nobody (Y2)',
    edits: [
      {
        file: EVENTPOLL,
        find: [
          'setCurrentState(cur.task, TASK_INTERRUPTIBLE); // Y2',
          '            if (!this.available()) {',
        ].join('\n'),
        replace: [
          'if (!this.available()) {',
          '                setCurrentState(cur.task, TASK_INTERRUPTIBLE);',
        ].join('\n'),
      },
    ],
    test: 'busy-epoll',
    verdict: 'lost-wakeup',
  },
  {
    name: 'epoll-close-does-not-resume',
    commit: 'own',
    why: 'a closed instance leaves its interrupts suspended',
    edits: [{ file: EVENTPOLL, find: 'napiResumeIrqs(this.net, this.napiId);', replace: '' }],
    test: 'busy-epoll-prefer-options',
    verdict: 'assertion',
  },
  {
    name: 'loop-wakes-nobody',
    commit: 'own',
    why: 'readers of what a loop took are woken when it ends',
    edits: [
      {
        file: BUSY_POLL,
        find: ['endRound(net);', '        localBhEnableSoftirq(cur);', '        if (loopEnd'].join('\n'),
        replace: ['localBhEnableSoftirq(cur);', '        if (loopEnd'].join('\n'),
      },
    ],
    test: 'busy-poll-others-frames',
    verdict: 'livelock',
  },
  {
    name: 'loop-holds-grace-period-up',
    commit: 'own',
    why: 'a grace period waits until the time of a loop is up, which may be seconds',
    edits: [{ file: BUSY_POLL, find: ' || rcuWaitsFor(cur)', replace: '' }],
    test: 'busy-poll-lets-grace-period',
    verdict: 'livelock',
  },
  {
    name: 'loop-holds-disable-up',
    commit: 'own',
    why: 'who disables the instance waits until the time of a loop is up',
    edits: [{ file: BUSY_POLL, find: ' || napiDisablePending(n)', replace: '' }],
    test: 'busy-poll-lets-disable',
    verdict: 'livelock',
  },
  {
    name: 'closed-socket-ends-all-loops',
    commit: 'own',
    why: 'one closed socket of several ends the loop for those that are open',
    edits: [{ file: SOCK_BUSY, find: 'return !open ||', replace: 'return true ||' }],
    test: 'busy-sock-options',
    verdict: 'assertion',
  },
  {
    name: 'loop-for-closed-socket',
    commit: 'own',
    why: 'the instance of a socket that is closed is polled for nobody',
    edits: [{ file: SOCK_BUSY, find: 'if (readers[i].closed())\n                continue;', replace: '' }],
    test: 'busy-sock-options',
    verdict: 'assertion',
  },
]);
