// SPDX-License-Identifier: GPL-2.0-only
/** What `softnet torture` is made of: expectations, seeds, options, merging. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { shard } from '../../dist/tools/commands/command.js';
import { mergeRecords } from '../../dist/tools/merge.js';
import { type CampaignRecord, readRecords, writeRecord } from '../../dist/tools/records.js';
import { stateBits } from '../../dist/tools/torture/diagnose.js';
import { DeviceModel, Register } from '../../dist/tools/torture/expected.js';
import { Gate } from '../../dist/tools/torture/gate.js';
import { durationText, parseDuration, seedsOf } from '../../dist/tools/torture/options.js';
import { faultsText, parseFaults } from '../../dist/tools/torture/profiles.js';
import { Random } from '../../dist/tools/torture/random.js';
import { Watchdog } from '../../dist/tools/torture/watchdog.js';

describe('a value that operations write', () => {
  it('is the last of those that came one after the other', () => {
    const r = new Register<number>(0);
    r.write(1, { asked: 1, answered: 2 });
    r.write(2, { asked: 3, answered: 4 });
    expect([0, 1, 2].filter((v) => r.allows(v))).toEqual([2]);
    expect(r.isSurely(2)).toBe(true);
  });

  it('is any of those at the same time that nothing followed', () => {
    const r = new Register<number>(0);
    r.write(1, { asked: 2, answered: 3 });
    r.write(2, { asked: 1, answered: 4 });
    expect([0, 1, 2].filter((v) => r.allows(v))).toEqual([1, 2]);
    expect(r.text).toBe('1 or 2');
    r.write(3, { asked: 5, answered: 6 });
    expect([0, 1, 2, 3].filter((v) => r.allows(v))).toEqual([3]);
  });

  it('is anything while it cannot be told', () => {
    const r = new Register<boolean>(null);
    expect([true, false].every((v) => r.allows(v))).toBe(true);
    r.write(true, { asked: 1, answered: 2 });
    expect(r.allows(false)).toBe(false);
  });
});

describe('a device whose queue gets an AF_XDP socket', () => {
  const model = (persistent: boolean): DeviceModel =>
    new DeviceModel({ persistent, queues: 2, maxQueues: 2, ringSize: 64, threaded: true });
  const at = { value: null, code: 'OK', asked: 1, answered: 2 };

  it('without napi_config forgets the mode of that queue, and its own if a thread may have been refused', () => {
    const d = model(false);
    d.rebound(0, false, at);
    expect([d.queues[0].mode.allows('disabled'), d.queues[1].mode.allows('disabled')]).toEqual([true, false]);
    expect([d.mayStrandThread(0), d.mayStrandThread(1), d.threaded.allows(false)]).toEqual([
      true,
      false,
      false,
    ]);
    d.rebound(0, true, { ...at, asked: 3, answered: 4 });
    expect(d.threaded.allows(false)).toBe(true);
  });

  it('with napi_config has every mode as it was', () => {
    const d = model(true);
    d.rebound(0, true, at);
    expect([d.queues[0].mode.allows('disabled'), d.threaded.allows(false)]).toEqual([false, false]);
    expect(d.mayStrandThread(0)).toBe(false);
  });
});

describe('the gate', () => {
  it('is closed when every context is there, and cuts pauses short', async () => {
    const gate = new Gate();
    let passes = 0;
    const context = gate.enter(async () => {
      while (await gate.pass()) {
        passes++;
        await gate.pause(3_600_000);
      }
    });
    await gate.close();
    const before = passes;
    expect(gate.away).toBe(0);
    gate.open();
    gate.end();
    await context;
    expect(before).toBeGreaterThan(0);
  });
});

describe('--stall', () => {
  it('is the number of seconds without progress that a report tells', async () => {
    const m = new Int32Array(1 << 16);
    const world = { apps: [], ops: { underWay: [] }, machine: { arena: { m }, throwIfDown: () => {} } };
    const watch = new Watchdog(world as never, 1, () => {});
    watch.start();
    const waited = watch.until(
      'rain',
      () => false,
      () => '',
    );
    await expect(waited).rejects.toThrow('rain: no progress for 1 s');
    watch.stop();
  });
});

describe('seeds', () => {
  it('draw the same again, and differ by name', () => {
    const draw = (seed: number, name: string): number[] => {
      const r = Random.of(seed, name);
      return Array.from({ length: 8 }, () => r.below(1000));
    };
    expect(draw(7, 'a')).toEqual(draw(7, 'a'));
    expect(draw(7, 'a')).not.toEqual(draw(8, 'a'));
    expect(draw(7, 'a')).not.toEqual(draw(7, 'b'));
  });

  it('fall to the parts of a campaign, each to one', () => {
    const all = [1, 2, 3].flatMap((i) => seedsOf({ seed: 5, seeds: 10, shard: [i, 3] }));
    expect(all.sort((a, b) => a - b)).toEqual(Array.from({ length: 10 }, (_, k) => 5 + k));
  });
});

describe('options', () => {
  it('of time are seconds, minutes and hours', () => {
    expect(['45s', '5m', '3h', '20', '1.5s'].map(parseDuration)).toEqual([45e3, 300e3, 10_800e3, 20e3, 1500]);
    expect(['', 's', '-1s', '0s', '5d', '1e9h'].map(parseDuration)).toEqual(Array(6).fill(null));
    for (const text of ['45s', '5m', '3h']) expect(durationText(parseDuration(text) ?? 0)).toBe(text);
  });

  it('of parts begin with 1', () => {
    expect(shard('2/3')).toEqual([2, 3]);
    for (const bad of ['0/3', '4/3', '1', '1/0', 'a/b']) expect(() => shard(bad)).toThrow(/i\/n/);
  });

  it('of faults have rates, and come back as they were given', () => {
    expect(parseFaults('gc=2,sigstop=0.5')).toEqual({ gc: 2, sigstop: 0.5 });
    expect(faultsText(parseFaults('gc=2,sigstop=0.5'))).toBe('sigstop=0.5,gc=2');
    expect(faultsText(parseFaults('none'))).toBe('none');
    expect(parseFaults('all,gc=2')).toEqual({ ...parseFaults('all'), gc: 2 });
    expect(parseFaults('gc=2,all')).toEqual(parseFaults('all,gc=2'));
    for (const bad of ['gc=1,gc=2', 'gc,gc', 'gc=1,none', 'rain', 'gc=', 'gc=-1', 'gc=1=2', ''])
      expect(() => parseFaults(bad)).toThrow(/faults/);
  });
});

it('state words are told bit by bit', () => {
  expect(stateBits(0x211)).toBe('0x211 = SCHED (bit 0), LISTED (bit 4), SCHED_THREADED (bit 9)');
  expect(stateBits(0)).toBe('0x0 = none');
  expect(stateBits(1 << 20)).toContain('bits that nobody knows: 0x100000');
});

describe('merging', () => {
  const record = (piece: string, verdict: CampaignRecord['verdict'], duration = '1s'): CampaignRecord => ({
    command: 'softnet torture',
    campaign: { duration },
    pieces: ['1', '2'],
    piece,
    verdict,
    summary: '',
    repeat: '',
    report: null,
  });

  it('takes the worse of two results of a seed, and wants every seed', () => {
    expect(mergeRecords([record('1', 'SUCCESS'), record('2', 'SUCCESS')]).verdict).toBe('SUCCESS');
    expect(mergeRecords([record('1', 'SUCCESS')])).toMatchObject({ verdict: 'FAILURE', missing: ['2'] });
    const twice = [record('1', 'FAILURE'), record('1', 'SUCCESS'), record('2', 'SUCCESS')];
    expect(mergeRecords(twice).verdict).toBe('FAILURE');
    expect(mergeRecords([record('1', 'SUCCESS'), record('2', 'INCOMPLETE')]).verdict).toBe('FAILURE');
  });

  it('finds a failure however often its seed ran again in the same folder, and what replaces a run cut short', () => {
    const dir = mkdtempSync(join(tmpdir(), 'softnet-records-test-'));
    try {
      const verdictOf = (...runs: CampaignRecord['verdict'][]): string => {
        for (const verdict of runs) writeRecord(dir, record('1', verdict));
        return mergeRecords(readRecords(dir)).records.map((r) => r.verdict)[0];
      };
      expect(verdictOf('INCOMPLETE')).toBe('INCOMPLETE');
      expect(verdictOf('SUCCESS', 'INCOMPLETE')).toBe('SUCCESS');
      expect(verdictOf('FAILURE', 'SUCCESS', 'INCOMPLETE', 'SUCCESS')).toBe('FAILURE');
      expect(readdirSync(dir).length).toBe(3);
      // What a later failure says does not take the place of what an earlier one said.
      writeRecord(dir, { ...record('1', 'FAILURE'), summary: 'another' });
      const said = readRecords(dir).filter((r) => r.verdict === 'FAILURE');
      expect(said.map((r) => r.summary).sort()).toEqual(['', 'another']);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('refuses records of different campaigns', () => {
    expect(() => mergeRecords([record('1', 'SUCCESS'), record('2', 'SUCCESS', '2s')])).toThrow(
      /one campaign/,
    );
  });
});
