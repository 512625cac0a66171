// SPDX-License-Identifier: GPL-2.0-only
/** The softirq's poll loop: budget, time, the order of polls, and nothing left behind. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CPU } from '../../dist/kernel/cpu.js';
import { doSoftirq, KSOFTIRQD, MAX_SOFTIRQ_RESTART } from '../../dist/kernel/softirq.js';
import { TASK, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../../dist/kernel/task.js';
import { listEmpty } from '../../dist/mm/list.js';
import { NAPI, type Napi } from '../../dist/net/core/napi.js';
import { napiEnable, netifNapiAdd } from '../../dist/net/core/napi_control.js';
import { netRxAction } from '../../dist/net/core/napi_poll.js';
import { napiCompleteDone, napiSchedule } from '../../dist/net/core/napi_schedule.js';
import { SOFTNET_DATA } from '../../dist/net/core/softnet_data.js';
import type { ThreadContext } from '../../dist/threads/context.js';
import { hookAtomics } from '../helpers/atomics.js';
import { BareMachine, type BareOptions, stateOf } from '../helpers/bare_machine.js';

let bm: BareMachine;
let ctx: ThreadContext;
/** Packets that wait for each instance. */
let waiting: Map<string, number>;
/** Polls so far: instance and packets taken. */
let log: string[];
/** Called at each poll, before it takes anything. */
let onPoll: (name: string) => void;
let instances: Map<string, Napi>;

function boot(options: BareOptions = {}): void {
  bm = new BareMachine(options);
  ctx = bm.thread(0);
  waiting = new Map();
  log = [];
  onPoll = () => {};
  instances = new Map();
  const names = new Map<number, string>();
  const dev = bm.netdev(ctx);
  ctx.net.napiPollFns[1] = (net, n, budget) => {
    const name = names.get(n.at)!;
    onPoll(name);
    const work = Math.min(budget, waiting.get(name) ?? 0);
    waiting.set(name, (waiting.get(name) ?? 0) - work);
    log.push(`${name}${work}`);
    if (work < budget) napiCompleteDone(net, n, work);
    return work;
  };
  ['A', 'B', 'C', 'D', 'E'].forEach((name, i) => {
    const n = ctx.net.napi(netifNapiAdd(ctx.net, dev, 1, 0, 64, i));
    napiEnable(ctx.net, n);
    instances.set(name, n);
    names.set(n.at, name);
  });
}

/** Packets come for an instance: it is scheduled, as its interrupt would do. */
function arrive(name: string, packets: number): void {
  waiting.set(name, (waiting.get(name) ?? 0) + packets);
  napiSchedule(ctx.net, instances.get(name)!);
}

/** Names of the instances in the poll list. */
function listed(): string {
  return bm
    .pollList(0)
    .map((at) => [...instances].find(([, n]) => n.at === at)![0])
    .join('');
}

/** One call of the action, as the softirq makes it: pending is taken first. */
function round(): string {
  log = [];
  Atomics.store(bm.m, bm.cpuArea(0) + CPU.softirqPending, 0);
  netRxAction(ctx.net);
  return log.join(' ');
}

function timeSqueeze(): number {
  return bm.m[bm.softnet(0) + SOFTNET_DATA.timeSqueeze];
}

/** What has to hold between two rounds. */
function checkRest(): void {
  const { m } = bm;
  const sd = bm.softnet(0);
  expect(listEmpty(m, sd + SOFTNET_DATA.roundList)).toBe(true);
  expect(listEmpty(m, sd + SOFTNET_DATA.repollList)).toBe(true);
  const more = bm.pollList(0).length > 0;
  expect(bm.inNetRxAction(0)).toBe(more ? 1 : 0);
  expect(bm.softirqPending(0)).toBe(more);
}

beforeEach(() => boot());
afterEach(() => vi.restoreAllMocks());

describe('net_rx_action', () => {
  it('polls what is scheduled, in order, until it completes', () => {
    arrive('B', 3);
    arrive('A', 5);
    expect(round()).toBe('B3 A5');
    expect(stateOf(instances.get('A')!)).toBe('LISTED');
    checkRest();
    expect(timeSqueeze()).toBe(0);
  });

  it('gives an instance its weight, not more, and polls it again after the others', () => {
    arrive('A', 100);
    arrive('B', 1);
    expect(round()).toBe('A64 B1');
    expect(listed()).toBe('A');
    checkRest();
    expect(timeSqueeze()).toBe(0);
    expect(round()).toBe('A36');
    checkRest();
  });

  it('polls once more after exactly a weight: such a poll has not completed', () => {
    arrive('A', 64);
    expect(round()).toBe('A64');
    expect(stateOf(instances.get('A')!)).toBe('SCHED|LISTED');
    expect(round()).toBe('A0');
    expect(stateOf(instances.get('A')!)).toBe('LISTED');
  });

  it('polls an instance in the same round that is scheduled meanwhile', () => {
    arrive('A', 1);
    onPoll = (name) => {
      if (name === 'A') arrive('B', 2);
    };
    expect(round()).toBe('A1 B2');
    expect(bm.cpuWoken(0)).toBe(true);
    checkRest();
  });

  it('polls an instance again that got an event during its last poll', () => {
    arrive('A', 1);
    let once = true;
    onPoll = () => {
      if (once) {
        once = false;
        napiSchedule(ctx.net, instances.get('A')!); // the ring was looked at before: MISSED
      }
    };
    expect(round()).toBe('A1 A0');
    checkRest();
  });

  it('sees what is scheduled between its last look at the list and its end', () => {
    arrive('A', 1);
    // As soon as the flag goes, another CPU may schedule here. If it saw the flag it does not raise the softirq.
    hookAtomics('store', (real, m, at, value) => {
      if (
        at === bm.softnet(0) + SOFTNET_DATA.inNetRxAction &&
        value === 0 &&
        waiting.get('B') === undefined
      ) {
        arrive('B', 4);
        expect(bm.softirqPending(0)).toBe(false);
      }
      return real(m, at, value);
    });
    expect(round()).toBe('A1 B4');
    checkRest();
  });

  it('raises the softirq for what is scheduled right after its end', () => {
    arrive('A', 1);
    round();
    arrive('B', 1);
    expect(bm.softirqPending(0)).toBe(true);
    expect(round()).toBe('B1');
  });
});

describe('budget', () => {
  it('ends a round and counts a squeeze', () => {
    boot({ netdevBudget: 128 });
    for (const name of ['A', 'B', 'C']) arrive(name, 64);
    expect(round()).toBe('A64 B64');
    expect(timeSqueeze()).toBe(1);
    checkRest();
    expect(listed()).toBe('CAB');
    expect(round()).toBe('C64 A0 B0');
    expect(timeSqueeze()).toBe(1);
  });

  it('puts back first the rest of the round, then what came meanwhile, then what wants another poll', () => {
    boot({ netdevBudget: 128 });
    for (const name of ['A', 'B', 'C']) arrive(name, 100);
    onPoll = (name) => {
      if (name === 'B') {
        arrive('D', 1);
        arrive('E', 1);
      }
    };
    expect(round()).toBe('A64 B64');
    expect(listed()).toBe('CDEAB');
    checkRest();
  });

  it('counts the squeeze also when the budget is used up by the last packet there was', () => {
    boot({ netdevBudget: 10 });
    arrive('A', 10);
    expect(round()).toBe('A10');
    expect(timeSqueeze()).toBe(1);
    checkRest();
    expect(listed()).toBe('');
  });

  it('lets the others have their turn in the next round, so nobody starves', () => {
    boot({ netdevBudget: 64 });
    for (const name of ['A', 'B', 'C']) arrive(name, 1000);
    expect([round(), round(), round(), round()]).toEqual(['A64', 'B64', 'C64', 'A64']);
  });
});

describe('time', () => {
  it('ends a round after netdev_budget_usecs, and counts a squeeze', () => {
    for (const name of ['A', 'B', 'C']) arrive(name, 1);
    onPoll = () => {
      bm.clock.us += 1000;
    };
    expect(round()).toBe('A1 B1');
    expect(timeSqueeze()).toBe(1);
    expect(listed()).toBe('C');
    checkRest();
    expect(round()).toBe('C1');
    expect(timeSqueeze()).toBe(1);
  });

  it('works across the wrap of the microsecond clock', () => {
    bm.clock.us = 0x7fffffff - 500;
    for (const name of ['A', 'B', 'C']) arrive(name, 1);
    onPoll = () => {
      bm.clock.us += 900;
    };
    expect(round()).toBe('A1 B1 C1');
    expect(timeSqueeze()).toBe(1);
  });
});

describe('the softirq around it', () => {
  it('goes on for ten rounds, then wakes ksoftirqd, which does the rest', () => {
    const { m } = bm;
    const ksoftirqd = bm.thread(0);
    ksoftirqd.net.napiPollFns[1] = ctx.net.napiPollFns[1];
    const task = ksoftirqd.cur.task.at;
    m[task + TASK.state] = TASK_INTERRUPTIBLE;
    m[bm.cpuArea(0) + CPU.ksoftirqd] = task;
    arrive('A', 64 * 15 + 7);
    doSoftirq(ctx.cur);
    expect(log).toHaveLength(MAX_SOFTIRQ_RESTART);
    expect(m[bm.cpuArea(0) + CPU.softirqHandovers]).toBe(1);
    expect(m[task + TASK.state]).toBe(TASK_RUNNING);
    expect(bm.softirqPending(0)).toBe(true);
    expect(m[bm.cpuArea(0) + CPU.bhLock]).toBe(0);
    while (KSOFTIRQD.shouldRun(ksoftirqd.cur, 0)) KSOFTIRQD.threadFn(ksoftirqd.cur, 0);
    expect(log).toHaveLength(16);
    expect(log.at(-1)).toBe('A7');
    checkRest();
  });

  it('hands over after two milliseconds, too', () => {
    const { m } = bm;
    m[bm.cpuArea(0) + CPU.ksoftirqd] = bm.thread(0).cur.task.at;
    arrive('A', 1000);
    onPoll = () => {
      bm.clock.us += 1000;
    };
    doSoftirq(ctx.cur);
    expect(log).toEqual(['A64', 'A64']);
    expect(m[bm.cpuArea(0) + CPU.softirqHandovers]).toBe(1);
  });
});

describe('whatever arrives whenever', () => {
  it('every packet is taken, and the lists and flags are right after every round', () => {
    const event = fc.record({
      name: fc.constantFrom('A', 'B', 'C', 'D', 'E'),
      packets: fc.integer({ min: 0, max: 200 }),
    });
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 10 }),
        fc.array(event, { maxLength: 25 }),
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 0, max: 1200 }),
        (first, during, netdevBudget, pollUs) => {
          boot({ netdevBudget, memoryBytes: 4 << 20 });
          for (const e of first) arrive(e.name, e.packets);
          let next = 0;
          onPoll = () => {
            bm.clock.us += pollUs;
            if (next < during.length) arrive(during[next].name, during[next++].packets);
          };
          let rounds = 0;
          while (bm.softirqPending(0)) {
            round();
            checkRest();
            expect(++rounds).toBeLessThan(2000);
          }
          const came = [...first, ...during.slice(0, next)].reduce((sum, e) => sum + e.packets, 0);
          const taken = [...instances.values()].reduce((sum, n) => sum + bm.m[n.at + NAPI.work], 0);
          expect(taken).toBe(came);
          for (const n of instances.values()) {
            expect(stateOf(n)).toBe('LISTED');
            expect(bm.m[n.at + NAPI.pollList]).toBe(n.at + NAPI.pollList);
            expect(bm.m[n.at + NAPI.listOwner]).toBe(0);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
