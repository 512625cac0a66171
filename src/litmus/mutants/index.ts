// SPDX-License-Identifier: GPL-2.0-only
/**
 * Bugs that this family of protocols has had, or would have if one ordering or bit test were taken away. A run in which
 * one of them is not caught, or does not match the code any more, has failed.
 */
import { ADOPT_MUTANTS } from './adopt.js';
import { BACKLOG_MUTANTS } from './backlog.js';
import { BUSY_SOCKET_MUTANTS } from './busy_sockets.js';
import { BUSY_THREAD_MUTANTS } from './busy_threads.js';
import { CPU_MUTANTS } from './cpu.js';
import { FRAGS_MUTANTS } from './frags.js';
import { HOTPLUG_MUTANTS } from './hotplug.js';
import { LOOKUP_MUTANTS } from './lookup.js';
import { MEMORY_MUTANTS } from './memory.js';
import type { Mutant } from './mutant.js';
import { NAPI_MUTANTS } from './napi.js';
import { NAPI_CONTROL_MUTANTS } from './napi_control.js';
import { NIC_MUTANTS } from './nic.js';
import { NIC_CABLE_MUTANTS } from './nic_cable.js';
import { ORDER_CPU_MUTANTS } from './order_cpu.js';
import { ORDER_NET_MUTANTS } from './order_net.js';
import { ORDER_TASKS_MUTANTS } from './order_tasks.js';
import { PARK_MUTANTS } from './park.js';
import { PERSIST_MUTANTS } from './persist.js';
import { QUEUE_MUTANTS } from './queues.js';
import { SERVICE_MUTANTS } from './service.js';
import { STAND_IN_MUTANTS } from './stand_in.js';
import { SWEEP_BACKLOG_MUTANTS } from './sweep_backlog.js';
import { SWEEP_KERNEL_MUTANTS } from './sweep_kernel.js';
import { SWEEP_NET_MUTANTS } from './sweep_net.js';
import { TASKS_MUTANTS } from './tasks.js';
import { TIMED_MUTANTS } from './timed.js';
import { XSK_MUTANTS } from './xsk.js';

export type { Mutant } from './mutant.js';

export const MUTANTS: readonly Mutant[] = Object.freeze([
  ...NAPI_MUTANTS,
  ...NAPI_CONTROL_MUTANTS,
  ...TASKS_MUTANTS,
  ...CPU_MUTANTS,
  ...MEMORY_MUTANTS,
  ...SERVICE_MUTANTS,
  ...ORDER_TASKS_MUTANTS,
  ...ORDER_CPU_MUTANTS,
  ...ORDER_NET_MUTANTS,
  ...PARK_MUTANTS,
  ...PERSIST_MUTANTS,
  ...ADOPT_MUTANTS,
  ...LOOKUP_MUTANTS,
  ...NIC_MUTANTS,
  ...NIC_CABLE_MUTANTS,
  ...QUEUE_MUTANTS,
  ...BACKLOG_MUTANTS,
  ...HOTPLUG_MUTANTS,
  ...BUSY_THREAD_MUTANTS,
  ...BUSY_SOCKET_MUTANTS,
  ...SWEEP_KERNEL_MUTANTS,
  ...SWEEP_NET_MUTANTS,
  ...TIMED_MUTANTS,
  ...XSK_MUTANTS,
  ...SWEEP_BACKLOG_MUTANTS,
  ...FRAGS_MUTANTS,
  ...STAND_IN_MUTANTS,
]);
