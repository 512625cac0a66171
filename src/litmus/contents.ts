// SPDX-License-Identifier: GPL-2.0-only
/**
 * Which litmus tests are in which file, in the order in which they run: so that one test can be run, and the first of
 * all, before the other files are loaded. test/unit/litmus_contents.test.ts keeps this true.
 */

/** Names of tests by file. */
export const CONTENTS: Readonly<Record<string, readonly string[]>> = {
  backlog_flush: ['backlog-flush-thread', 'backlog-flush-softirq', 'flow-limit', 'backlog-flush-order', 'rfs-other-flow', 'rfs-move', 'rfs-table-gone', 'rps-map-change', 'rps-cpu-down'],
  backlog_hotplug: ['cpu-down-up-thread', 'cpu-down-interrupt', 'cpu-down-schedule', 'cpu-down-sender', 'cpu-down-thread', 'cpu-down-thread-busy', 'cpu-up-schedule', 'cpu-up-process', 'cpu-down-up-squeezed'],
  backlog_queues: ['backlog-bypass', 'backlog-interrupt', 'backlog-local', 'backlog-poll-loop', 'backlog-thread', 'backlog-toggle-on', 'backlog-toggle-off', 'backlog-two-remote', 'backlog-two-senders'],
  cpu_hotplug: ['cpu-down-bh', 'cpu-down-busy', 'cpu-down-irq', 'cpu-down-timer', 'cpu-down-timer-cancel', 'cpu-down-up'],
  defer_frees: ['defer-free', 'defer-free-busy', 'defer-free-cpu-down'],
  hrtimers: ['hrtimer-start-cancel', 'hrtimer-idle-cpu'],
  irqs: ['irq-disable-enable', 'irq-mask-hand-over', 'irq-mask-unmask'],
  kernel_cpu: ['rcu-grace-period', 'softirq-raise'],
  kernel_cpu_moves: ['irq-affinity', 'softirq-raise-within', 'hrtimer-not-early'],
  kernel_create: ['kthread-create-two', 'object-ids'],
  kernel_hotplug: ['cpu-idle-stop', 'ksoftirqd-created', 'smpboot-down-early', 'smpboot-life', 'smpboot-unused'],
  kernel_life: ['kthread-first-wake', 'kthread-park-unborn', 'kthread-stop-unborn', 'task-list', 'kthread-rcu'],
  kernel_rcu: ['rcu-busy-reader', 'rcu-busy-cpu', 'rcu-busy-ksoftirqd', 'rcu-two-updaters'],
  kernel_sleep: ['completion-saturated', 'completion-timeout', 'rcu-sleep-for-good', 'rcu-sleep-schedule', 'rcu-sleep-timeout', 'rcu-sleep-completion', 'rcu-sleep-mutex', 'rcu-sleep-mutex-early', 'task-timeout-tells'],
  kernel_tasks: ['completion-all-timeout', 'completion', 'task-timeout', 'task-wake-up'],
  kernel_timers: ['hrtimer-busy-cpu', 'hrtimer-cancel-moving', 'hrtimer-moves', 'hrtimer-moves-cancel', 'hrtimer-order', 'hrtimer-sorted'],
  kernel_wake: ['kthread-park-waits', 'task-wake-kind', 'task-wake-once'],
  ksoftirqd: ['ksoftirqd-park', 'ksoftirqd-idle', 'ksoftirqd-park-again', 'ksoftirqd-stop'],
  kthread_states: ['kthread-park-created', 'kthread-park-returned', 'kthread-unpark-stop-returned', 'kthread-stop-created', 'kthread-stop-parked', 'task-struct-last-put'],
  kthreads: ['kthread-park-stop', 'kthread-park-unpark', 'kthread-stop', 'smpboot-park-run'],
  lock_errors: ['bh-lock-two-waiters', 'mutex-errors', 'spinlock-errors'],
  locks: ['bh-lock-yield', 'mutex', 'spinlock', 'spinlock-try'],
  napi: ['napi-disable-enable', 'napi-endless', 'napi-softirq', 'napi-softirq-weight-1', 'napi-threaded', 'napi-threaded-weight-1'],
  napi_adopt: ['napi-add-mode', 'napi-adopt-v1', 'napi-attach-fixed', 'napi-attach-nobody', 'napi-attach-off', 'napi-attach-bare', 'napi-attach-bare-v1', 'napi-hand-over-choice', 'napi-hand-over-nobody', 'napi-hand-over-scheduled'],
  napi_control: ['kthread-create', 'kthread-create-refused', 'napi-threaded-off', 'napi-threaded-on', 'napi-watchdog-disable'],
  napi_deferral: ['napi-no-deferral', 'napi-deferral', 'napi-deferral-without-timer', 'napi-deferral-masked'],
  napi_instances: ['napi-add-delete', 'napi-complete-disabled', 'napi-enable-without-config', 'napi-enable-makes-thread', 'napi-ids'],
  napi_lookup: ['napi-dump-order', 'napi-get-delete', 'napi-hash-again', 'napi-hash-behind'],
  napi_lookup_lock: ['napi-get-beside-delete', 'napi-get-device-freed', 'napi-get-elsewhere', 'napi-get-lock', 'napi-hash-table', 'napi-hash-two-devices', 'napi-list-order'],
  napi_modes: ['napi-both-modes', 'napi-threaded-busy', 'napi-device-on-off', 'napi-device-refused', 'napi-instance-refused'],
  napi_persist: ['napi-persist-exit', 'napi-persist-hand-over', 'napi-persist-readd', 'napi-persist-safe-switch', 'napi-persist-stop-early', 'napi-persist-stop-parked', 'napi-schedule-delete', 'napi-schedule-stop'],
  napi_rounds: ['napi-full-poll-threaded', 'napi-full-poll-softirq', 'napi-softirq-budget', 'napi-softirq-budget-last', 'napi-softirq-interrupted'],
  napi_service: ['napi-config-override', 'napi-delete-reader', 'napi-disable-full-polls', 'napi-disable-scheduling', 'napi-double-disable', 'napi-softirq-two-instances', 'napi-stop-disabled'],
  napi_sockets: ['napi-socket-full', 'napi-socket-softirq', 'napi-socket-budget', 'napi-socket-threaded', 'napi-socket-threaded-weight-1', 'napi-socket-unbind-threaded', 'napi-socket-unbind-softirq'],
  napi_watchdog: ['napi-watchdog-delete', 'napi-watchdog-delete-softirq', 'napi-watchdog-owned', 'napi-watchdog-disable-pending'],
  nic_service: ['nic-down-threaded', 'nic-down-up', 'nic-interrupts'],
  page_pools: ['page-pool-recycle-take', 'page-pool-two-owners', 'page-pool-wrap'],
  rings: ['ring-consumer-hand-over', 'ring-length', 'ring-single-producer', 'kmalloc-kfree'],
  sockets: ['sock-closed', 'sock-queue-two-producers', 'sock-queue-wrap', 'sock-waiter'],
};
