// SPDX-License-Identifier: GPL-2.0-only
/** The clients against a machine: texts, errors and exit codes of the tools they stand for. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ethtool } from '../../dist/tools/ethtool.js';
import { ip } from '../../dist/tools/ip.js';
import { ps } from '../../dist/tools/ps.js';
import { sysctl } from '../../dist/tools/sysctl.js';
import { cat, sysfs } from '../../dist/tools/sysfs.js';
import { onThread } from '../../dist/tools/taskset.js';
import { ynl } from '../../dist/tools/ynl.js';
import { http, runTool, servedMachine } from '../helpers/control.js';

let served: Awaited<ReturnType<typeof servedMachine>>;

beforeAll(async () => {
  served = await servedMachine([
    { name: 'eth0', queues: 2, maxQueues: 4, ringMax: 2048 },
    { name: 'eth1' },
    { name: 'veth0', config: 'none', reconfig: 'delta' },
  ]);
});
afterAll(() => served.stop());

type Tool = (args: readonly string[]) => Promise<number>;
const run = (tool: Tool, ...args: string[]) => runTool(served.path, tool, ...args);
const netdev = (...args: string[]) => run(ynl, '--family', 'netdev', ...args);

/** The instances of eth0, as --output-json shows them. */
async function napis(): Promise<{ id: number; threaded: string; pid?: number }[]> {
  return JSON.parse((await netdev('--dump', 'napi-get', '--json', '{"ifindex":1}', '--output-json')).stdout);
}

describe('ynl', () => {
  it('dumps instances with the highest id first, as Python prints them', async () => {
    const { code, stdout } = await netdev('--dump', 'napi-get', '--json', '{"ifindex": 1}');
    expect(code).toBe(0);
    expect(stdout).toBe(
      [8194, 8193]
        .map(
          (id, i) =>
            `${i === 0 ? '[' : ' '}{'defer-hard-irqs': 0,\n  'gro-flush-timeout': 0,\n  'id': ${id},\n` +
            `  'ifindex': 1,\n  'irq': ${id - 8169},\n  'irq-suspend-timeout': 0,\n  'threaded': 'disabled'}`,
        )
        .join(',\n')
        .concat(']\n'),
    );
  });

  it('dumps all devices, queues and instances', async () => {
    const dump = async (op: string) => JSON.parse((await netdev('--dump', op, '--output-json')).stdout);
    expect((await dump('dev-get')).map((d: { ifindex: number }) => d.ifindex)).toEqual([1, 2, 3]);
    expect(await dump('queue-get')).toEqual([
      { id: 0, type: 'rx', ifindex: 1, 'napi-id': 8193 },
      { id: 1, type: 'rx', ifindex: 1, 'napi-id': 8194 },
      { id: 0, type: 'rx', ifindex: 2, 'napi-id': 8195 },
      { id: 0, type: 'rx', ifindex: 3, 'napi-id': 8196 },
    ]);
    expect((await dump('napi-get')).map((n: { id: number }) => n.id)).toEqual([8194, 8193, 8195, 8196]);
  });

  it('gets one, with attributes in the order of the message', async () => {
    const { stdout } = await netdev('--do', 'napi-get', '--json', '{"id": 8195}', '--output-json');
    expect(stdout).toBe(
      '{"id": 8195, "ifindex": 2, "irq": 28, "threaded": "disabled", "defer-hard-irqs": 0, ' +
        '"irq-suspend-timeout": 0, "gro-flush-timeout": 0}\n',
    );
    const queue = await netdev('--do', 'queue-get', '--json', '{"ifindex":1,"id":1,"type":"rx"}');
    expect(queue.stdout).toBe("{'id': 1, 'ifindex': 1, 'napi-id': 8194, 'type': 'rx'}\n");
    const dev = await netdev('--do', 'dev-get', '--json', '{"ifindex":2}');
    expect(dev.stdout).toBe(
      "{'ifindex': 2,\n 'xdp-features': set(),\n 'xdp-rx-metadata-features': set(),\n 'xsk-features': set()}\n",
    );
  });

  it('sets one instance, and what it sets is there', async () => {
    const timeouts = '"gro-flush-timeout":20000,"irq-suspend-timeout":30000';
    const attrs = `{"id":8193,"threaded":"enabled","defer-hard-irqs":3,${timeouts}}`;
    expect(await netdev('--do', 'napi-set', '--json', attrs)).toEqual({
      code: 0,
      stdout: 'None\n',
      stderr: '',
    });
    const [other, one] = await napis();
    expect(one).toMatchObject({ threaded: 'enabled', 'defer-hard-irqs': 3, 'gro-flush-timeout': 20000 });
    expect(one.pid).toBeGreaterThan(0);
    expect(other).toMatchObject({ threaded: 'disabled', 'defer-hard-irqs': 0 });
    expect(other).not.toHaveProperty('pid');
    const zero = '"defer-hard-irqs":0,"gro-flush-timeout":0,"irq-suspend-timeout":0';
    const back = `{"id":8193,"threaded":0,${zero}}`;
    expect((await netdev('--do', 'napi-set', '--json', back, '--output-json')).stdout).toBe('null\n');
    expect((await napis())[1]).not.toHaveProperty('pid');
  });

  // The errors of a live kernel.
  it.each([
    ['napi-get', '{}', 22, 'Invalid argument', "{'miss-type': 'id'}"],
    ['napi-get', '{"id":1}', 2, 'No such file or directory', "{'bad-attr': '.id'}"],
    ['napi-set', '{"threaded":1}', 22, 'Invalid argument', "{'miss-type': 'id'}"],
    ['napi-set', '{"id":1,"threaded":"enabled"}', 2, 'No such file or directory', "{'bad-attr': '.id'}"],
    ['napi-set', '{"id":1,"threaded":9}', 34, 'Numerical result out of range', "'bad-attr': '.threaded'}"],
    [
      'napi-set',
      '{"id":8193,"defer-hard-irqs":2147483648}',
      34,
      'Numerical result out of range',
      "'bad-attr': '.defer-hard-irqs'}",
    ],
    ['dev-get', '{"ifindex":0}', 34, 'Numerical result out of range', "'bad-attr': '.ifindex'}"],
    ['queue-get', '{"ifindex":1,"id":7,"type":"rx"}', 22, 'Invalid argument', ''],
    ['napi-get', '{"ifindex":1}', 22, 'Invalid argument', "'bad-attr': '.ifindex'}"],
    ['dev-get', '{"ifindex":99}', 19, 'No such device', ''],
  ])('--do %s with %s is errno %i', async (op, attrs, errno, text, extack) => {
    const { code, stdout, stderr } = await netdev('--do', op, '--json', attrs);
    expect([code, stdout]).toEqual([1, '']);
    const lines = stderr.split('\n');
    expect(lines[0]).toBe(`Netlink error: ${text}`);
    expect(lines[1]).toMatch(/^nl_len = \d+ \(\d+\) nl_flags = 0x\d00 nl_type = 2$/);
    expect(lines[2]).toBe(`\terror: -${errno}`);
    expect(lines[3].endsWith(extack)).toBe(true);
  });

  it('ends a dump of an unknown device with an error', async () => {
    const { code, stderr } = await netdev('--dump', 'napi-get', '--json', '{"ifindex":99}');
    expect(code).toBe(1);
    expect(stderr).toBe(
      'Netlink error: No such device\nnl_len = 20 (4) nl_flags = 0x2 nl_type = 3\n\terror: -19\n',
    );
  });

  it.each([
    [['--do', 'zap'], 'no operation zap to do; there are dev-get, queue-get, napi-get, napi-set'],
    [['--dump', 'napi-set'], 'no operation napi-set to dump; there are dev-get, queue-get, napi-get'],
    [['--do', 'napi-get', '--json', '{'], '--json is no JSON'],
    [['--do', 'napi-get', '--json', '[]'], '--json must be an object'],
    [['--do', 'napi-get', '--json', '{"foo":1}'], "Space 'napi' has no attribute 'foo'"],
    [['--do', 'napi-get', '--dump', 'napi-get'], 'give --do or --dump'],
    [['--foo'], 'unrecognized arguments: --foo'],
  ])('refuses %j with one line', async (args, text) => {
    const { code, stderr } = await netdev(...args);
    expect(code).toBe(2);
    expect(stderr.startsWith(`softnet ynl: ${text}`)).toBe(true);
    expect(stderr.trimEnd()).not.toContain('\n');
  });
});

describe('sysfs and cat', () => {
  it('reads, writes and lists', async () => {
    const threaded = '/sys/class/net/eth0/threaded';
    expect(await run(sysfs, 'read', threaded)).toEqual({ code: 0, stdout: '0\n', stderr: '' });
    expect(await run(sysfs, 'write', threaded, '1')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect((await run(cat, threaded)).stdout).toBe('1\n');
    expect((await napis()).map((n) => n.threaded)).toEqual(['enabled', 'enabled']);
    await run(sysfs, 'write', threaded, '0');
    expect((await run(sysfs, 'list', '/sys/class/net')).stdout).toBe('eth0/\neth1/\nveth0/\n');
    expect((await run(sysfs, 'list', '/sys/class/net/eth0/queues')).stdout).toBe('rx-0/\nrx-1/\n');
  });

  it.each([
    ['ifindex', '1'],
    ['carrier', '1'],
    ['operstate', 'up'],
    ['mtu', '1500'],
    ['flags', '0x1003'],
    ['address', '02:00:00:00:00:01'],
    ['statistics/rx_packets', '0'],
    ['statistics/tx_bytes', '0'],
    ['queues/rx-1/rps_cpus', '0'],
  ])('shows %s', async (file, text) => {
    expect((await run(cat, `/sys/class/net/eth0/${file}`)).stdout).toBe(`${text}\n`);
  });

  it('sets what every instance defers', async () => {
    await run(sysfs, 'write', '/sys/class/net/eth0/napi_defer_hard_irqs', '2');
    await run(sysfs, 'write', '/sys/class/net/eth0/gro_flush_timeout', '0x4e20');
    for (const n of await napis())
      expect(n).toMatchObject({ 'defer-hard-irqs': 2, 'gro-flush-timeout': 20000 });
    await run(sysfs, 'write', '/sys/class/net/eth0/napi_defer_hard_irqs', '0');
    await run(sysfs, 'write', '/sys/class/net/eth0/gro_flush_timeout', '0');
  });

  it.each([
    ['threaded', '2', 'Operation not supported'],
    ['threaded', '-1', 'Invalid argument'],
    ['threaded', 'yes', 'Invalid argument'],
    ['threaded', '', 'Invalid argument'],
    ['napi_defer_hard_irqs', '2147483648', 'Numerical result out of range'],
    ['carrier', '0', 'Operation not supported'],
    ['ifindex', '5', 'Permission denied'],
    ['statistics/rx_bytes', '0', 'Permission denied'],
    ['queues', '1', 'Is a directory'],
    ['nofile', '1', 'No such file or directory'],
    ['threaded/x', '1', 'Not a directory'],
  ])('refuses to write %s with %j', async (file, value, text) => {
    const path = `/sys/class/net/eth0/${file}`;
    const { code, stderr } = await run(sysfs, 'write', path, value);
    expect([code, stderr]).toEqual([1, `softnet sysfs: ${path}: write error: ${text}\n`]);
  });

  it('checks text before state, and state before value, while the link is down', async () => {
    const dev = '/sys/class/net/veth0';
    await run(ip, 'link', 'set', 'veth0', 'down');
    const threaded = `${dev}/threaded`;
    for (const [value, text] of [
      ['-1', 'Invalid argument'],
      ['0', 'Operation not supported'],
      ['2', 'Operation not supported'],
    ]) {
      expect((await run(sysfs, 'write', threaded, value)).stderr).toContain(text);
    }
    expect((await run(cat, `${dev}/carrier`)).stderr).toBe(`cat: ${dev}/carrier: Invalid argument\n`);
    expect((await run(cat, `${dev}/operstate`, `${dev}/flags`)).stdout).toBe('down\n0x1002\n');
    const dump = () => netdev('--dump', 'napi-get', '--json', '{"ifindex":3}');
    expect((await dump()).stdout).toBe('[]\n');
    expect((await netdev('--do', 'napi-get', '--json', '{"id":8196}')).stderr).toContain('No such file');
    await run(sysfs, 'write', `${dev}/flags`, '0x1003');
    expect((await dump()).stdout).not.toContain("'id': 8196");
  });

  it('sets what will be threaded while the link is down, where that is kept', async () => {
    const threaded = '/sys/class/net/eth0/threaded';
    await run(ip, 'link', 'set', 'eth0', 'down');
    expect((await run(sysfs, 'write', threaded, '1')).code).toBe(0);
    await run(ip, 'link', 'set', 'eth0', 'up');
    expect((await napis()).map((n) => [n.id, n.threaded])).toEqual([
      [8194, 'enabled'],
      [8193, 'enabled'],
    ]);
    await run(ip, 'link', 'set', 'eth0', 'down');
    expect((await run(sysfs, 'write', threaded, '0')).code).toBe(0);
    await run(ip, 'link', 'set', 'eth0', 'up');
    expect((await run(ps)).stdout).not.toContain('napi/eth0');
  });

  it('cats what it can and says what it cannot', async () => {
    const { code, stdout, stderr } = await run(
      cat,
      '/proc/net/softnet_stat',
      '/proc',
      '/etc/passwd',
      '/sys/x',
    );
    expect(code).toBe(1);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    lines.forEach((line, cpu) => {
      expect(line).toMatch(/^([0-9a-f]{8} ){14}[0-9a-f]{8}$/);
      expect(Number(`0x${line.split(' ')[12]}`)).toBe(cpu);
    });
    expect(stderr).toBe(
      'cat: /proc: Is a directory\ncat: /etc/passwd: No such file or directory\ncat: /sys/x: No such file or directory\n',
    );
  });

  it('counts interrupts and softirqs a CPU', async () => {
    const interrupts = (await run(cat, '/proc/interrupts')).stdout.trimEnd().split('\n');
    expect(interrupts[0]).toBe('           CPU0       CPU1       ');
    expect(interrupts.slice(1).map((l) => l.trim().split(/\s+/).at(-1))).toEqual([
      'eth0-rx-0',
      'eth0-rx-1',
      'eth0-rx-2',
      'eth0-rx-3',
      'eth1-rx-0',
      'veth0-rx-0',
    ]);
    expect(interrupts[1]).toMatch(/^ 24: +\d+ +0 {2}SIM-MSI {3}0-edge {6}eth0-rx-0$/);
    const softirqs = (await run(cat, '/proc/softirqs')).stdout.trimEnd().split('\n');
    expect(softirqs).toHaveLength(11);
    expect(softirqs[4]).toMatch(/^ {6}NET_RX: +[1-9]\d* +[1-9]\d*$/);
    const dev = (await run(cat, '/proc/net/dev')).stdout.split('\n');
    expect(dev[2].trim().split(/[\s:]+/)).toEqual(['eth0', ...new Array(16).fill('0')]);
  });
});

describe('sysctl', () => {
  it('shows and sets', async () => {
    const all = [
      'backlog_threaded = 0',
      'busy_poll = 0',
      'busy_read = 0',
      'dev_weight = 64',
      'dev_weight_rx_bias = 1',
      'dev_weight_tx_bias = 1',
      'flow_limit_cpu_bitmap = 0',
      'flow_limit_table_len = 4096',
      'gro_normal_batch = 8',
      'netdev_budget = 300',
      'netdev_budget_usecs = 2000',
      'netdev_max_backlog = 1000',
      'rps_sock_flow_entries = 0',
      'skb_defer_max = 64',
    ];
    const text = all.map((line) => `net.core.${line}\n`).join('');
    const ipv4 = ['high_thresh = 4194304', 'max_dist = 64', 'time = 30']
      .map((line) => `net.ipv4.ipfrag_${line}\n`)
      .join('');
    expect((await run(sysctl, '-a')).stdout).toBe(`${text}${ipv4}`);
    expect((await run(sysctl, 'net.core')).stdout).toBe(text);
    expect(await run(sysctl, '-n', 'net/core/netdev_budget')).toEqual({
      code: 0,
      stdout: '300\n',
      stderr: '',
    });
    expect((await run(sysctl, '-w', 'net.core.netdev_budget=600')).stdout).toBe(
      'net.core.netdev_budget = 600\n',
    );
    expect((await run(sysctl, '-n', 'net.core.netdev_budget')).stdout).toBe('600\n');
    expect((await run(sysctl, '-qw', 'net.core.netdev_budget=300')).stdout).toBe('');
  });

  it('exits with the number of what failed', async () => {
    const missing = (n: string) => `sysctl: cannot stat /proc/sys/net/core/${n}: No such file or directory\n`;
    const { code, stdout, stderr } = await run(sysctl, 'net.core.x', 'net.core.dev_weight', 'net/core/y');
    expect([code, stdout, stderr]).toEqual([2, 'net.core.dev_weight = 64\n', missing('x') + missing('y')]);
    expect((await run(sysctl, '-e', 'net.core.x')).code).toBe(0);
  });

  it.each(['abc', '300x', '99999999999', ''])('refuses the value %j', async (value) => {
    const { code, stderr } = await run(sysctl, '-w', `net.core.netdev_budget=${value}`);
    expect([code, stderr]).toEqual([1, 'sysctl: setting key "net.core.netdev_budget": Invalid argument\n']);
  });

  it('refuses what is no assignment', async () => {
    expect(await run(sysctl, '-w', 'net.core.dev_weight')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'sysctl: command line(0): invalid syntax, continuing...\n',
    });
    expect((await run(sysctl)).code).toBe(1);
    expect((await run(sysctl, '-z')).stderr).toContain("sysctl: invalid option -- 'z'");
  });
});

describe('ethtool', () => {
  it('shows channels, and changes them', async () => {
    const rows = (n: number) => `RX:\t\tn/a\nTX:\t\tn/a\nOther:\t\tn/a\nCombined:\t${n}\n`;
    const shown = (n: number) =>
      `Channel parameters for eth0:\nPre-set maximums:\n${rows(4)}Current hardware settings:\n${rows(n)}`;
    expect((await run(ethtool, '-l', 'eth0')).stdout).toBe(shown(2));
    expect(await run(ethtool, '-L', 'eth0', 'combined', '1')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect((await run(ethtool, '--show-channels', 'eth0')).stdout).toBe(shown(1));
    expect(await napis()).toHaveLength(1);
    expect(JSON.parse((await run(ethtool, '--json', '-l', 'eth0')).stdout)).toEqual([
      { ifname: 'eth0', 'combined-max': 4, combined: 1 },
    ]);
    await run(ethtool, '-L', 'eth0', 'combined', '4');
    expect((await napis()).map((n) => n.id).slice(2)).toEqual([8194, 8193]);
    await run(ethtool, '-L', 'eth0', 'combined', '2');
    expect((await napis()).map((n) => n.id)).toEqual([8194, 8193]);
  });

  it.each([
    [['-L', 'eth0', 'combined', '5'], 1, 'requested channel count exceeds maximum (offset 36)'],
    [
      ['-L', 'eth0', 'combined', '0'],
      1,
      'requested channel counts would result in no RX or TX channel being configured (offset 36)',
    ],
    [['-L', 'eth0', 'combined', '1', 'rx', '1'], 1, 'requested channel count exceeds maximum (offset 44)'],
    [['-G', 'eth0', 'rx', '99999999'], 81, 'requested ring size exceeds maximum (offset 36)'],
    [['-C', 'eth0', 'tx-usecs', '3'], 1, 'cannot modify an unsupported parameter (offset 36)'],
  ])('refuses %j', async (args, code, text) => {
    const result = await run(ethtool, ...args);
    expect(result).toEqual({
      code,
      stdout: '',
      stderr: `netlink error: ${text}\nnetlink error: Invalid argument\n`,
    });
  });

  it('changes rings', async () => {
    expect((await run(ethtool, '-G', 'eth0', 'rx', '2048')).code).toBe(0);
    const { stdout } = await run(ethtool, '--json', '-g', 'eth0');
    expect(JSON.parse(stdout)).toEqual([{ ifname: 'eth0', 'rx-max': 2048, rx: 2048 }]);
    expect((await run(ethtool, '-G', 'eth0', 'rx', '1024')).code).toBe(0);
  });

  it('takes what is there already, and nothing at all', async () => {
    expect((await run(ethtool, '-L', 'eth0', 'combined', '2')).code).toBe(0);
    expect((await run(ethtool, '-L', 'eth0')).code).toBe(0);
  });

  it('shows and sets moderation', async () => {
    expect((await run(ethtool, '-C', 'eth0', 'rx-usecs', '20', 'rx-frames', '16')).code).toBe(0);
    const { stdout } = await run(ethtool, '-c', 'eth0');
    expect(stdout).toMatch(/^Coalesce parameters for eth0:\nAdaptive RX: n\/a {2}TX: n\/a\n/);
    expect(stdout).toContain('\n\nrx-usecs: 20\nrx-frames: 16\nrx-usecs-irq: n/a\n');
    expect((await run(ethtool, '-C', 'eth0', 'rx-usecs', '0', 'rx-frames', '0')).code).toBe(0);
  });

  it('shows rings and counters', async () => {
    expect((await run(ethtool, '-g', 'eth0')).stdout).toMatch(
      /^Ring parameters for eth0:\nPre-set maximums:\nRX:\t\t\d+\nRX Mini:\tn\/a\n[\s\S]*Current hardware settings:\nRX:\t\t1024\n/,
    );
    const { stdout } = await run(ethtool, '-S', 'eth0');
    expect(stdout).toMatch(/^NIC statistics:\n {5}rx_packets: 0\n/);
    expect(stdout).toContain('     rx_queue_1_packets: 0\n');
  });

  it.each([
    [
      ['-l', 'nodev'],
      1,
      'netlink error: no device matches name (offset 24)\nnetlink error: No such device\n',
    ],
    [['-S', 'nodev'], 96, 'Cannot get stats strings information: No such device\n'],
    [['-L', 'eth0', 'rx', 'x'], 1, "ethtool (-L): invalid value 'x' for parameter 'rx'\n"],
    [['-L', 'eth0', 'foo', '3'], 1, "ethtool (-L): unknown parameter 'foo'\n"],
    [['-L', 'eth0', '__proto__', '3'], 1, "ethtool (-L): unknown parameter '__proto__'\n"],
    [['-G', 'eth0', 'rx'], 1, "ethtool (-G): no value for parameter 'rx'\n"],
    [['-l'], 1, 'ethtool: bad command line argument(s)\nFor more information run ethtool -h\n'],
    [['-z', 'eth0'], 1, 'ethtool: bad command line argument(s)\nFor more information run ethtool -h\n'],
  ])('says of %j what ethtool says', async (args, code, text) => {
    expect(await run(ethtool, ...args)).toEqual({ code, stdout: '', stderr: text });
  });
});

describe('ip', () => {
  it('shows links', async () => {
    const one = (i: number, up: boolean) =>
      `${i}: eth${i - 1}: <BROADCAST,MULTICAST${up ? ',UP,LOWER_UP' : ''}> mtu 1500 qdisc noop state ${up ? 'UP' : 'DOWN'} ` +
      `mode DEFAULT group default qlen 1000\n    link/ether 02:00:00:00:00:0${i} brd ff:ff:ff:ff:ff:ff\n`;
    expect((await run(ip, 'link')).stdout.startsWith(one(1, true) + one(2, true))).toBe(true);
    expect((await run(ip, 'link', 'set', 'dev', 'eth1', 'down')).code).toBe(0);
    expect((await run(ip, 'l', 'show', 'eth1')).stdout).toBe(one(2, false));
    expect((await run(ip, '-br', 'link', 'show', 'dev', 'eth1')).stdout).toBe(
      'eth1             DOWN           02:00:00:00:00:02 <BROADCAST,MULTICAST> \n',
    );
    expect((await run(ip, 'link', 'set', 'eth1', 'up')).code).toBe(0);
    const [eth1] = JSON.parse((await run(ip, '-j', 'link', 'show', 'eth1')).stdout);
    expect(eth1).toMatchObject({
      ifindex: 2,
      ifname: 'eth1',
      flags: ['BROADCAST', 'MULTICAST', 'UP', 'LOWER_UP'],
      operstate: 'UP',
    });
  });

  it('gives another name', async () => {
    expect((await run(ip, 'link', 'set', 'eth1', 'name', 'wan0')).code).toBe(0);
    expect((await run(cat, '/sys/class/net/wan0/ifindex')).stdout).toBe('2\n');
    expect((await run(ip, 'link', 'show', 'eth1')).code).toBe(1);
    expect((await run(ip, 'link', 'set', 'wan0', 'name', 'eth1', 'up')).code).toBe(0);
  });

  it.each([
    [['link', 'show', 'nodev'], 1, 'Device "nodev" does not exist.\n'],
    [['link', 'set', 'nodev', 'up'], 1, 'Cannot find device "nodev"\n'],
    [['link', 'set', 'eth0', 'name', 'eth1'], 2, 'RTNETLINK answers: File exists\n'],
    [
      ['link', 'set', 'eth0', 'name', 'a/b'],
      255,
      'Error: argument "a/b" is wrong: "name" not a valid ifname\n',
    ],
    [
      ['link', 'set', 'eth0', 'sideways'],
      255,
      'Error: either "dev" is duplicate, or "sideways" is a garbage.\n',
    ],
    [['link', 'set'], 255, 'Not enough information: "dev" argument is required.\n'],
    [['link', 'foo'], 255, 'Command "foo" is unknown, try "ip link help".\n'],
    [['foo'], 1, 'Object "foo" is unknown, try "ip help".\n'],
  ])('says of %j what ip says', async (args, code, text) => {
    expect(await run(ip, ...args)).toEqual({ code, stdout: '', stderr: text });
  });
});

describe('ps, taskset, chrt', () => {
  it('lists the threads that run', async () => {
    await run(sysfs, 'write', '/sys/class/net/eth1/threaded', '1');
    const { threads } = JSON.parse((await run(ps, '--json')).stdout) as {
      threads: { name: string; tid: number }[];
    };
    const names = threads.map((t) => t.name);
    expect(names).toEqual(expect.arrayContaining(['cpu/0', 'ksoftirqd/1', 'napi/eth1-8195']));
    expect(new Set(threads.map((t) => t.tid)).size).toBe(process.platform === 'linux' ? threads.length : 1);
    await run(sysfs, 'write', '/sys/class/net/eth1/threaded', '0');
    expect((await run(ps)).stdout).not.toContain('napi/');
  });

  it('touch threads of the machine only', async () => {
    const taskset = (args: readonly string[]) => onThread('taskset', args);
    const { code, stderr } = await run(taskset, '-p', '1');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^taskset: the machine has no thread 1; it has cpu\/0, /);
    expect((await run(taskset, '1', 'cpu/0')).code).toBe(2);
  });
});

it('clients without a machine say so in one line', async () => {
  const { NoMachineError } = await import('../../dist/tools/client.js');
  await expect(runTool('/nonexistent/s', ps)).rejects.toThrow(NoMachineError);
});

describe('curl', () => {
  it('finds everything through GET /', async () => {
    const { status, body } = await http(served.path, 'GET', '/');
    const { routes } = JSON.parse(body) as { routes: { method: string; path: string }[] };
    expect(status).toBe(200);
    expect(routes.map((r) => `${r.method} ${r.path}`)).toContain('POST /netlink/netdev');
  });

  it('reads, writes and asks', async () => {
    const ask = (method: string, url: string, body?: string) => http(served.path, method, url, body);
    expect((await ask('GET', '/sys/class/net/')).body).toBe('eth0/\neth1/\nveth0/\n');
    expect((await ask('PUT', '/sys/class/net/eth0/threaded', '0')).status).toBe(204);
    expect((await ask('GET', '/sysctl/net.core.netdev_budget')).body).toBe('300\n');
    expect((await ask('PUT', '/proc/sys/net/core/netdev_budget', '300')).status).toBe(204);
    expect(JSON.parse((await ask('GET', '/link/eth1')).body)[0].ifindex).toBe(2);
    expect((await ask('POST', '/netlink/netdev', '{"do":"napi-get","attrs":{"id":8193}}')).status).toBe(200);
    const { status, body } = await ask('POST', '/netlink/netdev', '{"do":"napi-get","attrs":{"id":1}}');
    expect(status).toBe(404);
    expect(JSON.parse(body)).toEqual({
      error: { errno: -2, code: 'ENOENT', message: 'No such file or directory', extack: { badAttr: '.id' } },
    });
  });
});
