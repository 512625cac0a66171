// SPDX-License-Identifier: GPL-2.0-only
/** Reconfiguration under full traffic on real threads: nothing is lost, nothing overtaken, everything comes to rest. */
import { describe, expect, it } from 'vitest';
import { SoftnetError } from '../../dist/index.js';
import { capture, generated, replayed, seeded, TrafficRig } from '../helpers/traffic.js';

/** A thousand in all. */
const SWITCHES_GENERATED = 600;
const SWITCHES_REPLAYED = 400;
const QUEUES = 2;

/** Device and single instances, in turn and at random. */
async function switchModes(rig: TrafficRig, times: number, seed: number): Promise<void> {
  const next = seeded(seed);
  for (let i = 0; i < times; i++) {
    if (next(2) === 0) await rig.eth0.setThreaded(i % 2 === 0);
    else await rig.eth0.setNapi(next(QUEUES), { threaded: next(2) === 0 });
  }
}

describe('softirq and threads', () => {
  it(`can be switched ${SWITCHES_GENERATED} times under generated traffic`, async () => {
    const rig = await TrafficRig.start({});
    await rig.during(generated, () => switchModes(rig, SWITCHES_GENERATED, 1));
    await rig.eth0.setThreaded(true);
    const { drops, sent, sink, states } = await rig.finish();
    expect(drops).toEqual({});
    expect(sink.frames).toBe(sent);
    expect(states).toEqual(['LISTED|THREADED', 'LISTED|THREADED']);
  });

  it.skipIf(capture === null)(
    `can be switched ${SWITCHES_REPLAYED} times under recorded traffic`,
    async () => {
      const rig = await TrafficRig.start({ threaded: true, ringSize: 256 });
      await rig.during(replayed, () => switchModes(rig, SWITCHES_REPLAYED, 2));
      await rig.eth0.setThreaded(false);
      const { drops, sent, sink, states } = await rig.finish();
      expect(drops).toEqual({});
      expect(sink.frames).toBe(sent);
      expect(states).toEqual(['LISTED', 'LISTED']);
    },
  );

  it('threads that are no longer needed end', async () => {
    const rig = await TrafficRig.start({});
    await rig.during(generated, () => switchModes(rig, 20, 3));
    await rig.eth0.setThreaded(false);
    expect((await rig.eth0.napis()).map((n) => n.tid)).toEqual([null, null]);
    await rig.eth0.setThreaded(true);
    const tids = (await rig.eth0.napis()).map((n) => n.tid);
    expect(tids).not.toContain(null);
    await rig.finish();
  });
});

describe('GRO and deferral', () => {
  it('can be switched on and off under recorded traffic, in both modes', async () => {
    const rig = await TrafficRig.start({ rxGroList: true });
    const next = seeded(4);
    await rig.during(replayed, async () => {
      for (let i = 0; i < 150; i++) {
        const on = i % 2 === 0;
        await rig.eth0.setNapi(next(QUEUES), {
          deferHardIrqs: on ? 2 : 0,
          groFlushTimeoutNs: on ? 50_000 : 0,
          ...(i % 10 === 9 ? { threaded: next(2) === 0 } : {}),
        });
        const op = { name: 'netdev-features', dev: rig.eth0.at, features: next(4) } as const;
        await rig.machine.control(op, 'setting the features of eth0');
      }
    });
    const { drops, sent, sink } = await rig.finish();
    expect(drops).toEqual({});
    expect(sink.frames).toBe(sent);
  });

  it('come to rest by the watchdog alone: no frame and no interrupt follows', async () => {
    const rig = await TrafficRig.start({ rxGroList: true, deferHardIrqs: 2, groFlushTimeoutNs: 50_000 });
    await rig.during(replayed, async () => {});
    const { drops, sent, sink } = await rig.finish();
    expect(drops).toEqual({});
    expect(sink.frames).toBe(sent);
  });
});

describe('the link', () => {
  it.each([
    ['softirq', false],
    ['threads', true],
  ])(
    'goes down and up under traffic with %s: every frame is delivered or counted',
    async (_mode, threaded) => {
      const rig = await TrafficRig.start({ threaded, rxGroList: true });
      await rig.during(generated, async () => {
        for (let i = 0; i < 60; i++) {
          await rig.eth0.down();
          expect(await rig.eth0.napis()).toEqual([]);
          await rig.eth0.up();
        }
      });
      const { drops, states } = await rig.finish();
      expect(Object.keys(drops).filter((reason) => reason !== 'dev_ready')).toEqual([]);
      expect(states).toEqual(Array(QUEUES).fill(threaded ? 'LISTED|THREADED' : 'LISTED'));
    },
  );
});

describe('everything at once', () => {
  it.each([1, 2, 3])('seed %i', async (seed) => {
    const rig = await TrafficRig.start(
      {
        deferHardIrqs: 2,
        groFlushTimeoutNs: 50_000,
        rxGroList: true,
        ringSize: seed === 1 ? 8 : 64,
        poolSize: seed === 1 ? 16 : 256,
      },
      { cpus: seed },
    );
    const { eth0, machine } = rig;
    const next = seeded(seed);
    const steps = [
      () => eth0.setThreaded(true),
      () => eth0.setThreaded(false),
      () => eth0.setNapi(next(QUEUES), { threaded: next(2) === 0 }),
      () => eth0.down().then(() => eth0.up()),
      () => eth0.setNapi(next(QUEUES), { deferHardIrqs: next(3), groFlushTimeoutNs: next(3) * 25_000 }),
      () => eth0.setIrqAffinity(next(QUEUES), next(machine.cpus)),
      () => eth0.setCoalesce(next(2) * 100, next(3) * 8),
      async () => machine.failKthread(1 + next(3)),
    ];
    await rig.during(seed === 1 ? generated : replayed, async () => {
      for (let i = 0; i < 300; i++) {
        try {
          await steps[next(steps.length)]();
        } catch (error) {
          // A thread that was refused: the documented answer, and the instance goes on without.
          expect(error).toBeInstanceOf(SoftnetError);
          expect((error as SoftnetError).code).toBe('ENOMEM');
        }
      }
    });
    const { drops } = await rig.finish();
    expect(Object.keys(drops).filter((reason) => reason !== 'dev_ready' && reason !== 'pkt_too_big')).toEqual(
      [],
    );
  });
});
