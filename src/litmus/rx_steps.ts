// SPDX-License-Identifier: GPL-2.0-only
/**
 * Litmus tests of one thread each: what a frame goes through from the receive list to a socket, to its pool, or to those that
 * count it as dropped (rx.ts, skb_free.ts, sock_queue.ts, net_context.ts).
 */
import { type Litmus, litmus, must } from '../check/index.js';
import { TASK, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../kernel/task.js';
import { PAGE_POOL, pagePoolInside } from '../net/core/page_pool.js';
import { flushSockets, groNormalList, groNormalOne, receiveSkb, wakeSockets } from '../net/core/rx.js';
import { dropChain } from '../net/core/skb_free.js';
import { SKB } from '../net/core/skbuff.js';
import { SOCK, sockReaderView, sockShutdown } from '../net/core/sock_queue.js';
import {
  DROP_NO_SOCKET,
  DROP_SOCKET_CLOSE,
  DROP_SOCKET_RCVBUFF,
  NET,
  SOFTNET_DATA,
} from '../net/core/softnet_data.js';
import {
  type BacklogSetup,
  backlogMemory,
  backlogNet,
  backlogSetup,
  frameOf,
  received,
} from './backlog_world.js';
import { listTasks } from './net_world.js';

function drops(m: Int32Array, at: number, reason: number): number {
  return m[at + NET.drops + reason];
}

export const rxSteps: Litmus = litmus({
  name: 'rx-steps',
  memory: backlogMemory,
  setup(arena, label): BacklogSetup {
    const { m } = arena;
    const s = backlogSetup(arena, label);
    m[s.control + TASK.state] = TASK_INTERRUPTIBLE;
    m[s.sock + SOCK.waiter] = s.control;
    return s;
  },
  threads: {
    irqA(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.irqA, 0);
      const n = net.napi(s.sd0 + SOFTNET_DATA.backlog);
      net.ownPool = s.pool;
      // A chain of two and a frame of its own: three frames, two skbs, in the order in which they came.
      m[frameOf(s, 1) + SKB.fragList] = frameOf(s, 2);
      net.groNormalBatch = 3;
      groNormalOne(net, n, frameOf(s, 1), 2);
      must(net.rxEntries === 1 && net.dirty.length === 0, 'the list goes up too early');
      groNormalOne(net, n, frameOf(s, 3), 1);
      must(net.rxEntries === 0 && net.rxFrames === 0, 'the list does not go up');
      must(m[frameOf(s, 1) + SKB.fragList] === 0, 'a chain is not taken apart');
      must(received(m, s).length === 0, 'a frame is queued before the poll ends');
      flushSockets(net);
      must(received(m, s).join() === '1,2,3', `the socket has frames ${received(m, s).join()}`);
      must(net.dirty.length === 0 && net.unwoken.length === 1, 'the socket is not noted once');
      must(m[s.control + TASK.state] === TASK_INTERRUPTIBLE, 'the reader is woken too early');
      // The socket holds as many as it may with one more of two.
      const { consumer } = sockReaderView(m, s.sock);
      consumer.begin();
      consumer.release(0);
      m[s.sock + SOCK.rcvbuf] = 3;
      receiveSkb(net, frameOf(s, 4));
      flushSockets(net);
      must(net.unwoken.length === 1, 'the socket is noted twice');
      wakeSockets(net);
      must(Atomics.load(m, s.control + TASK.state) === TASK_RUNNING, 'the reader sleeps on');
      must(net.unwoken.length === 0, 'the socket is still noted');
    },
  },
  final({ m }, s) {
    must(received(m, s).join() === '1,2,3,4', `the socket has frames ${received(m, s).join()}`);
  },
  forbids: 'a frame that does not come where it is for, or a reader that is not told',
  why: 'frames are staged by socket, queued when the poll ends, and their reader is woken once',
});

export const rxDrops: Litmus = litmus({
  name: 'rx-drop-steps',
  memory: backlogMemory,
  setup(arena, label): BacklogSetup {
    const { m } = arena;
    const s = backlogSetup(arena, label);
    m[s.sock + SOCK.rcvbuf] = 1;
    m[s.control + TASK.state] = TASK_INTERRUPTIBLE;
    m[s.sock + SOCK.waiter] = s.control;
    return s;
  },
  threads: {
    irqA(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.irqA, 0);
      net.ownPool = s.pool;
      receiveSkb(net, frameOf(s, 1));
      receiveSkb(net, frameOf(s, 2));
      flushSockets(net);
      must(received(m, s).join() === '1', 'a queue takes more than it may');
      must(drops(m, net.at, DROP_SOCKET_RCVBUFF) === 1, 'what found no room is not counted');
      must(m[s.sock + SOCK.drops] === 1, 'the socket does not count it');
      must(pagePoolInside(m, s.pool) === 1, 'its buffer is not back');
      // Of two buffers, for nobody.
      net.sockLookups.length = 0;
      m[frameOf(s, 3) + SKB.frags] = frameOf(s, 4);
      receiveSkb(net, frameOf(s, 3));
      must(drops(m, net.at, DROP_NO_SOCKET) === 1, 'a frame for nobody is not counted once');
      must(pagePoolInside(m, s.pool) === 3, 'its buffers are not back');
      must(m[frameOf(s, 3) + SKB.frags] === 0, 'a buffer in the pool still has another behind it');
      // A chain of two for nobody.
      const view = net.pool(s.pool);
      must(view.take(2) === 2, 'buffers are gone');
      const [a, b] = [m[view.taken], m[view.taken + 1]];
      m[a + SKB.fragList] = b;
      receiveSkb(net, a);
      must(drops(m, net.at, DROP_NO_SOCKET) === 3, 'the frames of a chain are not counted each');
      must(m[a + SKB.fragList] === 0, 'a buffer in the pool is still the head of a chain');
      must(pagePoolInside(m, s.pool) === 3, 'the buffers of a chain are not back');
      // Closed: who waits is told, and nothing more is queued.
      sockShutdown(m, s.sock);
      must(
        Atomics.load(m, s.control + TASK.state) === TASK_RUNNING,
        'the reader is not told that it is closed',
      );
      const r = sockReaderView(m, s.sock);
      must(r.closed(), 'the reader takes it for open');
      r.consumer.begin();
      r.consumer.release(r.consumer.available(1));
      net.sockLookups.push((c) => c.sock(s.sock));
      must(view.take(1) === 1, 'buffers are gone');
      receiveSkb(net, m[view.taken]);
      flushSockets(net);
      must(received(m, s).length === 0, 'a closed socket takes a frame');
      must(
        drops(m, net.at, DROP_SOCKET_RCVBUFF) + drops(m, net.at, DROP_SOCKET_CLOSE) === 2,
        'what came too late is not counted',
      );
      must(pagePoolInside(m, s.pool) === 3, 'its buffer is not back');
    },
  },
  forbids: 'a frame that is dropped and not counted, or counted by another reason, or whose buffers are lost',
  why: 'each drop has a reason; all buffers of a frame go back',
});

export const recycleSteps: Litmus = litmus({
  name: 'recycle-steps',
  memory: backlogMemory,
  setup(arena, label): BacklogSetup {
    const s = backlogSetup(arena, label);
    listTasks(arena.m, [s.irqA]);
    return s;
  },
  threads: {
    irqA(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.irqA, 0);
      let inside = -1;
      net.poolFreed = (c, pool) => {
        inside = pagePoolInside(m, pool);
        must(
          Atomics.load(m, s.irqA + TASK.rcuCtr) !== 0,
          'who may wait for buffers is told outside a read section',
        );
        must(c.cur.rcuNesting === 1, 'who may wait for buffers is told outside a read section');
      };
      net.freeBatch[0] = frameOf(s, 1);
      net.freeBatch[1] = frameOf(s, 2);
      net.recycleBatch(s.pool, 2);
      must(inside === 2, 'who may wait for buffers is told before they are there');
      must(net.cur.rcuNesting === 0, 'a read section does not end');
      const before = net.pool(s.pool);
      must(net.pool(s.pool) === before, 'a view is made each time');
      const stage = net.stage(1);
      must(net.stage(1) === stage && net.stage(0) !== stage, 'stages are mixed up');
      m[s.pool + PAGE_POOL.id] += 100;
      must(net.pool(s.pool) !== before, 'the view of a pool that is gone is used');
      const was = net.sock(s.sock);
      must(net.sock(s.sock) === was, 'a view is made each time');
      m[s.sock + SOCK.id] += 100;
      must(net.sock(s.sock) !== was, 'the view of a socket that is gone is used');
      must(net.softnet.length === 2 && net.softnet[1].at === s.sd1, 'the view of a CPU is another’s');
    },
  },
  forbids: 'buffers given back without whoever waits for them being told, or views of what is gone',
  why: 'the driver is told behind that, under RCU; a view is as good as its number',
});

export const chainDropped: Litmus = litmus({
  name: 'skb-drop-chain',
  memory: backlogMemory,
  setup: backlogSetup,
  threads: {
    irqA(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.irqA, 0);
      m[frameOf(s, 1) + SKB.fragList] = frameOf(s, 2);
      must(dropChain(net, frameOf(s, 1), DROP_NO_SOCKET) === 2, 'not every frame is dropped');
      must(drops(m, net.at, DROP_NO_SOCKET) === 2, 'not every frame is counted');
      must(m[frameOf(s, 1) + SKB.fragList] === 0, 'a free buffer leads to another');
    },
  },
  forbids: 'a frame of a chain that is kept, not counted, or still in a chain when it is free',
  why: 'the chain is taken apart, frame by frame',
});

export const rxListSteered: Litmus = litmus({
  name: 'rx-list-steps',
  memory: backlogMemory,
  setup: backlogSetup,
  threads: {
    irqA(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      const n = net.napi(s.sd0 + SOFTNET_DATA.backlog);
      net.groNormalBatch = 8;
      groNormalOne(net, n, frameOf(s, 1), 1);
      groNormalOne(net, n, frameOf(s, 2), 1);
      groNormalList(net, n);
      must(net.processed === 2, 'not all of the list is handed up here');
      groNormalList(net, n);
      must(net.processed === 2, 'a list is handed up twice');
      flushSockets(net);
      flushSockets(net);
      must(received(arena.m, s).join() === '1,2', 'frames are lost, or queued twice');
      must(net.processed === 0, 'what was handed up is counted once more');
    },
  },
  forbids: 'a frame of the receive list that is lost, or goes up twice',
  why: 'the list is empty once it has gone up',
});
