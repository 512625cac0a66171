// SPDX-License-Identifier: GPL-2.0-only
/**
 * Sets a thread up: views of the arena, `current`, network context, and the tables of functions that shared memory
 * refers to by number (src/net/core/ids.ts). Every thread of a machine fills them in the same way.
 */
import { threadId } from 'node:worker_threads';
import { LOOPBACK_OPS } from '../drivers/net/loopback.js';
import { buffersFreed, SimNicDriver, simNicInterrupt, simNicPoll } from '../drivers/net/sim_nic_driver.js';
import { simNicOps } from '../drivers/net/sim_nic_main.js';
import { simNicInterruptNetifRx } from '../drivers/net/sim_nic_netif_rx.js';
import { timedTimer } from '../drivers/net/sim_nic_timed.js';
import { xskPoll } from '../drivers/net/sim_nic_xsk.js';
import { Toeplitz } from '../drivers/net/toeplitz.js';
import { Current, cpuViews, KERNEL, KERNEL_AT } from '../kernel/current.js';
import { NodePlatform, type Platform } from '../kernel/platform.js';
import { NET_RX_SOFTIRQ } from '../kernel/softirq.js';
import { TASK, taskComm } from '../kernel/task.js';
import { Arena } from '../mm/arena.js';
import { processBacklog } from '../net/core/backlog.js';
import type { FlowKeys } from '../net/core/headers/flow_keys.js';
import {
  DRIVER_LOOPBACK,
  DRIVER_SIM_NIC,
  HRTIMER_IP_FRAGMENTS,
  HRTIMER_NAPI_WATCHDOG,
  HRTIMER_TIMED_WIRE,
  IRQ_SIM_NIC_RX,
  POLL_BACKLOG,
  POLL_SIM_NIC,
} from '../net/core/ids.js';
import { netRxAction } from '../net/core/napi_poll.js';
import { napiWatchdog } from '../net/core/napi_schedule.js';
import { type NetContext, netContext } from '../net/core/net_context.js';
import { NET } from '../net/core/softnet_data.js';
import { fragTimer } from '../net/ipv4/inet_fragment.js';
import { ipDefrag } from '../net/ipv4/ip_fragment.js';
import { udpLookup } from '../net/ipv4/udp.js';
import { poolWake } from '../net/ipv4/udp_send.js';
import { packetLookup } from '../net/packet/af_packet.js';
import { JumpingPlatform } from './jumping_clock.js';
import { setComm } from './os_thread.js';
import { traceThread } from './trace_ring.js';

/** Everything a thread of a machine works with. */
export interface ThreadContext {
  readonly arena: Arena;
  readonly cur: Current;
  readonly net: NetContext;
  readonly driver: SimNicDriver;
}

/** The clock of this worker: made once, it measures its distance to the monotonic clock. A worker serves one machine. */
let platform: Platform | null = null;

function platformFor({ m, f }: Arena): Platform {
  const jumps = m[KERNEL_AT + KERNEL.clockJumps];
  return jumps === 0 ? new NodePlatform(setComm) : new JumpingPlatform(setComm, f, jumps, threadId);
}

/** The hash function of this thread's transmitters; its tables are made when it is first called. */
function receiveHash(): (b: Uint8Array, keys: FlowKeys) => number {
  let rss: Toeplitz | null = null;
  return (b, keys) => {
    rss ??= new Toeplitz();
    return rss.rssHashWord(b, keys);
  };
}

/**
 * Makes the context of the running thread.
 * @param sab the machine's arena
 * @param taskAt its task_struct
 */
export function threadContext(sab: SharedArrayBuffer, taskAt: number): ThreadContext {
  const arena = new Arena(sab);
  const cpuId = arena.m[taskAt + TASK.boundCpu];
  platform ??= platformFor(arena);
  const cur = new Current(arena.m, platform, taskAt, cpuViews(arena.m), cpuId);
  const tid = arena.m[taskAt + TASK.tid];
  traceThread(cur, { taskAt, name: taskComm(arena.m, taskAt), tid, bornNs: platform.nowNs() });
  const net = netContext(cur, arena);
  const driver = new SimNicDriver(net);
  driver.netifRxInterrupt = simNicInterruptNetifRx;
  driver.xskPoll = xskPoll;
  driver.receiveHash = receiveHash();
  cur.softirqVec[NET_RX_SOFTIRQ] = () => netRxAction(net);
  cur.hrtimerFns[HRTIMER_NAPI_WATCHDOG] = (_cur, napiAt) => napiWatchdog(net, net.napi(napiAt));
  cur.hrtimerFns[HRTIMER_TIMED_WIRE] = (c, wireAt) => timedTimer(driver, c, wireAt);
  cur.hrtimerFns[HRTIMER_IP_FRAGMENTS] = () => fragTimer(net);
  cur.irqHandlers[IRQ_SIM_NIC_RX] = (c, queueAt) => simNicInterrupt(driver, c, queueAt);
  net.napiPollFns[POLL_BACKLOG] = processBacklog;
  net.poolFreed = (nc, pool) => {
    buffersFreed(driver, nc, pool);
    poolWake(nc.m, pool);
  };
  net.napiPollFns[POLL_SIM_NIC] = (nc, n, budget) => simNicPoll(driver, nc, n, budget);
  net.netDevOps[DRIVER_SIM_NIC] = simNicOps(driver);
  net.netDevOps[DRIVER_LOOPBACK] = LOOPBACK_OPS;
  net.sockLookups.push(udpLookup, packetLookup);
  if (arena.m[net.at + NET.fqdir] !== 0) net.ipDefrag = ipDefrag;
  return { arena, cur, net, driver };
}
