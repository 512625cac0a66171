// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of those who take CPUs down and up: the order of the layers' steps, and two who do it at once. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { localBhDisable, localBhEnable } from '../kernel/bh.js';
import { CPU, type Cpu } from '../kernel/cpu.js';
import { type CpuhpStep, cpuDown, cpuUp } from '../kernel/cpu_hotplug.js';
import { type Current, KERNEL, KERNEL_AT } from '../kernel/current.js';
import { rcuReadLock } from '../kernel/rcu.js';
import { cpuIdleLoop } from '../kernel/softirq.js';
import { perCpuPtr } from '../mm/percpu.js';
import { listTasks } from './net_world.js';
import { addRunningTask, addWord, arena, boot, currentOf, ownCpu } from './world.js';

interface ControlSetup {
  readonly cpu1: number;
  readonly controlA: number;
  readonly controlB: number;
  /** Plain: the hotplug mutex guards it. */
  readonly word: number;
}

function setup(m: Int32Array, label: Label, nrCpus: number): ControlSetup {
  boot(m, label, nrCpus);
  const s = {
    cpu1: addRunningTask(m, label, 'cpu/1', 1),
    controlA: addRunningTask(m, label, 'controlA'),
    controlB: addRunningTask(m, label, 'controlB'),
    word: addWord(m, label, 'word'),
  };
  ownCpu(m, 1, s.cpu1);
  listTasks(m, [s.cpu1]);
  return s;
}

function idle(m: Int32Array, s: ControlSetup): void {
  const cur = currentOf(m, s.cpu1, 1);
  rcuReadLock(cur);
  cpuIdleLoop(cur);
}

/** A layer whose steps leave a digit each behind those that were there. */
function layer(m: Int32Array, s: ControlSetup, digit: number): CpuhpStep {
  const note = (d: number): void => {
    m[s.word] = m[s.word] * 10 + d;
  };
  return {
    startup: () => note(digit),
    teardown: () => note(digit + 2),
    dead(_cur: Current, _cpu: Cpu, to: Cpu): void {
      must(to.id === 2, 'what it leaves goes to a CPU that is not the next one');
      note(digit + 4);
    },
  };
}

export const hotplugSteps: Litmus = litmus({
  name: 'cpu-hotplug-steps',
  memory: arena,
  setup: (m, label) => setup(m, label, 3),
  threads: {
    control(m, s) {
      const cur = currentOf(m, s.controlA);
      const steps = [layer(m, s, 1), layer(m, s, 2)];
      const cpu = cur.cpus[1];
      must(cpuUp(cur, cpu, steps) === 0, 'it does not stay up');
      must(m[s.word] === 0, 'a CPU that is up was brought up');
      must(cpuDown(cur, cpu, steps) === 0, 'it does not go down');
      must(m[s.word] === 4365, `steps ${m[s.word]} on the way down`);
      must(cpuDown(cur, cpu, steps) === 0, 'it does not stay down');
      must(m[s.word] === 4365, 'a CPU that is down was taken down');
      m[s.word] = 0;
      must(cpuUp(cur, cpu, steps) === 0, 'it does not come up');
      must(m[s.word] === 12, `steps ${m[s.word]} on the way up`);
    },
    cpu1: idle,
  },
  daemons: ['cpu1'],
  forbids: 'a layer that is set up behind one that builds on it, or taken down before it, or twice',
  why: 'steps go forwards on the way up and backwards on the way down, and only if the CPU changes',
});

/** A layer that minds whether the CPU is there. */
function minding(m: Int32Array, s: ControlSetup): CpuhpStep {
  return {
    startup() {
      must(m[s.word] === 0, 'set up twice');
      m[s.word] = 1;
    },
    teardown() {
      must(m[s.word] === 1, 'torn down twice');
      m[s.word] = 2;
    },
    dead() {
      must(m[s.word] === 2, 'dead before it is torn down');
      m[s.word] = 0;
    },
  };
}

function downUp(task: 'controlA' | 'controlB'): (m: Int32Array, s: ControlSetup) => void {
  return (m, s) => {
    const cur = currentOf(m, s[task]);
    const steps = [minding(m, s)];
    must(cpuDown(cur, cur.cpus[1], steps) === 0, 'it is called the last one');
    must(cpuUp(cur, cur.cpus[1], steps) === 0, 'it does not come up');
  };
}

export const twoControllers: Litmus = litmus({
  name: 'cpu-two-controllers',
  memory: arena,
  setup(m, label) {
    const s = setup(m, label, 2);
    m[s.word] = 1;
    return s;
  },
  threads: { controlA: downUp('controlA'), controlB: downUp('controlB'), cpu1: idle },
  daemons: ['cpu1'],
  final(m, s) {
    must(m[s.word] === 1, 'the layer is not set up');
    must(m[perCpuPtr(m[KERNEL_AT + KERNEL.cpus], CPU, 1) + CPU.online] === 1, 'the CPU is not up');
  },
  forbids:
    'steps of two controllers that mix, or a CPU that is refused because another one changed it meanwhile',
  why: 'who changes a CPU looks at it, decides and finds the answer under the hotplug mutex',
});

export const bhGoesHome: Litmus = litmus({
  name: 'bh-goes-home',
  memory: arena,
  setup: (m, label) => setup(m, label, 2),
  threads: {
    controlA(m, s) {
      const cur = currentOf(m, s.controlA, 1);
      const [other, home] = cur.cpus;
      Atomics.store(m, home.online, 0);
      localBhDisable(cur);
      must(cur.cpu === other && cur.bhCpu === other, 'it stays on a CPU that has gone');
      localBhEnable(cur);
      Atomics.store(m, home.online, 1);
      localBhDisable(cur);
      must(cur.cpu === home && cur.bhCpu === home, 'it stays away although its CPU is back');
      localBhEnable(cur);
      must(m[home.bhLock] === 0 && m[other.bhLock] === 0, 'bottom halves are left disabled');
    },
  },
  forbids: 'a thread that is left on another CPU for ever because its own was away once',
  why: 'it goes home with the next lock it takes',
});
