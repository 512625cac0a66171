// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of AF_XDP sockets. */
import type { Mutant } from './mutant.js';

const XSK = 'net/xdp/xsk.js';
const USER = 'net/xdp/xsk_user.js';
const DRIVER = 'drivers/net/sim_nic_xsk.js';
const BIND = 'drivers/net/sim_nic_xsk_bind.js';

export const XSK_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'xsk-does-not-wake',
    commit: 'own',
    why: 'frames are handed over and the application is left asleep',
    edits: [{ file: DRIVER, find: 'xskWake(m, x.at, net.cur)', replace: '0' }],
    test: 'xsk-rx-wake',
    verdict: 'deadlock',
  },
  {
    name: 'xsk-sleeper-looks-early',
    commit: 'own',
    why: 'the application looks at its ring before it says that it sleeps (Y2)',
    edits: [
      {
        file: USER,
        find: [
          'setCurrentState(cur.task, TASK_INTERRUPTIBLE); // Y2',
          '        if (rings.isReadable())',
          '            break;',
        ].join('\n'),
        replace: 'if (rings.isReadable()) break;\n        setCurrentState(cur.task, TASK_INTERRUPTIBLE);',
      },
    ],
    test: 'xsk-rx-wake',
    verdict: 'deadlock',
  },
  {
    name: 'xsk-asks-without-another-look',
    commit: 'own',
    why: 'the driver says that it needs a wake-up for the fill ring and does not look at it again (W1)',
    edits: [
      {
        file: DRIVER,
        find: [
          'if (!busy && posted * 4 < enough && x.askFor(XDP_WAKEUP_RX))',
          '        posted = xskRefill(net, q, x, pending);',
        ].join('\n'),
        replace: 'if (posted * 4 < enough) x.askFor(XDP_WAKEUP_RX);',
      },
    ],
    test: 'xsk-fill-promised',
    verdict: 'lost-wakeup',
  },
  {
    name: 'xsk-never-asks',
    commit: 'own',
    why: 'the driver does not say that it needs a wake-up for the fill ring',
    edits: [
      {
        file: DRIVER,
        find: 'if (posted * 4 >= enough)',
        replace: '',
      },
    ],
    test: 'xsk-fill-wake',
    verdict: 'livelock',
  },
  {
    name: 'xsk-poll-does-not-ask-the-driver',
    commit: 'own',
    why: 'an application that waits does not have the driver look at the fill ring',
    edits: [{ file: DRIVER, find: '(need & XDP_WAKEUP_RX) !== 0 ||', replace: '' }],
    test: 'xsk-fill-wake',
    verdict: 'livelock',
  },
  {
    name: 'xsk-sends-without-another-look',
    commit: 'own',
    why: 'the driver says that it needs a wake-up for the tx ring and does not look at it again (W1)',
    edits: [
      {
        file: DRIVER,
        find: 'x.askFor(XDP_WAKEUP_TX) && transmit(net, q, x) > 0',
        replace: 'x.askFor(XDP_WAKEUP_TX) && false',
      },
    ],
    test: 'xsk-tx-promised',
    verdict: 'livelock',
  },
  {
    name: 'xsk-asks-after-the-last-look',
    commit: 'own',
    why: 'the bit is stored after the ring was looked at again, not before (W1)',
    edits: [
      {
        file: DRIVER,
        find: 'x.askFor(XDP_WAKEUP_TX) && transmit(net, q, x) > 0',
        replace: 'transmit(net, q, x) > 0 && x.askFor(XDP_WAKEUP_TX)',
      },
      {
        file: DRIVER,
        find: 'again = true;\n    }',
        replace: 'again = true;\n    }\n    if (!again) x.askFor(XDP_WAKEUP_TX);',
      },
    ],
    test: 'xsk-tx-promised',
    verdict: 'livelock',
  },
  {
    name: 'xsk-close-does-not-wake',
    commit: 'own',
    why: 'a socket is closed and its application sleeps on',
    edits: [
      {
        file: XSK,
        find: 'Atomics.or(m, at + XDP_SOCK.flags, XSK_CLOSED);\n    xskWake(m, at);',
        replace: 'Atomics.or(m, at + XDP_SOCK.flags, XSK_CLOSED);',
      },
    ],
    test: 'xsk-close',
    verdict: 'deadlock',
  },
  {
    name: 'xsk-kick-outside-rcu',
    commit: 'own',
    why: 'a call schedules an instance that is being freed',
    edits: [
      {
        file: DRIVER,
        find: 'rcuReadLock(cur);\n    const queueAt = Atomics.load(m, at + XDP_SOCK.queue); // V2\n    const napiAt = queueAt === 0 ? 0 : Atomics.load(m, queueAt + NIC_QUEUE.napi);\n    if (napiAt !== 0) {',
        replace:
          'const queueAt = Atomics.load(m, at + XDP_SOCK.queue);\n    const napiAt = queueAt === 0 ? 0 : Atomics.load(m, queueAt + NIC_QUEUE.napi);\n    rcuReadLock(cur);\n    if (napiAt !== 0) {',
      },
    ],
    test: 'xsk-kick-gone',
    verdict: 'race',
  },
  {
    name: 'xsk-bind-nic-not-told',
    commit: 'own',
    why: 'a queue changes its buffers while the NIC is at its rings',
    edits: [
      {
        file: BIND,
        find: 'Atomics.store(m, at + NIC_QUEUE.away, 1);\n    tellNic(net, nic); // D9',
        replace: 'Atomics.store(m, at + NIC_QUEUE.away, 1);',
      },
    ],
    test: 'xsk-bind',
    verdict: 'race',
  },
  {
    name: 'xsk-bind-does-not-disable',
    commit: 'own',
    why: 'a queue changes its buffers while its instance is polled',
    edits: [{ file: BIND, find: 'napiDisable(net, net.napi(napiAt));', replace: '' }],
    test: 'xsk-bind',
    verdict: 'race',
  },
  {
    name: 'xsk-bind-does-not-raise',
    commit: 'own',
    why: 'a frame that came before the instance was enabled again is waited for',
    edits: [{ file: BIND, find: 'raiseIrq(cur, irq);', replace: '' }],
    test: 'xsk-bind',
    verdict: 'lost-wakeup',
  },
  {
    name: 'xsk-unbind-does-not-drain',
    commit: 'own',
    why: 'frames that were received are thrown away with the binding',
    edits: [
      {
        file: BIND,
        find: 'if (ringLength(m, m[at + NIC_QUEUE.rxRing]) > 0)\n        drain(driver, at);',
        replace: '',
      },
    ],
    test: 'xsk-unbind',
    verdict: 'lost-wakeup',
  },
  {
    name: 'xsk-unbind-leaves-frames',
    commit: 'own',
    why: 'a queue that receives for the stack again keeps frames of the UMEM posted',
    edits: [{ file: BIND, find: 'xskReclaim(driver, at, DROP_DEV_READY);', replace: '' }],
    test: 'xsk-unbind',
    verdict: 'lost-wakeup',
  },
]);
