// SPDX-License-Identifier: GPL-2.0-only
/**
 * Tests that take long, the longest first: they are begun before the others, so that at the end no thread works while
 * the others have nothing to do. Speed only; `softnet check --json` tells what each test takes.
 */
export const LONG_TESTS: readonly string[] = Object.freeze([
  'timed-two-pollers',
  'cable-channels',
  'backlog-flush-softirq',
  'cable-down-up',
  'nic-down-threaded',
  'timed-attach',
  'nic-down-up',
  'nic-interrupts',
  'timed-up',
  'timed-echo',
  'backlog-flush-thread',
  'xsk-bind',
  'cable-two-senders',
  'napi-deferral',
  'rps-cpu-down',
  'rfs-move',
  'rfs-other-flow',
  'backlog-flush-order',
  'backlog-poll-loop',
  'backlog-local',
  'timed-disable-enable',
  'cpu-down-up-squeezed',
  'busy-epoll-prefer',
  'napi-threaded-off',
  'busy-epoll',
  'napi-endless',
  'napi-adopt-v1',
  'backlog-thread',
  'busy-epoll-prefer-options',
  'busy-poll-deferred-interrupt',
]);
