// SPDX-License-Identifier: GPL-2.0-only
/** Mutants that the sweep found without a test: rounds, sockets, deferral, devices. */
import type { Mutant } from './mutant.js';

const NAPI_CONTROL = 'net/core/napi_control.js';
const NAPI_ID = 'net/core/napi_id.js';
const POLL_LIST = 'net/core/poll_list.js';
const NAPI_POLL = 'net/core/napi_poll.js';
const NAPI_SCHEDULE = 'net/core/napi_schedule.js';
const NAPI_THREADED = 'net/core/napi_threaded.js';
const PAGE_POOL = 'net/core/page_pool.js';
const SOCK_QUEUE = 'net/core/sock_queue.js';

export const SWEEP_NET_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'round-finished-unlocked',
    commit: 'own',
    why: 'what is left of a round is put back without the lock',
    edits: [
      {
        file: NAPI_POLL,
        find: [
          'irqLockCpu(cpu);',
          '    listSpliceTailInit(m, sd.pollList, sd.roundList);',
          '    listSpliceTailInit(m, sd.repollList',
        ].join('\n'),
        replace: [
          'listSpliceTailInit(m, sd.pollList, sd.roundList);',
          '    listSpliceTailInit(m, sd.repollList',
        ].join('\n'),
      },
      {
        file: NAPI_POLL,
        find: ['raiseSoftirqNoWake(cur, cpu, NET_RX_SOFTIRQ);', '    irqUnlockCpu(cpu);'].join('\n'),
        replace: 'raiseSoftirqNoWake(cur, cpu, NET_RX_SOFTIRQ);',
      },
    ],
    test: 'napi-softirq-budget',
    verdict: 'race',
  },
  {
    name: 'list-add-interrupted',
    commit: '8380c81d5c4f',
    why: 'an interrupt comes in the thread itself, in the middle of adding to the poll list',
    edits: [
      { file: POLL_LIST, find: 'const on = lockOnline(net, cpu);', replace: 'const on = cpu;' },
      { file: POLL_LIST, find: 'irqUnlockCpu(on);', replace: '' },
      {
        file: POLL_LIST,
        find: 'listAddTail(m, n.pollList, sd.pollList);',
        replace: [
          'const last = m[sd.pollList + 1];',
          '    m[n.pollList] = sd.pollList;',
          '    m[n.pollList + 1] = last;',
          '    if (net.cur.irqHandlers.length > 0)',
          '        net.cur.irqHandlers[0](net.cur, 0);',
          '    m[last] = n.pollList;',
          '    m[sd.pollList + 1] = n.pollList;',
        ].join('\n'),
      },
    ],
    test: 'napi-softirq-interrupted',
    verdict: 'lost-wakeup',
  },
  {
    name: 'poll-under-irq-lock',
    commit: 'own',
    why: 'an instance is polled under the irqLock: an interrupt in the poll waits for its own thread',
    edits: [
      {
        file: NAPI_POLL,
        find: ['const left = napiPollOnce(net, n);', '        budget -='].join('\n'),
        replace: [
          'irqLockCpu(cpu);',
          '        const left = napiPollOnce(net, n);',
          '        irqUnlockCpu(cpu);',
          '        budget -=',
        ].join('\n'),
      },
    ],
    test: 'napi-softirq-interrupted',
    verdict: 'lost-wakeup',
  },
  {
    name: 'complete-ignores-npsvc',
    commit: 'own',
    why: 'complete gives up what disable holds',
    edits: [
      {
        file: NAPI_SCHEDULE,
        find: 'NAPIF_STATE_NPSVC | NAPIF_STATE_IN_BUSY_POLL)) !== 0',
        replace: 'NAPIF_STATE_IN_BUSY_POLL)) !== 0',
      },
    ],
    test: 'napi-complete-disabled',
    verdict: 'assertion',
  },
  {
    name: 'threaded-poll-beside-softirq',
    commit: 'own',
    why: 'a threaded poll does not take the BH lock of its CPU',
    edits: [
      {
        file: NAPI_POLL,
        find: ['localBhDisable(cur);', '        net.sendsIpis = true;'].join('\n'),
        replace: 'net.sendsIpis = true;',
      },
      { file: NAPI_POLL, find: 'localBhEnable(cur);\n        if (left', replace: 'if (left' },
    ],
    test: 'napi-both-modes',
    verdict: 'race',
  },
  {
    name: 'busy-loop-wakes-nobody',
    commit: 'own',
    why: 'a poll loop that does not end wakes no reader',
    edits: [
      {
        file: NAPI_POLL,
        find: 'if (left === POLL_COMPLETED || polls % POLLS_PER_WAKE === 0) {',
        replace: 'if (left === POLL_COMPLETED) {',
      },
    ],
    test: 'napi-socket-threaded-weight-1',
    verdict: 'livelock',
  },
  {
    name: 'cut-round-wakes-nobody',
    commit: 'own',
    why: 'a round that is cut by its budget wakes no reader',
    edits: [
      {
        file: NAPI_POLL,
        find: ['finishRound(net);', '    endRound(net);'].join('\n'),
        replace: 'finishRound(net);',
      },
    ],
    test: 'napi-socket-budget',
    verdict: 'livelock',
  },
  {
    name: 'frames-behind-complete',
    commit: 'dad6b9770263',
    why: 'the instance is given up before its frames are queued: they stay until its next poll',
    edits: [{ file: NAPI_SCHEDULE, find: 'groFlushNormal(net, n, timeoutNs > 0);', replace: '' }],
    test: 'napi-socket-softirq',
    verdict: 'lost-wakeup',
  },
  {
    name: 'watchdog-not-started',
    commit: 'own',
    why: 'the interrupt stays masked and nobody will poll',
    edits: [
      {
        file: NAPI_SCHEDULE,
        find: 'hrtimerStart(net.cur, at + NAPI.timer, Math.ceil(timeoutNs / 1000));',
        replace: ';',
      },
    ],
    test: 'napi-deferral',
    verdict: 'lost-wakeup',
  },
  {
    name: 'deferral-unmasks',
    commit: 'own',
    why: 'a poll that defers says to unmask',
    edits: [
      {
        file: NAPI_SCHEDULE,
        find: ['if (timeoutNs > 0)', '            ret = false;'].join('\n'),
        replace: '',
      },
    ],
    test: 'napi-deferral-masked',
    verdict: 'assertion',
  },
  {
    name: 'pool-owner-keeps-index',
    commit: 'own',
    why: 'a new owner of the pool trusts the index from when it had it before',
    edits: [{ file: PAGE_POOL, find: 'consumer.begin();', replace: '' }],
    test: 'page-pool-two-owners',
    verdict: 'assertion',
  },
  {
    name: 'device-refused-stays',
    commit: 'own',
    why: 'a device without threads goes on to count as threaded',
    edits: [
      {
        file: NAPI_THREADED,
        find: ['if (err !== 0)', '            mode = NETDEV_NAPI_THREADED_DISABLED;'].join('\n'),
        replace: '',
      },
    ],
    test: 'napi-device-refused',
    verdict: 'deadlock',
  },
  {
    name: 'watchdog-cancelled-before-grace-period',
    commit: 'own',
    why: 'delete cancels before the last poll is over: that poll starts the watchdog of freed memory',
    edits: [
      {
        file: NAPI_CONTROL,
        find: ['synchronizeRcu(net.cur);', '    netifNapiFree(net, n);'].join('\n'),
        replace: [
          'hrtimerCancel(net.cur, n.at + NAPI.timer);',
          '    synchronizeRcu(net.cur);',
          '    kfree(n.m, n.at, NAPI.SIZE);',
        ].join('\n'),
      },
    ],
    test: 'napi-watchdog-delete-softirq',
    verdict: 'race',
  },
  {
    name: 'wakes-behind-quiescent-state',
    commit: 'own',
    why: 'a poll loop reports a quiescent state before it wakes the readers of sockets that it found under RCU',
    edits: [
      {
        file: NAPI_POLL,
        find: ['wakeSockets(net);', '            rcuQuiescentState(cur);'].join('\n'),
        replace: ['rcuQuiescentState(cur);', '            wakeSockets(net);'].join('\n'),
      },
    ],
    test: 'napi-socket-unbind-threaded',
    verdict: 'race',
  },
  {
    name: 'rcvbuf-ignored',
    commit: 'own',
    why: 'everything staged is queued, whether there is room or not',
    edits: [
      {
        file: SOCK_QUEUE,
        find: ['if (room > staged)', '                room = staged;'].join('\n'),
        replace: 'room = staged;',
      },
    ],
    test: 'sock-waiter',
    verdict: 'assertion',
  },
  {
    name: 'closed-ignored',
    commit: 'own',
    why: 'frames are queued to a closed socket',
    edits: [
      {
        file: SOCK_QUEUE,
        find: 'if ((Atomics.load(m, this.at + SOCK.flags) & SOCK_CLOSED) === 0) {',
        replace: '{',
      },
    ],
    test: 'sock-closed',
    verdict: 'assertion',
  },
  {
    name: 'napi-ids-unlocked',
    commit: 'own',
    why: 'two devices give their instances one id',
    edits: [
      {
        file: NAPI_ID,
        find: ['spinLock(m, lock);', '    const given = id === 0 ? nextId(net) : id;'].join('\n'),
        replace: ['const given = id === 0 ? nextId(net) : id;', '    spinLock(m, lock);'].join('\n'),
      },
    ],
    test: 'napi-ids',
    verdict: 'race',
  },
  {
    name: 'enable-without-threaded',
    commit: 'own',
    why: 'enable gives an instance without a config a thread, and leaves it in softirq mode',
    edits: [{ file: NAPI_CONTROL, find: 'NAPIF_STATE_NPSVC)) | mode;', replace: 'NAPIF_STATE_NPSVC));' }],
    test: 'napi-enable-without-config',
    verdict: 'assertion',
  },
]);
