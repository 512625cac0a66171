// SPDX-License-Identifier: GPL-2.0-only
//
// Threads of smpboot.test.ts: a per-CPU thread that writes down what it was called for, and the CPU hotplug that
// starts, parks and destroys it. The log of CPU n lies LOG_WORDS * n behind `logAt`: its length, then the entries.

import {
  smpbootCreateThread,
  smpbootDestroyThread,
  smpbootParkThread,
  smpbootThreadFn,
  smpbootUnparkThread,
} from '../../dist/kernel/smpboot.js';
import { TASK_INTERRUPTIBLE, wakeUpProcess } from '../../dist/kernel/task.js';
import { CACHE_LINE_WORDS } from '../../dist/mm/struct.js';
import { advance, dawdle, meet, random, reach, SCRATCH_AT } from './kernel_steps.mjs';

/** Where the test's words are. */
const WORDS_AT = SCRATCH_AT;
const LOG_WORDS = 16;

export const SETUP = 1;
export const UNPARK = 2;
export const RUN = 3;
export const PARK = 4;
export const CLEANUP = 5;
/** Something that must not be: the number says what. */
const RAN_WITHOUT_WORK = 6;
const RAN_ASLEEP = 7;
const WRONG_CPU = 8;

/** Work to do for a CPU's thread, in the line behind its log. */
function workAt(m, cpu) {
  return m[WORDS_AT] + 2 * LOG_WORDS * cpu + CACHE_LINE_WORDS;
}

function write(cur, cpu, what) {
  const { m } = cur;
  const log = m[WORDS_AT] + 2 * LOG_WORDS * cpu;
  const entry = cur.cpu.id === cpu ? what : WRONG_CPU;
  const at = Atomics.load(m, log);
  if (at < LOG_WORDS - 1) m[log + 1 + at] = entry;
  advance(m, log);
}

const HOTPLUG_THREAD = {
  shouldRun: ({ m }, cpu) => Atomics.load(m, workAt(m, cpu)) !== 0,
  threadFn(cur, cpu) {
    const { m } = cur;
    const work = Atomics.exchange(m, workAt(m, cpu), 0);
    if (Atomics.load(m, cur.task.state) === TASK_INTERRUPTIBLE) write(cur, cpu, RAN_ASLEEP);
    write(cur, cpu, work === 0 ? RAN_WITHOUT_WORK : RUN);
  },
  setup: (cur, cpu) => write(cur, cpu, SETUP),
  cleanup: (cur, cpu) => write(cur, cpu, CLEANUP),
  park: (cur, cpu) => write(cur, cpu, PARK),
  unpark: (cur, cpu) => write(cur, cpu, UNPARK),
};

/** What a thread may leave out. */
const BARE_THREAD = { shouldRun: HOTPLUG_THREAD.shouldRun, threadFn: HOTPLUG_THREAD.threadFn };

export const kthreadFns = [
  (cur, cpu) => smpbootThreadFn(cur, HOTPLUG_THREAD, cpu),
  (cur, cpu) => smpbootThreadFn(cur, BARE_THREAD, cpu),
];

const logOf = (m, logAt) => Array.from({ length: m[logAt] }, (_, i) => m[logAt + 1 + i]);

/** Gives the thread work and waits until it has written something down. */
function giveWork(cur, store, cpu) {
  const { m } = cur;
  const log = m[WORDS_AT] + 2 * LOG_WORDS * cpu;
  const was = Atomics.load(m, log);
  Atomics.store(m, workAt(m, cpu), 1);
  wakeUpProcess(m, m[store]);
  reach(m, log, was + 1);
}

/**
 * Carries out steps for one CPU's thread. Each answers the length of the log after it, create what was returned.
 * `park` is asynchronous with nothing: it answers when the thread is parked.
 */
export function hotplug(cur, { words, store, cpu, fn, steps }) {
  const { m } = cur;
  const log = words + 2 * LOG_WORDS * cpu;
  m[WORDS_AT] = words;
  const answers = steps.map((step) => {
    switch (step) {
      case 'create':
        return smpbootCreateThread(cur, store, fn, 2, cpu, `test/${cpu}`);
      case 'unpark':
        smpbootUnparkThread(cur, store);
        break;
      case 'park':
        smpbootParkThread(cur, store);
        break;
      case 'destroy':
        smpbootDestroyThread(cur, store);
        break;
      case 'work':
        giveWork(cur, store, cpu);
        break;
      case 'wake':
        wakeUpProcess(m, m[store]);
        break;
      case 'work while parked':
        Atomics.store(m, workAt(m, cpu), 1);
        wakeUpProcess(m, m[store]);
        break;
      default: // a number: until the log has so many entries
        reach(m, log, step);
    }
    dawdle(20_000);
    return Atomics.load(m, log);
  });
  return { answers, log: logOf(m, log), left: m[store] };
}

/** Parks and unparks a CPU's thread again and again. */
export function cycle(cur, { store, gate, count, rounds, ended }) {
  meet(cur.m, gate, count);
  for (let i = 0; i < rounds; i++) {
    smpbootParkThread(cur, store);
    smpbootUnparkThread(cur, store);
  }
  Atomics.store(cur.m, ended, 1);
}

/** Gives it work meanwhile; all of it must be done, however often the thread is parked. @returns pieces of work */
export function feed(cur, { words, store, cpu, gate, count, ended }) {
  const { m } = cur;
  const next = random(1);
  let pieces = 0;
  meet(m, gate, count);
  while (Atomics.load(m, ended) === 0) {
    giveWork(cur, store, cpu);
    pieces++;
    dawdle(next(2000));
  }
  return { pieces, written: m[words + 2 * LOG_WORDS * cpu] };
}
