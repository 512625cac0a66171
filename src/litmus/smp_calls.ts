// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of calls from CPU to CPU: kernel/smp.ts. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { cpuDown } from '../kernel/cpu_hotplug.js';
import type { Current } from '../kernel/current.js';
import { EBUSY } from '../kernel/errno.js';
import { rcuReadLock } from '../kernel/rcu.js';
import { CSD_FLAG_LOCK, smpCallFunctionSingleAsync } from '../kernel/smp.js';
import { cpuIdleLoop } from '../kernel/softirq.js';
import { listTasks } from './net_world.js';
import { addRunningTask, addWord, arena, boot, currentOf, ownCpu } from './world.js';

interface CallSetup {
  readonly cpu1: number;
  readonly senderA: number;
  readonly senderB: number;
  readonly control: number;
  /** The call's word. */
  readonly csd: number;
  /** Calls that arrived. */
  readonly calls: number;
  /** 1 once CPU 1 has gone: plain. */
  readonly gone: number;
}

function setup(m: Int32Array, label: Label): CallSetup {
  boot(m, label, 2);
  const s = {
    cpu1: addRunningTask(m, label, 'cpu/1', 1),
    senderA: addRunningTask(m, label, 'senderA'),
    senderB: addRunningTask(m, label, 'senderB'),
    control: addRunningTask(m, label, 'control'),
    csd: addWord(m, label, 'csd'),
    calls: addWord(m, label, 'calls'),
    gone: addWord(m, label, 'gone'),
  };
  ownCpu(m, 1, s.cpu1);
  listTasks(m, [s.cpu1, s.senderA]);
  return s;
}

/** Calls CPU 1. */
function call(cur: Current, s: CallSetup): number {
  return smpCallFunctionSingleAsync(
    cur,
    cur.cpus[1],
    s.csd,
    ({ m, cpu }, data) => {
      if (cpu.id === 1) must(m[s.gone] === 0, 'a call on behalf of a CPU that has gone');
      Atomics.add(m, s.calls, data);
    },
    1,
  );
}

export const smpCallBusy: Litmus = litmus({
  name: 'smp-call-busy',
  memory: arena,
  setup,
  threads: {
    senderA(m, s) {
      const cur = currentOf(m, s.senderA);
      m[s.csd] = CSD_FLAG_LOCK;
      must(call(cur, s) === -EBUSY, 'a second call of a word is sent');
      must(m[s.calls] === 0 && m[s.csd] === CSD_FLAG_LOCK, 'a call that was refused has left something');
      m[s.csd] = 0;
      must(call(cur, s) === 0 && call(cur, s) === 0, 'a call of a word that is free is refused');
      must(m[s.calls] === 2, `${m[s.calls]} calls of 2 arrived`);
      must(cur.cpu === cur.cpus[0], 'the sender is not where it was');
    },
  },
  forbids: 'two calls of one word on their way, or a word that is never free again',
  why: 'the word is taken by the sender, and given back before the function runs',
});

export const smpCallTwo: Litmus = litmus({
  name: 'smp-call-two-senders',
  memory: arena,
  setup,
  threads: {
    senderA(m, s) {
      if (call(currentOf(m, s.senderA), s) !== 0) Atomics.add(m, s.calls, 1);
    },
    senderB(m, s) {
      if (call(currentOf(m, s.senderB), s) !== 0) Atomics.add(m, s.calls, 1);
    },
  },
  final(m, s) {
    must(m[s.calls] === 2, 'a call was neither made nor refused, or both');
    must(m[s.csd] === 0, 'the word is not free');
  },
  forbids: 'a call that is lost because another one is on its way, and its sender is not told',
  why: 'who finds the word taken gets EBUSY (G1, G2)',
});

export const smpCallDown: Litmus = litmus({
  name: 'smp-call-cpu-down',
  memory: arena,
  setup,
  threads: {
    senderA: (m, s) => void call(currentOf(m, s.senderA), s),
    control(m, s) {
      const cur = currentOf(m, s.control);
      cpuDown(cur, cur.cpus[1], []);
      m[s.gone] = 1;
    },
    cpu1(m, s) {
      const cur = currentOf(m, s.cpu1, 1);
      rcuReadLock(cur);
      cpuIdleLoop(cur);
    },
  },
  daemons: ['cpu1'],
  final: (m, s) => must(m[s.calls] === 1, 'the call did not arrive'),
  forbids: 'a function that runs on behalf of a CPU which has gone',
  why: 'the sender looks at online in a read section, and who takes a CPU down waits for a grace period',
});
