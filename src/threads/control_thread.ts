// SPDX-License-Identifier: GPL-2.0-only
/** A worker as process context: carries one control operation out with plain blocking code. */
import { kthreadExit, taskListAdd } from '../kernel/kthread.js';
import { setCurrentState, TASK_RUNNING } from '../kernel/task.js';
import { setBacklogThreaded, setRpsSockFlowEntries } from '../net/core/rps_config.js';
import { DROP_FRAG_REASM_TIMEOUT } from '../net/core/softnet_data.js';
import { fragFlush } from '../net/ipv4/inet_fragment.js';
import { udpSenderShutdown } from '../net/ipv4/udp_send.js';
import { type ThreadContext, threadContext } from './context.js';
import { plugCable } from './control_cable.js';
import { bootCpus, setCpuOnline, shutdownCpus } from './control_cpus.js';
import { addLoopback, addNetdev, changeNetdev, delNetdev, napiGet } from './control_netdev.js';
import type { ControlOp, ControlResult } from './control_ops.js';
import { freeSender, openSender } from './control_sender.js';
import { freeSock, openSock, shutdownSock } from './control_sock.js';
import { attachWire, detachWire } from './control_timed.js';
import { uapi } from './control_uapi.js';
import { freeXsk, openXsk, shutdownXsk } from './control_xsk.js';
import type { ControlTask } from './tasks.js';

/** Runs one operation. @returns its errno or value */
export function runControlThread(task: ControlTask): ControlResult {
  const ctx = threadContext(task.sab, task.taskAt);
  setCurrentState(ctx.cur.task, TASK_RUNNING);
  taskListAdd(ctx.arena.m, task.taskAt);
  const { op } = task;
  let result: ControlResult;
  switch (op.name) {
    case 'boot':
      result = { err: bootCpus(ctx), value: null };
      break;
    case 'shutdown':
      result = { err: shutdownCpus(ctx), value: null };
      break;
    case 'netdev-add':
      result = addNetdev(ctx, op.params);
      break;
    case 'netdev-del':
      result = delNetdev(ctx, op.dev);
      break;
    case 'napi-get':
      result = { err: 0, value: napiGet(ctx, op.dev) };
      break;
    case 'sock-open':
      result = openSock(ctx, op);
      break;
    case 'sock-shutdown':
      result = { err: shutdownSock(ctx, op.sock, op.dev), value: null };
      break;
    case 'sock-free':
      result = { err: freeSock(ctx, op.sock), value: null };
      break;
    case 'frag-flush':
      fragFlush(ctx.net, 0, DROP_FRAG_REASM_TIMEOUT);
      result = { err: 0, value: null };
      break;
    case 'timed':
      result = timed(ctx, op.op);
      break;
    case 'cpu-online':
      result = { err: setCpuOnline(ctx, op.cpu, op.online), value: null };
      break;
    case 'backlog-threaded':
      result = { err: setBacklogThreaded(ctx.net, op.threaded), value: null };
      break;
    case 'rps-sock-flow-entries':
      result = { err: setRpsSockFlowEntries(ctx.net, op.entries), value: null };
      break;
    case 'loopback-add':
      result = addLoopback(ctx, op.device);
      break;
    case 'cable-connect':
    case 'cable-disconnect':
      result = { err: plugCable(ctx, op.dev, op.peer, op.name === 'cable-connect'), value: null };
      break;
    case 'sender-open':
      result = openSender(ctx, op);
      break;
    case 'sender-shutdown':
      udpSenderShutdown(ctx.arena.m, op.sender);
      result = { err: 0, value: null };
      break;
    case 'sender-free':
      result = { err: freeSender(ctx, op.sender), value: null };
      break;
    case 'xsk-open':
      result = openXsk(ctx, op);
      break;
    case 'xsk-shutdown':
      result = { err: shutdownXsk(ctx, op.xsk), value: null };
      break;
    case 'xsk-free':
      result = { err: freeXsk(ctx, op.xsk), value: null };
      break;
    case 'wire-attach':
      result = attachWire(ctx, op);
      break;
    case 'wire-detach':
      result = detachWire(ctx, op.dev);
      break;
    case 'uapi':
      result = { err: 0, value: uapi(ctx, op.request) };
      break;
    default:
      result = { err: changeNetdev(ctx, op), value: null };
  }
  kthreadExit(ctx.cur, result.err);
  return result;
}

/** Times an operation from inside, without what it takes to ask a control worker. */
function timed(ctx: ThreadContext, op: ControlOp): ControlResult {
  const { platform } = ctx.cur;
  const startNs = platform.nowNs();
  const err = op.name === 'cpu-online' ? setCpuOnline(ctx, op.cpu, op.online) : changeNetdev(ctx, op);
  return { err, value: platform.nowNs() - startNs };
}
