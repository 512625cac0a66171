// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of where steering sends a frame, one step after the other: net/core/rps.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { CPU } from '../kernel/cpu.js';
import { kmalloc } from '../mm/slab.js';
import { NAPI } from '../net/core/napi.js';
import type { NetContext } from '../net/core/net_context.js';
import { rpsReceive, rpsRecordSockFlow, rpsSteer } from '../net/core/rps.js';
import {
  NETDEV_RX_QUEUE,
  RPS_DEV_FLOW_TABLE,
  RPS_MAP,
  RPS_NO_CPU,
  RPS_PLACE,
  RPS_SOCK_FLOW_TABLE,
} from '../net/core/rps_map.js';
import { SKB } from '../net/core/skbuff.js';
import { NET, SOFTNET_DATA } from '../net/core/softnet_data.js';
import { backlogMemory, backlogNet, cpuArea, frameOf } from './backlog_world.js';
import { HASH, type SteerSetup, steerSetup } from './steering.js';

/** What is staged for no backlog. */
const HERE = -1;

/** Steers a frame and takes it off its stage, as if it were queued. @returns the CPU it was staged for, or HERE */
function steer(net: NetContext, s: SteerSetup, hash: number, local = RPS_NO_CPU, flows = 0): number {
  const { m } = net;
  m[frameOf(s, 1) + SKB.hash] = hash;
  const away = rpsSteer(net, s.rxQueue, frameOf(s, 1), flows, local);
  must(away === (net.staged.length === 1), 'what is steered is not staged, or the other way round');
  if (!away) return HERE;
  const [stage] = net.staged;
  must(stage.count === 1, 'a frame is staged twice');
  stage.count = 0;
  net.staged.length = 0;
  return stage.cpu;
}

/** What is queued for a CPU by now is in its socket, or not. */
function through(net: NetContext, place: number, is: boolean): void {
  const { m } = net;
  const sd = net.softnet[m[place + RPS_PLACE.cpu] - 1];
  m[place + RPS_PLACE.staged] = 0;
  m[place + RPS_PLACE.lastQtail] = Atomics.load(m, sd.inputQueueHead) + (is ? 0 : 1);
}

export const rpsMapChoice: Litmus = litmus({
  name: 'rps-map-choice',
  memory: backlogMemory,
  setup: (arena, label) => steerSetup(arena, label, false),
  threads: {
    irqA(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.irqA, 0);
      const online1 = cpuArea(m, 1) + CPU.online;
      const map = m[s.rxQueue + NETDEV_RX_QUEUE.rpsMap];
      must(steer(net, s, 0) === HERE, 'a frame without a hash is steered');
      must(steer(net, s, HASH) === 1, 'the map is not asked');
      must(m[s.place + RPS_PLACE.cpu] === 2, 'the place does not say where the frame went');
      must(m[s.place + RPS_PLACE.staged] === 1, 'the place does not say that the frame is staged');
      through(net, s.place, true);
      m[s.table + RPS_SOCK_FLOW_TABLE.SIZE] = HASH; // read on CPU 0
      Atomics.store(m, net.at + NET.rpsSockFlowTable, s.table);
      must(steer(net, s, HASH) === 1, 'a queue without a flow table asks for readers');
      Atomics.store(m, online1, 0);
      must(steer(net, s, HASH) === 1, 'a frame overtakes one that is staged');
      through(net, s.place, false);
      must(steer(net, s, HASH) === 1, 'a frame overtakes one that is queued');
      through(net, s.place, true);
      must(steer(net, s, HASH) === HERE, 'a frame goes to a CPU that is offline');
      must(m[s.place + RPS_PLACE.cpu] === 0, 'the place still names a CPU');
      must(steer(net, s, HASH, 0) === 0, 'what nothing steers does not go where it was to go');
      Atomics.store(m, online1, 1);
      through(net, s.place, true);
      must(steer(net, s, HASH, 0) === 1, 'the map counts for less than the CPU that takes the rest');
      m[s.rxQueue + NETDEV_RX_QUEUE.rpsMap] = 0;
      must(steer(net, s, HASH, 0) === HERE, 'a queue that steers nothing steers');
      m[s.rxQueue + NETDEV_RX_QUEUE.rpsMap] = map;
      through(net, s.place, true);
      const n = net.napi(s.sd0 + SOFTNET_DATA.backlog);
      must(!rpsReceive(net, n, frameOf(s, 1)), 'an instance without a queue steers');
      m[n.at + NAPI.rxQueue] = s.rxQueue;
      must(rpsReceive(net, n, frameOf(s, 1)), 'an instance with a queue that steers does not');
      must(net.staged.length === 1, 'a frame that is steered is nowhere');
    },
  },
  forbids: 'a frame that goes elsewhere than the map says, or overtakes one that went before',
  why: 'where the frames before it are counts for more than the map, and online for more than either',
});

export const rfsChoice: Litmus = litmus({
  name: 'rfs-choice',
  memory: backlogMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = steerSetup(arena, label, true);
    // Two entries each: odd hashes are the second one's.
    const flows = kmalloc(m, RPS_DEV_FLOW_TABLE.SIZE + 2 * RPS_PLACE.WORDS);
    m[flows + RPS_DEV_FLOW_TABLE.mask] = 1;
    const table = kmalloc(m, RPS_SOCK_FLOW_TABLE.SIZE + 2);
    m[table + RPS_SOCK_FLOW_TABLE.mask] = 1;
    return { ...s, flows, two: table };
  },
  threads: {
    irqA(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.irqA, 0);
      const entry = s.table + RPS_SOCK_FLOW_TABLE.SIZE;
      must(steer(net, s, HASH) === 1, 'the reader’s CPU is not asked');
      must(m[s.place + RPS_PLACE.cpu] === 2, 'the table’s place does not say where the frame went');
      through(net, s.place, true);
      must(steer(net, s, HASH * 2) === HERE, 'a flow goes where another one was read');
      must(steer(net, s, HASH * 2, 0) === 0, 'what nobody reads does not go where it was to go');
      through(net, s.place, true);
      Atomics.store(m, cpuArea(m, 1) + CPU.online, 0);
      must(steer(net, s, HASH) === HERE, 'a flow goes to a reader’s CPU that is offline');
      Atomics.store(m, cpuArea(m, 1) + CPU.online, 1);
      m[net.at + NET.rpsCpuMask] = 3;
      m[entry] = HASH | 2;
      must(steer(net, s, HASH) === HERE, 'a flow goes to a CPU that is none');
      m[entry] = HASH | 1;
      Atomics.store(m, net.at + NET.rpsSockFlowTable, 0);
      must(steer(net, s, HASH) === HERE, 'a table that is gone is asked');
      must(steer(net, s, 1) === HERE, 'a table that is gone is asked for a small hash');
      const map = kmalloc(m, RPS_MAP.SIZE + 1);
      m[map + RPS_MAP.len] = 1; // CPU 0
      Atomics.store(m, s.rxQueue + NETDEV_RX_QUEUE.rpsMap, map);
      Atomics.store(m, net.at + NET.rpsSockFlowTable, s.table);
      must(steer(net, s, HASH) === 1, 'the map counts for more than the reader');
      through(net, s.place, true);
      must(steer(net, s, HASH * 2) === 0, 'the map does not count for what nobody reads');
      through(net, s.place, true);
      Atomics.store(m, s.rxQueue + NETDEV_RX_QUEUE.rpsMap, 0);
      Atomics.store(m, net.at + NET.rpsSockFlowTable, s.two);
      // Even and odd hashes have entries of their own, in both tables.
      const odd = HASH + 5;
      rpsRecordSockFlow(net, s.two, odd, 1);
      must(m[s.two + RPS_SOCK_FLOW_TABLE.SIZE] === 0, 'an entry of another hash is written');
      must(m[s.two + RPS_SOCK_FLOW_TABLE.SIZE + 1] === ((odd & ~3) | 1), 'the entry is not the flow’s');
      rpsRecordSockFlow(net, s.two, 0, 1);
      must(m[s.two + RPS_SOCK_FLOW_TABLE.SIZE] === 0, 'a frame without a hash is recorded');
      must(steer(net, s, odd, RPS_NO_CPU, s.flows) === 1, 'the second entry is not asked');
      const places = s.flows + RPS_DEV_FLOW_TABLE.SIZE;
      must(m[places + RPS_PLACE.cpu] === 0, 'the place of another hash is used');
      must(m[places + RPS_PLACE.WORDS + RPS_PLACE.cpu] === 2, 'the source’s own places are not used');
      rpsRecordSockFlow(net, s.two, odd, 0);
      through(net, places + RPS_PLACE.WORDS, true);
      must(steer(net, s, odd, RPS_NO_CPU, s.flows) === 0, 'a flow does not follow its reader');
    },
  },
  forbids: 'a flow that goes elsewhere than to the CPU that read it last',
  why: 'an entry names a CPU and the flow it is of; a place is the flow’s, of the source it comes from',
});

export const rfsTwoReaders: Litmus = litmus({
  name: 'rfs-two-readers',
  memory: backlogMemory,
  setup: (arena, label) => steerSetup(arena, label, true),
  threads: {
    readerA: (arena, s) => rpsRecordSockFlow(backlogNet(arena, s, s.irqA, 0), s.table, HASH, 0),
    readerB: (arena, s) => rpsRecordSockFlow(backlogNet(arena, s, s.irqB, 1), s.table, HASH, 1),
    poll(arena, s) {
      const cpu = steer(backlogNet(arena, s, s.cpu0, 0), s, HASH);
      must(cpu === 0 || cpu === 1, 'a flow that is read is steered nowhere');
    },
  },
  final({ m }, s) {
    const ident = m[s.table + RPS_SOCK_FLOW_TABLE.SIZE];
    must((ident & ~1) === HASH, 'the entry is another flow’s');
  },
  forbids: 'an entry that names a CPU of one reader and a flow of another',
  why: 'it is one word, read and written at once',
});
