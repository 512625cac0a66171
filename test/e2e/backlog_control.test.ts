// SPDX-License-Identifier: GPL-2.0-only
/** Backlogs, steering and CPUs under control: what is written does what it says, and what is told is true. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BootOptions, boot, type Machine, type NetDevice } from '../../dist/index.js';
import type { SinkResult } from '../../dist/threads/sink.js';
import { ps } from '../../dist/tools/ps.js';
import { sysctl } from '../../dist/tools/sysctl.js';
import { cat, sysfs } from '../../dist/tools/sysfs.js';
import type { UapiRequest } from '../../dist/uapi/request.js';
import { http, runTool, servedMachine } from '../helpers/control.js';
import { generated, SINK, seeded, TrafficRig, until } from '../helpers/traffic.js';

type Tool = (args: readonly string[]) => Promise<number>;
const CPU = '/sys/devices/system/cpu';
const CORE = '/proc/sys/net/core';

/** What a file says, without its line end; the error's text where it cannot be read. */
async function read(machine: Machine, path: string): Promise<string> {
  const { err, value, message } = await machine.uapi({ kind: 'read', path });
  return err === 0 ? String(value).replace(/\n$/, '') : message;
}

/** Writes a file. @returns '', or the error's text */
async function write(machine: Machine, path: string, text: string): Promise<string> {
  return (await machine.uapi({ kind: 'write', path, text: `${text}\n` })).message;
}

/** Columns of /proc/net/softnet_stat, by CPU. */
async function softnetStat(machine: Machine): Promise<Map<number, number[]>> {
  const lines = (await read(machine, '/proc/net/softnet_stat')).split('\n');
  const rows = lines.map((line) => line.split(' ').map((word) => Number.parseInt(word, 16)));
  for (const row of rows) expect(row).toHaveLength(15);
  return new Map(rows.map((row) => [row[12], row]));
}

describe('files of backlogs and CPUs', () => {
  let served: Awaited<ReturnType<typeof servedMachine>>;
  beforeAll(async () => {
    served = await servedMachine([{ name: 'eth0', queues: 2 }]);
  });
  afterAll(() => served.stop());
  const run = (tool: Tool, ...args: string[]) => runTool(served.path, tool, ...args);
  const rx0 = '/sys/class/net/eth0/queues/rx-0';

  it.each([
    ['netdev_max_backlog', '5', '5', '1000'],
    ['netdev_max_backlog', '0', '0', '1000'],
    ['dev_weight', '1', '1', '64'],
    ['dev_weight_rx_bias', '2', '2', '1'],
    ['dev_weight_tx_bias', '3', '3', '1'],
    ['netdev_budget', '600', '600', '300'],
    ['netdev_budget_usecs', '8000', '8000', '2000'],
    ['backlog_threaded', '1', '1', '0'],
    ['rps_sock_flow_entries', '1', '1', '0'],
    ['rps_sock_flow_entries', '1000', '1024', '0'],
    ['flow_limit_cpu_bitmap', '3', '3', '0'],
    ['flow_limit_cpu_bitmap', '00000002', '2', '0'],
    ['flow_limit_table_len', '1', '1', '4096'],
    ['flow_limit_table_len', '0x2000', '8192', '4096'],
    ['skb_defer_max', '0', '0', '64'],
  ])('%s takes %s and shows %s', async (name, value, shown, back) => {
    const set = await run(sysctl, '-w', `net.core.${name}=${value}`);
    expect(set).toEqual({ code: 0, stdout: `net.core.${name} = ${value}\n`, stderr: '' });
    expect((await run(sysctl, '-n', `net.core.${name}`)).stdout).toBe(`${shown}\n`);
    expect((await run(cat, `${CORE}/${name}`)).stdout).toBe(`${shown}\n`);
    expect((await run(sysctl, '-qw', `net.core.${name}=${back}`)).code).toBe(0);
    expect((await run(sysctl, '-n', `net.core.${name}`)).stdout).toBe(`${back}\n`);
  });

  it.each([
    ['netdev_max_backlog', 'many', 'Invalid argument'],
    ['dev_weight', '0', 'Invalid argument'],
    ['dev_weight_rx_bias', '0', 'Invalid argument'],
    ['dev_weight_tx_bias', '-2', 'Invalid argument'],
    ['netdev_budget_usecs', '-1', 'Invalid argument'],
    ['backlog_threaded', '2', 'Invalid argument'],
    ['backlog_threaded', 'on', 'Invalid argument'],
    ['rps_sock_flow_entries', '-1', 'Invalid argument'],
    ['rps_sock_flow_entries', '536870913', 'Invalid argument'],
    ['rps_sock_flow_entries', '536870912', 'Cannot allocate memory'],
    ['flow_limit_cpu_bitmap', '4', 'Value too large for defined data type'],
    ['flow_limit_cpu_bitmap', '1,00000000', 'Value too large for defined data type'],
    ['flow_limit_cpu_bitmap', '0x1', 'Invalid argument'],
    ['flow_limit_table_len', '0', 'Invalid argument'],
    ['flow_limit_table_len', '1000', 'Invalid argument'],
    ['skb_defer_max', '-1', 'Invalid argument'],
  ])('%s refuses %s', async (name, value, text) => {
    const before = (await run(sysctl, '-n', `net.core.${name}`)).stdout;
    const { code, stderr } = await run(sysctl, '-w', `net.core.${name}=${value}`);
    expect([code, stderr]).toEqual([1, `sysctl: setting key "net.core.${name}": ${text}\n`]);
    expect((await run(sysctl, '-n', `net.core.${name}`)).stdout).toBe(before);
  });

  it('gives a table of flow limit no more than there is memory for, and then goes on as before', async () => {
    await run(sysctl, '-qw', 'net.core.flow_limit_table_len=1073741824');
    const { stderr } = await run(sysctl, '-w', 'net.core.flow_limit_cpu_bitmap=1');
    expect(stderr).toBe('sysctl: setting key "net.core.flow_limit_cpu_bitmap": Cannot allocate memory\n');
    expect((await run(sysctl, '-n', 'net.core.flow_limit_cpu_bitmap')).stdout).toBe('0\n');
    await run(sysctl, '-qw', 'net.core.flow_limit_table_len=4096');
    expect((await run(sysctl, '-w', 'net.core.flow_limit_cpu_bitmap=1')).code).toBe(0);
    expect((await run(sysctl, '-w', 'net.core.flow_limit_cpu_bitmap=0')).code).toBe(0);
  });

  it.each([
    ['rps_cpus', '3', '3'],
    ['rps_cpus', '00000001', '1'],
    ['rps_cpus', '', '0'],
    ['rps_flow_cnt', '1', '1'],
    ['rps_flow_cnt', '1000', '1024'],
    ['rps_flow_cnt', '0x10', '16'],
    ['rps_flow_cnt', '0', '0'],
  ])('%s takes %j and shows %s', async (file, value, shown) => {
    expect(await run(sysfs, 'write', `${rx0}/${file}`, value)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect((await run(cat, `${rx0}/${file}`)).stdout).toBe(`${shown}\n`);
    expect((await run(cat, '/sys/class/net/eth0/queues/rx-1/rps_cpus')).stdout).toBe('0\n');
    await run(sysfs, 'write', `${rx0}/${file}`, '0');
  });

  it.each([
    ['rps_cpus', '4', 'Value too large for defined data type'],
    ['rps_cpus', '123456789', 'Value too large for defined data type'],
    ['rps_cpus', '-1', 'Invalid argument'],
    ['rps_cpus', 'all', 'Invalid argument'],
    ['rps_flow_cnt', '-1', 'Invalid argument'],
    ['rps_flow_cnt', 'x', 'Invalid argument'],
    ['rps_flow_cnt', '4294967297', 'Invalid argument'],
    ['rps_flow_cnt', '4294967296', 'Cannot allocate memory'],
    ['rps_flow_cnt', '18446744073709551616', 'Numerical result out of range'],
  ])('%s refuses %s', async (file, value, text) => {
    await run(sysfs, 'write', `${rx0}/${file}`, '2');
    const { code, stderr } = await run(sysfs, 'write', `${rx0}/${file}`, value);
    expect([code, stderr]).toEqual([1, `softnet sysfs: ${rx0}/${file}: write error: ${text}\n`]);
    expect((await run(cat, `${rx0}/${file}`)).stdout).toBe('2\n');
    await run(sysfs, 'write', `${rx0}/${file}`, '0');
  });

  it('keeps steering while the link is down', async () => {
    await run(sysfs, 'write', '/sys/class/net/eth0/flags', '0x1002');
    expect((await run(sysfs, 'write', `${rx0}/rps_cpus`, '2')).code).toBe(0);
    await run(sysfs, 'write', '/sys/class/net/eth0/flags', '0x1003');
    expect((await run(cat, `${rx0}/rps_cpus`)).stdout).toBe('2\n');
    await run(sysfs, 'write', `${rx0}/rps_cpus`, '0');
  });

  it('lists CPUs, those online and those that are not', async () => {
    const names = (await run(sysfs, 'list', CPU)).stdout;
    expect(names).toBe('cpu0/\ncpu1/\noffline\nonline\npossible\npresent\n');
    const lists = () => run(cat, `${CPU}/online`, `${CPU}/offline`, `${CPU}/possible`, `${CPU}/present`);
    expect((await lists()).stdout).toBe('0-1\n\n0-1\n0-1\n');
    await run(sysfs, 'write', `${CPU}/cpu1/online`, '0');
    expect((await lists()).stdout).toBe('0\n1\n0-1\n0-1\n');
    expect((await run(cat, `${CPU}/cpu0/online`, `${CPU}/cpu1/online`)).stdout).toBe('1\n0\n');
    await run(sysfs, 'write', `${CPU}/cpu1/online`, '1');
    expect((await lists()).stdout).toBe('0-1\n\n0-1\n0-1\n');
    expect((await run(sysfs, 'write', `${CPU}/online`, '0')).stderr).toContain('Permission denied');
    expect((await run(cat, `${CPU}/cpu2/online`)).stderr).toContain('No such file or directory');
  });

  it('takes yes and no as the kernel does, and what is there already', async () => {
    const online = `${CPU}/cpu1/online`;
    for (const [no, yes] of [
      ['0', '1'],
      ['off', 'on'],
      ['No', 'Yes'],
      ['false', 'true'],
    ]) {
      for (const _ of [1, 2]) expect((await run(sysfs, 'write', online, no)).code).toBe(0);
      expect((await run(cat, online)).stdout).toBe('0\n');
      for (const _ of [1, 2]) expect((await run(sysfs, 'write', online, yes)).code).toBe(0);
      expect((await run(cat, online)).stdout).toBe('1\n');
    }
    for (const word of ['2', 'maybe', '', 'o', '-1'])
      expect((await run(sysfs, 'write', online, word)).stderr).toContain('Invalid argument');
    expect((await run(cat, online)).stdout).toBe('1\n');
  });

  it('leaves one CPU online, whichever it is', async () => {
    for (const [last, other] of [
      [0, 1],
      [1, 0],
    ]) {
      expect((await run(sysfs, 'write', `${CPU}/cpu${other}/online`, '0')).code).toBe(0);
      const path = `${CPU}/cpu${last}/online`;
      const { code, stderr } = await run(sysfs, 'write', path, '0');
      expect([code, stderr]).toEqual([1, `softnet sysfs: ${path}: write error: Device or resource busy\n`]);
      expect((await http(served.path, 'PUT', path, '0')).status).toBe(409);
      expect((await run(cat, `${CPU}/online`)).stdout).toBe(`${last}\n`);
      expect((await run(sysfs, 'write', `${CPU}/cpu${other}/online`, '1')).code).toBe(0);
    }
  });

  it('steers to CPUs that are online; one that goes offline later stays named', async () => {
    await run(sysfs, 'write', `${rx0}/rps_cpus`, '3');
    await run(sysfs, 'write', `${CPU}/cpu1/online`, '0');
    expect((await run(cat, `${rx0}/rps_cpus`)).stdout).toBe('3\n');
    expect((await run(sysfs, 'write', `${rx0}/rps_cpus`, '3')).code).toBe(0);
    expect((await run(cat, `${rx0}/rps_cpus`)).stdout).toBe('1\n');
    expect((await run(sysfs, 'write', `${rx0}/rps_cpus`, '2')).code).toBe(0);
    expect((await run(cat, `${rx0}/rps_cpus`)).stdout).toBe('0\n');
    await run(sysfs, 'write', `${CPU}/cpu1/online`, '1');
  });

  it('has no line in softnet_stat for a CPU that is offline', async () => {
    expect([...(await softnetStat(served.machine)).keys()]).toEqual([0, 1]);
    await served.machine.setCpuOnline(0, false);
    expect([...(await softnetStat(served.machine)).keys()]).toEqual([1]);
    expect(served.machine.softnetStat().map((s) => [s.cpu, s.online])).toEqual([
      [0, false],
      [1, true],
    ]);
    await served.machine.setCpuOnline(0, true);
  });

  it('gives backlogs threads while it runs, and takes them back', async () => {
    await run(sysctl, '-qw', 'net.core.backlog_threaded=1');
    const names = (await run(ps)).stdout;
    expect(names).toContain('napi/backlog-0');
    expect(names).toContain('napi/backlog-1');
    expect((await run(sysctl, '-w', 'net.core.backlog_threaded=0')).code).toBe(0);
  });
});

describe('a machine of six CPUs', () => {
  it('tells its CPUs in masks of two digits, and in lists', async () => {
    await using machine = await boot({ cpus: 6 });
    await machine.addDevice({ name: 'eth0' });
    const mask = '/sys/class/net/eth0/queues/rx-0/rps_cpus';
    expect(await read(machine, mask)).toBe('00');
    expect(await write(machine, mask, '21')).toBe('');
    expect(await read(machine, mask)).toBe('21');
    expect(await write(machine, mask, '40')).toBe('Value too large for defined data type');
    await machine.setFlowLimit([1, 4]);
    expect(await read(machine, `${CORE}/flow_limit_cpu_bitmap`)).toBe('12');
    await machine.setFlowLimit([]);
    expect(await read(machine, `${CORE}/flow_limit_cpu_bitmap`)).toBe('00');
    for (const cpu of [1, 2, 5]) await machine.setCpuOnline(cpu, false);
    expect(await read(machine, `${CPU}/online`)).toBe('0,3-4');
    expect(await read(machine, `${CPU}/offline`)).toBe('1-2,5');
    await expect(machine.setFlowLimit([6])).rejects.toThrow('cpus: 6 is not possible');
  });
});

describe('backlog_threaded', () => {
  it.each(['on', 'no-bypass'] as const)('is EBUSY with boot-time threads (%s)', async (threadBacklogNapi) => {
    await using machine = await boot({ threadBacklogNapi });
    const path = `${CORE}/backlog_threaded`;
    expect(await write(machine, path, '1')).toBe('Device or resource busy');
    expect(await read(machine, path)).toBe('0');
    expect(await write(machine, path, '0')).toBe('');
    await expect(machine.setSysctl('net.core.backlog_threaded', 1)).rejects.toMatchObject({ code: 'EBUSY' });
  });

  it('is ENOMEM and stays off where a thread cannot be had; the next time it can', async () => {
    await using machine = await boot();
    machine.failKthread(2);
    const path = `${CORE}/backlog_threaded`;
    expect(await write(machine, path, '1')).toBe('Cannot allocate memory');
    expect(await read(machine, path)).toBe('0');
    expect(await write(machine, path, '1')).toBe('');
    expect(await read(machine, path)).toBe('1');
  });
});

describe('softnet_stat', () => {
  /** A machine whose queue is polled on CPU 0 and steers everything to CPU 1. */
  async function steered(): Promise<{ machine: Machine; eth0: NetDevice }> {
    const machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    await eth0.setIrqAffinity(0, 0);
    expect(await write(machine, '/sys/class/net/eth0/queues/rx-0/rps_cpus', '2')).toBe('');
    return { machine, eth0 };
  }

  /** Sends until `enough` holds, and lets everything come to rest. @returns frames sent */
  async function sendUntil(eth0: NetDevice, flows: number, enough: () => boolean): Promise<number> {
    let sent = 0;
    do sent += (await eth0.generate({ count: 2000, flows })).frames;
    while (!enough());
    await eth0.drained();
    return sent;
  }

  it('counts frames where they are handed on, and interrupts where they arrive', async () => {
    const { machine, eth0 } = await steered();
    await using _ = machine;
    await machine.setSysctl('net.core.netdev_max_backlog', 1 << 20);
    const sent = await sendUntil(eth0, 16, () => machine.softnetStat()[1].receivedRps > 0);
    const stat = await softnetStat(machine);
    expect(stat.get(0)?.map((n, i) => (i === 2 ? 0 : n))).toEqual(new Array(15).fill(0));
    const one = stat.get(1) ?? [];
    expect(one[0]).toBe(sent);
    expect(one[1]).toBe(0);
    expect(one.slice(3, 9)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(one[9]).toBeGreaterThan(0);
    expect(one.slice(10)).toEqual([0, 0, 1, 0, 0]);
    expect(machine.softnetStat()[1]).toMatchObject({
      cpu: 1,
      processed: sent,
      dropped: 0,
      receivedRps: one[9],
      flowLimit: 0,
      backlogLength: 0,
      inputQlen: 0,
      processQlen: 0,
      online: true,
    });
  });

  it('shows what waits, and counts what a short backlog has no room for, with the CPU it was for', async () => {
    const { machine, eth0 } = await steered();
    await using _ = machine;
    let isOver = false;
    const traffic = (async () => {
      let sent = 0;
      do sent += (await eth0.generate({ count: 2000, flows: 16 })).frames;
      while (!isOver);
      return sent;
    })();
    traffic.catch(() => {});
    await until(async () => {
      const [, , , , , , , , , , , length, , input, process] = (await softnetStat(machine)).get(1) ?? [];
      expect(length).toBe(input + process);
      return length > 0;
    });
    expect(await write(machine, `${CORE}/netdev_max_backlog`, '0')).toBe('');
    await until(() => machine.softnetStat()[1].dropped > 0);
    isOver = true;
    const sent = await traffic;
    await eth0.drained();
    const drops = machine.drops();
    const stat = await softnetStat(machine);
    expect(drops.cpu_backlog).toBeGreaterThan(0);
    expect([stat.get(0)?.[1], stat.get(1)?.[1]]).toEqual([0, drops.cpu_backlog]);
    expect(stat.get(1)?.[0]).toBe(sent - drops.cpu_backlog);
    expect([stat.get(0)?.[10], stat.get(1)?.[10]]).toEqual([0, 0]);
    expect(stat.get(1)?.slice(11)).toEqual([0, 1, 0, 0]);
  });

  it('counts what flow limit drops where it is queued, and with the drops of the CPU it was for', async () => {
    const { machine, eth0 } = await steered();
    await using _ = machine;
    await machine.setFlowLimit([0]);
    // A queue of two is half full with one frame, and asked for each: the second half of the history decides.
    await machine.setSysctl('net.core.netdev_max_backlog', 1);
    const sent = await sendUntil(eth0, 1, () => machine.softnetStat()[0].flowLimit > 0);
    const drops = machine.drops();
    const stat = await softnetStat(machine);
    expect(drops.flow_limit).toBeGreaterThan(0);
    expect([stat.get(0)?.[10], stat.get(1)?.[10]]).toEqual([drops.flow_limit, 0]);
    const dropped = drops.flow_limit + (drops.cpu_backlog ?? 0);
    expect([stat.get(0)?.[1], stat.get(1)?.[1]]).toEqual([0, dropped]);
    expect(stat.get(1)?.[0]).toBe(sent - dropped);
    expect(await write(machine, `${CORE}/flow_limit_cpu_bitmap`, '0')).toBe('');
    expect((await softnetStat(machine)).get(0)?.[10]).toBe(0);
    await eth0.generate({ count: 2000 });
    await eth0.drained();
    expect(machine.drops().flow_limit).toBe(drops.flow_limit);
  });

  it('does not limit flows that share evenly', async () => {
    const { machine, eth0 } = await steered();
    await using _ = machine;
    await machine.setFlowLimit([0, 1]);
    await machine.setSysctl('net.core.netdev_max_backlog', 1);
    await sendUntil(eth0, 64, () => (machine.drops().cpu_backlog ?? 0) > 1000);
    expect(machine.drops().flow_limit).toBeUndefined();
  });
});

describe('under traffic', () => {
  it.each<[string, BootOptions, string]>([
    ['interrupts', {}, '0'],
    ['threads made at run time', {}, '1'],
    ['threads made at boot', { threadBacklogNapi: 'on' }, '0'],
    ['threads made at boot, also for the own CPU', { threadBacklogNapi: 'no-bypass' }, '0'],
  ])(
    'CPUs go and come through sysfs with %s, and no frame is lost or overtaken',
    async (_how, o, threaded) => {
      const rig = await TrafficRig.start({}, o);
      const { machine } = rig;
      await machine.setSysctl('net.core.backlog_threaded', threaded);
      await machine.setSysctl('net.core.netdev_max_backlog', 1 << 20);
      for (const q of [0, 1]) await write(machine, `/sys/class/net/eth0/queues/rx-${q}/rps_cpus`, '3');
      const progress = () => machine.softnetStat().reduce((sum, s) => sum + s.processed, 0);
      await rig.during(generated, async () => {
        for (let i = 0; i < 12; i++) {
          const [gone, left] = i % 2 === 0 ? [1, 0] : [0, 1];
          expect(await write(machine, `${CPU}/cpu${gone}/online`, '0')).toBe('');
          expect(await write(machine, `${CPU}/cpu${left}/online`, '0')).toBe('Device or resource busy');
          const before = progress();
          await until(() => progress() > before);
          expect(await write(machine, `${CPU}/cpu${gone}/online`, '1')).toBe('');
        }
      });
      const { drops } = await rig.finish();
      expect(drops.cpu_backlog).toBeUndefined();
    },
  );

  it('everything can be set at any time, and every frame is somewhere', async () => {
    const rig = await TrafficRig.start({}, { controlWorkers: 2 });
    const { machine } = rig;
    const pick = seeded(7);
    const choices: [string, string[]][] = [
      [`${CORE}/backlog_threaded`, ['0', '1']],
      [`${CORE}/dev_weight`, ['1', '64', '300']],
      [`${CORE}/dev_weight_rx_bias`, ['1', '3']],
      [`${CORE}/netdev_budget`, ['2', '300']],
      [`${CORE}/netdev_budget_usecs`, ['1', '2000']],
      [`${CORE}/netdev_max_backlog`, ['0', '50', '1000']],
      [`${CORE}/skb_defer_max`, ['0', '2', '64']],
      [`${CORE}/flow_limit_table_len`, ['1', '4096']],
      [`${CORE}/flow_limit_cpu_bitmap`, ['0', '1', '2', '3']],
      [`${CPU}/cpu1/online`, ['0', '1']],
    ];
    const set = async (): Promise<void> => {
      const [path, values] = choices[pick(choices.length)];
      expect(await write(machine, path, values[pick(values.length)])).toBe('');
      const total = machine.softnetStat().reduce((sum, s) => sum + s.processed, 0);
      await until(() => machine.softnetStat().reduce((sum, s) => sum + s.processed, 0) !== total);
    };
    for (const q of [0, 1]) await write(machine, `/sys/class/net/eth0/queues/rx-${q}/rps_cpus`, '3');
    await rig.during(generated, async () => {
      for (let i = 0; i < 40; i++) await Promise.all([set(), set()]);
    });
    await rig.finish();
  });
});

describe('the loopback device', () => {
  const lo = '/sys/class/net/lo';

  it('is one among the others', async () => {
    await using machine = await boot({ cpus: 2 });
    await machine.addDevice({ name: 'eth0' });
    await machine.addLoopback();
    await machine.addDevice({ name: 'eth1', receive: 'netif_rx' });
    const ask = async (request: UapiRequest) => {
      const { err, value, message } = await machine.uapi(request);
      return err === 0 ? value : message;
    };
    const [link] = (await ask({ kind: 'link-get', dev: 'lo' })) as object[];
    expect(link).toMatchObject({
      ifname: 'lo',
      flags: ['LOOPBACK', 'UP', 'LOWER_UP'],
      mtu: 2034,
      operstate: 'UNKNOWN',
      link_type: 'loopback',
      address: '00:00:00:00:00:00',
      broadcast: '00:00:00:00:00:00',
    });
    expect(await read(machine, `${lo}/flags`)).toBe('0x9');
    expect(await read(machine, `${lo}/type`)).toBe('772');
    expect(await read(machine, `${lo}/operstate`)).toBe('unknown');
    const names = (await read(machine, '/proc/interrupts')).split('\n').map((l) => l.trim().split(/\s+/));
    expect(names.slice(1).map((l) => [l[0], l.at(-1)])).toEqual([
      ['24:', 'eth0-rx-0'],
      ['25:', 'eth1-rx-0'],
    ]);
    for (const op of ['channels-get', 'rings-get', 'coalesce-get', 'coalesce-set', 'stats-get']) {
      const values = op === 'coalesce-set' ? { 'rx-usecs': 7 } : {};
      expect(await ask({ kind: 'ethtool', op, dev: 'lo', values })).toBe('Operation not supported');
    }
    expect(await ask({ kind: 'netlink', op: 'queue-get', dump: true, attrs: {} })).toEqual([
      { id: 0, type: 'rx', ifindex: 1, 'napi-id': 8193 },
      { id: 0, type: 'rx', ifindex: 2 },
      { id: 0, type: 'rx', ifindex: 3 },
    ]);
    await ask({ kind: 'link-set', dev: 'lo', up: false });
    expect(await read(machine, `${lo}/operstate`)).toBe('down');
    expect(await read(machine, `${lo}/flags`)).toBe('0x8');
  });

  it('counts what it sent and so received, and steers it', async () => {
    await using machine = await boot({ cpus: 2 });
    const device = await machine.addLoopback();
    const socket = await machine.openUdp({ port: 9 });
    const sink = await machine.runApp<SinkResult>(SINK, {
      name: 'sink',
      sockets: [socket],
      args: { order: true },
    });
    const sender = await machine.openSender(device);
    expect(await write(machine, `${lo}/queues/rx-0/rps_cpus`, '2')).toBe('');
    expect(await write(machine, `${lo}/queues/rx-0/rps_flow_cnt`, '64')).toBe('');
    expect(await write(machine, `${CORE}/netdev_max_backlog`, '1000000')).toBe('');
    const app = await machine.runApp<number>(new URL('../helpers/apps.mjs', import.meta.url), {
      name: 'source',
      exportName: 'source',
      senders: [sender],
      args: { count: 5000, payload: 58 },
      cpu: 0,
    });
    expect(await app.result).toBe(5000);
    await until(() => socket.delivered === 5000);
    const one = (await softnetStat(machine)).get(1) ?? [];
    expect([one[0], one[1]]).toEqual([5000, 0]);
    const statistics = async (name: string) => Number(await read(machine, `${lo}/statistics/${name}`));
    for (const way of ['rx', 'tx']) {
      expect(await statistics(`${way}_packets`)).toBe(5000);
      expect(await statistics(`${way}_bytes`)).toBe(500_000);
    }
    const columns = (await read(machine, '/proc/net/dev'))
      .split('\n')[2]
      .trim()
      .split(/[\s:]+/);
    expect(columns.slice(0, 3)).toEqual(['lo', '500000', '5000']);
    expect(columns.slice(9, 11)).toEqual(['500000', '5000']);
    await socket.close();
    expect((await sink.result).reordered).toBe(0);
  });
});

describe('a device that goes away', () => {
  it('takes its steering with it', async () => {
    await using machine = await boot({ cpus: 1, memoryBytes: 64 << 20 });
    // 2^18 entries are 4 MiB: those of sixteen devices would not fit.
    for (let i = 0; i < 24; i++) {
      const eth0 = await machine.addDevice({ name: 'eth0', poolSize: 2048 });
      await eth0.setRpsCpus(0, [0]);
      await eth0.setRpsFlowCnt(0, 1 << 18);
      await machine.control({ name: 'netdev-del', dev: eth0.at }, 'deleting eth0');
    }
  });
});
