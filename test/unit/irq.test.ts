// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Current } from '../../dist/kernel/current.js';
import {
  IRQ_DEPTH,
  IRQ_DESC,
  IrqDesc,
  irqDisable,
  irqEnable,
  irqMask,
  irqSetAffinity,
  irqUnmask,
  raiseIrq,
  requestIrq,
} from '../../dist/kernel/irq.js';
import { TASK } from '../../dist/kernel/task.js';
import { kmalloc } from '../../dist/mm/slab.js';
import { STATE_WORDS } from '../helpers/irq_scenarios.mjs';
import { endWorkers, KernelLab, layOutKernel, loneCurrent, stopLabs } from '../helpers/kernel_lab.js';
import { SCRATCH_AT } from '../helpers/kernel_steps.mjs';

const HANG_MS = 10_000;
const DEV_ID = 77;

interface Counts {
  readonly runs: number;
  readonly overlaps: number;
  readonly elsewhere: number;
  readonly cpus: number[];
}

afterEach(stopLabs);
afterAll(endWorkers);

describe('an interrupt, in one thread', () => {
  let cur: Current;
  let d: IrqDesc;
  /** CPUs on whose behalf the handler ran. */
  let ran: number[];
  /** What the handler does, beside writing down that it ran. */
  let inHandler: () => void;

  beforeEach(() => {
    cur = loneCurrent(layOutKernel(3));
    d = new IrqDesc(cur.m, kmalloc(cur.m, IRQ_DESC.SIZE));
    ran = [];
    inHandler = () => {};
    let depth = 0;
    cur.irqHandlers[2] = (c, devId) => {
      expect(devId).toBe(DEV_ID);
      expect(depth++).toBe(0);
      ran.push(c.cpu.id);
      inHandler();
      depth--;
    };
    requestIrq(d, 2, DEV_ID, 1);
  });

  it('runs its handler in the thread that raises it, on behalf of the CPU it is bound to', () => {
    expect(raiseIrq(cur, d)).toBe(true);
    expect(ran).toEqual([1]);
    expect(cur.cpu.id).toBe(0);
    irqSetAffinity(d, 2);
    raiseIrq(cur, d);
    expect(ran).toEqual([1, 2]);
    expect(cur.m[d.at + IRQ_DESC.count]).toBe(2);
  });

  it('protects its handler from grace periods', () => {
    const online = () => cur.m[cur.task.at + TASK.rcuCtr] !== 0;
    let inside = false;
    inHandler = () => {
      inside = online();
    };
    raiseIrq(cur, d);
    expect([inside, online()]).toEqual([true, false]);
  });

  it('that is masked waits, and is delivered exactly once when it is unmasked', () => {
    irqMask(d);
    expect([raiseIrq(cur, d), raiseIrq(cur, d)]).toEqual([false, false]);
    expect(ran).toEqual([]);
    irqUnmask(cur, d);
    expect(ran).toEqual([1]);
    irqMask(d);
    irqUnmask(cur, d);
    expect(ran).toEqual([1]);
    expect(raiseIrq(cur, d)).toBe(true);
    expect(ran).toEqual([1, 1]);
  });

  it('raised while its handler runs makes it run again, not twice at a time', () => {
    inHandler = () => {
      if (ran.length < 3) expect([raiseIrq(cur, d), raiseIrq(cur, d)]).toEqual([false, false]);
      else inHandler = () => {};
    };
    expect(raiseIrq(cur, d)).toBe(true);
    expect(ran).toEqual([1, 1, 1]);
  });

  it('whose handler masks it stays quiet until it is unmasked', () => {
    inHandler = () => {
      irqMask(d);
      raiseIrq(cur, d);
    };
    raiseIrq(cur, d);
    raiseIrq(cur, d);
    expect(ran).toEqual([1]);
    inHandler = () => {};
    irqUnmask(cur, d);
    expect(ran).toEqual([1, 1]);
  });

  it('unmasked from within its handler runs again afterwards', () => {
    inHandler = () => {
      inHandler = () => {};
      irqMask(d);
      raiseIrq(cur, d);
      irqUnmask(cur, d);
      expect(ran).toEqual([1]);
    };
    raiseIrq(cur, d);
    expect(ran).toEqual([1, 1]);
  });

  it('disabled twice is enabled by the second irqEnable', () => {
    irqDisable(cur, d);
    irqDisable(cur, d);
    expect(raiseIrq(cur, d)).toBe(false);
    irqEnable(cur, d);
    expect(raiseIrq(cur, d)).toBe(false);
    expect(ran).toEqual([]);
    irqEnable(cur, d);
    expect(ran).toEqual([1]);
  });

  it('does what its definition says, whatever the order of calls', () => {
    const ops = ['raise', 'mask', 'unmask', 'disable', 'enable', 'move'] as const;
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...ops), { maxLength: 60 }), (steps) => {
        d = new IrqDesc(cur.m, kmalloc(cur.m, IRQ_DESC.SIZE));
        requestIrq(d, 2, DEV_ID, 0);
        ran = [];
        const want: number[] = [];
        const is = { pending: false, masked: false, depth: 0, cpu: 0 };
        const deliver = () => {
          if (!is.pending || is.masked || is.depth > 0) return;
          is.pending = false;
          want.push(is.cpu);
        };
        for (const step of steps) {
          switch (step) {
            case 'raise':
              is.pending = true;
              raiseIrq(cur, d);
              break;
            case 'mask':
              is.masked = true;
              irqMask(d);
              break;
            case 'unmask':
              is.masked = false;
              irqUnmask(cur, d);
              break;
            case 'disable':
              is.depth++;
              irqDisable(cur, d);
              break;
            case 'enable':
              if (is.depth === 0) break;
              is.depth--;
              irqEnable(cur, d);
              break;
            default:
              is.cpu = (is.cpu + 1) % 3;
              irqSetAffinity(d, is.cpu);
          }
          deliver();
          expect(ran).toEqual(want);
        }
      }),
    );
  });
});

describe('an interrupt, between threads', { timeout: HANG_MS }, () => {
  let lab: KernelLab;
  let irq: number;

  function newLab(shake: number): KernelLab {
    const made = new KernelLab('irq_scenarios.mjs', { shake });
    made.m[SCRATCH_AT] = made.words(STATE_WORDS);
    irq = made.words(IRQ_DESC.SIZE);
    requestIrq(new IrqDesc(made.m, irq), 0, DEV_ID, 0);
    return made;
  }

  beforeEach(() => {
    lab = newLab(0);
  });

  it('never runs twice at a time, and no raise is lost', async () => {
    lab = newLab(100);
    await lab.runAll(3, 'raiseAndWait', { irq, rounds: 5000 });
    const { runs, overlaps, elsewhere, cpus } = await lab.run<Counts>('counts');
    expect([overlaps, elsewhere]).toEqual([0, 0]);
    expect(runs).toBe(lab.m[irq + IRQ_DESC.count]);
    expect(cpus).toEqual([runs, 0]);
  });

  it.each(['mask', 'disable', 'affinity'])('loses no raise while another thread uses: %s', async (how) => {
    lab = newLab(100);
    const args = { irq, how, gate: lab.words(1), count: 3, raisers: 2, rounds: 4000 };
    await Promise.all([
      lab.run('raiseAndWait', { ...args, id: 1 }),
      lab.run('raiseAndWait', { ...args, id: 2 }),
      lab.run('obstruct', { ...args, id: 3 }),
    ]);
    const { overlaps, cpus } = await lab.run<Counts>('counts');
    expect(overlaps).toBe(0);
    if (how !== 'affinity') expect(cpus[1]).toBe(0);
  });

  it('irqDisable returns when the handler that runs has ended', async () => {
    const args = { irq, istate: IRQ_DESC.istate, depth: IRQ_DEPTH };
    const [handled, after] = await Promise.all([
      lab.run('raiseHeld', args),
      lab.run('disableHeld', args),
      lab.run('releaseWhenDisabled', args),
    ]);
    expect(handled).toBe(true);
    expect(after).toEqual({ inside: 0, go: 1, depth: 1 });
  });

  it('runs no handler while any of several threads has it disabled', async () => {
    lab = newLab(20);
    const ran = await lab.runAll(2, 'disableAndRaise', { irq, rounds: 4000 });
    expect(ran).toEqual([0, 0]);
    const { overlaps, runs } = await lab.run<Counts>('counts');
    expect(overlaps).toBe(0);
    expect(runs).toBeGreaterThan(0);
    expect(lab.m[irq + IRQ_DESC.istate]).toBe(0);
  });
});
