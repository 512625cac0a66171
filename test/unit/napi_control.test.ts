// SPDX-License-Identifier: GPL-2.0-only
/** Adding, deleting, enabling, disabling NAPI instances, and taking them from and giving them to threads. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EBUSY, EINVAL } from '../../dist/kernel/errno.js';
import { HRTIMER, hrtimerRunQueues, hrtimerStart } from '../../dist/kernel/hrtimer.js';
import { KTHREAD_SHOULD_STOP } from '../../dist/kernel/kthread.js';
import { doSoftirq } from '../../dist/kernel/softirq.js';
import { TASK, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../../dist/kernel/task.js';
import {
  NAPI,
  NAPIF_STATE_LISTED,
  NAPIF_STATE_MISSED,
  NAPIF_STATE_NPSVC,
  NAPIF_STATE_SCHED,
  NAPIF_STATE_SCHED_THREADED,
  NAPIF_STATE_THREADED,
  type Napi,
} from '../../dist/net/core/napi.js';
import { napiDisable, napiEnable, netifNapiAdd, netifNapiDel } from '../../dist/net/core/napi_control.js';
import { napiThreadedPollLoop, napiThreadWait } from '../../dist/net/core/napi_poll.js';
import { napiCompleteDone, napiSchedule } from '../../dist/net/core/napi_schedule.js';
import { NAPI_THREAD_NODE } from '../../dist/net/core/napi_thread.js';
import { napiSetThreaded, napiStopKthread, netifSetThreaded } from '../../dist/net/core/napi_threaded.js';
import { NAPI_CONFIG, NET_DEVICE } from '../../dist/net/core/net_device.js';
import type { ThreadContext } from '../../dist/threads/context.js';
import { beforeNext, hookAtomics } from '../helpers/atomics.js';
import { BareMachine, stateOf } from '../helpers/bare_machine.js';

let bm: BareMachine;
/** The control thread, and another one that polls. */
let ctx: ThreadContext;
let poller: ThreadContext;
let dev: number;
let n: Napi;
/** What the poll function finds at each poll: 64 is its weight. */
let work: number[];

beforeEach(() => {
  bm = new BareMachine();
  ctx = bm.thread(0);
  poller = bm.thread(0);
  work = [];
  for (const { net } of [ctx, poller]) {
    net.napiPollFns[1] = (nc, napi, budget) => {
      const found = work.shift() ?? 0;
      if (found < budget) napiCompleteDone(nc, napi, found);
      return found;
    };
  }
  dev = bm.netdev(ctx);
  n = add(0);
  napiEnable(ctx.net, n);
});

afterEach(() => vi.restoreAllMocks());

function add(index: number): Napi {
  return ctx.net.napi(netifNapiAdd(ctx.net, dev, 1, 0, 64, index));
}

function configOf(napi: Napi): number {
  return bm.m[napi.at + NAPI.config];
}

describe('napi_disable and napi_enable', () => {
  it('take SCHED and NPSVC, and give them back', () => {
    expect(napiDisable(ctx.net, n)).toBe(0);
    expect(stateOf(n)).toBe('SCHED|NPSVC|LISTED');
    expect(napiSchedule(ctx.net, n)).toBe(false);
    expect(bm.pollList(0)).toEqual([]);
    Atomics.and(n.m, n.state, ~NAPIF_STATE_MISSED);
    expect(napiEnable(ctx.net, n)).toBe(0);
    expect(stateOf(n)).toBe('LISTED');
    expect(napiSchedule(ctx.net, n)).toBe(true);
  });

  it('say so when they are called twice, and change nothing', () => {
    expect(napiEnable(ctx.net, n)).toBe(-EINVAL);
    expect(stateOf(n)).toBe('LISTED');
    napiDisable(ctx.net, n);
    expect(napiDisable(ctx.net, n)).toBe(-EINVAL);
    expect(stateOf(n)).toBe('SCHED|NPSVC|LISTED');
    expect(bm.clock.sleeps).toBe(0);
  });

  it('clears THREADED at disable and sets it again at enable, in one step with SCHED and NPSVC', () => {
    bm.giveThread(n);
    napiSetThreaded(ctx.net, n, 1);
    expect(stateOf(n)).toBe('LISTED|THREADED');
    napiDisable(ctx.net, n);
    expect(stateOf(n)).toBe('SCHED|NPSVC|LISTED');
    const seen: number[] = [];
    hookAtomics('compareExchange', (real, m, at, ...values) => {
      const was = real(m, at, ...values);
      if (at === n.state) seen.push(Atomics.load(n.m, n.state));
      return was;
    });
    napiEnable(ctx.net, n);
    expect(seen).toEqual([NAPIF_STATE_LISTED | NAPIF_STATE_THREADED]);
  });

  it('waits for the owner, and keeps new events away meanwhile', () => {
    work = [64, 64, 3];
    napiSchedule(ctx.net, n);
    napiSchedule(ctx.net, n); // MISSED: one more schedule is owed
    const seen: string[] = [];
    bm.clock.onSleep = () => {
      seen.push(stateOf(n));
      expect(napiSchedule(ctx.net, n)).toBe(false);
      doSoftirq(poller.cur);
    };
    expect(napiDisable(ctx.net, n)).toBe(0);
    expect(stateOf(n)).toBe('SCHED|NPSVC|LISTED');
    expect(seen[0]).toBe('SCHED|MISSED|DISABLE|LISTED');
    expect(bm.pollList(0)).toEqual([]);
  });

  it('ends a poll that would go on for ever', () => {
    work = Array<number>(100).fill(64);
    napiSchedule(ctx.net, n);
    bm.clock.onSleep = () => doSoftirq(poller.cur);
    napiDisable(ctx.net, n);
    expect(work).toHaveLength(99);
    expect(stateOf(n)).toBe('SCHED|NPSVC|LISTED');
  });

  it('ends a thread that polls for ever', () => {
    bm.giveThread(n);
    napiSetThreaded(ctx.net, n, 1);
    work = Array<number>(100).fill(64);
    napiSchedule(ctx.net, n);
    bm.clock.onSleep = () => napiThreadedPollLoop(poller.net, n);
    napiDisable(ctx.net, n);
    expect(work).toHaveLength(99);
    expect(stateOf(n)).toBe('SCHED|NPSVC|LISTED');
  });

  it('waits again when an event comes between its look and its step', () => {
    // A schedule that had looked before DISABLE stood.
    beforeNext('compareExchange', () => Atomics.or(n.m, n.state, NAPIF_STATE_SCHED));
    bm.clock.onSleep = () => Atomics.and(n.m, n.state, ~NAPIF_STATE_SCHED);
    expect(napiDisable(ctx.net, n)).toBe(0);
    expect(bm.clock.sleeps).toBe(1);
    expect(stateOf(n)).toBe('SCHED|NPSVC|LISTED');
  });

  it('cancels the watchdog', () => {
    hrtimerStart(ctx.cur, n.at + NAPI.timer, 50);
    expect(bm.timers(0)).toBe(1);
    napiDisable(ctx.net, n);
    expect(bm.timers(0)).toBe(0);
  });

  it('keeps id and deferral over disable, and over delete and add at the same index', () => {
    const id = bm.m[n.at + NAPI.napiId];
    bm.m[n.at + NAPI.deferHardIrqs] = 7;
    bm.m[n.at + NAPI.groFlushTimeoutNs] = 9000;
    napiDisable(ctx.net, n);
    bm.m[n.at + NAPI.deferHardIrqs] = 0;
    napiEnable(ctx.net, n);
    expect(bm.m[n.at + NAPI.deferHardIrqs]).toBe(7);
    napiDisable(ctx.net, n);
    expect(netifNapiDel(ctx.net, n)).toBe(0);
    const again = add(0);
    napiEnable(ctx.net, again);
    expect(bm.m[again.at + NAPI.napiId]).toBe(id);
    expect(bm.m[again.at + NAPI.deferHardIrqs]).toBe(7);
    expect(bm.m[again.at + NAPI.groFlushTimeoutNs]).toBe(9000);
    const other = add(1);
    napiEnable(ctx.net, other);
    expect(bm.m[other.at + NAPI.napiId]).not.toBe(id);
  });
});

describe('netif_napi_add and netif_napi_del', () => {
  it('refuses a weight out of range', () => {
    expect(netifNapiAdd(ctx.net, dev, 1, 0, 0, 1)).toBe(-EINVAL);
    expect(netifNapiAdd(ctx.net, dev, 1, 0, 65, 1)).toBe(-EINVAL);
    expect(bm.m[dev + NET_DEVICE.napiFirst]).toBe(n.at);
  });

  it('refuses to delete an enabled instance', () => {
    expect(netifNapiDel(ctx.net, n)).toBe(-EBUSY);
    expect(bm.m[dev + NET_DEVICE.napiFirst]).toBe(n.at);
    expect(stateOf(n)).toBe('LISTED');
  });

  it.each([
    [0, [2, 1]],
    [1, [2, 0]],
    [2, [1, 0]],
  ])('takes instance %i out of the device’s list, newest first', (index, left) => {
    const all = [n, add(1), add(2)];
    for (const napi of all.slice(1)) napiEnable(ctx.net, napi);
    napiDisable(ctx.net, all[index]);
    netifNapiDel(ctx.net, all[index]);
    const found: number[] = [];
    for (let at = bm.m[dev + NET_DEVICE.napiFirst]; at !== 0; at = bm.m[at + NAPI.devNext]) {
      found.push(bm.m[at + NAPI.index]);
    }
    expect(found).toEqual(left);
  });

  it('leaves no timer behind that a poll starts late', () => {
    bm.m[n.at + NAPI.deferHardIrqs] = 1;
    bm.m[n.at + NAPI.groFlushTimeoutNs] = 50_000;
    napiSchedule(ctx.net, n);
    // The poller has given the instance up and is about to start the timer: the instance is disabled just now.
    bm.clock.onRead = () => {
      if ((Atomics.load(n.m, n.state) & (NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC)) !== 0) return;
      expect(napiDisable(ctx.net, n)).toBe(0);
    };
    work = [5];
    doSoftirq(poller.cur);
    bm.clock.onRead = () => {};
    expect(stateOf(n)).toBe('SCHED|NPSVC|LISTED');
    netifNapiDel(ctx.net, n);
    expect(bm.timers(0), 'a timer inside freed memory').toBe(0);
  });
});

describe('switching between softirq and threads', () => {
  it('switches an idle instance at once', () => {
    const task = bm.giveThread(n);
    expect(napiSetThreaded(ctx.net, n, 1)).toBe(0);
    expect(stateOf(n)).toBe('LISTED|THREADED');
    expect(napiSetThreaded(ctx.net, n, 0)).toBe(0);
    expect(stateOf(n)).toBe('LISTED');
    expect(bm.m[n.at + NAPI.threadNode]).toBe(0);
    expect(bm.m[task + TASK.kthreadFlags] & KTHREAD_SHOULD_STOP).toBe(KTHREAD_SHOULD_STOP);
  });

  it('lets the softirq finish before the thread gets the instance', () => {
    napiSchedule(ctx.net, n);
    bm.giveThread(n);
    napiSetThreaded(ctx.net, n, 1);
    expect(stateOf(n)).toBe('SCHED|LISTED|THREADED');
    expect(bm.pollList(0)).toEqual([n.at]);
    work = [64, 2];
    doSoftirq(poller.cur);
    expect(stateOf(n)).toBe('LISTED|THREADED');
    napiSchedule(ctx.net, n);
    expect(stateOf(n)).toBe('SCHED|LISTED|THREADED|SCHED_THREADED');
  });

  it('clears THREADED while its thread owns the instance, and stops the thread only when it has given it up', () => {
    const task = bm.giveThread(n);
    napiSetThreaded(ctx.net, n, 1);
    napiSchedule(ctx.net, n);
    work = [64, 64, 1];
    const seen: string[] = [];
    bm.clock.onSleep = () => {
      seen.push(stateOf(n));
      expect(bm.m[task + TASK.kthreadFlags]).toBe(0);
      expect(bm.m[bm.m[n.at + NAPI.threadNode] + NAPI_THREAD_NODE.task]).toBe(task);
      napiThreadedPollLoop(poller.net, n);
    };
    napiStopKthread(ctx.net, n);
    expect(seen).toEqual(['SCHED|LISTED|SCHED_THREADED']);
    expect(stateOf(n)).toBe('LISTED');
    expect(work).toEqual([]);
  });

  it('does not touch THREADED while a scheduler is about to hand the instance over', () => {
    bm.giveThread(n);
    napiSetThreaded(ctx.net, n, 1);
    Atomics.or(n.m, n.state, NAPIF_STATE_SCHED); // it won SCHED and has read THREADED
    bm.clock.onSleep = () => {
      const state = Atomics.load(n.m, n.state);
      if ((state & NAPIF_STATE_SCHED_THREADED) === 0) {
        expect(stateOf(n)).toBe('SCHED|LISTED|THREADED');
        Atomics.or(n.m, n.state, NAPIF_STATE_SCHED_THREADED);
      } else {
        napiThreadedPollLoop(poller.net, n);
      }
    };
    napiStopKthread(ctx.net, n);
    expect(bm.clock.sleeps).toBe(2);
    expect(stateOf(n)).toBe('LISTED');
  });

  it('stops the thread of a disabled instance without waiting', () => {
    bm.giveThread(n);
    napiSetThreaded(ctx.net, n, 1);
    napiDisable(ctx.net, n);
    napiStopKthread(ctx.net, n);
    expect(bm.clock.sleeps).toBe(0);
    expect(bm.m[n.at + NAPI.threadNode]).toBe(0);
    expect(stateOf(n)).toBe('SCHED|NPSVC|LISTED');
  });

  it('takes what the device is set to for every instance, and for those that are not there now', () => {
    const other = add(3);
    napiEnable(ctx.net, other);
    bm.giveThread(n);
    bm.giveThread(other);
    napiSetThreaded(ctx.net, n, 1);
    napiDisable(ctx.net, other);
    const config = configOf(other);
    netifNapiDel(ctx.net, other);
    expect(netifSetThreaded(ctx.net, dev, 1)).toBe(0);
    expect(bm.m[config + NAPI_CONFIG.threaded]).toBe(1);
    expect(netifSetThreaded(ctx.net, dev, 0)).toBe(0);
    expect(bm.m[config + NAPI_CONFIG.threaded]).toBe(0);
    expect(stateOf(n)).toBe('LISTED');
    const again = add(3);
    napiEnable(ctx.net, again);
    expect(stateOf(again)).toBe('LISTED');
  });
});

describe('napi_thread_wait', () => {
  /** The thread's wait, with a look at what happens when it goes to sleep. */
  function wait(whenAsleep: (task: number) => void): boolean {
    const { cur } = poller;
    vi.spyOn(Atomics, 'wait').mockImplementation((() => {
      expect(bm.m[cur.task.at + TASK.state]).toBe(TASK_INTERRUPTIBLE);
      whenAsleep(cur.task.at);
      bm.m[cur.task.at + TASK.state] = TASK_RUNNING;
      return 'ok';
    }) as typeof Atomics.wait);
    if (bm.m[n.at + NAPI.threadNode] === 0) bm.giveThread(n);
    const got = napiThreadWait(poller.net, bm.m[n.at + NAPI.threadNode]);
    expect(got === null || got.at === n.at).toBe(true);
    return got !== null;
  }

  it('polls when SCHED_THREADED says that the thread owns the instance', () => {
    Atomics.or(n.m, n.state, NAPIF_STATE_SCHED | NAPIF_STATE_SCHED_THREADED);
    expect(wait(() => expect.unreachable('it must not sleep'))).toBe(true);
    expect(bm.m[poller.cur.task.at + TASK.state]).toBe(TASK_RUNNING);
  });

  it.each([
    ['SCHED alone', NAPIF_STATE_SCHED],
    ['a disabled instance', NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC],
    ['a wake-up without an owner’s bit', 0],
  ])('does not take %s for ownership', (_what, state) => {
    Atomics.or(n.m, n.state, state | NAPIF_STATE_THREADED);
    let sleeps = 0;
    const got = wait((task) => {
      sleeps++;
      if (sleeps === 3) bm.m[task + TASK.kthreadFlags] = KTHREAD_SHOULD_STOP;
    });
    expect([got, sleeps]).toEqual([false, 3]);
  });
});

describe('the watchdog and a switch of mode', () => {
  it('polls in the mode of the moment', () => {
    bm.m[n.at + NAPI.deferHardIrqs] = 1;
    bm.m[n.at + NAPI.groFlushTimeoutNs] = 50_000;
    napiSchedule(ctx.net, n);
    work = [1];
    doSoftirq(poller.cur);
    expect(bm.m[n.at + NAPI.timer + HRTIMER.enqueued]).toBe(1);
    bm.giveThread(n);
    napiSetThreaded(ctx.net, n, 1);
    bm.clock.us += 50;
    hrtimerRunQueues(poller.cur);
    expect(stateOf(n)).toBe('SCHED|LISTED|THREADED|SCHED_THREADED');
    expect(bm.pollList(0)).toEqual([]);
  });
});
