// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of the way in for drivers without NAPI: net/core/netif_rx.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { kmalloc } from '../mm/slab.js';
import { netifRx, netifRxBegin, netifRxEnd } from '../net/core/netif_rx.js';
import { RPS_PLACE } from '../net/core/rps_map.js';
import { NET, SOFTNET_DATA } from '../net/core/softnet_data.js';
import {
  backlogMemory,
  backlogNet,
  backlogSetup,
  cpu0,
  cpu1,
  frameOf,
  mustBeFree,
  mustHaveReceived,
} from './backlog_world.js';
import { steerSetup } from './steering.js';

export const netifRxMoves: Litmus = litmus({
  name: 'netif-rx-moves',
  memory: backlogMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = backlogSetup(arena, label);
    const place = kmalloc(m, RPS_PLACE.WORDS);
    label(m, place, ['place.cpu', 'place.lastQtail', 'place.staged']);
    return { ...s, place };
  },
  threads: {
    irqA(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      for (let i = 0; i < 2; i++) {
        // The thread that sends moves to another CPU.
        net.cur.cpu = net.cur.cpus[i];
        netifRxBegin(net);
        netifRx(net, 0, frameOf(s, i + 1), s.place, 0);
        netifRxEnd(net);
      }
    },
    cpu0,
    cpu1,
  },
  daemons: ['cpu0', 'cpu1'],
  final({ m }, s) {
    mustHaveReceived(m, s, 2);
    mustBeFree(m, s, s.place);
  },
  forbids: 'frames of one source out of order because it moved to another CPU',
  why: 'it stays with the backlog of before until its latest frame there is through (V2)',
});

export const netifRxSteered: Litmus = litmus({
  name: 'netif-rx-steered',
  memory: backlogMemory,
  setup(arena, label) {
    const s = steerSetup(arena, label, false);
    return { ...s, source: kmalloc(arena.m, RPS_PLACE.WORDS) };
  },
  threads: {
    irqA(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.irqA, 0);
      const rx = (seq: number, here: number, there: number): void => {
        netifRxBegin(net);
        netifRx(net, s.rxQueue, frameOf(s, seq), s.source, 0);
        netifRxEnd(net);
        must(m[s.sd0 + SOFTNET_DATA.inputQlen] === here, `frame ${seq} is not where it was to go`);
        must(m[s.sd1 + SOFTNET_DATA.inputQlen] === there, `frame ${seq} is not where it was to be steered`);
      };
      const needed = m[KERNEL_AT + KERNEL.net] + NET.rpsNeeded;
      rx(1, 0, 1);
      m[needed] = 0;
      rx(2, 1, 1);
      rx(3, 2, 1);
      must(m[s.source + RPS_PLACE.cpu] === 1, 'the source is not where its frames are');
      m[needed] = 1;
      rx(4, 2, 2);
    },
  },
  forbids: 'a frame that is steered and queued here as well, or steered although nothing is to be',
  why: 'what steering has taken is on its way; a count says whether it is asked at all',
});
