// SPDX-License-Identifier: GPL-2.0-only
/** The library as a program uses it: machines, devices, sockets, applications of one's own. */
import { describe, expect, it } from 'vitest';
import { type BootOptions, boot, CaptureError, OptionError, type SoftnetError } from '../../dist/index.js';
import type { SinkResult } from '../../dist/threads/sink.js';
import { capture, SINK, until } from '../helpers/traffic.js';

const APPS = new URL('../helpers/apps.mjs', import.meta.url);

/** What the application `recorder` keeps. */
interface Recorded {
  readonly name: string;
  readonly args: unknown;
  readonly nrSockets: number;
  readonly nowNs: number;
  readonly seen: {
    readonly socket: number;
    readonly length: number;
    readonly srcPort: number;
    readonly dstPort: number;
    readonly payload: number[];
    readonly payloadLength: number;
    readonly headers: number[];
    readonly tstampNs: number;
    readonly seq: number;
  }[];
}

describe('machines', () => {
  it('of one process are independent', async () => {
    const machines = await Promise.all([boot({ cpus: 1 }), boot({ cpus: 2 })]);
    const results = await Promise.all(
      machines.map(async (machine, i) => {
        const eth0 = await machine.addDevice({ name: 'eth0', queues: 2, threaded: i === 0 });
        const socket = await machine.openUdp({ port: 9 });
        const app = await machine.runApp<SinkResult>(SINK, {
          name: 'sink',
          sockets: [socket],
          args: { order: true },
        });
        const count = 3000 * (i + 1);
        await eth0.generate({ count, flows: 8 });
        await eth0.generate({ count: 10, port: 10 + i });
        await eth0.drained();
        await socket.close();
        const { frames, reordered } = await app.result;
        return { count, frames, reordered, drops: machine.drops() };
      }),
    );
    // One goes, the other stays.
    await machines[0].shutdown();
    const eth1 = await machines[1].addDevice({ name: 'eth1' });
    expect((await eth1.generate({ count: 5 })).frames).toBe(5);
    await machines[1].shutdown();
    for (const { count, frames, reordered, drops } of results) {
      expect([frames, reordered, drops]).toEqual([count, 0, { no_socket: 10 }]);
    }
  });

  it('are shut down at the end of a scope', async () => {
    let kept: Awaited<ReturnType<typeof boot>> | null = null;
    {
      await using machine = await boot({ cpus: 1 });
      await machine.addDevice({ name: 'eth0' });
      kept = machine;
    }
    await expect(kept.addDevice({ name: 'eth1' })).rejects.toThrow(
      'the machine is shut down; boot another one',
    );
    await kept.shutdown(); // once more does no harm
  });

  it('can be shut down under traffic: the run ends, applications get what was delivered', async () => {
    const machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({ name: 'eth0', queues: 2, threaded: true });
    const socket = await machine.openUdp({ port: 9 });
    const app = await machine.runApp<SinkResult>(SINK, {
      name: 'sink',
      sockets: [socket],
      args: { order: true },
    });
    const run = eth0.generate({ count: 1e9, flows: 16 });
    await until(() => eth0.progress > 10_000);
    await machine.shutdown();
    const { frames, stopped } = await run;
    const { frames: got, reordered } = await app.result;
    expect(stopped).toBe(true);
    expect(reordered).toBe(0);
    expect(got).toBeGreaterThan(0);
    expect(got).toBeLessThanOrEqual(frames);
  });

  it('begin nothing new once they are being shut down', async () => {
    const machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const down = machine.shutdown();
    const refused = 'the machine is shut down; boot another one';
    await expect(eth0.generate({ count: 1e6 })).rejects.toThrow(refused);
    await expect(machine.runApp(SINK, { name: 'late', args: {} })).rejects.toThrow(refused);
    await down;
  });

  it('refuse everything after their end, with one clear line', async () => {
    const machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    await machine.shutdown();
    const operations = [
      () => machine.addDevice({ name: 'eth1' }),
      () => machine.openUdp({ port: 1 }),
      () => machine.openPacket(eth0),
      () => machine.runApp(SINK, { name: 'late' }),
      () => eth0.napis(),
      () => eth0.setThreaded(true),
      () => eth0.up(),
      () => eth0.generate({ count: 1 }),
      () => eth0.replay(capture ?? 'none.pcap'),
    ];
    for (const operation of operations) {
      await expect(operation(), String(operation)).rejects.toThrow(
        'the machine is shut down; boot another one',
      );
    }
  });
});

describe('an application', () => {
  it('sees every frame: bytes, lengths, ports, payload, times, and which socket it came from', async () => {
    await using machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const sockets = [
      await machine.openUdp({ port: 9 }),
      await machine.openUdp({ port: 0 }),
      await machine.openPacket(eth0),
    ];
    const app = await machine.runApp<Recorded>(APPS, {
      name: 'recorder',
      sockets,
      args: { max: 3, x: [1, 'y'] },
    });
    const wire = await eth0.generate({ count: 8, flows: 4, port: 9, ports: 2, frameBytes: 100 });
    await eth0.drained();
    for (const s of sockets) await s.close();
    const { name, args, nrSockets, nowNs, seen } = await app.result;
    expect([name, args, nrSockets]).toEqual(['recorder', { max: 3, x: [1, 'y'] }, 3]);
    expect(seen).toHaveLength(8);
    for (const f of seen) {
      const flow = f.seq % 4;
      expect(f.dstPort).toBe(9 + (flow % 2));
      expect(f.socket).toBe(flow % 2); // port 9; any other port
      expect(f.srcPort).toBe(1024 + flow * 7919);
      expect([f.length, f.payloadLength, f.payload.length]).toEqual([100, 58, 58]);
      expect(f.headers).toEqual([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
      expect(f.tstampNs).toBeGreaterThanOrEqual(wire.startNs);
      expect(f.tstampNs).toBeLessThanOrEqual(wire.endNs);
      expect(nowNs).toBeGreaterThan(f.tstampNs);
    }
    expect(seen.map((f) => f.seq).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it.skipIf(capture === null)('sees recorded frames as they were, through GRO and threads', async () => {
    await using machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({ name: 'eth0', queues: 2, threaded: true, rxGroList: true });
    const sockets = [await machine.openPacket(eth0)];
    const app = await machine.runApp<SinkResult>(SINK, { name: 'sink', sockets, args: { order: true } });
    const wire = await eth0.replay(capture!);
    await eth0.drained();
    expect((await eth0.napis()).reduce((sum, n) => sum + n.groMerged, 0)).toBeGreaterThan(0);
    await sockets[0].close();
    const { frames, bytes, reordered } = await app.result;
    expect([frames, bytes, reordered]).toEqual([wire.frames, wire.bytes, 0]);
  });

  it('gets the rest of its queue after the socket was closed, then null', async () => {
    await using machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const socket = await machine.openUdp({ port: 9 });
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const app = await machine.runApp<number>(APPS, {
      name: 'counter',
      exportName: 'counter',
      sockets: [socket],
      args: { gate },
    });
    await eth0.generate({ count: 1000 });
    await eth0.drained();
    expect(socket.queued).toBe(1000);
    await socket.close();
    expect((await eth0.generate({ count: 10 })).frames).toBe(10);
    await eth0.drained();
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    expect(await app.result).toBe(1000);
    expect(socket.delivered).toBe(1000);
    expect(machine.drops()).toEqual({ no_socket: 10 });
  });

  it('may be asynchronous, have no socket, or a closed one', async () => {
    await using machine = await boot({ cpus: 1 });
    const none = await machine.runApp<string>(APPS, { name: 'none', exportName: 'sleepy' });
    expect(await none.result).toBe('closed');
    const socket = await machine.openUdp({ port: 9 });
    const open = await machine.runApp<string>(APPS, {
      name: 'open',
      exportName: 'sleepy',
      sockets: [socket],
    });
    await socket.close();
    expect(await open.result).toBe('closed');
  });

  it('has its threads’ names and times in the machine’s list', async () => {
    await using machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0', threaded: true });
    const [{ id }] = await eth0.napis();
    const app = await machine.runApp(APPS, { name: 'none', exportName: 'sleepy' });
    await app.result;
    await eth0.generate({ count: 10 });
    const names = machine.threads().map((t) => t.name);
    expect(names.sort()).toEqual(['app/none', 'cpu/0', 'ksoftirqd/0', `napi/eth0-${id}`, 'nic/eth0'].sort());
  });
});

describe('what is not possible', () => {
  it.each<[string, BootOptions, string]>([
    ['cpus', { cpus: 0 }, 'cpus: 0 is not possible; give a whole number from 1 to 64'],
    ['cpus', { cpus: 1.5 }, 'cpus: 1.5 is not possible; give a whole number from 1 to 64'],
    [
      'memoryBytes',
      { memoryBytes: 1 },
      'memoryBytes: 1 is not possible; give a whole number from 4194304 to 1073741824',
    ],
    ['maxThreads', { maxThreads: -1 }, 'maxThreads: -1 is not possible; give a whole number from 1 to 4096'],
    [
      'netdevBudget',
      { netdevBudget: Number.NaN },
      'netdevBudget: NaN is not possible; give a whole number from 1 to 1073741824',
    ],
  ])('boot: %s', async (_option, options, message) => {
    const error = await boot(options).then(
      () => null,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(OptionError);
    expect((error as Error).message).toBe(message);
  });

  it('on a running machine is told in one line, and changes nothing', async () => {
    await using machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0', queues: 2 });
    const cases: [string, () => Promise<unknown>, string][] = [
      ['long name', () => machine.addDevice({ name: 'x'.repeat(16) }), '1 to 15 characters'],
      ['no name', () => machine.addDevice({ name: '' }), '1 to 15 characters'],
      ['blank in the name', () => machine.addDevice({ name: 'a b' }), '1 to 15 characters'],
      [
        'ring',
        () => machine.addDevice({ name: 'x', ringSize: 100 }),
        'ringSize: 100 is not possible; give a power of two',
      ],
      [
        'pool',
        () => machine.addDevice({ name: 'x', ringSize: 1024, poolSize: 1024 }),
        'poolSize: 1024 is not possible',
      ],
      ['queues', () => machine.addDevice({ name: 'x', queues: 129 }), 'queues: 129 is not possible'],
      [
        'port',
        () => machine.openUdp({ port: 65536 }),
        'port: 65536 is not possible; give a whole number from 0 to 65535',
      ],
      [
        'capacity',
        () => machine.openUdp({ port: 1, capacity: 3 }),
        'capacity: 3 is not possible; give a power of two',
      ],
      ['rcvbuf', () => machine.openUdp({ port: 1, capacity: 4, rcvbuf: 5 }), 'rcvbuf: 5 is not possible'],
      [
        'napi',
        () => eth0.setNapi(2, { threaded: true }),
        'index: 2 is not possible; give a whole number from 0 to 1',
      ],
      ['defer', () => eth0.setNapi(0, { deferHardIrqs: -1 }), 'deferHardIrqs: -1 is not possible'],
      ['cpu', () => eth0.setIrqAffinity(0, 1), 'cpu: 1 is not possible'],
      ['count', () => eth0.generate({ count: -1 }), 'count: -1 is not possible'],
      ['pace', () => eth0.generate({ count: 1, pace: 0 }), 'pace: 0 is not possible'],
      ['frame', () => eth0.generate({ count: 1, frameBytes: 59 }), 'frameBytes: 59 is not possible'],
      ['loops', () => eth0.replay('x.pcap', { loops: 0 }), 'loops: 0 is not possible'],
    ];
    for (const [what, operation, message] of cases) {
      const error = await operation().then(
        () => null,
        (e: unknown) => e,
      );
      expect(error, what).toBeInstanceOf(OptionError);
      expect((error as Error).message, what).toContain(message);
      expect((error as Error).message, what).not.toContain('\n');
    }
    expect((await eth0.generate({ count: 3 })).frames).toBe(3);
  });

  it('is answered as Linux does', async () => {
    await using machine = await boot({ cpus: 1, napiKthreadPersist: 'off' });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const codeOf = (operation: Promise<unknown>): Promise<string> =>
      operation.then(
        () => 'done',
        (e: unknown) => (e as SoftnetError).code,
      );
    expect(await codeOf(machine.addDevice({ name: 'eth0' }))).toBe('EBUSY');
    const run = eth0.generate({ count: 1e9 });
    expect(await codeOf(eth0.generate({ count: 1 }))).toBe('EBUSY');
    await eth0.stopWire();
    await run;
    await eth0.down();
    expect(await codeOf(eth0.setThreaded(true))).toBe('EOPNOTSUPP');
    expect(await codeOf(eth0.setThreaded(false))).toBe('EOPNOTSUPP');
    expect(await codeOf(eth0.setNapi(0, { threaded: true }))).toBe('ENOENT');
    await eth0.down(); // down already
    await eth0.up();
    await eth0.up();
    expect(await codeOf(eth0.setThreaded(true))).toBe('done');
  });

  it('in a source does not bring the machine down', async () => {
    await using machine = await boot({ cpus: 1, memoryBytes: 32 << 20 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    await expect(eth0.replay('/no/such/file.pcap')).rejects.toBeInstanceOf(CaptureError);
    await expect(eth0.replay(new URL(import.meta.url).pathname)).rejects.toBeInstanceOf(CaptureError);
    // More bytes of made-up frames than there is room for.
    await expect(eth0.generate({ count: 1, flows: 4096, frameBytes: 1500 })).rejects.toThrow(/^[^\n]+$/);
    await expect(machine.runApp(SINK, { name: 'odd', args: () => 1 })).rejects.toThrow(/could not be cloned/);
    expect((await eth0.generate({ count: 3 })).frames).toBe(3);
    await expect(machine.addDevice({ name: 'eth1', poolSize: 1 << 17 })).rejects.toThrow(
      /^adding eth1: ENOMEM; .*memoryBytes/,
    );
    expect((await eth0.generate({ count: 3 })).frames).toBe(3);
  });
});
