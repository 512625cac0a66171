// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of cables between simulated NICs, and of senders by a NIC. */
import type { Mutant } from './mutant.js';

const TX = 'drivers/net/sim_nic_tx.js';
const CABLE = 'drivers/net/sim_nic_cable.js';
const MAIN = 'drivers/net/sim_nic_main.js';
const UDP = 'net/ipv4/udp_send.js';

const LOCK = 'spinLock(m, at + NIC_QUEUE.wireLock); // C2';
const RAISE = ['if (put > 0)', '        raiseIrq(net.cur, driver.queue(at).irq); // D1'].join('\n');

export const NIC_CABLE_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'cable-no-lock',
    commit: 'own',
    why: 'two transmitters are the hardware of one queue at a time',
    edits: [
      { file: TX, find: LOCK, replace: '' },
      { file: TX, find: 'spinUnlock(m, at + NIC_QUEUE.wireLock);', replace: '' },
    ],
    test: 'cable-two-senders',
    verdict: 'race',
  },
  {
    name: 'cable-raises-early',
    commit: 'own',
    why: 'the interrupt is raised before the frame can be seen (D1)',
    edits: [
      { file: TX, find: RAISE, replace: '' },
      {
        file: TX,
        find: 'rx.publish(put); // D1, D5',
        replace: 'raiseIrq(net.cur, driver.queue(at).irq); rx.publish(put);',
      },
    ],
    test: 'cable-two-senders',
    verdict: 'lost-wakeup',
  },
  {
    name: 'cable-releases-early',
    commit: 'own',
    why: 'a buffer counts as taken before the frame in it was reported (D5)',
    edits: [
      { file: TX, find: 'rx.publish(put); // D1, D5', replace: '' },
      { file: TX, find: 'fill.release(put);', replace: 'fill.release(put); rx.publish(put);' },
    ],
    test: 'cable-full-ring',
    verdict: 'race',
  },
  {
    name: 'cable-missed-uncounted',
    commit: 'own',
    why: 'a frame that finds no buffer is gone without a trace',
    edits: [{ file: TX, find: 'countDrops(net, DROP_RX_MISSED, want - put);', replace: '' }],
    test: 'cable-full-ring',
    verdict: 'lost-wakeup',
  },
  {
    name: 'cable-down-does-not-wait',
    commit: 'own',
    why: 'the link goes down while a transmitter is at the rings (C1)',
    edits: [{ file: MAIN, find: 'waitForTransmitters(m, nic); // C1 of sim_nic_tx.ts', replace: '' }],
    test: 'cable-down-netif-rx',
    verdict: 'race',
  },
  {
    name: 'cable-channels-do-not-wait',
    commit: 'own',
    why: 'a queue is drained while a transmitter is about to put a frame into it (C1)',
    edits: [{ file: MAIN, find: 'waitForTransmitters(m, nic); // C1 of sim_nic_tx.ts', replace: '' }],
    test: 'cable-channels',
    verdict: 'lost-wakeup',
  },
  {
    name: 'cable-down-uncounted',
    commit: 'own',
    why: 'a frame for a device whose link is down is gone without a trace',
    edits: [{ file: TX, find: 'countDrops(net, DROP_DEV_READY, lost);', replace: '' }],
    test: 'cable-down-up',
    verdict: 'lost-wakeup',
  },
  {
    name: 'cable-looks-before-lock',
    commit: 'own',
    why: 'a transmitter looks at the link before it has the lock, and puts the frame there afterwards (C2)',
    edits: [
      { file: TX, find: LOCK, replace: `const up = Atomics.load(m, nic + SIM_NIC.linkUp); ${LOCK}` },
      {
        file: TX,
        find: ['if (Atomics.load(m, nic + SIM_NIC.linkUp) === 0) {', '        const lost'].join('\n'),
        replace: ['if (up === 0) {', '        const lost'].join('\n'),
      },
    ],
    test: 'cable-down-netif-rx',
    verdict: 'race',
  },
  {
    name: 'cable-does-not-steer-again',
    commit: 'own',
    why: 'a frame goes to the queue that was chosen before the channels were changed (C2)',
    edits: [
      {
        file: TX,
        find: 'else if (Math.max(1, Atomics.load(m, nic + SIM_NIC.rxActive)) === active) {',
        replace: 'else {',
      },
    ],
    test: 'cable-channels',
    verdict: 'lost-wakeup',
  },
  {
    name: 'cable-out-no-grace-period',
    commit: 'own',
    why: 'the device goes while a transmitter that found the cable is at its rings (C3)',
    edits: [{ file: CABLE, find: 'synchronizeRcu(net.cur);', replace: '' }],
    test: 'cable-out',
    verdict: 'race',
  },
  {
    name: 'cable-out-at-one-end',
    commit: 'own',
    why: 'the cable is taken out at one end, and the other still sends by it',
    edits: [
      {
        file: CABLE,
        find: 'Atomics.store(m, m[dev + NET_DEVICE.priv] + SIM_NIC.peer, 0); // C3',
        replace: '',
      },
    ],
    test: 'cable-out',
    verdict: 'race',
  },
  {
    name: 'udp-looks-before-read-section',
    commit: 'own',
    why: 'a sender looks whether it is closed before its read section begins, and its device goes in between (Z4)',
    edits: [
      {
        file: UDP,
        find: ['const { m, cur, txOff, txLen } = net;', '    rcuReadLock(cur);'].join('\n'),
        replace: [
          'const { m, cur, txOff, txLen } = net;',
          '    const flags = Atomics.load(m, at + UDP_SENDER.flags);',
          '    rcuReadLock(cur);',
        ].join('\n'),
      },
      {
        file: UDP,
        find: 'if (n > 0 && (Atomics.load(m, at + UDP_SENDER.flags) & SENDER_CLOSED) === 0) {',
        replace: 'if (n > 0 && (flags & SENDER_CLOSED) === 0) {',
      },
    ],
    test: 'udp-nic-gone',
    verdict: 'race',
  },
]);
