// SPDX-License-Identifier: GPL-2.0-only
/**
 * Numbers of the functions that shared memory refers to: a struct cannot hold a function, so it holds the number of
 * an entry in a table that every thread fills in the same way (src/threads/tables.ts).
 */

/** Thread functions (word `fn` of a task). */
export const KTHREAD_CPU_IDLE = 1;
export const KTHREAD_KSOFTIRQD = 2;
export const KTHREAD_NAPI_POLL = 3;
export const KTHREAD_BACKLOG_NAPI = 4;
export const KTHREAD_BACKLOG_POLL = 5;

/** Kinds of tasks, for statistics and for the picture. */
export const TASK_KIND_CPU = 1;
export const TASK_KIND_KSOFTIRQD = 2;
export const TASK_KIND_NAPI = 3;
export const TASK_KIND_APP = 4;
export const TASK_KIND_NIC = 5;
export const TASK_KIND_CONTROL = 6;
export const TASK_KIND_BACKLOG = 7;

/** Timer functions (hrtimerFns). */
export const HRTIMER_NAPI_WATCHDOG = 0;
export const HRTIMER_TIMED_WIRE = 1;
export const HRTIMER_IP_FRAGMENTS = 2;

/** Interrupt handlers (irqHandlers). */
export const IRQ_SIM_NIC_RX = 0;

/** Poll functions (napiPollFns). */
export const POLL_SIM_NIC = 0;
export const POLL_BACKLOG = 1;

/** Drivers (netDevOps). */
export const DRIVER_SIM_NIC = 0;
export const DRIVER_LOOPBACK = 1;
