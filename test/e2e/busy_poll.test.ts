// SPDX-License-Identifier: GPL-2.0-only
/** Busy polling on real threads: threads that never rest (seed 003), sockets that poll for themselves. */
import { describe, expect, it } from 'vitest';
import { boot, type Machine, type NetDevice, OptionError } from '../../dist/index.js';
import { generated, type Outcome, seeded, TrafficRig, until } from '../helpers/traffic.js';

const APPS = new URL('../helpers/busy_apps.mjs', import.meta.url);
const BUSY = 'SCHED|LISTED|IN_BUSY_POLL|THREADED|SCHED_THREADED|THREADED_BUSY_POLL';
/** So long that no test ends by it. */
const LONG_NS = 2_000_000_000;

async function setByNetlink(machine: Machine, id: number, threaded: string): Promise<unknown> {
  return machine.uapi({ kind: 'netlink', op: 'napi-set', dump: false, attrs: { id, threaded } });
}

async function busyRig(): Promise<TrafficRig> {
  const rig = await TrafficRig.start({ queues: 1 });
  await rig.eth0.setNapi(0, { threaded: 'busy-poll' });
  await rig.during(generated, async () => {});
  return rig;
}

function expectAll({ drops, sent, sink }: Outcome): void {
  expect(drops).toEqual({});
  expect(sink.frames).toBe(sent);
  expect(sink.reordered).toBe(0);
}

describe('a thread that polls without end', () => {
  it('takes everything, owns the instance for good, and wakes readers all the same', async () => {
    const rig = await busyRig();
    const [napi] = await rig.eth0.napis();
    expect(napi).toMatchObject({ state: BUSY, mode: 'busy-poll', threaded: true, completions: 1 });
    await until(async () => (await rig.eth0.napis())[0].emptyPolls > napi.emptyPolls);
    await rig.eth0.setNapi(0, { threaded: true });
    await until(async () => (await rig.eth0.napis())[0].state === 'LISTED|THREADED');
    expectAll(await rig.finish());
  });

  it('is set by netlink for one instance, and refused for a device', async () => {
    const rig = await TrafficRig.start({ queues: 2 });
    const [second, first] = await rig.eth0.napis();
    expect(await setByNetlink(rig.machine, first.id, 'busy-poll')).toMatchObject({ err: 0 });
    const dump = await rig.machine.uapi({ kind: 'netlink', op: 'napi-get', dump: true, attrs: {} });
    expect(dump.value).toMatchObject([
      { id: second.id, threaded: 'disabled' },
      { id: first.id, threaded: 'busy-poll', pid: expect.any(Number) },
    ]);
    const path = '/sys/class/net/eth0/threaded';
    expect(await rig.machine.uapi({ kind: 'write', path, text: '2\n' })).toMatchObject({ err: -95 });
    expect((await rig.machine.uapi({ kind: 'read', path })).value).toBe('0\n');
    await rig.finish();
  });

  it('comes back with the link, with other channels, and with its thread', async () => {
    const rig = await busyRig();
    const [{ tid }] = await rig.eth0.napis();
    await rig.eth0.down();
    await rig.eth0.up();
    expect(await rig.eth0.napis()).toMatchObject([{ mode: 'busy-poll', tid }]);
    await rig.during(generated, async () => {});
    expect(await rig.eth0.napis()).toMatchObject([{ state: BUSY, tid }]);
    expectAll(await rig.finish());
  });

  it('can be switched on and off, and to softirq, under traffic', async () => {
    const rig = await TrafficRig.start({ queues: 2 });
    const next = seeded(7);
    const modes = ['busy-poll', true, false] as const;
    await rig.during(generated, async () => {
      for (let i = 0; i < 300; i++) await rig.eth0.setNapi(next(2), { threaded: modes[next(3)] });
    });
    await rig.eth0.setThreaded(false);
    const outcome = await rig.finish();
    expectAll(outcome);
    expect(outcome.states).toEqual(['LISTED', 'LISTED']);
  });

  it('ends when its link goes down, at any moment of the traffic', async () => {
    const rig = await TrafficRig.start({ queues: 2 });
    await rig.eth0.setNapi(0, { threaded: 'busy-poll' });
    await rig.eth0.setNapi(1, { threaded: 'busy-poll' });
    await rig.during(generated, async () => {
      for (let i = 0; i < 50; i++) {
        await rig.eth0.down();
        await rig.eth0.up();
      }
    });
    const { drops, sent, sink } = await rig.finish();
    expect(Object.keys(drops).filter((reason) => reason !== 'dev_ready')).toEqual([]);
    expect(sink.frames + (drops.dev_ready ?? 0)).toBe(sent);
  });

  it('hands up what GRO holds without an end of the traffic', async () => {
    const rig = await TrafficRig.start({ queues: 1, rxGroList: true });
    await rig.eth0.setNapi(0, { threaded: 'busy-poll', groFlushTimeoutNs: LONG_NS, deferHardIrqs: 1000 });
    await rig.during(generated, async () => {});
    expect(await rig.eth0.napis()).toMatchObject([{ state: BUSY }]);
    expectAll(await rig.finish());
  });

  it('lets control operations through when every CPU is polled without end', async () => {
    const rig = await TrafficRig.start({ queues: 2 });
    await rig.during(generated, async () => {
      await rig.eth0.setNapi(0, { threaded: 'busy-poll' });
      await rig.eth0.setNapi(1, { threaded: 'busy-poll' });
    });
    await rig.eth0.drained();
    for (let i = 0; i < 20; i++) {
      await rig.eth0.setCoalesce(i, 1);
      await rig.machine.setCpuOnline(1, i % 2 === 1);
      const socket = await rig.machine.openUdp({ port: 1000 + i });
      await socket.close(); // with a grace period
    }
    await rig.eth0.setCoalesce(0, 1);
    expectAll(await rig.finish());
  });
});

/** A device whose interrupt is put off for longer than a test runs, once its first frames have come. */
async function deferring(machine: Machine): Promise<NetDevice> {
  const eth0 = await machine.addDevice({ name: 'eth0', queues: 1 });
  await eth0.setNapi(0, { deferHardIrqs: 1_000_000, groFlushTimeoutNs: LONG_NS });
  return eth0;
}

describe('a socket that busy polls', () => {
  it('gets its frames without interrupts', async () => {
    const machine = await boot();
    const eth0 = await deferring(machine);
    const socket = await machine.openUdp({ port: 9 });
    socket.setBusyPoll({ busyPollUs: 1_000_000, preferBusyPoll: true });
    const app = await machine.runApp(new URL('../helpers/apps.mjs', import.meta.url), {
      name: 'reader',
      exportName: 'counter',
      args: {},
      sockets: [socket],
    });
    await eth0.generate({ count: 1, port: 9 });
    await until(() => socket.delivered === 1);
    const { handled } = eth0.queueStats()[0];
    await eth0.generate({ count: 2000, port: 9, pace: 20_000 });
    await until(() => socket.delivered === 2001);
    // The watchdog is seconds away, and the interrupt stays masked: who else would have polled?
    expect(eth0.queueStats()[0].handled - handled).toBeLessThan(5);
    expect(socket.incomingNapiId).toBe((await eth0.napis())[0].id);
    await socket.close();
    expect(await app.result).toBe(2001);
    expect(machine.drops()).toEqual({});
    await machine.shutdown();
  });

  it('holds nobody up, however long it may go on', async () => {
    const machine = await boot();
    const eth0 = await machine.addDevice({ name: 'eth0', queues: 1 });
    const socket = await machine.openUdp({ port: 9 });
    // Longer than the test may last.
    socket.setBusyPoll({ busyPollUs: 2_000_000_000 });
    const app = await machine.runApp(new URL('../helpers/apps.mjs', import.meta.url), {
      name: 'reader',
      exportName: 'counter',
      args: {},
      sockets: [socket],
    });
    await eth0.generate({ count: 1, port: 9 });
    await until(() => socket.delivered === 1);
    const other = await machine.openUdp({ port: 10 });
    await other.close(); // with a grace period
    await eth0.setNapi(0, { threaded: true });
    await eth0.down();
    await eth0.up();
    await eth0.generate({ count: 1, port: 9 });
    await until(() => socket.delivered === 2);
    await socket.close();
    expect(await app.result).toBe(2);
    expect(machine.drops()).toEqual({});
    await machine.shutdown();
  });

  it('goes on for those that are left when one of its sockets is closed', async () => {
    const machine = await boot();
    const eth0 = await deferring(machine);
    const sockets = [await machine.openUdp({ port: 9 }), await machine.openUdp({ port: 10 })];
    for (const s of sockets) s.setBusyPoll({ busyPollUs: 1_000_000, preferBusyPoll: true });
    const app = await machine.runApp(new URL('../helpers/apps.mjs', import.meta.url), {
      name: 'reader',
      exportName: 'counter',
      args: {},
      sockets,
    });
    await eth0.generate({ count: 2, flows: 2, port: 9, ports: 2 });
    await until(() => sockets[0].delivered + sockets[1].delivered === 2);
    await sockets[0].close();
    const { handled } = eth0.queueStats()[0];
    // The watchdog is seconds away: only a busy poller can bring these.
    await eth0.generate({ count: 500, port: 10, pace: 20_000 });
    await until(() => sockets[1].delivered === 501);
    expect(eth0.queueStats()[0].handled - handled).toBeLessThan(5);
    await sockets[1].close();
    expect(await app.result).toBe(502);
    await machine.shutdown();
  });

  it('takes what it starts with from net.core.busy_read', async () => {
    const machine = await boot();
    await machine.setSysctl('net.core.busy_read', 77);
    await machine.setSysctl('net.core.busy_poll', 50);
    await expect(machine.setSysctl('net.core.busy_read', -1)).rejects.toThrow(/EINVAL/);
    const socket = await machine.openUdp({ port: 9 });
    socket.setBusyPoll({ busyPollBudget: 16 });
    expect(() => socket.setBusyPoll({ busyPollUs: -1 })).toThrow(OptionError);
    expect(() => socket.setBusyPoll({ busyPollBudget: 65536 })).toThrow(
      /busyPollBudget: 65536 is not possible/,
    );
    expect(socket.incomingNapiId).toBe(0);
    await machine.shutdown();
  });
});

describe('an epoll instance', () => {
  for (const [name, epoll, napi] of [
    ['sleeps', {}, {}],
    ['busy polls', { busyPollUs: 200 }, {}],
    ['prefers it', { busyPollUs: 200, preferBusyPoll: true, busyPollBudget: 64 }, { deferHardIrqs: 10 }],
    ['suspends interrupts', { busyPollUs: 50, preferBusyPoll: true }, { irqSuspendTimeoutNs: 20_000_000 }],
  ] as const) {
    it(`hands out everything of two sockets when it ${name}`, async () => {
      const machine = await boot();
      const eth0 = await machine.addDevice({ name: 'eth0', queues: 1, groFlushTimeoutNs: 100_000 });
      await eth0.setNapi(0, { deferHardIrqs: 2, ...napi });
      const sockets = [await machine.openUdp({ port: 9 }), await machine.openUdp({ port: 10 })];
      const app = await machine.runApp<{ perSocket: number[]; napiId: number }>(APPS, {
        name: 'epoll',
        exportName: 'epollReader',
        args: { epoll },
        sockets,
      });
      await eth0.generate({ count: 20_000, flows: 2, port: 9, ports: 2, pace: 100_000 });
      await eth0.drained();
      await until(() => sockets[0].delivered + sockets[1].delivered === 20_000);
      for (const s of sockets) await s.close();
      const [{ id }] = await eth0.napis();
      expect(await app.result).toMatchObject({ perSocket: [10_000, 10_000], napiId: id });
      expect(machine.drops()).toEqual({});
      await machine.shutdown();
    });
  }

  it('says when its time is up, and refuses what makes no sense', async () => {
    const machine = await boot();
    const sockets = [await machine.openUdp({ port: 9 })];
    const waits = await machine.runApp(APPS, { name: 'a', exportName: 'epollTimeouts', sockets });
    expect(await waits.result).toEqual([0, 0]);
    const wrong = await machine.runApp<string[]>(APPS, {
      name: 'b',
      exportName: 'wrongOptions',
      sockets: [await machine.openUdp({ port: 10 })],
    });
    const said = await wrong.result;
    expect(said[0]).toMatch(/^busyPollUs: -1 is not possible; give a whole number from 0/);
    expect(said).not.toContain('accepted');
    await machine.shutdown();
  });
});
