// SPDX-License-Identifier: GPL-2.0-only
/** `softnet up` and the clients as processes: starting, refusing, ending, and what is left behind. */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLI, runCli, SMALL_FIXTURE } from '../helpers/cli.js';
import { http, socketDirectory, UpProcess } from '../helpers/control.js';
import { until } from '../helpers/traffic.js';

const linux = process.platform === 'linux';
let dir: ReturnType<typeof socketDirectory>;
let machines: UpProcess[] = [];

beforeEach(() => {
  dir = socketDirectory();
});
afterEach(async () => {
  await Promise.all(machines.map((u) => u.end('SIGKILL')));
  machines = [];
  dir.remove();
});

function up(...args: string[]): UpProcess {
  const u = new UpProcess(dir.path, ...args);
  machines.push(u);
  return u;
}

const client = (name: string, ...args: string[]) => runCli([name, '--socket', dir.path, ...args]);

describe('softnet up', () => {
  it('runs, is reached by every client, and ends with what there is', async () => {
    const u = up('--cpus', '1', '--dev', 'eth0,queues=2,threaded', '--dev', 'wan0', '--traffic', '2000');
    const text = await u.ready;
    expect(text).toBe(
      `softnet up: 1 CPUs, eth0, wan0; pid ${u.child.pid}\nsocket: ${dir.path}\n` +
        'Ctrl-C ends it. In another terminal: softnet ynl --family netdev --dump napi-get\n',
    );
    expect(lstatSync(dir.path).mode & 0o777).toBe(0o600);
    const results = await Promise.all([
      client('ynl', '--family', 'netdev', '--do', 'napi-get', '--json', '{"id":8193}', '--output-json'),
      client('ynl', '--family', 'netdev', '--do', 'napi-get', '--json', '{"id":1}'),
      client('sysfs', 'write', '/sys/class/net/wan0/threaded', '1'),
      client('cat', '/proc/net/softnet_stat'),
      client('sysctl', '-wn', 'net.core.netdev_budget=200'),
      client('ethtool', '-l', 'wan0'),
      client('ip', '-br', 'link'),
      client('ps'),
      runCli(['ynl', '--help']),
    ]);
    expect(results.map((r) => r.code)).toEqual([0, 1, 0, 0, 0, 0, 0, 0, 0]);
    expect(results[0].stdout).toMatch(/^\{"id": 8193, .*"threaded": "enabled"/);
    expect(results[1].stderr).toMatch(/^Netlink error: No such file or directory\n/);
    expect(results[4].stdout).toBe('200\n');
    expect(results[6].stdout).toMatch(/^eth0 +UP .*\nwan0 +UP /);
    expect(results[7].stdout).toContain('napi/eth0-8194');
    expect(results[8].stdout).toMatch(/^usage: softnet ynl /);
    const { code, stdout, stderr } = await u.end('SIGINT');
    expect([code, stderr]).toEqual([0, '']);
    const [, frames, delivered, dropped] = /(\d+) frames: (\d+) delivered, (\d+) dropped/.exec(stdout) ?? [];
    expect(Number(frames)).toBeGreaterThan(0);
    expect(Number(delivered) + Number(dropped)).toBe(Number(frames));
    expect(existsSync(dir.path)).toBe(false);
  });

  it('takes boot-time threads for backlogs as an option or a boot parameter', async () => {
    const u = up('--thread-backlog-napi', 'no-bypass', '--append', 'thread_backlog_napi=off', '--cpus', '1');
    await u.ready;
    expect((await client('ps')).stdout).toContain('backlog_napi/0');
    const busy = await client('sysctl', '-w', 'net.core.backlog_threaded=1');
    expect([busy.code, busy.stderr]).toEqual([
      1,
      'sysctl: setting key "net.core.backlog_threaded": Device or resource busy\n',
    ]);
    expect((await u.end()).code).toBe(0);
    const second = up('--append', 'thread_backlog_napi', '--cpus', '1');
    await second.ready;
    expect((await client('ps')).stdout).toContain('backlog_napi/0');
    expect((await second.end()).code).toBe(0);
    const wrong = await up('--thread-backlog-napi', 'maybe').done;
    expect([wrong.code, wrong.stdout]).toEqual([2, '']);
    expect(wrong.stderr).toContain('Allowed choices are off, on, no-bypass.');
  });

  it('plays a capture, and tells programs what it did', async () => {
    const u = up('--capture', SMALL_FIXTURE, '--traffic', '20000', '--json');
    const first = JSON.parse(await u.ready);
    expect(first).toEqual({ event: 'up', socket: dir.path, pid: u.child.pid, cpus: 2, devices: ['eth0'] });
    const stat = async () => (await http(dir.path, 'GET', '/proc/interrupts')).body;
    await until(async () => /[1-9]\d{2,} .*eth0-rx-/.test(await stat()));
    const { code, stdout, stderr } = await u.end();
    expect([code, stderr]).toEqual([0, '']);
    const last = JSON.parse(stdout.trimEnd().split('\n')[1]);
    expect(last).toMatchObject({ event: 'end', packets: { lost: 0, reordered: 0 } });
    expect(last.packets.read).toBeGreaterThan(200);
    expect(last.requests).toBeGreaterThan(0);
    expect(last.threads.map((t: { name: string }) => t.name)).toContain('app/sink');
  });

  it('is refused while another runs there, and clears away what a crashed one left', async () => {
    const first = up();
    await first.ready;
    const second = await up().done;
    expect(second.code).toBe(2);
    expect(second.stderr).toBe(
      `softnet up: a machine is running at ${dir.path}; end it, or give another path with --socket\n`,
    );
    expect((await http(dir.path, 'GET', '/')).status).toBe(200);
    await first.end('SIGKILL');
    expect(existsSync(dir.path)).toBe(true);
    const none = await client('ps');
    expect([none.code, none.stderr]).toEqual([
      2,
      `softnet ps: no machine runs at ${dir.path}; start one with softnet up, or give its socket (--socket, SOFTNET_SOCKET)\n`,
    ]);
    const third = up();
    await third.ready;
    expect((await http(dir.path, 'GET', '/')).status).toBe(200);
    expect((await third.end()).code).toBe(0);
  });

  it('started twice at once over what a crashed one left, runs once', async () => {
    const crashed = up();
    await crashed.ready;
    await crashed.end('SIGKILL');
    const both = [up(), up()];
    const won = await Promise.any(both.map((u) => u.ready.then(() => u)));
    const lost = await both[won === both[0] ? 1 : 0].done;
    expect([lost.code, lost.stderr.startsWith('softnet up: a machine is running at ')]).toEqual([2, true]);
    const { pid } = JSON.parse((await http(dir.path, 'GET', '/threads')).body) as { pid: number };
    expect(pid).toBe(won.child.pid);
  });

  it('clears away what one left that was killed before its socket had its name', async () => {
    // Killed just then, a server leaves the socket that it had bound: under the path and its own pid.
    const bound = `process.umask(0); require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
    const name = `${dir.path}.4194305`;
    spawnSync(process.execPath, ['-e', bound, name]);
    writeFileSync(`${dir.path}.7`, 'mine');
    expect(existsSync(name)).toBe(true);
    const u = up();
    await u.ready;
    expect(readdirSync(dirname(dir.path)).sort()).toEqual(['s', 's.7']);
    expect((await u.end()).code).toBe(0);
  });

  it('leaves alone what is no socket', async () => {
    writeFileSync(dir.path, 'mine');
    expect((await up().done).stderr).toBe(
      `softnet up: ${dir.path} is there and is no socket; remove it, or give another with --socket\n`,
    );
    const link = `${dir.path}2`;
    symlinkSync(dir.path, link);
    const { code, stderr } = await runCli(['up', '--socket', link]);
    expect([code, stderr]).toEqual([
      2,
      `softnet up: ${link} is there and is no socket; remove it, or give another with --socket\n`,
    ]);
  });

  it.each([
    [['--dev', 'eth0,foo=1'], /^softnet: --dev eth0: foo=1 is not possible; give one of queues=N, /],
    [['--dev', 'eth0,queues=0'], /^softnet up: |queues/],
    [['--dev', 'eth0', '--dev', 'eth0'], /^softnet: --dev: eth0 is not possible; give each name once/],
    [['--append', 'quiet splash'], /^softnet: --append: quiet is not possible; give one of /],
    [['--capture', '/nonexistent.pcap'], /nonexistent\.pcap/],
    [['--socket', `/tmp/${'x'.repeat(120)}`], /a socket's path has \d+ bytes at most/],
    [['--socket', '/nonexistent/dir/s'], /^softnet up: \/nonexistent\/dir does not exist; make it, or /],
    [['--traffic', '0'], /Give packets per second above 0/],
    [['extra'], /too many arguments/],
  ])('refuses %j with exit code 2', async (args, text) => {
    const { code, stderr } = await runCli(['up', '--socket', dir.path, ...args]);
    expect(stderr).toMatch(text);
    expect(code).toBe(2);
  });
});

describe.runIf(linux)('docs/control.md', () => {
  it('has examples that run', async () => {
    const doc = readFileSync(fileURLToPath(new URL('../../docs/control.md', import.meta.url)), 'utf8');
    const lines = [...doc.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((m) => m[1].trimEnd().split('\n'));
    const [start, ...examples] = lines;
    const u = up(...start.split(' ').slice(2));
    await u.ready;
    // curl and util-linux may be missing: what needs them is left out then.
    const needs = (line: string) => /^(?:softnet )?(curl|taskset|chrt) /.exec(line)?.[1];
    const has = (tool: string) => spawnSync(tool, ['--version']).error === undefined;
    // softnet reconfig boots machines of its own, takes its time, and has tests of its own (reconfig.test.ts).
    const clients = examples.filter((line) => !line.startsWith('softnet reconfig'));
    const there = clients.filter((line) => has(needs(line) ?? 'sh'));
    expect(there.length).toBeGreaterThan(10);
    const script = `set -e; softnet() { "${process.execPath}" "${CLI}" "$@"; }\n${there
      .map((line) => `echo '#'; ${line.replace('curl -s', 'curl -sf')}`)
      .join('\n')}`;
    const { status, stdout, stderr } = spawnSync('bash', ['-c', script], {
      env: { ...process.env, SOFTNET_SOCKET: dir.path },
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout.match(/^#$/gm)).toHaveLength(there.length);
    expect((await u.end()).code).toBe(0);
  });
});

describe.runIf(linux)('taskset and chrt', () => {
  it('move a real thread, and the next thread of its worker starts afresh', async () => {
    const u = up('--dev', 'eth0,threaded');
    await u.ready;
    const name = 'napi/eth0-8193';
    const cpu = /Cpus_allowed_list:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
    const moved = await client('taskset', '-pc', cpu, name);
    // A host without the tools cannot do it, and says so.
    expect([0, 4]).toContain(moved.code);
    if (moved.code === 4) return;
    expect(moved.stdout).toMatch(new RegExp(`current affinity list: .*\\n.*new affinity list: ${cpu}\\n`));
    const { threads } = JSON.parse((await http(dir.path, 'GET', '/threads')).body) as {
      threads: { name: string; tid: number }[];
    };
    const tid = threads.find((t) => t.name === name)?.tid ?? 0;
    const batch = await client('chrt', '-b', '-p', '0', String(tid));
    expect((await client('chrt', '-p', name)).stdout).toContain(
      `policy: SCHED_${batch.code === 0 ? 'BATCH' : 'OTHER'}`,
    );
    expect((await client('taskset', '-pc', name)).stdout).toContain(`affinity list: ${cpu}\n`);
    // The thread ends; its worker is used again.
    const fresh = await runCli(['taskset', '-p', 'x', '--socket', dir.path]);
    expect(fresh.stderr).toContain('taskset: the machine has no thread x');
    await http(dir.path, 'PUT', '/sys/class/net/eth0/threaded', '0');
    const status = (of: string) => readFileSync(`/proc/${u.child.pid}${of}/status`, 'utf8');
    const cpus = (of: string) => /Cpus_allowed_list:\s*(\S+)/.exec(status(of))?.[1];
    await until(() => /Name:\s*softnet\/idle/.test(status(`/task/${tid}`)));
    expect(cpus(`/task/${tid}`)).toBe(cpus(''));
    expect((await u.end()).code).toBe(0);
  });
});
