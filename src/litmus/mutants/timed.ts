// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of timers that must not be late, and of the timed wire. */
import type { Mutant } from './mutant.js';

const HRTIMER = 'kernel/hrtimer.js';
const TIMED = 'drivers/net/sim_nic_timed.js';
const TIMED_MAIN = 'drivers/net/sim_nic_timed_main.js';
const MAIN = 'drivers/net/sim_nic_main.js';

/** Who starts a timer: the wake-up is left out. */
const NOBODY_WOKEN = 'if (look !== 0 && ((expires - look) | 0) >= 0)';

export const TIMED_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'timer-look-later',
    commit: 'own',
    why: 'a CPU that looks at its timers at any time is not woken for an earlier one',
    edits: [{ file: HRTIMER, find: NOBODY_WOKEN, replace: 'if (look !== 0)' }],
    test: 'hrtimer-not-late',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timer-look-too-early',
    commit: 'own',
    why: 'who starts a timer looks for the promise before the timer is in the list (H8)',
    edits: [
      {
        file: HRTIMER,
        find: 'let cpu = cur.cpus[on.id];',
        replace: 'let cpu = cur.cpus[on.id]; const early = Atomics.load(m, on.timerLook);',
      },
      {
        file: HRTIMER,
        find: NOBODY_WOKEN,
        replace: 'if (early !== 0 && ((expires - early) | 0) >= 0)',
      },
    ],
    test: 'hrtimer-cancelled-look',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timer-look-kept',
    commit: 'own',
    why: 'a CPU sleeps without a limit, and its promise stands (H7)',
    edits: [{ file: HRTIMER, find: 'if (m[cpu.timerLook] === 0)', replace: '' }],
    test: 'hrtimer-cancelled-look',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timer-look-no-second',
    commit: 'own',
    why: 'a CPU takes its promise back and does not look again (H7)',
    edits: [
      {
        file: HRTIMER,
        find: ['Atomics.store(m, cpu.timerLook, 0); // H7', '            continue;'].join('\n'),
        replace: 'Atomics.store(m, cpu.timerLook, 0); return ran ? 0 : -1;',
      },
    ],
    test: 'hrtimer-cancelled-look',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timer-look-not-renewed',
    commit: 'own',
    why: 'a CPU that finds a later timer than it was to look for does not say when it looks again',
    edits: [
      {
        file: HRTIMER,
        find: 'if (leftUs > 0) {',
        replace:
          'if (leftUs > 0 && m[cpu.timerLook] !== 0) { spinUnlock(m, cpu.timerLock); return ran ? 0 : -1; } if (leftUs > 0) {',
      },
    ],
    test: 'hrtimer-put-off',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timed-not-armed',
    commit: 'own',
    why: 'whoever unmasks does not look for the next arrival (W2)',
    edits: [
      {
        file: TIMED,
        find: ['if (at !== 0)', '        arm(driver, net.cur, q, timedView(net, q, at));'].join('\n'),
        replace: '',
      },
    ],
    test: 'timed-interrupts',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timed-armed-early',
    commit: 'own',
    why: 'the timer is started before the interrupt is unmasked (W2, W3)',
    edits: [
      {
        file: TIMED,
        find: ['const { net } = driver;', '    irqUnmask(net.cur, q.irq);'].join('\n'),
        replace: 'const { net } = driver;',
      },
      {
        file: TIMED,
        find: 'arm(driver, net.cur, q, timedView(net, q, at));',
        replace: 'arm(driver, net.cur, q, timedView(net, q, at)); irqUnmask(net.cur, q.irq);',
      },
    ],
    test: 'timed-threaded',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timed-due-not-raised',
    commit: 'own',
    why: 'an arrival that is due when the interrupt is unmasked is left to a timer that was not started',
    edits: [{ file: TIMED, find: 'if (dueNs <= nowNs) {', replace: 'if (dueNs <= nowNs) { return;' }],
    test: 'timed-interrupts',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timed-timer-looks-once',
    commit: 'own',
    why: 'a timer that was started too early does not start again',
    edits: [
      {
        file: TIMED,
        find: ['return; // W3', '    arm(driver, cur, q, w);'].join('\n'),
        replace: [
          'return;',
          '    if (interruptNs(net, q, w) <= cur.platform.nowNs()) raiseIrq(cur, q.irq);',
        ].join('\n'),
      },
    ],
    test: 'timed-two-pollers',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timed-attach-does-not-raise',
    commit: 'own',
    why: 'a wire is plugged in, and nobody polls (W5)',
    edits: [
      {
        file: TIMED_MAIN,
        find: ['if (up)', '        raiseIrq(cur, driver.queue(q).irq);', '    else'].join('\n'),
        replace: 'if (!up)',
      },
    ],
    test: 'timed-attach',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timed-attach-raises-early',
    commit: 'own',
    why: 'the queue is polled before the wire is there (W5)',
    edits: [
      {
        file: TIMED_MAIN,
        find: 'Atomics.store(m, q + NIC_QUEUE.timed, at); // W5',
        replace: 'raiseIrq(cur, driver.queue(q).irq); Atomics.store(m, q + NIC_QUEUE.timed, at);',
      },
      {
        file: TIMED_MAIN,
        find: ['if (up)', '        raiseIrq(cur, driver.queue(q).irq);', '    else'].join('\n'),
        replace: 'if (!up)',
      },
    ],
    test: 'timed-attach',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timed-detach-no-grace-period',
    commit: 'own',
    why: 'a wire is freed while a poll looks at it (W5, W6)',
    edits: [{ file: TIMED_MAIN, find: 'synchronizeRcu(cur);', replace: '' }],
    test: 'timed-detach-due',
    verdict: 'race',
  },
  {
    name: 'timed-detach-cancels-early',
    commit: 'own',
    why: 'the timer is cancelled while polls may start it (W5)',
    edits: [
      {
        file: TIMED_MAIN,
        find: ['synchronizeRcu(cur);', '    hrtimerCancel(cur, at + TIMED_WIRE.timer);'].join('\n'),
        replace: ['hrtimerCancel(cur, at + TIMED_WIRE.timer);', '    synchronizeRcu(cur);'].join('\n'),
      },
    ],
    test: 'timed-detach-due',
    verdict: 'assertion',
  },
  {
    name: 'timed-detach-does-not-cancel',
    commit: 'own',
    why: 'a wire is freed, and its timer is in a list',
    edits: [
      {
        file: TIMED_MAIN,
        find: ['synchronizeRcu(cur);', '    hrtimerCancel(cur, at + TIMED_WIRE.timer);'].join('\n'),
        replace: 'synchronizeRcu(cur);',
      },
    ],
    test: 'timed-detach-waiting',
    verdict: 'assertion',
  },
  {
    name: 'timed-down-not-told',
    commit: 'own',
    why: 'the link goes down, and nobody counts what comes',
    edits: [
      {
        file: MAIN,
        find: [
          'closeInstances(driver, dev, 0, m[dev + NET_DEVICE.queues]);',
          '    timedLinkDown(driver, dev);',
        ].join('\n'),
        replace: 'closeInstances(driver, dev, 0, m[dev + NET_DEVICE.queues]);',
      },
    ],
    test: 'timed-down',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timed-down-early',
    commit: 'own',
    why: 'the wire is taken over while the queue is polled',
    edits: [
      {
        file: MAIN,
        find: [
          'closeInstances(driver, dev, 0, m[dev + NET_DEVICE.queues]);',
          '    timedLinkDown(driver, dev);',
        ].join('\n'),
        replace:
          '{ timedLinkDown(driver, dev); closeInstances(driver, dev, 0, m[dev + NET_DEVICE.queues]); }',
      },
    ],
    test: 'timed-down',
    verdict: 'race',
  },
  {
    name: 'timed-down-counts-once',
    commit: 'own',
    why: 'the timer that counts while the link is down does not start again',
    edits: [{ file: TIMED, find: 'if (Atomics.load(m, at + TIMED_WIRE.done) === 0)', replace: 'if (false)' }],
    test: 'timed-down-counts',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timed-up-does-not-cancel',
    commit: 'own',
    why: 'the link comes up while the timer counts (W7, W8)',
    edits: [
      {
        file: TIMED_MAIN,
        find: ['hrtimerCancel(cur, at + TIMED_WIRE.timer);', '    timedDrop'].join('\n'),
        replace: 'timedDrop',
      },
    ],
    test: 'timed-up',
    verdict: 'race',
  },
  {
    name: 'timed-up-not-told',
    commit: 'own',
    why: 'the link comes up, and the wire takes it for down',
    edits: [{ file: MAIN, find: 'timedLinkUp(driver, dev);', replace: '' }],
    test: 'timed-up',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timed-echo-not-armed',
    commit: 'own',
    why: 'a frame is sent to an echo, and no interrupt is set up for when it is back',
    edits: [
      {
        file: TIMED,
        find: ['arm(driver, cur, q, w);', '    rcuReadUnlock(cur);'].join('\n'),
        replace: 'rcuReadUnlock(cur);',
      },
    ],
    test: 'timed-echo',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timed-echo-looks-early',
    commit: 'own',
    why: 'who sends to an echo looks at the mask before the frame is published (W4)',
    edits: [
      {
        file: TIMED,
        find: 'spinLock(m, at + TIMED_WIRE.echoLock);',
        replace:
          'const masked = Atomics.load(m, q.irq.istate) & IRQ_MASKED; spinLock(m, at + TIMED_WIRE.echoLock);',
      },
      {
        file: TIMED,
        find: 'if (taken > 0 && (Atomics.load(m, q.irq.istate) & IRQ_MASKED) === 0)',
        replace: 'if (taken > 0 && masked === 0)',
      },
    ],
    test: 'timed-echo',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timed-echo-slots-unlocked',
    commit: 'own',
    why: 'who sets up the interrupt reads the echo’s ring without its lock',
    edits: [
      { file: TIMED, find: 'spinLock(m, w.at + TIMED_WIRE.echoLock);', replace: '/* no lock */;' },
      { file: TIMED, find: 'spinUnlock(m, w.at + TIMED_WIRE.echoLock);', replace: '' },
    ],
    test: 'timed-echo',
    verdict: 'race',
  },
]);
