// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of the simulated NIC's driver. */
import type { Mutant } from './mutant.js';

const CLAIM = 'drivers/net/sim_nic_claim.js';
const DRIVER = 'drivers/net/sim_nic_driver.js';
const MAIN = 'drivers/net/sim_nic_main.js';

export const NIC_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'nic-poll-does-not-unmask',
    commit: 'own',
    why: 'a poll completes and leaves the interrupt masked',
    edits: [
      {
        file: DRIVER,
        find: [
          'if (work < budget && napiCompleteDone(net, n, work))',
          '        timedUnmask(driver, q);',
        ].join('\n'),
        replace: 'napiCompleteDone(net, n, work);',
      },
    ],
    test: 'nic-interrupts',
    verdict: 'lost-wakeup',
  },
  {
    name: 'nic-masks-late',
    commit: 'own',
    why: 'the handler masks the interrupt once the poll may have unmasked it',
    edits: [
      { file: DRIVER, find: 'irqMask(driver.queue(queueAt).irq);', replace: '' },
      {
        file: DRIVER,
        find: 'napiScheduleOn(driver.net, cur.cpu, n);',
        replace: ['napiScheduleOn(driver.net, cur.cpu, n);', '    irqMask(driver.queue(queueAt).irq);'].join(
          '\n',
        ),
      },
    ],
    test: 'nic-interrupts',
    verdict: 'lost-wakeup',
  },
  {
    name: 'nic-overruns-ring',
    commit: 'own',
    why: 'the driver looks at frames reported before it looks at buffers taken (D6)',
    edits: [
      {
        file: CLAIM,
        find: [
          'const free = fill.reserve(ringSize + 1); // D6: first what the NIC took,',
          '    rx.begin();',
          '    const unread = rx.available(ringSize + 1); // then what it reported',
        ].join('\n'),
        replace: [
          'rx.begin();',
          '    const unread = rx.available(ringSize + 1);',
          '    const free = fill.reserve(ringSize + 1);',
        ].join('\n'),
      },
    ],
    test: 'nic-interrupts',
    verdict: 'assertion',
  },
  {
    name: 'nic-down-does-not-disable',
    commit: 'own',
    why: 'the link goes down and the instance is not taken out of service',
    edits: [{ file: MAIN, find: 'napiDisable(net, net.napi(napiAt));', replace: '' }],
    test: 'nic-down-up',
    verdict: 'race',
  },
  {
    name: 'nic-down-unpublishes-late',
    commit: 'own',
    why: 'the instance is freed while the interrupt handler can find it',
    edits: [
      {
        file: MAIN,
        find: 'Atomics.store(m, at + NIC_QUEUE.napi, 0);',
        replace: '',
      },
      {
        file: MAIN,
        find: 'deleteInstances(net, closed);',
        replace: [
          'deleteInstances(net, closed);',
          '    for (let i = first; i < end; i++)',
          '        Atomics.store(m, nicQueueAt(m, nic, i) + NIC_QUEUE.napi, 0);',
        ].join('\n'),
      },
    ],
    test: 'nic-down-up',
    verdict: 'race',
  },
  {
    name: 'nic-up-does-not-raise',
    commit: 'own',
    why: 'a frame that came while the link was down is waited for',
    edits: [{ file: MAIN, find: 'raiseIrq(net.cur, irq);', replace: '' }],
    test: 'nic-down-up',
    verdict: 'lost-wakeup',
  },
  {
    name: 'nic-up-publishes-late',
    commit: 'own',
    why: 'the interrupt is raised before its handler can find the instance',
    edits: [
      { file: MAIN, find: 'Atomics.store(m, q + NIC_QUEUE.napi, added[i]);', replace: '' },
      {
        file: MAIN,
        find: 'raiseIrq(net.cur, irq);',
        replace: ['raiseIrq(net.cur, irq);', '        Atomics.store(m, q + NIC_QUEUE.napi, added[i]);'].join(
          '\n',
        ),
      },
    ],
    test: 'nic-down-up',
    verdict: 'lost-wakeup',
  },
  {
    name: 'nic-down-threaded-does-not-disable',
    commit: 'own',
    why: 'the link goes down, and the instance is freed while its thread serves it',
    edits: [{ file: MAIN, find: 'napiDisable(net, net.napi(napiAt));', replace: '' }],
    test: 'nic-down-threaded',
    verdict: 'race',
  },
]);
