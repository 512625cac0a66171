// SPDX-License-Identifier: GPL-2.0-only
/** A machine in front of another: what its tun devices queue comes out of the guest's NIC, all of it, in order. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type App, boot, type Machine, type NetDevice, type Socket, type Vhost } from '../../dist/index.js';
import type { SinkResult } from '../../dist/threads/sink.js';
import { SINK, until } from '../helpers/traffic.js';

const APPS = new URL('../helpers/apps.mjs', import.meta.url);
const MIB = 1 << 20;

let hypervisor: Machine;
let guest: Machine;
let wireEnd: NetDevice;
let tun: Socket;
let nic: NetDevice;
let socket: Socket;

beforeEach(async () => {
  hypervisor = await boot({ cpus: 1, memoryBytes: 64 * MIB });
  guest = await boot({ cpus: 1, memoryBytes: 64 * MIB });
  wireEnd = await hypervisor.addDevice({ name: 'eth0', ringSize: 4096, poolSize: 8192 });
  tun = await hypervisor.openPacket(wireEnd, { capacity: 4096 });
  nic = await guest.addDevice({ name: 'eth0', queues: 2, threaded: true });
  socket = await guest.openUdp({ port: 9, capacity: 16_384 });
});
afterEach(async () => {
  await hypervisor.shutdown();
  await guest.shutdown();
});

function dropped(machine: Machine): number {
  return Object.values(machine.drops()).reduce((a, b) => a + b, 0);
}

/** Waits until all frames that came are read by the guest, or were dropped at either machine. */
async function accounted(frames: number): Promise<void> {
  await until(() => socket.delivered + dropped(guest) + dropped(hypervisor) === frames);
}

describe('a machine in front of another', () => {
  it.each([60, 301, 1518])('brings frames of %i bytes as they are', async (frameBytes) => {
    await nic.attachVhost({ hypervisor, tuns: [tun] });
    const app = await guest.runApp<{ seen: { length: number; payload: number[] }[] }>(APPS, {
      name: 'recorder',
      sockets: [socket],
    });
    const wire = await wireEnd.startTimed({ periodNs: 1e5, count: 50, frameBytes });
    await wire.done;
    await accounted(50);
    await socket.close();
    const { seen } = await app.result;
    expect(seen.map((p) => p.length)).toEqual(new Array(50).fill(frameBytes));
    const numbers = seen.map(({ payload }) => new DataView(Uint8Array.from(payload).buffer).getUint32(0));
    expect(numbers).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  it('brings datagrams that were put together in front, longer than a buffer, as they are', async () => {
    await using front = await boot({ cpus: 1, memoryBytes: 64 * MIB, ipDefrag: true });
    const outer = await front.addDevice({ name: 'eth0', ringSize: 1024, poolSize: 2048 });
    const tuns = [await front.openPacket(outer, { capacity: 1024 })];
    await nic.attachVhost({ hypervisor: front, tuns });
    const app = await guest.runApp<{ seen: { length: number; payload: number[] }[] }>(APPS, {
      name: 'recorder',
      sockets: [socket],
    });
    const BYTES = 4096;
    // Three fragments each.
    const wire = await outer.startTimed({ periodNs: 1e6, count: 60, datagramBytes: BYTES });
    await wire.done;
    await until(() => socket.delivered === 20);
    await socket.close();
    const { seen } = await app.result;
    expect(seen.map((p) => p.length)).toEqual(new Array(20).fill(14 + 20 + 8 + BYTES));
    expect(seen.every((p) => p.payload.length === BYTES)).toBe(true);
    const numbers = seen.map(({ payload }) => new DataView(Uint8Array.from(payload).buffer).getUint32(0));
    // Each has the number of its first fragment.
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, i) => 3 * i));
    // Nothing of it went where other things of the guest stand.
    await nic.setChannels(1);
    await nic.setChannels(2);
    expect(dropped(guest)).toBe(0);
  });

  it('keeps each flow in order, and drops at the tun device what the guest does not take', async () => {
    const vhost = await nic.attachVhost({ hypervisor, tuns: [tun] });
    const app: App<SinkResult> = await guest.runApp(SINK, {
      name: 'sink',
      sockets: [socket],
      args: { latency: false, order: true },
    });
    const FRAMES = 100_000;
    const wire = await wireEnd.startTimed({ periodNs: 500, count: FRAMES, flows: 64 });
    const r = await wire.done;
    await accounted(FRAMES);
    const carried = await vhost.stop();
    expect(r.arrived + r.missed).toBe(FRAMES);
    expect(carried.frames).toBe(tun.delivered);
    expect(carried.frames).toBe(FRAMES - dropped(hypervisor));
    await socket.close();
    const sink = await app.result;
    expect(sink).toMatchObject({ reordered: 0, frames: carried.frames - dropped(guest) });
    expect(Object.keys(hypervisor.drops()).filter((d) => !/^(rx_missed|socket_rcvbuff)$/.test(d))).toEqual(
      [],
    );
  });

  it('goes on while the guest changes its device', async () => {
    await nic.attachVhost({ hypervisor, tuns: [tun] });
    await guest.runApp(SINK, { name: 'sink', sockets: [socket], args: { latency: false, order: false } });
    const wire = await wireEnd.startTimed({ periodNs: 5000, count: 40_000, flows: 16 });
    for (let i = 0; i < 3; i++) {
      await nic.setChannels(1);
      await nic.setThreaded(i % 2 === 0);
      await nic.setChannels(2);
      await nic.setRing(512);
      await nic.setRing(1024);
    }
    await wire.done;
    await accounted(40_000);
  });

  it('is one at a time, and leaves the device to others when it has ended', async () => {
    const vhost: Vhost = await nic.attachVhost({ hypervisor, tuns: [tun] });
    await expect(nic.generate({ count: 1 })).rejects.toThrow(/EBUSY/);
    const second = await hypervisor.openUdp({ port: 9 });
    await expect(nic.attachVhost({ hypervisor, tuns: [second] })).rejects.toThrow(/EBUSY/);
    await vhost.stop();
    expect(await nic.generate({ count: 10 })).toMatchObject({ frames: 10 });
    await second.close();
  });

  it('says in one line what it does not take, and can be asked again', async () => {
    await expect(nic.attachVhost({ hypervisor: guest, tuns: [tun] })).rejects.toThrow(/hypervisor/);
    await expect(nic.attachVhost({ hypervisor, tuns: [] })).rejects.toThrow(/tuns/);
    await (await nic.attachVhost({ hypervisor, tuns: [tun] })).stop();
  });

  it('ends with either machine', async () => {
    const vhost = await nic.attachVhost({ hypervisor, tuns: [tun] });
    await guest.shutdown();
    expect(await vhost.done).toEqual({ frames: 0 });
  });
});
