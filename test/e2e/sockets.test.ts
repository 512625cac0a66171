// SPDX-License-Identifier: GPL-2.0-only
/** Sockets as a program uses them: opened, closed, opened again, also under traffic. */
import { describe, expect, it } from 'vitest';
import { boot, SoftnetError } from '../../dist/index.js';
import type { SinkResult } from '../../dist/threads/sink.js';
import { SINK, until } from '../helpers/traffic.js';

describe('sockets', () => {
  it('that are opened and closed again and again, of any size, all work, and take no memory in the end', async () => {
    await using machine = await boot({ cpus: 1, memoryBytes: 32 << 20 });
    const eth0 = await machine.addDevice({ name: 'eth0', poolSize: 2048, ringSize: 256 });
    const sizes = [16384, 2048, 65536, 4096, 1 << 20, 2048, 1 << 20, 16384, 1 << 20, 4096, 1 << 20, 8192];
    for (const capacity of sizes) {
      const socket = await machine.openUdp({ port: 9, capacity });
      const app = await machine.runApp<SinkResult>(SINK, {
        name: 'sink',
        sockets: [socket],
        args: { order: true },
      });
      await eth0.generate({ count: 1000, flows: 4 });
      await eth0.drained();
      await socket.close();
      expect((await app.result).frames).toBe(1000);
    }
    expect(machine.drops()).toEqual({});
    await until(() => eth0.queueStats()[0].buffersFree === 2048);
  });

  it.each([
    ['softirq', false],
    ['threads', true],
  ])('come and go under traffic with %s, and every frame is somewhere', async (_mode, threaded) => {
    await using machine = await boot({ cpus: 2 });
    const eth0 = await machine.addDevice({ name: 'eth0', queues: 2, threaded });
    let sent = 0;
    let isOver = false;
    const traffic = (async () => {
      do sent += (await eth0.generate({ count: 20_000, flows: 32, port: 9, ports: 4 })).frames;
      while (!isOver);
    })();
    traffic.catch(() => {});
    let got = 0;
    for (let i = 0; i < 40; i++) {
      const socket = await machine.openUdp({ port: 9 + (i % 4), capacity: 64 << (i % 5) });
      const app = await machine.runApp<SinkResult>(SINK, {
        name: 'sink',
        sockets: [socket],
        args: { latency: false, order: true },
      });
      await until(() => socket.delivered > 0);
      await socket.close();
      const { frames, reordered } = await app.result;
      expect(reordered).toBe(0);
      expect(frames).toBe(socket.delivered);
      got += frames;
    }
    isOver = true;
    await traffic;
    await eth0.drained();
    await until(() => eth0.queueStats().every((q) => q.buffersFree === 4096));
    const { no_socket = 0, socket_rcvbuff = 0, ...others } = machine.drops();
    expect(others).toEqual({});
    expect(got + no_socket + socket_rcvbuff).toBe(sent);
  });

  it('count what does not fit', async () => {
    await using machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const socket = await machine.openUdp({ port: 9, capacity: 64, rcvbuf: 40 });
    await eth0.generate({ count: 100 });
    await eth0.drained();
    expect([socket.queued, socket.drops, socket.delivered]).toEqual([40, 60, 0]);
    expect(machine.drops()).toEqual({ socket_rcvbuff: 60 });
  });

  it('are one a port and one a device', async () => {
    await using machine = await boot({ cpus: 1 });
    const eth0 = await machine.addDevice({ name: 'eth0' });
    const first = await machine.openUdp({ port: 53 });
    await machine.openUdp({ port: 0 });
    await machine.openPacket(eth0);
    for (const [again, message] of [
      [() => machine.openUdp({ port: 53 }), 'opening UDP port 53: EADDRINUSE; '],
      [() => machine.openUdp({ port: 0 }), 'opening UDP on any port: EADDRINUSE; '],
      [() => machine.openPacket(eth0), 'opening the packet socket of eth0: EADDRINUSE; '],
    ] as const) {
      const error = await again().then(
        () => null,
        (e: unknown) => e,
      );
      expect(error).toBeInstanceOf(SoftnetError);
      expect((error as SoftnetError).errno).toBe(98);
      expect((error as Error).message).toContain(message);
    }
    await first.close();
    await machine.openUdp({ port: 53 });
  });

  it('belong to one application and one machine', async () => {
    await using machine = await boot({ cpus: 1 });
    await using other = await boot({ cpus: 1 });
    const socket = await machine.openUdp({ port: 9 });
    await machine.runApp(SINK, { name: 'one', sockets: [socket], args: {} });
    const line = /^[^\n]+$/;
    await expect(machine.runApp(SINK, { name: 'two', sockets: [socket], args: {} })).rejects.toThrow(line);
    const second = await machine.openUdp({ port: 10 });
    await expect(
      machine.runApp(SINK, { name: 'twice', sockets: [second, second], args: {} }),
    ).rejects.toThrow(line);
    await expect(other.runApp(SINK, { name: 'foreign', sockets: [second], args: {} })).rejects.toThrow(line);
    // The machines live on.
    await machine.openUdp({ port: 11 });
    await other.openUdp({ port: 11 });
  });
});
