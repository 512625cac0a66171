// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of the simulated NIC's driver: link down against interrupts and polls under way, and up again. */
import { type Litmus, litmus, must } from '../check/index.js';
import { NIC_QUEUE, nicQueueView, RX_DESC } from '../drivers/net/sim_nic.js';
import { simNicOpen, simNicStop } from '../drivers/net/sim_nic_main.js';
import { raiseIrq } from '../kernel/irq.js';
import { kthread } from '../kernel/kthread.js';
import { sleepOnCompletion } from '../kernel/sched.js';
import { TASK, wakeUpProcess } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { napiThreadedPoll } from '../net/core/napi_poll.js';
import { netMemory, nodeOf } from './net_world.js';
import { delivered, driverFor, idleCpu, type NicSetup, nicSetup, ownPool } from './nic_world.js';

const FRAME_BYTES = 60;

/** The hardware: puts `count` frames into the ring, each with an interrupt, as soon as there is a buffer for it. */
function wire(count: number): (arena: Arena, s: NicSetup) => void {
  return (arena, s) => {
    const { m } = arena;
    const { cur } = driverFor(arena, s.irqA).net;
    const q = nicQueueView(m, s.queue);
    q.fillConsumer.begin();
    q.rxProducer.begin();
    for (let i = 0; i < count; i++) {
      while (q.fillConsumer.available(1) === 0);
      must(q.rxProducer.reserve(1) === 1, 'there is a buffer, but no room to report the frame');
      const desc = q.rxProducer.slot(0);
      m[desc + RX_DESC.skb] = m[q.fillConsumer.slot(0)];
      m[desc + RX_DESC.len] = FRAME_BYTES;
      q.rxProducer.publish(1); // D1, D5
      q.fillConsumer.release(1);
      raiseIrq(cur, q.irq);
    }
  };
}

export const nicInterrupts: Litmus = litmus({
  name: 'nic-interrupts',
  memory: netMemory,
  setup: (arena, label) => nicSetup(arena, label, false),
  threads: { wire: wire(2), cpu: (arena, s) => idleCpu(arena, s) },
  daemons: ['cpu'],
  final({ m }, s) {
    must(delivered(m, s) === 2, `${delivered(m, s)} frames of 2 were delivered`);
  },
  forbids: 'a frame left in the ring with the CPU asleep, or a buffer for which the receive ring has no room',
  why: 'a poll that completes unmasks; buffers posted and frames not yet read are a ring together (D1, D2, D5, D6)',
});

export const nicDownUp: Litmus = litmus({
  name: 'nic-down-up',
  memory: netMemory,
  // The frame alone asks for a poll: with that of the first open the test is four times as large.
  setup: (arena, label) => nicSetup(arena, label, false, true),
  threads: {
    wire: wire(1),
    control(arena, s) {
      const driver = driverFor(arena, s.control);
      simNicStop(driver, s.dev);
      ownPool(arena.m, s);
      must(simNicOpen(driver, s.dev) === 0, 'the link cannot be brought up');
    },
    cpu: (arena, s) => idleCpu(arena, s),
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(delivered(m, s) === 1, `${delivered(m, s)} frames of 1 were delivered`);
  },
  forbids:
    'a poll of an instance that is gone, or a frame that came while the link was down and is left in the ring',
  why: 'stop disables interrupt and instance before it frees; open unmasks and raises once the instance can be found',
});

export const nicDownThreaded: Litmus = litmus({
  name: 'nic-down-threaded',
  memory: netMemory,
  setup: (arena, label) => nicSetup(arena, label, true),
  threads: {
    wire: wire(1),
    control(arena, s) {
      const driver = driverFor(arena, s.control);
      sleepOnCompletion(driver.net.cur, s.thread + TASK.created);
      wakeUpProcess(arena.m, s.thread);
      simNicStop(driver, s.dev);
      ownPool(arena.m, s);
      must(arena.m[s.queue + NIC_QUEUE.napi] === 0, 'the instance is still published');
    },
    napi(arena, s) {
      const { net } = driverFor(arena, s.thread);
      kthread(net.cur, () => napiThreadedPoll(net, nodeOf(arena, s)));
    },
  },
  final({ m }, s) {
    must(delivered(m, s) <= 1, 'a frame was delivered twice');
  },
  forbids: 'a link that cannot be brought down while its thread polls, or a poll afterwards',
  why: 'disable waits for the poll under way; the thread is stopped once it owns nothing',
});
