// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of instances out of service and of their watchdog. */
import type { Mutant } from './mutant.js';

const NAPI_CONTROL = 'net/core/napi_control.js';
const NAPI_POLL = 'net/core/napi_poll.js';
const NAPI_SCHEDULE = 'net/core/napi_schedule.js';
const NAPI_THREADED = 'net/core/napi_threaded.js';

export const SERVICE_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'double-disable-hangs',
    commit: 'driver bugs 2026',
    why: 'a second disable is not refused and waits for SCHED, which the first one holds',
    edits: [
      {
        file: NAPI_CONTROL,
        find: ['if ((Atomics.load(m, state) & NAPIF_STATE_NPSVC) !== 0)', '        return -EINVAL;'].join(
          '\n',
        ),
        replace: '',
      },
    ],
    test: 'napi-double-disable',
    verdict: 'livelock',
  },
  {
    name: 'stop-waits-on-disabled',
    commit: 'b3fc08ab9a56',
    why: 'stop waits for SCHED, which disable holds',
    edits: [
      {
        file: NAPI_THREADED,
        find: [' ||', '            (val & NAPIF_STATE_NPSVC) !== 0;'].join('\n'),
        replace: ';',
      },
    ],
    test: 'napi-stop-disabled',
    verdict: 'livelock',
  },
  {
    name: 'config-not-overridden',
    commit: 'e6d76268813d',
    why: 'a switch of the device skips what is kept for instances not there',
    edits: [
      {
        file: NAPI_THREADED,
        find: 'm[napiConfigAt(m, dev, i) + NAPI_CONFIG.threaded] = mode;',
        replace: ';',
      },
    ],
    test: 'napi-config-override',
    verdict: 'deadlock',
  },
  {
    name: 'watchdog-counts-as-event',
    commit: 'own',
    why: 'the watchdog sets MISSED on an instance that is owned',
    edits: [
      {
        file: NAPI_SCHEDULE,
        find: [
          'if ((Atomics.or(m, state, NAPIF_STATE_SCHED) & NAPIF_STATE_SCHED) !== 0)',
          '        return;',
        ].join('\n'),
        replace: ['if (!napiSchedulePrep(n))', '        return;'].join('\n'),
      },
    ],
    test: 'napi-watchdog-owned',
    verdict: 'assertion',
  },
  {
    name: 'watchdog-ignores-disable',
    commit: 'own',
    why: 'the watchdog takes an instance that is being disabled',
    edits: [
      {
        file: NAPI_SCHEDULE,
        find: [
          '    const { m, state } = n;',
          '    if ((Atomics.load(m, state) & NAPIF_STATE_DISABLE) !== 0)',
          '        return;',
        ].join('\n'),
        replace: '    const { m, state } = n;',
      },
    ],
    test: 'napi-watchdog-disable-pending',
    verdict: 'lost-wakeup',
  },
  {
    name: 'watchdog-not-cancelled',
    commit: 'own',
    why: 'neither disable nor delete cancels the watchdog: it fires on freed memory',
    edits: [
      {
        file: NAPI_CONTROL,
        find: ['hrtimerCancel(net.cur, at + NAPI.timer);', '    saveConfig'].join('\n'),
        replace: 'saveConfig',
      },
      {
        file: NAPI_CONTROL,
        find: 'hrtimerCancel(net.cur, n.at + NAPI.timer);',
        replace: '',
      },
    ],
    test: 'napi-watchdog-delete',
    verdict: 'race',
  },
  {
    name: 'watchdog-cancelled-early',
    commit: 'own',
    why: 'delete trusts the cancel in disable: the last poll may have started the watchdog behind it',
    edits: [
      {
        file: NAPI_CONTROL,
        find: 'hrtimerCancel(net.cur, n.at + NAPI.timer);',
        replace: '',
      },
    ],
    test: 'napi-watchdog-delete',
    verdict: 'race',
  },
  {
    name: 'napi-free-without-grace-period',
    commit: 'seed 000',
    why: 'the instance is freed under an interrupt handler that found it',
    edits: [
      {
        file: NAPI_CONTROL,
        find: 'synchronizeRcu(net.cur);',
        replace: '',
      },
    ],
    test: 'napi-delete-reader',
    verdict: 'race',
  },
  {
    name: 'full-poll-ignores-disable',
    commit: 'own',
    why: 'a poll that used its weight does not look at DISABLE',
    edits: [{ file: NAPI_POLL, find: 'if (napiDisablePending(n)) {', replace: 'if (false) {' }],
    test: 'napi-disable-full-polls',
    verdict: 'livelock',
  },
]);
