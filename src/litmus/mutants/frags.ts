// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of the reassembly of fragments. */
import type { Mutant } from './mutant.js';

const INET_FRAGMENT = 'net/ipv4/inet_fragment.js';
const IP_FRAGMENT = 'net/ipv4/ip_fragment.js';

/** What a poll does last under the lock. */
const KILL = [
  'if (q !== 0 && verdict !== FRAG_WAITS && verdict !== DROP_DUP_FRAG)',
  '        fragKill(m, at, q);',
  '    spinUnlock(m, at + FQDIR.lock);',
].join('\n');

export const FRAGS_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'fragments-killed-unlocked',
    commit: 'own',
    why: 'a queue that is whole is taken out of the table after the lock was given back',
    edits: [
      {
        file: IP_FRAGMENT,
        find: KILL,
        replace: 'spinUnlock(m, at + FQDIR.lock); if (verdict === FRAG_WHOLE) fragKill(m, at, q);',
      },
    ],
    test: 'ip-fragments-flush',
    verdict: 'race',
  },
  {
    name: 'fragments-whole-stays',
    commit: 'own',
    why: 'a queue that is whole stays in the table',
    edits: [
      {
        file: IP_FRAGMENT,
        find: 'if (q !== 0 && verdict !== FRAG_WAITS && ',
        replace: 'if (q !== 0 && verdict !== FRAG_WAITS && verdict !== FRAG_WHOLE && ',
      },
    ],
    test: 'ip-fragments-two-polls',
    verdict: 'assertion',
  },
  {
    name: 'fragments-memory-kept',
    commit: 'own',
    why: 'what a queue held still counts when it has ended: after a while nothing is taken any more',
    edits: [{ file: INET_FRAGMENT, find: 'm[at + FQDIR.mem] -= bytes;', replace: '' }],
    test: 'ip-fragments-two-polls',
    verdict: 'assertion',
  },
  {
    name: 'fragments-flush-unlocked',
    commit: 'own',
    why: 'whoever takes a device away walks the list without the lock',
    edits: [
      {
        file: INET_FRAGMENT,
        find: ['let dead = 0;', '    spinLock(m, at + FQDIR.lock);', '    for (let entry'].join('\n'),
        replace: 'let dead = 0; for (let entry',
      },
      {
        file: INET_FRAGMENT,
        find: ['spinUnlock(m, at + FQDIR.lock);', '    fragDestroy(net, dead, reason);'].join('\n'),
        replace: 'fragDestroy(net, dead, reason);',
      },
    ],
    test: 'ip-fragments-flush',
    verdict: 'race',
  },
  {
    name: 'fragments-all-to-one-pool',
    commit: 'own',
    why: 'the buffers of a datagram all go back to the pool of the first one',
    edits: [{ file: 'net/core/skb_free.js', find: 'if (m[s + SKB.pool] === at)', replace: 'if (true)' }],
    test: 'ip-fragments-two-pools',
    verdict: 'assertion',
  },
  {
    name: 'dropped-counted-late',
    commit: 'own',
    why: 'how many frames a datagram came in is looked at after its buffers were freed',
    edits: [
      {
        file: 'net/core/skb_free.js',
        find: ['countDrops(net, reason, skbFrames(net.m, skb));', '    freeSkb(net, skb);'].join('\n'),
        replace: 'freeSkb(net, skb); countDrops(net, reason, skbFrames(net.m, skb));',
      },
    ],
    test: 'ip-fragments-two-pools',
    verdict: 'race',
  },
  {
    name: 'fragments-timer-rests',
    commit: 'own',
    why: 'the timer’s function rests though another poll has brought a fragment meanwhile',
    edits: [
      {
        file: INET_FRAGMENT,
        find: [
          'spinLock(m, at + FQDIR.lock);',
          '    const dead = fragExpire(net, at, nowNs);',
          '    if (listEmpty(m, head)) {',
        ].join('\n'),
        replace: [
          'spinLock(m, at + FQDIR.lock); const dead = fragExpire(net, at, nowNs);',
          'const empty = listEmpty(m, head);',
          'spinUnlock(m, at + FQDIR.lock); spinLock(m, at + FQDIR.lock);',
          'if (empty) {',
        ].join('\n'),
      },
    ],
    test: 'ip-fragments-timer',
    verdict: 'assertion',
  },
]);
