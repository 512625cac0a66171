// SPDX-License-Identifier: GPL-2.0-only
/** An application that serves a simulated CPU: its tasks get what comes, it is one at a time, the CPU is given back. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type App, boot, type Machine, type NetDevice, type Socket } from '../../dist/index.js';
import { until } from '../helpers/traffic.js';

const APPS = new URL('../helpers/serve_apps.mjs', import.meta.url);
const PORT = 9000;
const FLOWS = 4;
const COUNT = 2000;

interface Served {
  readonly of: readonly (readonly number[])[];
  readonly most: number;
  readonly softirqNs: number;
}

let machine: Machine;

async function open(flows: number): Promise<Socket[]> {
  return Promise.all(
    Array.from({ length: flows }, (_, i) => machine.openUdp({ port: PORT + i, capacity: 4096 })),
  );
}

function serve(sockets: readonly Socket[], args: object = {}): Promise<App<Served>> {
  return machine.runApp<Served>(APPS, { name: 'tasks', exportName: 'serve', sockets, cpu: 0, args });
}

/** Brings `COUNT` frames to `FLOWS` ports in turn, and waits until all were read. */
async function bring(nic: NetDevice, sockets: readonly Socket[]): Promise<void> {
  const wire = await nic.startTimed({
    periodNs: 20_000,
    count: COUNT,
    flows: FLOWS,
    port: PORT,
    ports: FLOWS,
  });
  expect(await wire.done).toMatchObject({ dropped: 0 });
  await until(() => read(sockets) + dropped() === COUNT);
}

function read(sockets: readonly Socket[]): number {
  return sockets.reduce((sum, s) => sum + s.delivered, 0);
}

function dropped(): number {
  return Object.values(machine.drops()).reduce((a, b) => a + b, 0);
}

describe.each(['inline', 'leave'] as const)('an application that serves a CPU, softirqs %s', (rule) => {
  beforeEach(async () => {
    machine = await boot({ cpus: 2, softirqAtExit: rule });
  });
  afterEach(() => machine.shutdown());

  it.each([false, true])('gets every frame of each socket in order (threaded: %s)', async (threaded) => {
    const nic = await machine.addDevice({ name: 'eth0', threaded, ringSize: 4096, poolSize: 16_384 });
    const sockets = await open(FLOWS);
    const app = await serve(sockets);
    await bring(nic, sockets);
    await Promise.all(sockets.map((s) => s.close()));
    const served = await app.result;
    expect(served.most).toBe(1);
    expect(dropped()).toBe(0);
    served.of.forEach((numbers, flow) => {
      // The wire numbers frames from 0, and gives them to the flows in turn.
      expect(numbers).toEqual(Array.from({ length: COUNT / FLOWS }, (_, i) => FLOWS * i + flow));
    });
    // Whose thread ran the softirqs.
    if (threaded) expect(served.softirqNs).toBe(0);
    else expect(served.softirqNs).toBeGreaterThan(0);
  });

  it('has the CPU to itself until it ends: no other application, not offline; then both can be', async () => {
    const nic = await machine.addDevice({ name: 'eth0', ringSize: 4096, poolSize: 16_384 });
    const sockets = await open(FLOWS);
    const app = await serve(sockets);
    // It may be about to begin: the CPU is its own once it has read something.
    await bring(nic, sockets);
    const other = await machine.runApp(APPS, { name: 'other', exportName: 'ask', cpu: 0 });
    expect(await other.result).toMatchObject({
      name: 'SoftnetError',
      message: expect.stringMatching(/^serving CPU 0: EBUSY; give the application another CPU$/),
    });
    await expect(machine.setCpuOnline(0, false)).rejects.toThrow(/EBUSY/);
    await Promise.all(sockets.map((s) => s.close()));
    await app.result;
    await machine.setCpuOnline(0, false);
    const offline = await machine.runApp(APPS, { name: 'offline', exportName: 'ask', cpu: 0 });
    expect(await offline.result).toMatchObject({ message: expect.stringContaining('EBUSY') });
    await machine.setCpuOnline(0, true);
  });

  it('leaves a CPU behind that serves itself, and can be served again', async () => {
    const nic = await machine.addDevice({ name: 'eth0', ringSize: 4096, poolSize: 16_384 });
    const sockets = await open(FLOWS);
    const app = await serve(sockets, { max: 8 });
    await bring(nic, sockets);
    await Promise.all(sockets.map((s) => s.close()));
    const { of, most } = await app.result;
    expect(of.map((numbers) => numbers.length)).toEqual(new Array(FLOWS).fill(COUNT / FLOWS));
    expect(most).toBeLessThanOrEqual(8);
    // Nobody reads: the CPU's own thread takes the frames, and drops them for want of a socket.
    await (await nic.startTimed({ periodNs: 20_000, count: 100, port: PORT })).done;
    await until(() => dropped() === 100);
    expect(machine.drops()).toEqual({ no_socket: 100 });
    const again = await open(1);
    const second = await serve(again);
    await (await nic.startTimed({ periodNs: 20_000, count: 100, port: PORT })).done;
    await until(() => read(again) === 100);
    await again[0].close();
    expect((await second.result).of[0]).toHaveLength(100);
  });
});
