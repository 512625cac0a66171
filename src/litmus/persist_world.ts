// SPDX-License-Identifier: GPL-2.0-only
/** What the litmus tests of threads that outlive their instance share. */
import { type Label, must } from '../check/index.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { sleepOnCompletion } from '../kernel/sched.js';
import { TASK, wakeUpProcess } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { NAPI, NAPIF_STATE_THREADED } from '../net/core/napi.js';
import { napiDisable, napiEnable, netifNapiDel } from '../net/core/napi_control.js';
import { napiThreadedPoll } from '../net/core/napi_poll.js';
import { napiSchedule } from '../net/core/napi_schedule.js';
import type { NetContext } from '../net/core/net_context.js';
import { NAPI_CONFIG, NET_DEVICE } from '../net/core/net_device.js';
import { NAPI_KTHREAD_PERSIST_FIXED } from '../net/core/softnet_data.js';
import { listTasks, type NetSetup, netFor, netSetup, nodeOf } from './net_world.js';
import { addWord, takeRequest } from './world.js';

export interface PersistSetup extends NetSetup {
  /** The word in which a driver says which instance its interrupt is to schedule; 0: none. */
  readonly published: number;
  /** Ring and polled events of an instance that serves beside the old one. */
  readonly newRing: number;
  readonly newPolled: number;
}

/** @param runs the thread is in the list of tasks already (its body is `serves`) */
export function persistSetup(
  arena: Arena,
  label: Label,
  runs: boolean,
  persist = NAPI_KTHREAD_PERSIST_FIXED,
): PersistSetup {
  const { m } = arena;
  const s = netSetup(arena, label, true, 4, true, persist);
  listTasks(m, runs ? [s.control, s.irqA, s.thread] : [s.control, s.irqA]);
  const published = addWord(m, label, 'published');
  m[published] = s.napi;
  return {
    ...s,
    published,
    newRing: addWord(m, label, 'newRing'),
    newPolled: addWord(m, label, 'newPolled'),
  };
}

/** A thread's context; an instance with poll function 1 has the second ring. */
export function persistFor(arena: Arena, s: PersistSetup, task: number): NetContext {
  const net = netFor(arena, s, task);
  const second = netFor(arena, { ...s, ring: s.newRing, polled: s.newPolled }, task);
  net.napiPollFns.push(second.napiPollFns[0]);
  return net;
}

/** The interrupt: an event, and whichever instance is published is scheduled. */
export function interrupt(arena: Arena, s: PersistSetup): void {
  const net = netFor(arena, s, s.irqA);
  rcuReadLock(net.cur);
  Atomics.add(net.m, s.ring, 1);
  scheduleAt(net, Atomics.load(net.m, s.published));
  rcuReadUnlock(net.cur);
}

export function scheduleAt(net: NetContext, at: number): void {
  if (at !== 0) napiSchedule(net, net.napi(at));
}

/** Body of a thread that nobody stops: it was created, and woken, before. */
export function serves(arena: Arena, s: PersistSetup): void {
  const net = persistFor(arena, s, s.thread);
  rcuReadLock(net.cur);
  napiThreadedPoll(net, nodeOf(arena, s));
}

/** Begins the control worker: the thread exists and was woken for the first time. */
export function started(arena: Arena, s: PersistSetup): NetContext {
  const net = netFor(arena, s, s.control);
  sleepOnCompletion(net.cur, s.thread + TASK.created);
  wakeUpProcess(arena.m, s.thread);
  return net;
}

export function takeDown(net: NetContext, s: PersistSetup, at: number): void {
  Atomics.store(net.m, s.published, 0);
  must(napiDisable(net, net.napi(at)) === 0, 'disable was refused');
  must(netifNapiDel(net, net.napi(at)) === 0, 'delete was refused');
}

/** The instance goes into service; its driver looks at the ring, as one does that unmasks its interrupt. */
export function putUp(net: NetContext, s: PersistSetup, at: number): void {
  must(napiEnable(net, net.napi(at)) === 0, 'enable was refused');
  Atomics.store(net.m, s.published, at);
  Atomics.add(net.m, s.ring, 1);
  scheduleAt(net, at);
}

export function isThreaded(m: Int32Array, at: number): boolean {
  return (Atomics.load(m, at + NAPI.state) & NAPIF_STATE_THREADED) !== 0;
}

/** kthreadd, where nobody may want a thread. */
export function noMore({ m }: Arena): void {
  takeRequest(m);
  must(false, 'another thread is made');
}

export function configSlot(m: Int32Array, s: PersistSetup): number {
  return m[m[s.dev + NET_DEVICE.napiConfigs] + NAPI_CONFIG.threadNode];
}

export function allPolled({ m }: Arena, s: PersistSetup): void {
  must(m[s.ring] === 0 && m[s.polled] === 2, `${m[s.polled]} events of 2 were polled`);
}
