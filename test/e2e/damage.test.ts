// SPDX-License-Identifier: GPL-2.0-only
/** Captures damaged at every byte of their headers, through a machine: a clear error or a correct replay. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, expect, it } from 'vitest';
import { boot, CaptureError } from '../../dist/index.js';
import { FIXTURE, SMALL_FIXTURE } from '../helpers/cli.js';

const dir = mkdtempSync(join(tmpdir(), 'softnet-damage-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** First records of the pcap fixture, and where its header bytes are. */
function pcapSample(): { bytes: Buffer; headers: number[] } {
  const all = gunzipSync(readFileSync(FIXTURE));
  const headers = range(0, 24);
  let at = 24;
  for (let i = 0; i < 3; i++) {
    headers.push(...range(at, at + 16));
    at += 16 + all.readUInt32LE(at + 8);
  }
  return { bytes: Buffer.from(all.subarray(0, at)), headers };
}

/** The same of the pcapng fixture: whole section and interface blocks, and the fixed parts of packet blocks. */
function pcapngSample(): { bytes: Buffer; headers: number[] } {
  const all = gunzipSync(readFileSync(SMALL_FIXTURE));
  const headers: number[] = [];
  let at = 0;
  for (let packets = 0; packets < 3; ) {
    const type = all.readUInt32LE(at);
    const length = all.readUInt32LE(at + 4);
    const isPacket = type === 6;
    headers.push(
      ...range(at, isPacket ? at + 28 : at + length),
      ...(isPacket ? range(at + length - 4, at + length) : []),
    );
    at += length;
    if (isPacket) packets++;
  }
  return { bytes: Buffer.from(all.subarray(0, at)), headers };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

it.each([
  ['pcap', pcapSample],
  ['pcapng', pcapngSample],
])(
  'a %s damaged at any byte of its headers is refused or replayed, and every frame is accounted for',
  async (kind, sample) => {
    const { bytes, headers } = sample();
    const machine = await boot({ cpus: 1 });
    const device = await machine.addDevice({ name: 'eth0', threaded: true });
    const socket = await machine.openPacket(device);
    const app = await machine.runApp(new URL('../../dist/threads/sink.js', import.meta.url), {
      name: 'sink',
      sockets: [socket],
      args: { latency: false, order: true },
    });
    let frames = 0;
    let refused = 0;
    for (const at of headers) {
      for (const value of [0, 0xff, bytes[at] ^ 1, bytes[at] ^ 0x80]) {
        if (value === bytes[at]) continue;
        const damaged = Buffer.from(bytes);
        damaged[at] = value;
        const file = join(dir, `damaged.${kind}`);
        writeFileSync(file, damaged);
        try {
          frames += (await device.replay(file)).frames;
        } catch (error) {
          expect(error, `byte ${at} = ${value}`).toBeInstanceOf(CaptureError);
          const { message } = error as CaptureError;
          expect(message).not.toContain('\n');
          expect(message).toMatch(/at byte \d+/);
          refused++;
          frames += device.progress; // what came before the fault was sent
        }
      }
    }
    expect(refused).toBeGreaterThan(headers.length / 4);
    expect(frames).toBeGreaterThan(headers.length);
    await device.drained();
    await machine.shutdown();
    const seen = (await app.result) as { frames: number; reordered: number };
    expect(seen.frames).toBe(frames);
    expect(seen.reordered).toBe(0);
    expect(machine.drops()).toEqual({});
  },
);
