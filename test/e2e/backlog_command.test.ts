// SPDX-License-Identifier: GPL-2.0-only
/** `softnet backlog`: every frame is accounted for in each case and mode, and each backlog is run in the way asked for. */
import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { writeUdp4 } from '../../dist/drivers/net/frame_builder.js';
import { Toeplitz } from '../../dist/drivers/net/toeplitz.js';
import { dissect } from '../../dist/net/core/flow_dissector.js';
import { FlowKeys } from '../../dist/net/core/headers/flow_keys.js';
import { FLOW_DST_IP, flowSrcIp } from '../../dist/threads/generator_flow.js';
import type { TrialReport } from '../../dist/tools/backlog/backlog.js';
import { portsForCpu } from '../../dist/tools/flow_ports.js';
import { CLI, runCli } from '../helpers/cli.js';

const COUNT = 4000;
const SMALL = ['backlog', '--trials', '1', '--count', String(COUNT), '--sizes', '64'];

async function runs(...args: readonly string[]): Promise<TrialReport[]> {
  const r = await runCli([...SMALL, '--json', ...args]);
  expect(r.stderr).toBe('');
  expect(r.code).toBe(0);
  return (JSON.parse(r.stdout) as { runs: TrialReport[] }).runs;
}

/** How much CPU time a run's threads of a kind of name used. */
function cpuOf(r: TrialReport, name: RegExp): number {
  return r.threads.filter((t) => name.test(t.name)).reduce((sum, t) => sum + (t.cpu_s ?? 0), 0);
}

describe('softnet backlog', () => {
  it('accounts for each frame of each case and mode, and says what it was', async () => {
    const all = await runs('--flows', '4');
    const modes = ['ipi', 'threaded', 'smpboot'];
    expect(all.map((r) => `${r.case} ${r.mode}`)).toEqual([
      ...modes.map((m) => `nic ${m}`),
      ...[...modes, 'smpboot-no-bypass'].map((m) => `loopback ${m}`),
      ...modes.map((m) => `few ${m}`),
    ]);
    for (const r of all) {
      expect(r).toMatchObject({ flows: 4, size: 64, offered: COUNT, reordered: 0, failures: [], trial: 1 });
      expect(r.delivered + r.drops).toBe(COUNT);
      expect(Object.values(r.drops_by_reason).reduce((a, b) => a + b, 0)).toBe(r.drops);
      expect(r.pps).toBeGreaterThan(0);
      expect(r.cpu_s === null || r.cpu_s > 0).toBe(true);
      expect(r.time_squeeze).toBeGreaterThanOrEqual(0);
      // A line a CPU, fifteen columns; no frame waits in a backlog any more.
      expect(r.softnet_stat).toHaveLength(2);
      r.softnet_stat.forEach((line, cpu) => {
        expect(line).toMatch(/^([0-9a-f]{8} ){14}[0-9a-f]{8}$/);
        const columns = line.split(' ').map((word) => Number.parseInt(word, 16));
        expect([columns[11], columns[12]]).toEqual([0, cpu]);
      });
      // Who runs the backlogs.
      if (r.case === 'nic' && r.mode === 'ipi') expect(r.received_rps).toBeGreaterThan(0);
      else expect(r.received_rps).toBe(0);
      const names = r.threads.map((t) => t.name).filter((name) => /backlog/.test(name));
      if (r.mode === 'ipi') expect(names).toEqual([]);
      else if (r.mode === 'threaded') expect(names.sort()).toEqual(['napi/backlog-0', 'napi/backlog-1']);
      else expect(names.sort()).toEqual(['backlog_napi/0', 'backlog_napi/1']);
      if (r.cpu_s === null) continue;
      // Boot-time threads leave a CPU's own frames to its softirq; run-time threads take them.
      if (r.mode === 'threaded') expect(cpuOf(r, /^napi.backlog-0/)).toBeGreaterThan(0);
      if (r.mode === 'smpboot-no-bypass') expect(cpuOf(r, /^backlog_napi.0/)).toBeGreaterThan(0);
      if (r.mode === 'smpboot' && r.case !== 'nic') expect(cpuOf(r, /^backlog_napi/)).toBe(0);
    }
  });

  it('shows medians against interrupts, its parameters in the first line and the last, and the verdict', async () => {
    const r = await runCli([
      'backlog',
      '--cases',
      'few',
      '--modes',
      'ipi,threaded',
      '--flows',
      '2',
      '--sizes',
      '100',
      '--seconds',
      '0.02',
      '--trials',
      '2',
      '--cpus',
      '3',
    ]);
    expect(r.stderr).toBe('');
    expect(r.code).toBe(0);
    const lines = r.stdout.trimEnd().split('\n');
    expect(lines[0]).toContain('cases=[few]; modes=[ipi,threaded]; flows=[2]; sizes=[100]; cpus=3');
    expect(lines[0]).toContain('seconds=0.02; trials=2');
    expect(lines.at(-1)).toBe(`${lines[0]}: SUCCESS`);
    const rows = lines.filter((line) => line.startsWith('few'));
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatch(/^few +2 +100 +ipi +[\d,]+ +/);
    expect(rows[1]).toMatch(/^few +2 +100 +threaded +[\d,]+ +[+-]?\d+ %/);
  });

  it('counts what a full backlog drops, and loses nothing else', async () => {
    const [r] = await runs(
      '--cases',
      'loopback',
      '--modes',
      'threaded',
      '--window',
      '4096',
      '--count',
      '200000',
    );
    expect(r.delivered + r.drops).toBe(200_000);
    expect(Object.keys(r.drops_by_reason).filter((reason) => reason !== 'cpu_backlog')).toEqual([]);
  });

  it('prints what there is when it is interrupted', async () => {
    const args = [CLI, ...SMALL, '--count', '1000000000', '--cases', 'loopback,nic', '--modes', 'ipi'];
    const child = spawn(process.execPath, args);
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      // The first line is there as soon as signals are taken.
      if (stdout === '') child.kill('SIGINT');
      stdout += text;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(stdout.trimEnd()).toMatch(/: interrupted, SUCCESS$/);
    expect(code).toBe(130);
  });

  it.each([
    [['--cases', 'wire'], 'nic, loopback, few'],
    [['--modes', 'ipi,ipi'], 'ipi, threaded, smpboot, smpboot-no-bypass'],
    [['--sizes', '59'], 'whole number from 60 to 2048'],
    [['--flows', '1,x'], 'whole number'],
    [['--buffers', '100'], 'power of two'],
    [['--window', '3'], 'power of two'],
    [['--seconds', '0'], 'above 0'],
    [['--seconds', '1', '--count', '5'], 'cannot be used with'],
    [['--cases', 'nic', '--flows', '4096', '--sizes', '1024'], 'give at most that'],
  ])('refuses %j in one line', async (args, what) => {
    const r = await runCli(['backlog', ...args]);
    expect(r.code).toBe(2);
    expect(r.stdout).toBe('');
    expect(r.stderr.split('\n').find((line) => line.includes(what))).toBeDefined();
  });
});

/** The hash that a NIC gives a made-up frame: the frame is built and taken apart again. */
function hashOf(flow: number, srcPort: number, dstPort: number): number {
  const frame = new Uint8Array(64);
  const mac = new Uint8Array(6);
  const len = writeUdp4(frame, 0, {
    srcMac: mac,
    dstMac: mac,
    srcIp: flowSrcIp(flow),
    dstIp: FLOW_DST_IP,
    srcPort,
    dstPort,
    payloadLen: 22,
  });
  const keys = new FlowKeys();
  dissect(frame, 0, len, keys);
  return new Toeplitz().rssHashWord(frame, keys) >>> 0;
}

describe('portsForCpu', () => {
  it.each([
    [2, 0],
    [3, 2],
    [64, 17],
  ])('gives each flow a hash that names, of %i CPUs, number %i', (cpus, index) => {
    const ports = portsForCpu(16, 9, cpus, index);
    const named = ports.map((port, flow) => Number((BigInt(hashOf(flow, port, 9)) * BigInt(cpus)) >> 32n));
    expect(named).toEqual(new Array(16).fill(index));
  });
});
