// SPDX-License-Identifier: GPL-2.0-only
/** What goes wrong: threads that cannot be had, threads that die, applications that misbehave. Nothing ever hangs. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { boot, type Machine, type NetDevice, SoftnetError } from '../../dist/index.js';
import type { SinkResult } from '../../dist/threads/sink.js';
import { SINK, until } from '../helpers/traffic.js';

const APPS = new URL('../helpers/apps.mjs', import.meta.url);
const LOST_WORKERS = fileURLToPath(new URL('../helpers/lost_workers.mjs', import.meta.url));
const LOST_THREAD = fileURLToPath(new URL('../helpers/lost_thread.mjs', import.meta.url));

/** Workers of a machine that still exist. */
function workersLeft(machine: Machine): number {
  // biome-ignore lint/complexity/useLiteralKeys: the pool is nobody's business but a test's
  return (machine['kthreadd'] as unknown as { pool: { threads: unknown[] } }).pool.threads.length;
}

/** The operation succeeds (true), or is refused for want of a thread (false) with an error that says so. */
async function orRefused(operation: Promise<unknown>, what: string): Promise<boolean> {
  try {
    await operation;
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(SoftnetError);
    expect((error as SoftnetError).code).toBe('ENOMEM');
    expect((error as SoftnetError).errno).toBe(12);
    expect((error as Error).message).toMatch(new RegExp(`^${what}: ENOMEM; .*maxThreads[^\\n]*$`));
    return false;
  }
}

/** 2000 frames come through. */
async function delivers(machine: Machine, eth0: NetDevice): Promise<void> {
  const socket = await machine.openUdp({ port: 9 });
  const app = await machine.runApp<SinkResult>(SINK, {
    name: 'sink',
    sockets: [socket],
    args: { order: true },
  });
  await eth0.generate({ count: 2000, flows: 16 });
  await eth0.drained();
  await socket.close();
  const { frames, reordered } = await app.result;
  expect([frames, reordered]).toEqual([2000, 0]);
}

async function modes(eth0: NetDevice): Promise<boolean[]> {
  return (await eth0.napis()).map((n) => n.threaded);
}

describe('a kernel thread that cannot be had', () => {
  /** Everything that makes threads, with the nth request refused. @returns whether it came to that */
  async function life(nth: number): Promise<boolean> {
    let machine: Machine;
    try {
      machine = await boot({ cpus: 1, warmThreads: 0, failKthread: nth });
    } catch (error) {
      expect(error).toBeInstanceOf(SoftnetError);
      expect((error as Error).message).toBe('booting the CPUs: ENOMEM; allow more threads (maxThreads)');
      return true;
    }
    const options = { name: 'eth0', queues: 2, threaded: true };
    let refused = false;
    let eth0: NetDevice | null = null;
    await orRefused(
      machine.addDevice(options).then((made) => {
        eth0 = made;
      }),
      'adding eth0',
    );
    if (eth0 === null) {
      refused = true;
      eth0 = await machine.addDevice(options); // the name is free
    }
    const nic = eth0 as NetDevice;
    expect(await modes(nic)).toEqual([true, true]);

    await nic.setThreaded(false);
    if (!(await orRefused(nic.setThreaded(true), 'setting eth0 threaded'))) {
      refused = true;
      expect(await modes(nic)).toEqual([false, false]); // all or none
      await nic.setThreaded(true);
    }
    await nic.setNapi(0, { threaded: false });
    if (!(await orRefused(nic.setNapi(0, { threaded: true }), 'setting NAPI 0 of eth0'))) {
      refused = true;
      expect(await modes(nic)).toEqual([true, false]); // newest first
    }
    // An instance that gets no thread when its link comes up works in softirq.
    await nic.down();
    await nic.up();
    expect(await modes(nic)).toHaveLength(2);
    await delivers(machine, nic);
    for (const n of await nic.napis()) expect(n.state).toBe(n.threaded ? 'LISTED|THREADED' : 'LISTED');
    await machine.shutdown();
    expect(workersLeft(machine)).toBe(0);
    return refused;
  }

  it('is refused clearly, wherever it happens, and the machine goes on or is down', async () => {
    const outcomes: boolean[] = [];
    // Boot makes two threads, the device two, switching it back on two, switching one instance on one.
    for (let nth = 1; nth <= 7; nth++) outcomes.push(await life(nth));
    expect(outcomes).toEqual(Array(7).fill(true));
    // Threads of instances that come back with the link: no error, whatever happens.
    for (let nth = 8; nth <= 9; nth++) await life(nth);
    expect(await life(1000)).toBe(false);
  });

  it('can be asked for in the middle of a life, too', async () => {
    const machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0', queues: 2 });
    for (const nth of [2, 1, 2, 1]) {
      machine.failKthread(nth);
      expect(await orRefused(eth0.setThreaded(true), 'setting eth0 threaded')).toBe(false);
      expect(await modes(eth0)).toEqual([false, false]);
    }
    await eth0.setThreaded(true);
    expect(await modes(eth0)).toEqual([true, true]);
    await delivers(machine, eth0);
    await machine.shutdown();
  });
});

describe('maxThreads', () => {
  it.each([1, 3, 4])('%i are too few to boot two CPUs', async (maxThreads) => {
    await expect(boot({ cpus: 2, maxThreads })).rejects.toThrow(
      'booting the CPUs: ENOMEM; allow more threads (maxThreads)',
    );
  });

  it('bounds kernel threads, applications and wires, each with an error of its own', async () => {
    const machine = await boot({ cpus: 1, maxThreads: 4 });
    await expect(machine.addDevice({ name: 'eth0', queues: 2, threaded: true })).rejects.toThrow(
      /^adding eth0: ENOMEM; .*maxThreads/,
    );
    const eth0 = await machine.addDevice({ name: 'eth0', queues: 2 });
    const sockets = [await machine.openUdp({ port: 9 })];
    const app = await machine.runApp<SinkResult>(SINK, { name: 'one', sockets, args: {} });
    await expect(machine.runApp(SINK, { name: 'two' })).rejects.toThrow(
      'running app/two: ENOMEM; allow more threads (maxThreads)',
    );
    await expect(eth0.generate({ count: 1 })).rejects.toThrow(
      'feeding eth0: ENOMEM; allow more threads (maxThreads)',
    );
    await expect(eth0.setThreaded(true)).rejects.toThrow(/^setting eth0 threaded: ENOMEM; .*maxThreads/);
    await sockets[0].close();
    expect((await app.result).frames).toBe(0);
    await eth0.generate({ count: 10 });
    await eth0.drained();
    expect(machine.drops()).toEqual({ no_socket: 10 });
    await machine.shutdown();
  });
});

describe.skipIf(process.platform !== 'linux')('a thread that dies in the middle of its work', () => {
  interface Lost {
    readonly code: number | null;
    readonly stdout: string;
    readonly stderr: string;
  }

  /** Runs a scenario in a process of its own: it must come to an end by itself. */
  function runAlone(args: readonly string[]): Promise<Lost> {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (d: Buffer) => {
      stdout += d.toString();
    });
    child.stderr.on('data', (d: Buffer) => {
      stderr += d.toString();
    });
    return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
  }

  function lose(mode: string, victim: string): Promise<Lost> {
    return runAlone([LOST_THREAD, mode, victim]);
  }

  it.each([
    ['terminate', 'cpu/0', 'thread cpu/0 died: worker exited with code: 1'],
    ['terminate', 'napi/', /^thread napi\/eth0-\d+ died: worker exited with code: 1$/],
    ['terminate', 'nic/eth0', 'thread nic/eth0 died: worker exited with code: 1'],
    ['close', 'cpu/1', 'thread cpu/1 died: worker exited with code: 1'],
    ['control', 'napi/', /^thread napi\/eth0-\d+ died: worker exited with code: 1$/],
    ['exit', 'quits', 'thread app/quits died: worker exited with code: 3'],
  ])(
    '%s %s: every operation rejects with its name and the cause, and nothing is left',
    async (mode, victim, why) => {
      const { code, stdout, stderr } = await lose(mode, victim);
      expect(stderr).toBe('');
      expect(code).toBe(0);
      const { workersLeft: left, ...outcome } = JSON.parse(stdout) as { [what: string]: string | number };
      expect(left).toBe(0);
      const expected = typeof why === 'string' ? why : expect.stringMatching(why);
      const wanted = Object.fromEntries(Object.keys(outcome).map((what) => [what, expected]));
      expect(outcome).toEqual(wanted);
      expect(Object.keys(outcome)).toEqual(
        expect.arrayContaining(['traffic', 'panic', 'app', 'next operation', 'shutdown']),
      );
    },
  );

  it('and all others with it: the process outlives workers that are ended while others take their place', async () => {
    const { code, stdout, stderr } = await runAlone([LOST_WORKERS]);
    expect(stderr).toBe('');
    expect(stdout).toBe('survived\n');
    expect(code).toBe(0);
  });

  it('a program that looks at nothing ends with the reason', async () => {
    const { code, stderr } = await lose('unhandled', 'napi/');
    expect(code).toBe(1);
    expect(stderr).toMatch(/thread napi\/eth0-\d+ died: worker exited with code: 1/);
  });
});

describe('an application', () => {
  it.each([
    ['throws', 'throws', 'thread app/bad died: what a day'],
    ['is not there', 'nowhere', /^thread app\/bad died: .*apps\.mjs.*nowhere$/],
    ['is no function', 'notAFunction', /^thread app\/bad died: .*apps\.mjs.*notAFunction$/],
  ])('that %s brings the machine down, and every operation says why', async (_what, exportName, why) => {
    const machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const run = async (): Promise<unknown> =>
      (await machine.runApp(APPS, { name: 'bad', exportName })).result;
    await expect(run()).rejects.toThrow(why);
    await expect(machine.panic).rejects.toThrow(why);
    await expect(eth0.napis()).rejects.toThrow(why);
    await expect(machine.shutdown()).rejects.toThrow(why);
    expect(workersLeft(machine)).toBe(0);
  });

  it('whose module is missing: its name is told', async () => {
    const machine = await boot({ cpus: 1 });
    const missing = new URL('../helpers/no_such_app.mjs', import.meta.url);
    await expect(machine.runApp(missing, { name: 'lost' })).rejects.toThrow(
      /^thread app\/lost died: .*no_such_app\.mjs/,
    );
    await expect(machine.shutdown()).rejects.toThrow(/no_such_app\.mjs/);
  });

  it('that returns early closes its sockets: the rest is counted, and the port is free again', async () => {
    const machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const first = await machine.openUdp({ port: 9 });
    const app = await machine.runApp<number[]>(APPS, {
      name: 'early',
      exportName: 'early',
      sockets: [first],
      args: { n: 100 },
    });
    await eth0.generate({ count: 500, flows: 1 });
    await eth0.drained();
    expect(await app.result).toEqual(Array.from({ length: 100 }, (_, i) => i));
    const dropped = (): number => Object.values(machine.drops()).reduce((sum, n) => sum + n, 0);
    await until(() => dropped() >= 400);
    expect(dropped()).toBe(400);
    expect(Object.keys(machine.drops()).filter((r) => r !== 'socket_close' && r !== 'no_socket')).toEqual([]);
    await delivers(machine, eth0);
    await until(() => eth0.queueStats()[0].buffersFree === 4096);
    await machine.shutdown();
  });

  it('that does not return when its sockets are closed is named, and does not keep the machine', async () => {
    const machine = await boot({ cpus: 1 });
    const app = await machine.runApp(APPS, { name: 'deaf', exportName: 'deaf' });
    const result = expect(app.result).rejects.toThrow(/application.*did not return.*null/);
    await expect(machine.shutdown()).rejects.toThrow(/application.*did not return.*null/);
    await result;
    expect(workersLeft(machine)).toBe(0);
  });
});
