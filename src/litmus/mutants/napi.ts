// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of net/core: schedule, complete, the poll loops. */
import type { Mutant } from './mutant.js';

const POLL = 'net/core/napi_poll.js';
const POLL_LIST = 'net/core/poll_list.js';
const SCHEDULE = 'net/core/napi_schedule.js';

export const NAPI_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'sched-as-ownership',
    commit: 'cb038357937e',
    why: 'the thread takes SCHED for its own: it polls what disable or another poller holds',
    edits: [{ file: POLL, find: '& NAPIF_STATE_SCHED_THREADED) !== 0', replace: '& 1) !== 0' }],
    test: 'napi-disable-enable',
    verdict: 'race',
  },
  {
    name: 'woken-short-cut',
    commit: '56364c910691',
    why: 'the owner bit is set only when the thread does not sleep, and no wake-up carries it',
    edits: [
      {
        file: SCHEDULE,
        find: 'Atomics.or(m, n.state, NAPIF_STATE_SCHED_THREADED); // N3',
        replace: [
          'if (Atomics.load(m, m[node + NAPI_THREAD_NODE.task]) === 0)',
          'Atomics.or(m, n.state, NAPIF_STATE_SCHED_THREADED);',
        ].join(' '),
      },
    ],
    test: 'napi-threaded',
    verdict: 'lost-wakeup',
  },
  {
    name: 'no-missed',
    commit: '39e6c8208d7b',
    why: 'an event during the last step of a poll is recorded nowhere',
    edits: [{ file: SCHEDULE, find: 'next |= NAPIF_STATE_MISSED;', replace: 'next |= 0;' }],
    test: 'napi-threaded',
    verdict: 'lost-wakeup',
  },
  {
    name: 'missed-not-honoured',
    commit: 'own',
    why: 'complete clears MISSED and does not schedule again',
    edits: [
      {
        file: SCHEDULE,
        find: ['if ((val & NAPIF_STATE_MISSED) !== 0) {', '        napiScheduleOwned(net, n);'].join('\n'),
        replace: ['if (val < 0) {', '        napiScheduleOwned(net, n);'].join('\n'),
      },
      {
        file: SCHEDULE,
        find: [
          'next |= NAPIF_STATE_SCHED;',
          '        const was = Atomics.compareExchange(m, state, val, next); // N2',
        ].join('\n'),
        replace: ['next |= 0;', '        const was = Atomics.compareExchange(m, state, val, next);'].join(
          '\n',
        ),
      },
    ],
    test: 'napi-threaded',
    verdict: 'lost-wakeup',
  },
  {
    name: 'list-add-unlocked',
    commit: '8380c81d5c4f',
    why: 'the poll list is changed without the lock that stands for masked interrupts',
    edits: [
      { file: POLL_LIST, find: 'const on = lockOnline(net, cpu);', replace: 'const on = cpu;' },
      { file: POLL_LIST, find: 'irqUnlockCpu(on);', replace: '' },
    ],
    test: 'napi-softirq',
    verdict: 'race',
  },
  {
    name: 'prep-without-cas',
    commit: 'own',
    why: 'schedule stores the state word instead of comparing',
    edits: [
      {
        file: SCHEDULE,
        find: 'const was = Atomics.compareExchange(m, state, val, next); // N1',
        replace: 'Atomics.store(m, state, next); const was = val;',
      },
    ],
    test: 'napi-threaded',
    verdict: 'lost-wakeup',
  },
  {
    name: 'wait-ends-on-disable',
    commit: '27f0ad71699d',
    why: 'the thread leaves its wait because of DISABLE, with SCHED_THREADED set',
    edits: [
      {
        file: POLL,
        find: 'while (!kthreadShouldStop(cur)) {',
        replace: 'while (!kthreadShouldStop(cur) && !napiDisablePending(n)) {',
      },
    ],
    test: 'napi-disable-enable',
    verdict: 'assertion',
  },
  {
    name: 'looks-before-it-sets',
    commit: 'own',
    why: 'the thread tests its bit before it sets its sleeping state',
    edits: [
      {
        file: POLL,
        find: ['setCurrentState(cur.task, TASK_INTERRUPTIBLE); // N4', '    while ('].join('\n'),
        replace: 'while (',
      },
      {
        file: POLL,
        find: [
          '        else {',
          '            schedule(cur);',
          '        }',
          '        setCurrentState(cur.task, TASK_INTERRUPTIBLE); // N4',
        ].join('\n'),
        replace: [
          '        else {',
          '            setCurrentState(cur.task, TASK_INTERRUPTIBLE);',
          '            schedule(cur);',
          '        }',
        ].join('\n'),
      },
    ],
    test: 'napi-threaded',
    verdict: 'lost-wakeup',
  },
  {
    name: 'watchdog-sets-missed',
    commit: 'own',
    why: 'the watchdog takes an instance that somebody owns',
    edits: [
      {
        file: SCHEDULE,
        find: [
          'if ((Atomics.or(m, state, NAPIF_STATE_SCHED) & NAPIF_STATE_SCHED) !== 0)',
          '        return;',
        ].join('\n'),
        replace: 'Atomics.or(m, state, NAPIF_STATE_SCHED);',
      },
    ],
    test: 'napi-watchdog-disable',
    verdict: 'livelock',
  },
  {
    name: 'net-rx-flag-kept',
    commit: '8b43fd3d1d7d',
    why: 'in_net_rx_action is not cleared when the round ends',
    edits: [{ file: POLL, find: 'Atomics.store(m, sd.inNetRxAction, 0); // N8', replace: '' }],
    test: 'napi-softirq',
    verdict: 'lost-wakeup',
  },
  {
    name: 'net-rx-list-not-looked-at',
    commit: '8b43fd3d1d7d',
    why: 'the poll list is not looked at again after the flag is cleared',
    edits: [{ file: POLL, find: 'const empty = listEmpty(m, sd.pollList);', replace: 'const empty = true;' }],
    test: 'napi-softirq',
    verdict: 'lost-wakeup',
  },
  {
    name: 'list-owner-of-two-rounds',
    commit: 'own',
    why: 'a poll that used its weight is not put back',
    edits: [
      {
        file: POLL,
        find: [
          'if (left === POLL_REPOLL)',
          '            listAddTail(m, n.pollList, sd.repollList);',
          '        else',
          '',
        ].join('\n'),
        replace: ['if (left !== POLL_REPOLL)', ''].join('\n'),
      },
    ],
    test: 'napi-softirq-weight-1',
    verdict: 'lost-wakeup',
  },
  {
    name: 'round-rest-not-raised',
    commit: 'own',
    why: 'what is left of a round does not raise the softirq again',
    edits: [{ file: POLL, find: 'raiseSoftirqNoWake(cur, cpu, NET_RX_SOFTIRQ);', replace: ';' }],
    test: 'napi-softirq-weight-1',
    verdict: 'lost-wakeup',
  },
  {
    name: 'complete-keeps-sched-threaded',
    commit: 'own',
    why: 'complete leaves SCHED_THREADED: the thread polls what it does not own',
    edits: [
      {
        file: SCHEDULE,
        find: '~(NAPIF_STATE_MISSED | NAPIF_STATE_SCHED | NAPIF_STATE_SCHED_THREADED | NAPIF_STATE_PREFER_BUSY_POLL)',
        replace: '~(NAPIF_STATE_MISSED | NAPIF_STATE_SCHED | NAPIF_STATE_PREFER_BUSY_POLL)',
      },
    ],
    test: 'napi-disable-enable',
    verdict: 'livelock',
  },
  {
    name: 'complete-without-cas',
    commit: 'own',
    why: 'complete stores the state word: a MISSED set meanwhile is lost',
    edits: [
      {
        file: SCHEDULE,
        find: 'const was = Atomics.compareExchange(m, state, val, next); // N2',
        replace: ['Atomics.store(m, state, next);', '        const was = val;'].join('\n'),
      },
    ],
    test: 'napi-threaded',
    verdict: 'lost-wakeup',
  },
  {
    name: 'watchdog-ignores-sched',
    commit: 'own',
    why: 'the watchdog schedules without taking SCHED',
    edits: [
      {
        file: SCHEDULE,
        find: [
          'if ((Atomics.or(m, state, NAPIF_STATE_SCHED) & NAPIF_STATE_SCHED) !== 0)',
          '        return;',
        ].join('\n'),
        replace: '',
      },
    ],
    test: 'napi-watchdog-disable',
    verdict: 'livelock',
  },
  {
    name: 'sched-threaded-late',
    commit: 'own',
    why: 'the thread is woken before it is told that it owns',
    edits: [
      {
        file: SCHEDULE,
        find: [
          'Atomics.or(m, n.state, NAPIF_STATE_SCHED_THREADED); // N3',
          '            tryToWakeUp(net.cur, m[node + NAPI_THREAD_NODE.task]);',
        ].join('\n'),
        replace: [
          'tryToWakeUp(net.cur, m[node + NAPI_THREAD_NODE.task]);',
          '            Atomics.or(m, n.state, NAPIF_STATE_SCHED_THREADED);',
        ].join('\n'),
      },
    ],
    test: 'napi-threaded',
    verdict: 'lost-wakeup',
  },
]);
