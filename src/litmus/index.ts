// SPDX-License-Identifier: GPL-2.0-only
/** All litmus tests of this project. */

export * from './hrtimers.js';
export * from './irqs.js';
export * from './kernel_cpu.js';
export * from './kernel_cpu_moves.js';
export * from './kernel_create.js';
export * from './kernel_hotplug.js';
export * from './kernel_life.js';
export * from './kernel_rcu.js';
export * from './kernel_sleep.js';
export * from './kernel_tasks.js';
export * from './kernel_timers.js';
export * from './kernel_wake.js';
export * from './ksoftirqd.js';
export * from './kthread_states.js';
export * from './kthreads.js';
export * from './lock_errors.js';
export * from './locks.js';
export * from './napi.js';
export * from './napi_adopt.js';
export * from './napi_control.js';
export * from './napi_deferral.js';
export * from './napi_instances.js';
export * from './napi_lookup.js';
export * from './napi_lookup_lock.js';
export * from './napi_modes.js';
export * from './napi_persist.js';
export * from './napi_rounds.js';
export * from './napi_service.js';
export * from './napi_sockets.js';
export * from './napi_watchdog.js';
export * from './nic_service.js';
export * from './page_pool_retire.js';
export * from './page_pools.js';
export * from './rings.js';
export * from './sockets.js';
