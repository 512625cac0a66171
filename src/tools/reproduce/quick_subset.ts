// SPDX-License-Identifier: GPL-2.0-only
/** The litmus tests and mutants of a quick run: some for each seed, those that take least time. */

export const QUICK_TESTS: readonly string[] = [
  // 004: a poll loop in a thread, switched on and off
  'napi-threaded',
  'napi-softirq-weight-1',
  'napi-threaded-on',
  'napi-threaded-off',
  'napi-disable-enable',
  // 000: threads that outlive their instance
  'napi-adopt-v1',
  'napi-persist-readd',
  'napi-persist-stop-parked',
  // 001, 002: backlogs
  'backlog-bypass',
  'backlog-thread',
  'backlog-toggle-on',
  'backlog-toggle-off',
  'backlog-flush-order',
  'rfs-move',
  // 003: busy polling
  'busy-poll-once',
  'busy-thread-on',
  'busy-thread-off',
  'busy-thread-stop',
  // what all of them stand on
  'task-wake-up',
  'kthread-park-stop',
];

export const QUICK_MUTANTS: readonly string[] = [
  // 004
  'woken-short-cut',
  'missed-not-honoured',
  'stop-tests-wrong-bit',
  'threaded-before-thread',
  // 000
  'unpark-before-assigned',
  'parked-threads-survive-off',
  // 001, 002
  'backlog-bypass-and-thread',
  'backlog-thread-and-interrupt',
  'backlog-threaded-before-its-thread',
  'flush-does-not-wait',
  // 003
  'busy-never-left',
  'stop-keeps-busy-poll',
  'stop-keeps-in-busy-poll',
  // what all of them stand on
  'wake-without-notify',
  'stop-wakes-first',
];
