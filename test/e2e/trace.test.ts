// SPDX-License-Identifier: GPL-2.0-only
/** Tracing: what is recorded of a machine at work, the file for Perfetto, histograms, and the commands. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { boot } from '../../dist/index.js';
import {
  TP_KTHREAD_PARK,
  TP_KTHREAD_UNPARK,
  TP_NAPI_POLL,
  TP_NAPI_POLL_BEGIN,
  TP_NETIF_RECEIVE_SKB,
  TP_SCHED_SWITCH_IN,
  TP_SCHED_SWITCH_OUT,
  TP_SCHED_WAKEUP,
  TP_SOFTIRQ_ENTRY,
  TP_SOFTIRQ_EXIT,
} from '../../dist/kernel/trace.js';
import { perfettoEvents } from '../../dist/tools/trace/perfetto.js';
import { traceStat, traceStatText } from '../../dist/tools/trace/stat.js';
import { packTrace, type Trace, unpackTrace } from '../../dist/trace.js';
import { runCli, SMALL_FIXTURE, startCli } from '../helpers/cli.js';
import { http, servedMachine } from '../helpers/control.js';
import { SINK, until } from '../helpers/traffic.js';

const dir = mkdtempSync(join(tmpdir(), 'softnet-trace-'));
afterAll(() => rmSync(dir, { recursive: true }));

const FRAMES = 3000;

/** Traffic through one queue, of which all is recorded. */
async function traced(threaded: boolean): Promise<Trace> {
  await using machine = await boot({ cpus: 2 });
  const eth0 = await machine.addDevice({ name: 'eth0', threaded });
  const socket = await machine.openUdp({ port: 9 });
  const sink = await machine.runApp(SINK, { name: 'sink', sockets: [socket], args: { order: true } });
  machine.traceStart();
  await eth0.generate({ count: FRAMES, pace: 30_000, port: 9 });
  await until(() => socket.delivered === FRAMES);
  await until(async () => (await eth0.napis())[0].state === (threaded ? 'LISTED|THREADED' : 'LISTED'));
  const t = await machine.traceStop();
  await socket.close();
  await sink.result;
  return t;
}

/** @returns skbs that were handed to the protocols */
function received(t: Trace): number {
  return indices(t, TP_NETIF_RECEIVE_SKB).reduce((n, i) => n + t.a[i], 0);
}

function indices(t: Trace, tp: number): number[] {
  return [...Array(t.count).keys()].filter((i) => t.tp[i] === tp);
}

describe('a trace of traffic', () => {
  it.each([
    ['a thread', true, /^napi\/eth0-/],
    ['softirq', false, /^(cpu|ksoftirqd)\//],
  ] as const)('holds every poll and packet, with %s', async (_name, threaded, poller) => {
    const t = await traced(threaded);
    expect(t.lost).toBe(0);
    expect(received(t)).toBe(FRAMES);
    const polls = indices(t, TP_NAPI_POLL);
    expect(polls.reduce((n, i) => n + t.b[i], 0)).toBe(FRAMES);
    expect(indices(t, TP_NAPI_POLL_BEGIN).length).toBe(polls.length);
    for (const i of polls) expect(t.threads[t.thread[i]].name).toMatch(poller);
    expect(polls.every((i) => /^eth0 napi \d+$/.test(t.instances[t.object[i]]))).toBe(true);
    if (!threaded) {
      expect(indices(t, TP_SOFTIRQ_ENTRY).length).toBeGreaterThan(0);
      expect(indices(t, TP_SOFTIRQ_EXIT).length).toBe(indices(t, TP_SOFTIRQ_ENTRY).length);
    }
    // Each thread's events are in order of time, and it sleeps and runs in turn.
    for (const thread of t.threads.keys()) {
      const own = [...Array(t.count).keys()].filter((i) => t.thread[i] === thread);
      expect(own.every((i, k) => k === 0 || t.ns[own[k - 1]] <= t.ns[i])).toBe(true);
      const switches = own
        .map((i) => t.tp[i])
        .filter((tp) => tp === TP_SCHED_SWITCH_IN || tp === TP_SCHED_SWITCH_OUT);
      expect(switches.every((tp, k) => k === 0 || tp !== switches[k - 1])).toBe(true);
    }
    // A thread is woken before it runs: it sleeps at that moment, but where its waker was held up in between.
    const sleeps = new Map<number, boolean>();
    let late = 0;
    for (let i = 0; i < t.count; i++) {
      if (t.tp[i] === TP_SCHED_SWITCH_IN) sleeps.set(t.thread[i], false);
      if (t.tp[i] === TP_SCHED_SWITCH_OUT) sleeps.set(t.thread[i], true);
      if (t.tp[i] === TP_SCHED_WAKEUP && sleeps.get(t.object[i]) === false) late++;
    }
    expect(late).toBeLessThan(indices(t, TP_SCHED_WAKEUP).length / 20);
    const readers = indices(t, TP_SCHED_WAKEUP).map((i) => t.threads[t.object[i]]?.name);
    expect(readers).toContain('app/sink');
  });

  it('is a file that shows slices in order and arrows with two ends', async () => {
    const t = await traced(true);
    type Event = {
      ph: string;
      name: string;
      pid: number;
      tid: number;
      ts: number;
      dur?: number;
      id?: number;
      args: object;
    };
    const events = [...perfettoEvents([t])] as unknown as Event[];
    const polls = events.filter((e) => e.name === 'napi_poll');
    // In the track of the thread and in that of the CPU.
    expect(polls.length).toBe(2 * indices(t, TP_NAPI_POLL).length);
    expect(new Set(polls.map((e) => e.pid))).toEqual(new Set([1, 2]));
    expect(events.every((e) => e.ph === 'M' || e.ts >= 0)).toBe(true);
    expect(events.every((e) => e.ph !== 'X' || (e.dur ?? -1) >= 0)).toBe(true);
    const starts = new Map(events.filter((e) => e.ph === 's').map((e) => [e.id, e]));
    const ends = events.filter((e) => e.ph === 'f');
    expect(ends.length).toBeGreaterThan(0);
    for (const end of ends) expect(starts.get(end.id)?.tid).not.toBe(end.tid);
    const names = events.filter((e) => e.name === 'thread_name').map((e) => JSON.stringify(e.args));
    expect(names.some((n) => n.includes('napi/eth0'))).toBe(true);
    expect(names.some((n) => n.includes('CPU 0'))).toBe(true);
    // No packet is polled while the thread does not run.
    const running = events.filter((e) => e.name === 'running' && e.pid === 1);
    for (const p of polls.filter((e) => e.pid === 1)) {
      const inside = running.some(
        (r) => r.tid === p.tid && r.ts <= p.ts && r.ts + (r.dur ?? 0) >= p.ts + (p.dur ?? 0),
      );
      expect(inside).toBe(true);
    }
  });

  it('holds the parking of a thread, and survives being packed', async () => {
    await using machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0', threaded: true });
    machine.traceStart();
    await eth0.down();
    await eth0.up();
    // What its thread has polled it polled after it was unparked: `up` does not wait for that.
    await eth0.generate({ count: 1 });
    await eth0.drained();
    const t = await machine.traceStop();
    expect(indices(t, TP_KTHREAD_PARK).length).toBeGreaterThan(0);
    expect(indices(t, TP_KTHREAD_UNPARK).length).toBeGreaterThan(0);
    const packed = packTrace(t);
    const text = [...packed].join('');
    expect(unpackTrace(JSON.parse(text))).toEqual(t);
    expect(packed.bytes).toBe(Buffer.byteLength(text));
    expect(() => unpackTrace({})).toThrow(/no trace/);
  });

  it('names the instance that was polled, though memory is used again', async () => {
    await using machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({
      name: 'eth0',
      queues: 2,
      maxQueues: 4,
      config: 'none',
      reconfig: 'rebuild',
      threaded: true,
    });
    machine.traceStart();
    for (const channels of [4, 1, 2, 3]) {
      await eth0.setChannels(channels);
      await eth0.generate({ count: 400, flows: 64, port: 9 });
      await eth0.drained();
    }
    const t = await machine.traceStop();
    const polled = new Set<string>();
    for (const i of indices(t, TP_NAPI_POLL)) {
      const id = /-(\d+)$/.exec(t.threads[t.thread[i]].name)?.[1];
      polled.add(id ?? '');
      expect(t.instances[t.object[i]]).toMatch(new RegExp(`(^| )napi ${id}$`));
    }
    expect(polled.size).toBeGreaterThan(4);
  });

  it('can be had again, and one at a time', async () => {
    await using machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const send = async (count: number): Promise<void> => {
      await eth0.generate({ count });
      await eth0.drained();
    };
    machine.traceStart();
    await expect(machine.trace(1)).rejects.toThrow(/being traced/);
    await send(100);
    expect(received(await machine.traceStop())).toBe(100);
    // Nothing is recorded in between.
    await send(100);
    machine.traceStart();
    await send(50);
    expect(received(await machine.traceStop())).toBe(50);
    expect((await machine.trace(0.01)).count).toBeGreaterThanOrEqual(0);
  });
});

describe('histograms of a trace', () => {
  it('count what was polled, and how long wake-ups took', async () => {
    const t = await traced(true);
    const s = traceStat(t);
    const [[name, { packets, pollNs }]] = [...s.napi];
    const sum = (h: readonly number[]) => h.reduce((a, b) => a + (b ?? 0), 0);
    expect(name).toMatch(/^eth0 napi/);
    expect(sum(packets)).toBe(indices(t, TP_NAPI_POLL).length);
    expect(sum(pollNs)).toBe(sum(packets));
    expect([...s.wakeNs.keys()]).toContain('app/sink');
    expect(traceStatText(s)).toMatch(/^@packets_per_poll\[eth0 napi \d+\]:\n\[/);
    expect(traceStat(t, 'eth7').napi.size).toBe(0);
  });
});

describe('softnet trace and softnet stat', () => {
  it('record a machine that runs', async () => {
    const served = await servedMachine([]);
    const eth0 = await served.machine.addDevice({ name: 'eth0', threaded: true });
    const feed = eth0.generate({ count: 1e9, pace: 10_000 });
    const path = join(dir, 'up.json');
    const { code, stderr } = await runCli(['trace', '-o', path, '--seconds', '0.5', '--socket', served.path]);
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/events of \d+ threads in 0\.\d s; open it at/),
    ]);
    const { traceEvents } = JSON.parse(readFileSync(path, 'utf8'));
    expect(traceEvents.some((e: { name: string }) => e.name === 'napi_poll')).toBe(true);
    const text = await runCli(['stat', '--seconds', '0.3', '--socket', served.path]);
    expect([text.code, text.stdout]).toEqual([0, expect.stringContaining('@poll_ns[eth0 napi')]);
    const doc = JSON.parse(
      (await runCli(['stat', 'eth0', '--seconds', '0.3', '--json', '--socket', served.path])).stdout,
    );
    expect(Object.keys(doc.napi)).toEqual([expect.stringMatching(/^eth0 napi/)]);
    expect(JSON.stringify(doc)).not.toContain('null');
    expect(Object.keys(doc.wake_to_run_ns)).toEqual([expect.stringMatching(/^napi\/eth0-/)]);
    const none = await runCli(['stat', 'eth7', '--socket', served.path]);
    expect([none.code, none.stdout, none.stderr]).toEqual([
      2,
      '',
      expect.stringMatching(
        /^softnet stat: no instance has "eth7" in its name; there are: eth0 napi \d+, backlog\n$/,
      ),
    ]);
    await eth0.stopWire();
    await feed;
    await served.stop();
  });

  it('end early, with what there is, when they are interrupted', async () => {
    const served = await servedMachine([]);
    const eth0 = await served.machine.addDevice({ name: 'eth0', threaded: true });
    const path = join(dir, 'interrupted.json');
    const commands = [['trace', '-o', path], ['stat']];
    for (const command of commands) {
      const { child, done } = startCli([...command, '--seconds', '50', '--socket', served.path]);
      await until(() => served.machine.traced);
      await eth0.generate({ count: 100 });
      await eth0.drained();
      child.kill('SIGINT');
      expect([(await done).code, (await done).stdout.includes('@poll_ns[eth0')]).toEqual([
        130,
        command === commands[1],
      ]);
      expect(served.machine.traced).toBe(false);
    }
    const { traceEvents } = JSON.parse(readFileSync(path, 'utf8'));
    expect(traceEvents.some((e: { name: string }) => e.name === 'napi_poll')).toBe(true);
    await served.stop();
  });

  it('leave the machine alone when they are killed', async () => {
    const served = await servedMachine([]);
    const { child, done } = startCli(['stat', '--seconds', '50', '--socket', served.path]);
    await until(() => served.machine.traced);
    child.kill('SIGKILL');
    await done;
    await until(() => !served.machine.traced);
    const nothing = await http(served.path, 'DELETE', '/trace');
    expect([nothing.status, nothing.body]).toEqual([409, expect.stringContaining('is not being traced')]);
    await served.stop();
  });

  it('may last longer than a connection may be idle', async () => {
    const served = await servedMachine([], {}, { idleMs: 100 });
    const { status } = await http(served.path, 'POST', '/trace', '{"seconds": 1}');
    expect(status).toBe(200);
    await served.stop();
  });

  it('record what another command does, and leave its output and its exit code alone', async () => {
    const path = join(dir, 'replay.json');
    const { code, stdout } = await runCli(['trace', '-o', path, 'replay', SMALL_FIXTURE, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toBeTypeOf('object');
    const { traceEvents } = JSON.parse(readFileSync(path, 'utf8'));
    const names = new Set(traceEvents.map((e: { name: string }) => e.name));
    // It boots a machine for each of two modes: the second one's trace stands beside the first one's, and later.
    type Event = { pid: number; ts: number; id: number; ph: string };
    const all = traceEvents as Event[];
    expect(new Set(all.map((e) => e.pid))).toEqual(new Set([1, 2, 3, 4]));
    const times = (pid: number) => all.filter((e) => e.pid === pid && e.ph !== 'M').map((e) => e.ts);
    expect(Math.min(...times(3))).toBeGreaterThan(Math.min(...times(1)));
    const starts = all.filter((e) => e.ph === 's').map((e) => e.id);
    expect(new Set(starts).size).toBe(starts.length);
    for (const name of ['napi_poll', 'softirq', 'running', 'net:netif_receive_skb', 'wake'])
      expect(names).toContain(name);
  });

  it('record a command that has the latest events recorded for itself', async () => {
    const path = join(dir, 'torture.json');
    const torture = ['torture', '--duration', '0.1s', '--seed', '3'];
    const { code, stdout } = await runCli(['trace', '-o', path, ...torture]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/: SUCCESS\n$/)]);
    expect(JSON.parse(readFileSync(path, 'utf8')).traceEvents.length).toBeGreaterThan(0);
  });

  it('name the file that has no room', async () => {
    const served = await servedMachine([]);
    for (const command of [
      ['--socket', served.path],
      ['replay', SMALL_FIXTURE],
    ]) {
      const { code, stderr } = await runCli(['trace', '-o', '/dev/full', '--seconds', '0.05', ...command]);
      expect([code, stderr]).toEqual([2, expect.stringMatching(/\/dev\/full.*ENOSPC[^\n]*\n$/)]);
      expect(stderr).not.toContain('    at ');
    }
    await served.stop();
  });

  it('say what is wrong, and leave no file behind', async () => {
    const path = join(dir, 'none.json');
    const none = await runCli(['trace', '-o', path, '--socket', join(dir, 'no.sock')]);
    expect([none.code, none.stderr]).toEqual([
      2,
      expect.stringMatching(/^softnet trace: no machine runs at/),
    ]);
    expect((await runCli(['trace', '-o', path, 'pahole'])).code).toBe(4);
    expect((await runCli(['trace', '-o', path, 'replay', '/nonexistent'])).code).not.toBe(0);
    expect(() => readFileSync(path)).toThrow(/ENOENT/);
    writeFileSync(path, 'an older trace');
    expect((await runCli(['trace', '-o', path, 'replay', '/nonexistent'])).code).not.toBe(0);
    expect(readFileSync(path, 'utf8')).toBe('an older trace');
    expect((await runCli(['trace', '-o', '/nonexistent/t.json'])).code).toBe(2);
    expect((await runCli(['trace', '-o', path, '--seconds', '51'])).code).toBe(2);
    for (const command of [['trace', '-o', join(dir, 'long.json')], ['stat']]) {
      const long = await runCli([...command, '--socket', 'p'.repeat(300)]);
      expect([long.code, long.stderr]).toEqual([
        2,
        expect.stringMatching(
          /^softnet (trace|stat): \S+: a socket's path has \d+ bytes at most, this has \d+\n$/,
        ),
      ]);
    }
    expect(() => readFileSync(join(dir, 'long.json'))).toThrow(/ENOENT/);
    expect((await runCli(['trace'])).code).toBe(2);
    for (const command of [['stat'], ['trace', '-o', path]]) {
      const short = await runCli([...command, '--seconds', '0.001']);
      expect([short.code, short.stderr]).toEqual([2, expect.stringContaining('from 0.01 to 50')]);
    }
  });
});
