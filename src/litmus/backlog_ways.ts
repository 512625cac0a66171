// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of the way in which a backlog is run: whose turn it is, and whose interrupt. */
import { type Litmus, litmus, must } from '../check/index.js';
import { localBhDisable, localBhEnable } from '../kernel/bh.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { netRpsAction } from '../net/core/backlog_queue.js';
import { NAPI, NAPIF_STATE_SCHED_THREADED } from '../net/core/napi.js';
import {
  NET,
  SOFTNET_DATA,
  THREAD_BACKLOG_NAPI_NO_BYPASS,
  THREAD_BACKLOG_NAPI_ON,
} from '../net/core/softnet_data.js';
import {
  BY_THREAD_BOOT_TIME,
  backlogMemory,
  backlogNet,
  backlogSetup,
  cpu0,
  cpu1,
  frameOf,
  mustHaveReceived,
  sendFromIrq,
} from './backlog_world.js';

function ownCpu(mode: number): Litmus {
  const bypass = mode === THREAD_BACKLOG_NAPI_ON;
  return litmus({
    name: `backlog-own-cpu-${bypass ? 'softirq' : 'thread'}`,
    memory: backlogMemory,
    setup(arena, label) {
      const { m } = arena;
      const s = backlogSetup(arena, label, BY_THREAD_BOOT_TIME);
      m[m[KERNEL_AT + KERNEL.net] + NET.threadBacklogNapi] = mode;
      return s;
    },
    threads: {
      irqA(arena, s) {
        const { m } = arena;
        sendFromIrq(backlogNet(arena, s, s.irqA, 1), 1, frameOf(s, 1));
        const backlog = s.sd1 + SOFTNET_DATA.backlog;
        const threaded = (m[backlog + NAPI.state] & NAPIF_STATE_SCHED_THREADED) !== 0;
        must(threaded !== bypass, 'the backlog is given to the other one');
        const listed = m[s.sd1 + SOFTNET_DATA.pollList] === backlog + NAPI.pollList;
        must(listed === bypass, 'the poll list holds what it should not, or does not hold what it should');
      },
    },
    forbids:
      'frames for the own CPU that go to the thread though the softirq is to take them, or the other way round',
    why: 'that is what the boot parameter says (seed 001)',
  });
}

export const backlogOwnCpu: readonly Litmus[] = Object.freeze([
  ownCpu(THREAD_BACKLOG_NAPI_ON),
  ownCpu(THREAD_BACKLOG_NAPI_NO_BYPASS),
]);

export const irqInPoll: Litmus = litmus({
  name: 'backlog-irq-in-poll',
  memory: backlogMemory,
  setup: (arena, label) => backlogSetup(arena, label),
  threads: {
    irqA(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      const { cur } = net;
      localBhDisable(cur);
      net.sendsIpis = true;
      // An interrupt of CPU 1 runs in the thread that raises it, here in the middle of a poll of CPU 0.
      cur.cpu = cur.cpus[1];
      sendFromIrq(net, 0, frameOf(s, 1));
      cur.cpu = cur.cpus[0];
      net.sendsIpis = false;
      netRpsAction(net, cur.cpu);
      localBhEnable(cur);
    },
    cpu0,
    cpu1,
  },
  daemons: ['cpu0', 'cpu1'],
  final: ({ m }, s) => mustHaveReceived(m, s, 1),
  forbids: 'a backlog on the list of a CPU that nobody has told of it',
  why: 'a poll loop sends what is on the list of its own CPU; for any other one the softirq is raised',
});
