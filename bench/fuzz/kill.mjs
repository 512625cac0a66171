// SPDX-License-Identifier: GPL-2.0-only
/**
 * Commands that boot machines are killed (SIGKILL) at any moment, or just when their socket appears, and started again at
 * once with the same arguments in the same folder: that must work, and what it leaves behind when it ends is what a command
 * leaves that nobody was killed before.
 */
import { mkdirSync, mkdtempSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { caseRandom, FuzzFailure, inTime } from './campaign.mjs';
import { COMMANDS, Place } from './kill_commands.mjs';

const STUCK_MS = 120_000;
/** How far behind the end of its start a command may be killed. */
const BEHIND = 1.3;

/** Runs `use` in a folder that is gone afterwards. */
async function inPlace(use) {
  const dir = mkdtempSync(join(tmpdir(), 'softnet-fuzz-'));
  mkdirSync(join(dir, 'tmp'));
  try {
    return await use(new Place(dir));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Starts a command, has it work, ends it. @returns ms until it worked, or had ended if it does so by itself */
async function whole(command, place) {
  const child = command.start(place);
  const beganMs = performance.now();
  const late = (what) => () => new Error(`it does not ${what} in ${STUCK_MS / 1e3} s: ${child.stderr}`);
  try {
    await inTime(command.works(place, child), STUCK_MS, late('start'));
    const worksMs = performance.now() - beganMs;
    await inTime(command.ends(place, child), STUCK_MS, late('end'));
    return Math.max(worksMs, command.name.startsWith('up') ? 0 : performance.now() - beganMs);
  } finally {
    child.process.kill('SIGKILL');
    await child.done;
  }
}

/** Resolves when something appears in the folder. */
function appearance(dir) {
  return new Promise((resolve) => {
    const watcher = watch(dir, () => {
      watcher.close();
      resolve();
    });
    watcher.on('error', resolve);
  });
}

/** Kills a command at its moment. @returns whether it was still there */
async function killed(command, place, random, usualMs) {
  const byPath = command.name === 'up' && random.chance(0.3);
  const appears = byPath ? appearance(place.dir) : null;
  const child = command.start(place);
  if (appears === null) await delay(random.below(Math.ceil(usualMs * BEHIND)));
  else {
    await Promise.race([appears, child.done]);
    if (random.chance(0.5)) await delay(random.below(4));
  }
  const was = child.exit === null;
  child.process.kill('SIGKILL');
  await child.done;
  return was
    ? child.stdout.includes('"event":"up"')
      ? 'killed at work'
      : byPath
        ? 'killed at its socket'
        : 'killed on the way'
    : 'had ended';
}

function chosen(random) {
  let at = random.below(COMMANDS.reduce((n, c) => n + c.weight, 0));
  return COMMANDS.find((c) => {
    at -= c.weight;
    return at < 0;
  });
}

async function run({ seed, from, count, signal }, tally) {
  const usualMs = new Map();
  for (let n = from; n < from + count && !signal.aborted; n++) {
    const random = caseRandom(seed, 'kill', n);
    const command = chosen(random);
    try {
      // How long it takes when all goes well, on this host and now.
      if (!usualMs.has(command)) usualMs.set(command, await inPlace((place) => whole(command, place)));
      await inPlace(async (place) => {
        tally.note(await killed(command, place, random, usualMs.get(command)));
        const ms = await whole(command, place);
        // The host may have got faster or slower.
        usualMs.set(command, (usualMs.get(command) + ms) / 2);
      });
    } catch (error) {
      throw new FuzzFailure(`start ${n}, ${command.name}: ${error.message}`, n, 1);
    }
    tally.note(`started again: ${command.name}`);
    tally.progress(n + 1 - from);
  }
}

/** The campaign. */
export const kill = {
  name: 'kill',
  what: 'commands killed and started again',
  count: 100,
  narrows: false,
  run,
};
