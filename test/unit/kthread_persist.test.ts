// SPDX-License-Identifier: GPL-2.0-only
/**
 * What becomes of NAPI threads when their instances go: the defects of the patch as posted (`v1`), each reproduced, and
 * their absence in `fixed` (docs/kthread-persistence.md).
 */
import { afterEach, describe, expect, it } from 'vitest';
import { boot, type Machine, type NetDeviceOptions } from '../../dist/index.js';
import { EOPNOTSUPP } from '../../dist/kernel/errno.js';
import { napiDisable, napiEnable, netifNapiAdd } from '../../dist/net/core/napi_control.js';
import { napiSetThreaded } from '../../dist/net/core/napi_threaded.js';
import { BareMachine, stateOf } from '../helpers/bare_machine.js';

type Persist = 'off' | 'v1' | 'fixed';

let machine: Machine;
afterEach(() => machine?.shutdown());

/** The device's name through all tests. */
const DEV = 'eth0';
const THREADED = `/sys/class/net/${DEV}/threaded`;

async function start(napiKthreadPersist: Persist, options: Partial<NetDeviceOptions> = {}) {
  machine = await boot({ cpus: 1, napiKthreadPersist, controlWorkers: 1 });
  return machine.addDevice({ name: DEV, queues: 2, maxQueues: 2, threaded: true, ...options });
}

/**
 * Serial numbers of the NAPI threads that live, oldest first: a serial is given once. The main thread learns a moment
 * later that a thread has ended: hence the polling of this.
 */
function serials(): number[] {
  return machine
    .threads()
    .filter((t) => t.running && t.name.startsWith('napi/'))
    .map((t) => t.serial)
    .sort((a, b) => a - b);
}

function names(): string[] {
  return machine
    .threads()
    .filter((t) => t.running && t.name.startsWith('napi/'))
    .map((t) => t.name)
    .sort();
}

describe('link down and up', () => {
  it('keeps the threads with v1 and fixed, and not with off', async () => {
    for (const persist of ['off', 'v1', 'fixed'] as const) {
      const dev = await start(persist);
      const before = serials();
      expect(before).toHaveLength(2);
      await dev.down();
      await expect.poll(serials).toEqual(persist === 'off' ? [] : before);
      await dev.up();
      await expect.poll(serials).toHaveLength(2);
      const after = serials();
      if (persist === 'off') expect(after.some((s) => before.includes(s))).toBe(false);
      else expect(after).toEqual(before);
      await machine.shutdown();
    }
  });
});

describe('a driver that adds the new instance before it deletes the old one', () => {
  const change = { reconfig: 'safe-switch', ringSize: 64, ringMax: 128 } as const;

  it('leaks a thread with v1 once its slot is overwritten (defect 1)', async () => {
    const dev = await start('v1', { ...change, queues: 1, maxQueues: 1 });
    const [first] = serials();
    await dev.setRing(128); // the first thread is parked while the second one serves
    await expect.poll(serials).toHaveLength(2);
    await dev.down(); // the second one takes its slot
    await dev.up();
    await dev.setThreaded(false);
    // Neither an instance nor a config knows it: nothing stops it any more.
    await expect.poll(serials).toEqual([first]);
    await dev.down();
    await dev.up();
    await expect.poll(serials).toEqual([first]);
  });

  it('alternates between two threads with v1 (defect 2)', async () => {
    const dev = await start('v1', { ...change, queues: 1, maxQueues: 1 });
    const tid = async () => (await dev.napis())[0].tid;
    const seen = [await tid()];
    for (const rx of [128, 64, 128]) {
      await dev.setRing(rx);
      seen.push(await tid());
    }
    expect(seen[1]).not.toBe(seen[0]);
    expect(seen).toEqual([seen[0], seen[1], seen[0], seen[1]]);
  });

  it('keeps the one thread of each queue with fixed, and leaks none', async () => {
    const dev = await start('fixed', change);
    const before = serials();
    const tids = (await dev.napis()).map((n) => n.tid);
    for (const rx of [128, 64, 128]) {
      await dev.setRing(rx);
      expect((await dev.napis()).map((n) => n.tid)).toEqual(tids);
      await expect.poll(serials).toEqual(before);
    }
    await dev.setChannels(1);
    await dev.setChannels(2);
    await dev.down();
    await dev.up();
    await expect.poll(serials).toEqual(before);
    await dev.setThreaded(false);
    await expect.poll(serials).toEqual([]);
  });

  it('leaves nothing behind with off', async () => {
    const dev = await start('off', change);
    await dev.setRing(128);
    await expect.poll(serials).toHaveLength(2);
    await dev.setThreaded(false);
    await expect.poll(serials).toEqual([]);
  });
});

describe('an instance switched off and on while a thread of its queue is parked', () => {
  const change = { reconfig: 'safe-switch', queues: 1, maxQueues: 1, ringSize: 64, ringMax: 128 } as const;

  it('gets one more thread with v1, which looks past the slot (defect 3)', async () => {
    const dev = await start('v1', change);
    await dev.setRing(128);
    await expect.poll(serials).toHaveLength(2);
    const [parked, serving] = serials();
    await dev.setNapi(0, { threaded: false });
    await expect.poll(serials).toEqual([parked]);
    await dev.setNapi(0, { threaded: true });
    await expect.poll(serials).toHaveLength(2);
    const [kept, made] = serials();
    expect(kept).toBe(parked);
    expect(made).toBeGreaterThan(serving);
  });

  it('has the only thread of its queue with fixed', async () => {
    const dev = await start('fixed', change);
    await dev.setRing(128);
    await expect.poll(serials).toHaveLength(1);
    await dev.setNapi(0, { threaded: false });
    await expect.poll(serials).toEqual([]);
    await dev.setNapi(0, { threaded: true });
    await expect.poll(serials).toHaveLength(1);
  });
});

describe('threads parked while the link is down', () => {
  it('cannot be stopped with v1 (defect 4)', async () => {
    const dev = await start('v1');
    const before = serials();
    const [{ id }] = await dev.napis();
    await dev.down();
    const write = await machine.uapi({ kind: 'write', path: THREADED, text: '0' });
    expect(write.err).toBe(-EOPNOTSUPP);
    const set = await machine.uapi({
      kind: 'netlink',
      op: 'napi-set',
      dump: false,
      attrs: { id, threaded: 'disabled' },
    });
    expect(set.err).toBeLessThan(0);
    await expect.poll(serials).toEqual(before);
  });

  it('are stopped with fixed by a write to the device, which stays off when the link comes up', async () => {
    const dev = await start('fixed');
    await dev.down();
    await expect.poll(serials).toHaveLength(2);
    const write = await machine.uapi({ kind: 'write', path: THREADED, text: '0' });
    expect(write.err).toBe(0);
    await expect.poll(serials).toEqual([]);
    await dev.up();
    expect((await dev.napis()).map((n) => n.threaded)).toEqual([false, false]);
    await expect.poll(serials).toEqual([]);
  });

  it('are not stopped with fixed when the write says that threads stay on', async () => {
    const dev = await start('fixed');
    const before = serials();
    await dev.down();
    const write = await machine.uapi({ kind: 'write', path: THREADED, text: '1' });
    expect(write.err).toBe(0);
    await dev.up();
    await expect.poll(serials).toEqual(before);
  });
});

describe('a renamed device', () => {
  it('leaves its threads with the old name with v1 (defect 5)', async () => {
    const dev = await start('v1');
    const before = names();
    await dev.down();
    await dev.rename('lan0');
    await dev.up();
    expect(names()).toEqual(before);
    expect(before.every((n) => n.startsWith('napi/eth0-'))).toBe(true);
  });

  it('renames its threads with fixed, those that are parked, too', async () => {
    const dev = await start('fixed');
    const ids = (await dev.napis()).map((n) => n.id).sort();
    expect(names()).toEqual(ids.map((id) => `napi/eth0-${id}`));
    await dev.setChannels(1);
    await dev.rename('lan0');
    expect(names()).toEqual(ids.map((id) => `napi/lan0-${id}`));
    await dev.setChannels(2);
    expect(names()).toEqual(ids.map((id) => `napi/lan0-${id}`));
  });
});

describe('stopping the thread of an instance that is disabled', () => {
  it('returns, where Linux waits for SCHED, which disable holds (defect 6)', () => {
    const bm = new BareMachine();
    const { net } = bm.thread();
    const dev = bm.netdev(bm.thread());
    const n = net.napi(netifNapiAdd(net, dev, 1, 0, 64, 0));
    napiEnable(net, n);
    bm.giveThread(n);
    napiSetThreaded(net, n, 1);
    napiDisable(net, n);
    expect(napiSetThreaded(net, n, 0)).toBe(0);
    expect(bm.clock.sleeps).toBe(0);
    expect(stateOf(n)).toBe('SCHED|NPSVC|LISTED');
    expect(napiEnable(net, n)).toBe(0);
    expect(stateOf(n)).toBe('LISTED');
  });
});
