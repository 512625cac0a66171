// SPDX-License-Identifier: GPL-2.0-only
/** `softnet replay` as a user runs it: the built command, real workers, real traffic, and bad input. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import {
  FIXTURE,
  FIXTURE_FRAMES,
  runCli,
  SMALL_FIXTURE,
  SMALL_FIXTURE_FRAMES,
  startCli,
} from '../helpers/cli.js';

const dir = mkdtempSync(join(tmpdir(), 'softnet-replay-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Report {
  readonly runs: {
    readonly mode: string;
    readonly queues: number;
    readonly packets: { read: number; delivered: number; dropped: Record<string, number> };
    readonly bytes: number;
    readonly duration_s: number;
    readonly pps: number;
    readonly polls: number;
    readonly packets_per_poll: number;
    readonly wakeups: number;
    readonly latency_ns: { p5: number; p50: number; p95: number; p99: number; max: number };
    readonly threads: {
      name: string;
      tid: number | null;
      cpu_s: number | null;
      run_delay_s: number | null;
    }[];
    readonly reordered: number;
    readonly flows: number;
  }[];
  readonly warnings: string[];
}

async function report(...args: string[]): Promise<Report> {
  const r = await runCli(['replay', '--json', ...args]);
  expect(r.stderr).toBe('');
  expect(r.code).toBe(0);
  return JSON.parse(r.stdout) as Report;
}

/** The fixture's bytes of frames, counted here by walking the pcap records. */
function fixtureBytes(): number {
  const b = gunzipSync(readFileSync(FIXTURE));
  let bytes = 0;
  for (let at = 24; at < b.length; ) {
    const len = b.readUInt32LE(at + 8);
    bytes += len;
    at += 16 + len;
  }
  return bytes;
}

describe('softnet replay', () => {
  it('delivers every frame of the bundled capture in both modes, in order, and accounts for the threads', async () => {
    const { runs } = await report();
    expect(runs.map((r) => r.mode)).toEqual(['softirq', 'threaded']);
    for (const run of runs) {
      expect(run.packets).toEqual({ read: FIXTURE_FRAMES, delivered: FIXTURE_FRAMES, dropped: {} });
      expect(run.bytes).toBe(fixtureBytes());
      expect(run.reordered).toBe(0);
      expect(run.flows).toBeGreaterThan(300);
      expect(run.queues).toBe(2);
      expect(run.pps * run.duration_s).toBeCloseTo(FIXTURE_FRAMES, -1);
      expect(run.polls * run.packets_per_poll).toBeCloseTo(FIXTURE_FRAMES, -1);
      const { p5, p50, p95, p99, max } = run.latency_ns;
      expect(p5).toBeGreaterThan(0);
      expect([p5, p50, p95, p99, max]).toEqual([p5, p50, p95, p99, max].sort((a, b) => a - b));
    }
    const names = (i: number): string[] => runs[i].threads.map((t) => t.name);
    expect(names(0)).toEqual(
      expect.arrayContaining(['cpu/0', 'cpu/1', 'ksoftirqd/0', 'app/sink', 'nic/eth0']),
    );
    expect(names(0).some((n) => n.startsWith('napi/'))).toBe(false);
    expect(names(1).filter((n) => n.startsWith('napi/eth0-'))).toHaveLength(2);
    if (existsSync('/proc/thread-self')) {
      for (const run of runs) {
        const tids = run.threads.map((t) => t.tid);
        expect(new Set(tids).size).toBe(tids.length);
        for (const t of run.threads) {
          expect(t.tid).toBeGreaterThan(0);
          expect(t.cpu_s).toBeGreaterThanOrEqual(0);
          expect(t.run_delay_s).toBeGreaterThanOrEqual(0);
        }
      }
      // Threaded polling is paid for by the napi threads, softirq by the CPUs.
      const cpuOf = (i: number, prefix: string): number =>
        runs[i].threads.filter((t) => t.name.startsWith(prefix)).reduce((s, t) => s + (t.cpu_s ?? 0), 0);
      expect(cpuOf(1, 'napi/')).toBeGreaterThan(cpuOf(1, 'cpu/'));
    }
  });

  it('prints one table of both modes', async () => {
    const r = await runCli(['replay', SMALL_FIXTURE]);
    expect(r.code).toBe(0);
    expect(r.stderr).toBe('');
    for (const label of [
      'softirq',
      'threaded',
      'packets a poll',
      'latency p99',
      'wake-ups',
      'CPU seconds',
      'nic/eth0',
    ]) {
      expect(r.stdout).toContain(label);
    }
  });

  it('reads the pcapng fixture, loops it, with more queues than CPUs', async () => {
    const { runs } = await report(
      SMALL_FIXTURE,
      '--loop',
      '7',
      '--queues',
      '5',
      '--cpus',
      '3',
      '--mode',
      'threaded',
    );
    expect(runs).toHaveLength(1);
    expect(runs[0].packets.delivered).toBe(7 * SMALL_FIXTURE_FRAMES);
  });

  it('reads standard input, in one mode', async () => {
    const r = await runCli(['replay', '-', '--mode', 'softirq', '--json'], readFileSync(SMALL_FIXTURE));
    expect(r.code).toBe(0);
    expect((JSON.parse(r.stdout) as Report).runs[0].packets.delivered).toBe(SMALL_FIXTURE_FRAMES);
    const both = await runCli(['replay', '-'], readFileSync(SMALL_FIXTURE));
    expect(both.code).toBe(2);
    expect(both.stderr).toMatch(/standard input.*only once/);
  });

  it('accounts for what it drops when the wire does not wait', async () => {
    const { runs } = await report('--when-full', 'drop', '--loop', '3');
    for (const { packets } of runs) {
      const dropped = Object.values(packets.dropped).reduce((a, b) => a + b, 0);
      expect(packets.delivered + dropped).toBe(packets.read);
      expect(packets.read).toBe(3 * FIXTURE_FRAMES);
    }
  });

  it('keeps the pace it is given', async () => {
    const { runs } = await report(SMALL_FIXTURE, '--pace', '400', '--mode', 'threaded');
    // 200 frames at 400 a second: the last one is due after 199/400 s.
    expect(runs[0].duration_s).toBeGreaterThanOrEqual(199 / 400);
    expect(runs[0].packets.delivered).toBe(SMALL_FIXTURE_FRAMES);
  });

  it('names its threads for ps -T while it runs', async () => {
    const run = startCli(['replay', SMALL_FIXTURE, '--mode', 'threaded', '--pace', '100']);
    const wanted = [
      'cpu/0',
      'cpu/1',
      'ksoftirqd/0',
      'ksoftirqd/1',
      'napi/eth0-8193',
      'napi/eth0-8194',
      'nic/eth0',
      'app/sink',
    ];
    let missing = wanted;
    let ended = false;
    void run.done.then(() => {
      ended = true;
    });
    while (missing.length > 0 && !ended && existsSync('/proc/thread-self')) {
      await new Promise((resolve) => setImmediate(resolve));
      const comms = commsOf(run.child.pid ?? 0);
      missing = wanted.filter((name) => !comms.includes(name));
    }
    run.child.kill('SIGINT');
    const r = await run.done;
    if (existsSync('/proc/thread-self')) expect(missing).toEqual([]);
    // Interrupted: what there was is printed, and it adds up.
    expect(r.code).toBe(130);
    expect(r.stdout).toContain('interrupted');
    expect(r.stderr).toBe('');
  });

  it('replays a capture cut off in its last record up to there, with a warning', async () => {
    const whole = gunzipSync(readFileSync(FIXTURE));
    const cut = join(dir, 'cut.pcap');
    writeFileSync(cut, whole.subarray(0, whole.length - 7));
    const r = await runCli(['replay', cut, '--json']);
    expect(r.code).toBe(0);
    expect(r.stderr.match(/warning: .*cut\.pcap/g)).toHaveLength(1);
    expect((JSON.parse(r.stdout) as Report).runs[1].packets.delivered).toBe(FIXTURE_FRAMES - 1);
  });

  it.each([
    ['no such file', [join(dir, 'nothing.pcap')], /nothing\.pcap: no such file/],
    ['a folder', [dir], /is a directory/],
    ['not a capture', ['package.json'], /at byte 0: neither pcap nor pcapng/],
    ['an empty file', ['/dev/null', '--mode', 'softirq'], /empty, not a capture/],
    ['an unknown mode', ['--mode', 'hard'], /no mode "hard"/],
    ['no queues', ['--queues', '0'], /from 1 to 64/],
    ['a pace that is none', ['--pace', 'fast'], /asap, capture, or packets per second/],
    ['an unknown option', ['--frobnicate'], /unknown option/],
    ['no such choice', ['--when-full', 'panic'], /Allowed choices are wait, drop/],
  ])('refuses %s with one clear line and exit code 2', async (_what, args, message) => {
    const r = await runCli(['replay', ...args]);
    expect(r.code).toBe(2);
    expect(r.stderr).toMatch(message);
    expect(r.stderr).not.toMatch(/\n\s+at /);
    expect(r.stdout).toBe('');
  });

  it.each([
    ['a record longer than the file allows', 24 + 8, 0x7fffffff, /at byte 32: record 1 /],
    ['an unknown link type', 20, 147, /at byte 20.*link type/i],
  ])('refuses %s and names the byte', async (_what, at, value, message) => {
    const b = Buffer.from(gunzipSync(readFileSync(FIXTURE)).subarray(0, 5000));
    b.writeUInt32LE(value, at);
    const file = join(dir, `bad-${at}.pcap`);
    writeFileSync(file, b);
    const r = await runCli(['replay', file]);
    expect(r.code).toBe(2);
    expect(r.stderr).toMatch(message);
    expect(r.stderr.trim().split('\n')).toHaveLength(1);
  });

  it('reports damage in the middle of a file while the machine runs', async () => {
    const b = Buffer.from(gunzipSync(readFileSync(FIXTURE)));
    let at = 24;
    for (let i = 0; i < 20000; i++) at += 16 + b.readUInt32LE(at + 8);
    b.writeUInt32LE(0x00ffffff, at + 8);
    const file = join(dir, 'middle.pcap');
    writeFileSync(file, b);
    const r = await runCli(['replay', file]);
    expect(r.code).toBe(2);
    expect(r.stderr).toContain(`at byte ${at + 8}: record 20001 `);
    expect(r.stderr.trim().split('\n')).toHaveLength(1);
  });
});

function commsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((tid) => {
      try {
        return readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').trim();
      } catch {
        return ''; // it ended meanwhile
      }
    });
  } catch {
    return [];
  }
}
