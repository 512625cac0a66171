// SPDX-License-Identifier: GPL-2.0-only
/**
 * CPUs that go and come, and threads for backlogs switched on and off, under traffic: `node bench/backlog_stress.mjs`.
 *
 *   nic/eth0, two queues ──┐ RPS, RFS   ┌─ backlog of CPU 0 ─┐
 *                          ├───────────►├─ backlog of CPU 1 ─┼──► app/nic, app/lo: count, check the order of each flow
 *   app/send, loopback ────┘            └─ backlog of CPU 2 ─┘
 *         meanwhile: CPU i offline, online (`--hotplug` cycles), then backlog_threaded 1, 0 (`--toggles`)
 *
 * For each of `--modes ipi,threaded,smpboot` one line of JSON: frames in, read, dropped by reason, reordered, threads
 * before and after. With boot-time threads each that switches on must be refused (EBUSY).
 *
 * Exit codes: 0 nothing is lost, reordered or leaked; 1 otherwise; 2 usage.
 */
import { boot } from '../dist/index.js';
import { EBUSY } from '../dist/kernel/errno.js';
import { Flood } from '../dist/tools/flood.js';
import { settled } from '../dist/tools/settled.js';
import { number, script, some, whole } from './lib/script.js';

const MODES = ['ipi', 'threaded', 'smpboot'];
const CPUS = 3;
const QUEUES = 2;
const SINK = new URL('../dist/threads/sink.js', import.meta.url);
/** An operation that takes so long is a deadlock. */
const STUCK_MS = 60_000;

function options() {
  return script(
    'backlog_stress',
    'CPUs go and come, threads for backlogs are switched on and off, under traffic.',
  )
    .option('--modes <list>', `some of ${MODES.join(', ')} (default: all)`, some(MODES), MODES)
    .option('--hotplug <n>', 'cycles of a CPU offline and online', whole(0), 1000)
    .option('--toggles <n>', 'switches of backlog_threaded', whole(0), 1000)
    .option('--pps <n>', 'frames a second', number(0), 20_000)
    .parse()
    .opts();
}

async function inTime(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`deadlock: ${what} did not come to an end in ${STUCK_MS / 1000} s`)),
      STUCK_MS,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Threads that live on while nothing is under way. */
function threadsOf(machine) {
  return machine.threads().filter((t) => t.running && !t.name.startsWith('nic/')).length;
}

async function run(mode, o) {
  const threadBacklogNapi = mode === 'smpboot' ? 'on' : 'off';
  const machine = await boot({ cpus: CPUS, threadBacklogNapi, maxThreads: 64 });
  const threaded = (on) => machine.setBacklogThreaded(on);
  // Threads of the first switch stay for the next one.
  if (mode !== 'smpboot') {
    await threaded(true);
    await threaded(mode === 'threaded');
  }
  const eth0 = await machine.addDevice({ name: 'eth0', queues: QUEUES });
  const lo = await machine.addLoopback();
  await machine.setRpsSockFlowEntries(1024);
  for (let q = 0; q < QUEUES; q++) {
    await eth0.setRpsCpus(q, [0, 1, 2]);
    await eth0.setRpsFlowCnt(q, 256);
  }
  const sockets = [await machine.openUdp({ port: 9 }), await machine.openUdp({ port: 10 })];
  const args = { latency: false, order: true };
  const apps = [];
  for (const [i, name] of ['nic', 'lo'].entries()) {
    apps.push(await machine.runApp(SINK, { name, sockets: [sockets[i]], args }));
  }
  const load = { flows: 8, payloadBytes: 22, port: 10, batch: 4 };
  const flood = await Flood.open(machine, lo, { name: 'send', cpu: 0, buffers: 256, ...load });
  const before = threadsOf(machine);

  let over = false;
  const wire = eth0.generate({ count: 1e12, flows: 32, port: 9, pace: o.pps, whenFull: 'wait' });
  const loopback = (async () => {
    let frames = 0;
    while (!over) {
      frames += (await flood.send({ count: 64 })).frames;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return frames;
  })();
  loopback.catch(() => {});
  wire.catch(() => {});

  const startMs = performance.now();
  for (let i = 0; i < o.hotplug; i++) {
    const cpu = i % CPUS;
    await inTime(machine.setCpuOnline(cpu, false), `${mode}: taking CPU ${cpu} offline, cycle ${i}`);
    await inTime(machine.setCpuOnline(cpu, true), `${mode}: taking CPU ${cpu} online, cycle ${i}`);
  }
  const hotplugMs = performance.now() - startMs;
  let refused = 0;
  for (let i = 0; i < o.toggles; i++) {
    const on = (i % 2 === 0) !== (mode === 'threaded');
    try {
      await inTime(threaded(on), `${mode}: toggle ${i}`);
    } catch (error) {
      if (mode !== 'smpboot' || error.errno !== EBUSY) throw error;
      refused++;
    }
  }
  const togglesMs = performance.now() - startMs - hotplugMs;
  over = true;
  await eth0.stopWire();
  const frames_in = (await wire).frames + (await loopback);
  await settled(machine, sockets, frames_in);
  if (mode !== 'smpboot') await threaded(mode === 'threaded');
  const after = threadsOf(machine);
  await flood.end();
  for (const s of sockets) await s.close();
  const results = await Promise.all(apps.map((app) => app.result));
  await machine.shutdown();
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const dropped = machine.drops();
  const frames_read = sum(results.map((r) => r.frames));
  const report = {
    mode,
    hotplug_cycles: o.hotplug,
    hotplug_s: Math.round(hotplugMs) / 1e3,
    toggles: o.toggles,
    toggles_refused: refused,
    toggles_s: Math.round(togglesMs) / 1e3,
    frames_in,
    frames_read,
    dropped,
    lost: frames_in - frames_read - sum(Object.values(dropped)),
    reordered: sum(results.map((r) => r.reordered)),
    threads_before: before,
    threads_after: after,
  };
  const wanted = mode === 'smpboot' ? Math.ceil(o.toggles / 2) : 0;
  const ok =
    report.lost === 0 && report.reordered === 0 && after === before && refused === wanted && frames_read > 0;
  return { ...report, verdict: ok ? 'SUCCESS' : 'FAILURE' };
}

const o = options();
let failed = false;
for (const mode of o.modes) {
  try {
    const report = await run(mode, o);
    console.log(JSON.stringify(report));
    if (report.verdict !== 'SUCCESS') failed = true;
  } catch (error) {
    console.error(`backlog_stress: ${mode}: ${error.stack}`);
    process.exit(1);
  }
}
process.exit(failed ? 1 : 0);
