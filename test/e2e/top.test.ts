// SPDX-License-Identifier: GPL-2.0-only
/** softnet top against a machine at work: lines, JSON, and keys on a terminal. */
import { spawn, spawnSync } from 'node:child_process';
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
      const command = `${process.execPath} ${CLI} top --seconds 0.2 --socket ${served.path}`;
      const child = spawn('script', ['-qec', command, '/dev/null'], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { ...process.env, TERM: 'xterm' },
      });
      let screen = '';
      child.stdout.on('data', (d: Buffer) => {
        screen += d.toString();
      });
      const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
      await until(() => screen.includes('napi/eth0'));
      child.stdin.write('m'); // the busiest is chosen
      await until(async () => (await eth0.napis())[0].mode === 'busy-poll');
      await until(() => /> +\d+ eth0 +busy-poll/.test(screen));
      child.stdin.write('q');
      expect(await ended).toBe(0);
      expect(screen.endsWith('\x1b[?25h\x1b[?1049l')).toBe(true);
      await eth0.setNapi(0, { threaded: true });
    },
  );
});
