// SPDX-License-Identifier: GPL-2.0-only
/** Which control operations run together. */
import { describe, expect, it } from 'vitest';
import { ControlQueue } from '../../dist/threads/control_queue.js';

/** An operation whose end the test decides. */
function operation(queue: ControlQueue, exclusive: boolean) {
  const o = { slot: -1, end: () => {}, done: Promise.resolve() };
  const ended = new Promise<void>((resolve) => {
    o.end = resolve;
  });
  o.done = queue.run(exclusive, async (slot) => {
    o.slot = slot;
    await ended;
  });
  return o;
}

/** Lets everything happen that can. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

describe('ControlQueue', () => {
  it('runs so many at a time, in turn, each with a number of its own', async () => {
    const queue = new ControlQueue(2);
    const ops = Array.from({ length: 4 }, () => operation(queue, false));
    await settle();
    expect(ops.map((o) => o.slot)).toEqual([0, 1, -1, -1]);
    ops[1].end();
    await ops[1].done;
    await settle();
    expect(ops.map((o) => o.slot)).toEqual([0, 1, 1, -1]);
    for (const o of ops) o.end();
    await Promise.all(ops.map((o) => o.done));
    expect(ops[3].slot).toBeGreaterThanOrEqual(0);
  });

  it('runs an exclusive one alone, and lets nobody overtake it', async () => {
    const queue = new ControlQueue(3);
    const before = operation(queue, false);
    const alone = operation(queue, true);
    const after = operation(queue, false);
    await settle();
    expect([before.slot, alone.slot, after.slot]).toEqual([0, -1, -1]);
    before.end();
    await before.done;
    await settle();
    expect([alone.slot, after.slot]).toEqual([0, -1]);
    alone.end();
    await alone.done;
    await settle();
    expect(after.slot).toBe(0);
    after.end();
    await after.done;
  });

  it('goes on behind one that fails', async () => {
    const queue = new ControlQueue(1);
    const failed = queue.run(true, async () => {
      throw new Error('no');
    });
    const next = queue.run(false, async () => 7);
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe(7);
  });
});
