// SPDX-License-Identifier: GPL-2.0-only
/**
 * Damaged captures: each is read, or refused with one clear error of the right class; in whatever pieces its bytes come. Some
 * of them through a booted machine, as `softnet replay` plays them.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { boot, CaptureError } from '../../dist/index.js';
import { FuzzFailure, inTime } from './campaign.mjs';
import { damagedCapture } from './capture_cases.mjs';
import { readFile } from './capture_outcome.mjs';
import { runWatched } from './watched.mjs';

const WORKER = new URL('./capture_worker.mjs', import.meta.url);
const SINK = new URL('../../dist/threads/sink.js', import.meta.url);
/** One of so many goes through a machine, too. */
const MACHINE_EVERY = 100;
const STUCK_MS = 60_000;

async function run(job, tally) {
  const folder = mkdtempSync(join(tmpdir(), 'softnet-fuzz-'));
  try {
    await runWatched(WORKER, job, tally, { data: { folder } });
    await throughMachine(job, tally, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function throughMachine({ seed, from, count, signal }, tally, folder) {
  const path = join(folder, 'replayed.pcap');
  const machine = await boot({ cpus: 1 });
  let sent = 0;
  try {
    const device = await machine.addDevice({ name: 'eth0', threaded: true });
    const sockets = [await machine.openPacket(device, { capacity: 1 << 16 })];
    const args = { latency: false, order: false };
    const app = await machine.runApp(SINK, { name: 'sink', sockets, args });
    const first = Math.ceil(from / MACHINE_EVERY) * MACHINE_EVERY;
    for (let n = first; n < from + count && !signal.aborted; n += MACHINE_EVERY) {
      writeFileSync(path, damagedCapture(seed, n));
      const expected = await readFile(path);
      const late = () => new FuzzFailure(`capture ${n}: a hang: its replay does not end`, n, 1);
      const got = await inTime(replayed(device, path), STUCK_MS, late);
      if (got.frames !== expected.records || got.error !== expected.error) {
        const text = `${got.frames} frames, error ${got.error}; read: ${expected.text()}`;
        throw new FuzzFailure(`capture ${n}: replayed: ${text}`, n, 1);
      }
      sent += got.frames;
      tally.note('replayed by a machine');
    }
    await inTime(device.drained(), STUCK_MS, () => new FuzzFailure('a hang: the queues', from, count));
    await machine.shutdown();
    const dropped = Object.values(machine.drops()).reduce((a, b) => a + b, 0);
    const { frames } = await app.result;
    if (frames + dropped !== sent)
      throw new FuzzFailure(`${sent} frames: ${frames} read, ${dropped} dropped`, from, count);
  } catch (error) {
    await machine.abandon(new Error('the campaign ends')).catch(() => {});
    throw error;
  }
}

async function replayed(device, path) {
  try {
    return { frames: (await device.replay(path)).frames, error: null };
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    return { frames: device.progress, error: error.message };
  }
}

/** The campaign. */
export const captures = {
  name: 'captures',
  what: 'damaged captures',
  count: 100_000,
  narrows: false,
  run,
};
