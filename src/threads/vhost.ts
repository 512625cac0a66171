// SPDX-License-Identifier: GPL-2.0-only
/**
 * What carries frames from one machine into another (Linux: vhost_net): an application of the hypervisor, which reads what was
 * queued for its tun devices, and is the hardware of a NIC of the guest. It has a task in each machine and sleeps by the
 * hypervisor's; while it does, the guest's rings are left alone.
 *
 * A guest that posts no buffers holds it up: what comes meanwhile is dropped at the tun device, and costs the guest nothing.
 */
import { SIM_NIC } from '../drivers/net/sim_nic.js';
import { Wire } from '../drivers/net/sim_nic_wire.js';
import { taskListAdd, taskListDel } from '../kernel/kthread.js';
import { setCurrentState, TASK_DEAD, TASK_RUNNING } from '../kernel/task.js';
import { kfree, kmalloc } from '../mm/slab.js';
import { NET_DEVICE } from '../net/core/net_device.js';
import { SKB_DATA_BYTES } from '../net/core/skbuff.js';
import type { AppContext } from './app_context.js';
import { threadContext } from './context.js';
import type { PacketBatch } from './packet_batch.js';

/** The guest's side. */
export interface VhostArgs {
  /** Its arena, the thread's task_struct there, and the net_device it is the hardware of. */
  readonly sab: SharedArrayBuffer;
  readonly taskAt: number;
  readonly dev: number;
}

/** What came of it. */
export interface VhostResult {
  /** Frames brought to the guest, those that its ring had no room for at the end among them. */
  readonly frames: number;
}

const WORD_BYTES = 4;
/** Room for the longest frame: an IP packet of 65,535 bytes, and its Ethernet header with VLAN tags. */
const STAGING_WORDS = (65_536 + 64) / WORD_BYTES;

/** Carries frames until the hypervisor's sockets are closed. */
export default function vhost(app: AppContext): VhostResult {
  const { sab, taskAt, dev } = app.args as VhostArgs;
  const guest = threadContext(sab, taskAt);
  const { m } = guest.arena;
  setCurrentState(guest.cur.task, TASK_RUNNING);
  taskListAdd(m, taskAt);
  const nic = m[dev + NET_DEVICE.priv];
  const staging = kmalloc(m, STAGING_WORDS);
  if (staging === 0)
    throw new Error('the guest’s arena is full: no room for a frame on its way; boot it with more memory');
  const wire = new Wire(guest.net, nic, 'wait');
  wire.begin();
  let frames = 0;
  for (;;) {
    let batch = app.tryRecv();
    if (batch === null) {
      wire.rest();
      batch = app.recv();
      wire.resume();
      if (batch === null) break;
    }
    wire.tick();
    for (let i = 0; i < batch.count; i++) {
      const len = batch.length(i);
      if (len <= SKB_DATA_BYTES) carry(m, staging, app.words, batch, i, len);
      else guest.arena.b.set(batch.copy(i), staging * WORD_BYTES);
      wire.receive(staging * WORD_BYTES, len, batch.hash(i));
    }
    wire.flush();
    frames += batch.count;
    Atomics.store(m, nic + SIM_NIC.frames, frames | 0);
  }
  wire.finish();
  kfree(m, staging, STAGING_WORDS);
  taskListDel(m, taskAt);
  setCurrentState(guest.cur.task, TASK_DEAD);
  return { frames };
}

/** Copies a frame, which one buffer holds, from the words of one arena into those of another. */
function carry(
  to: Int32Array,
  at: number,
  words: Int32Array,
  batch: PacketBatch,
  i: number,
  len: number,
): void {
  const from = batch.offset(i) / WORD_BYTES;
  const n = (len + WORD_BYTES - 1) >> 2;
  for (let k = 0; k < n; k++) to[at + k] = words[from + k];
}
