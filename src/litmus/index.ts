// SPDX-License-Identifier: GPL-2.0-only
/** All litmus tests of this project. */

export * from './hrtimers.js';
export * from './irqs.js';
export * from './kernel_cpu.js';
export * from './kernel_tasks.js';
export * from './ksoftirqd.js';
export * from './kthread_states.js';
export * from './kthreads.js';
export * from './locks.js';
export * from './napi.js';
export * from './napi_control.js';
export * from './napi_service.js';
export * from './napi_watchdog.js';
export * from './nic_service.js';
export * from './page_pools.js';
export * from './rings.js';
export * from './sockets.js';
