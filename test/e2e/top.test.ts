// SPDX-License-Identifier: GPL-2.0-only
/** softnet top against a machine at work: lines, JSON, and keys on a terminal. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI, runCli } from '../helpers/cli.js';
import { servedMachine } from '../helpers/control.js';
import { until } from '../helpers/traffic.js';

let served: Awaited<ReturnType<typeof servedMachine>>;
let feed: Promise<unknown>;

beforeAll(async () => {
  served = await servedMachine([{ name: 'eth1' }]);
  const eth0 = await served.machine.addDevice({ name: 'eth0', threaded: true });
  feed = eth0.generate({ count: 1e9, pace: 5000, whenFull: 'drop' });
});
afterAll(async () => {
  for (const d of served.machine.netDevices()) await d.stopWire();
  await feed;
  await served.stop();
});

const top = (...args: string[]) => runCli(['top', '--socket', served.path, '--seconds', '0.5', ...args]);

/** A terminal of the host's own: not every host has one to give. */
const hasScript = spawnSync('script', ['--version']).status === 0;
/** The cursor is there again, and the screen that was there before. */
const GIVEN_BACK = '\x1b[?25h\x1b[?1049l';

/** softnet top on a terminal. @param before a shell command that is to run there first */
function terminal(path: string, before = '') {
  const command = `${before}echo pid=$$; exec ${process.execPath} ${CLI} top --seconds 0.2 --socket ${path}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TERM: 'xterm', SHELL: '/bin/sh' },
  });
  let screen = '';
  child.stdout.on('data', (d: Buffer) => {
    screen += d.toString();
  });
  return {
    screen: () => screen,
    pid: () => Number(/pid=(\d+)/.exec(screen)?.[1]),
    keys: (keys: string) => child.stdin.write(keys),
    ended: new Promise<number | null>((resolve) => child.on('close', resolve)),
  };
}

/** Something that listens where a machine would, and does with requests what a test wants. */
async function fakeMachine(on: (path: string, body: string, answer: (text: string) => void) => void) {
  const folder = mkdtempSync(join(tmpdir(), 'softnet-top-test-'));
  const path = join(folder, 's');
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (d: Buffer) => {
      body += d.toString();
    });
    req.on('end', () => on(req.url ?? '', body, (text) => res.end(text)));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const stop = () => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  };
  return { path, stop };
}

describe('softnet top', () => {
  it('prints lines where there is no terminal', async () => {
    const { code, stdout } = await top('--once');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^CPU 0 {3}\[/);
    expect(stdout).toMatch(/ eth0 +enabled .* napi\/eth0-\d+ .*LISTED\|THREADED/);
    expect(stdout).toMatch(/ eth1 +disabled /);
  });

  it('prints one JSON document a look', async () => {
    const { stdout } = await top('--once', '--json');
    const { cpus, napis, drops } = JSON.parse(stdout);
    expect(cpus.length).toBe(2);
    expect(napis.find((n: { dev: string }) => n.dev === 'eth0').pps).toBeGreaterThan(0);
    expect(drops.no_socket).toBeGreaterThan(0);
  });

  it('says that there is no machine, and what is wrong with an option', async () => {
    const none = await runCli(['top', '--socket', `${served.path}.none`]);
    expect([none.code, none.stderr]).toEqual([2, expect.stringMatching(/^softnet top: no machine runs at/)]);
    expect((await top('--seconds', '0')).code).toBe(2);
  });

  it.skipIf(!hasScript)(
    'switches the mode of an instance by a key, and gives the terminal back',
    async () => {
      const [eth0] = served.machine.netDevices().filter((d) => d.name === 'eth0');
      const t = terminal(served.path);
      await until(() => / napi\/eth0| eth0 /.test(t.screen()));
      t.keys('m'); // the busiest is chosen
      await until(async () => (await eth0.napis())[0].mode === 'busy-poll');
      await until(() => /> +\d+ eth0 +busy-poll/.test(t.screen()));
      t.keys('q');
      expect(await t.ended).toBe(0);
      expect(t.screen().endsWith(GIVEN_BACK)).toBe(true);
      await eth0.setNapi(0, { threaded: true });
    },
  );

  it.skipIf(!hasScript)('has an instance on a terminal of 20 columns and 5 lines', async () => {
    const t = terminal(served.path, 'stty cols 20 rows 5; ');
    await until(() => /> +\d+ +\S*LISTED/.test(t.screen()));
    t.keys('q');
    expect(await t.ended).toBe(0);
  });
});

describe.skipIf(!hasScript)('softnet top on a terminal', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('ends by %s, and gives the terminal back', async (signal) => {
    const t = terminal(served.path);
    await until(() => t.screen().includes('STATE'));
    process.kill(t.pid(), signal);
    expect(await t.ended).toBe(0);
    expect(t.screen().endsWith(GIVEN_BACK)).toBe(true);
  });

  it('says that a machine does not answer, and ends by a key all the same', async () => {
    const fake = await fakeMachine(() => {});
    for (const key of ['q', '\x03']) {
      const t = terminal(fake.path);
      await until(() => t.screen().includes('the machine does not answer'));
      t.keys(key);
      expect(await t.ended).toBe(0);
      expect(t.screen().endsWith(GIVEN_BACK)).toBe(true);
    }
    fake.stop();
  });

  it('keeps the mark on its instance while others overtake it', async () => {
    const cpu = { cpu: 0, online: true, softirq_ns: 0, processed: 0, dropped: 0, time_squeeze: 0 };
    const idle = { dev: 'eth0', state: 'LISTED', mode: 'disabled', thread: null, thread_ns: null, polls: 0 };
    const packets = [0, 0];
    let first = 0;
    const asked: string[] = [];
    const fake = await fakeMachine((path, body, answer) => {
      if (path !== '/top') asked.push(body);
      packets[first] += 10_000;
      const napis = packets.map((n, i) => ({ ...idle, id: 8193 + i, packets: n }));
      answer(JSON.stringify({ now_ns: Math.round(performance.now() * 1e6), cpus: [cpu], napis, drops: {} }));
    });
    const t = terminal(fake.path);
    await until(() => /> {2}8193 .*8194 /s.test(t.screen()));
    first = 1;
    await until(() => / {2}8194 [^\n]*\r\n[^\n]*> {2}8193 /.test(t.screen()));
    t.keys('m');
    await until(() => asked.length > 0);
    expect(JSON.parse(asked[0]).attrs.id).toBe(8193);
    t.keys('q');
    expect(await t.ended).toBe(0);
    fake.stop();
  });
});
