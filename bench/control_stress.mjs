// SPDX-License-Identifier: GPL-2.0-only
/**
 * Control operations from many clients at once, under traffic: `node bench/control_stress.mjs --seconds 60`. It ends
 * after so many seconds, or `--rounds`; `--clients`, `--ops` (of a client a round), `--seed` and `--pps` can be given, too.
 *
 *   client 0 ─ write threaded ─ link down ─ dump ─┐
 *   client 1 ─ channels 2 ───── napi-set ── rings ┤ round: all at once       then: the state is read, and an order of
 *   ...                                           │                          all operations is looked for in which
 *   client 7 ─ dump ─────────── threaded ── link ─┘                          each answer and the state are right
 *
 * An order counts only if it keeps each client's own, and an operation that was answered before another was asked comes
 * before it. What a device does with one operation after the other is said by `Model`; where no order explains what was
 * seen, operations were not carried out as a whole, or an answer was not true.
 *
 * Exit codes: 0 every round is explained, no answer failed to come, nothing is lost, no thread is left; 1 otherwise; 2 usage.
 */
import { boot } from '../dist/index.js';
import { TASK_KIND_NAPI } from '../dist/net/core/ids.js';
import { number, script, whole } from './lib/script.js';

const QUEUES = 4;
const RECONFIGS = ['delta', 'rebuild', 'safe-switch'];
const RINGS = [256, 512, 1024];
/** An operation that takes so long is a deadlock. */
const STUCK_MS = 30_000;
const SINK = new URL('../dist/threads/sink.js', import.meta.url);

function options() {
  return script(
    'control_stress',
    'Control operations from many clients at once, under traffic: is each answer true?',
  )
    .option('--seconds <s>', 'how long', number(0.001), 60)
    .option('--clients <n>', 'clients at once', whole(1), 8)
    .option('--ops <n>', 'operations of a client a round', whole(1), 3)
    .option('--rounds <n>', 'rounds at most', number(1), 1e9)
    .option('--seed <n>', 'what is drawn', number(1), 1)
    .option('--pps <n>', 'frames a second', number(1), 5000)
    .parse()
    .opts();
}

/** What a device with persistent config does with operations one after the other. */
class Model {
  constructor(ids) {
    this.ids = ids;
    this.first = {
      up: true,
      n: ids.length,
      rx: RINGS.at(-1),
      dev: 0,
      q: ids.map(() => ({ threaded: 0, defer: 0, gro: 0 })),
    };
  }

  /** @returns the state behind `op`, and what it answers */
  apply(s, op) {
    switch (op.what) {
      case 'threaded':
        return [{ ...s, dev: op.value, q: s.q.map((q) => ({ ...q, threaded: op.value })) }, 'OK'];
      case 'link':
        return [{ ...s, up: op.value }, 'OK'];
      case 'channels':
        return [{ ...s, n: op.value }, 'OK'];
      case 'rings':
        return [{ ...s, rx: op.value }, 'OK'];
      case 'napi-set':
        if (!s.up || op.index >= s.n) return [s, 'ENOENT'];
        return [{ ...s, q: s.q.map((q, i) => (i === op.index ? { ...q, ...op.value } : q)) }, 'OK'];
      case 'dump':
        return [s, this.dump(s)];
      default:
        throw new Error(op.what);
    }
  }

  /** What napi-get shows: ids in descending order, with pid or without. */
  dump(s) {
    if (!s.up) return '';
    return this.ids
      .map((id, i) => ({ id, ...s.q[i] }))
      .slice(0, s.n)
      .sort((a, b) => b.id - a.id)
      .map((n) => `${n.id}:${n.threaded}:${n.defer}:${n.gro}:${n.threaded}`)
      .join(' ');
  }
}

function shownDump(napis) {
  return napis
    .map((n) =>
      [
        n.id,
        n.threaded === 'enabled' ? 1 : 0,
        n['defer-hard-irqs'],
        n['gro-flush-timeout'],
        n.pid === undefined ? 0 : 1,
      ].join(':'),
    )
    .join(' ');
}

/** A device under the clients: its requests, and what it may be. */
class Device {
  constructor(machine, device, ids) {
    this.machine = machine;
    this.device = device;
    this.name = device.name;
    this.model = new Model(ids);
    this.states = [this.model.first];
    this.ids = ids;
  }

  request(op) {
    const { name: dev } = this;
    switch (op.what) {
      case 'threaded':
        return { kind: 'write', path: `/sys/class/net/${dev}/threaded`, text: `${op.value}\n` };
      case 'link':
        return { kind: 'link-set', dev, up: op.value };
      case 'channels':
        return { kind: 'ethtool', op: 'channels-set', dev, values: { 'combined-count': op.value } };
      case 'rings':
        return { kind: 'ethtool', op: 'rings-set', dev, values: { rx: op.value } };
      case 'napi-set': {
        const { threaded, defer, gro } = op.value;
        const attrs = {
          id: this.ids[op.index],
          threaded,
          'defer-hard-irqs': defer,
          'gro-flush-timeout': gro,
        };
        return { kind: 'netlink', op: 'napi-set', dump: false, attrs };
      }
      default:
        return { kind: 'netlink', op: 'napi-get', dump: true, attrs: { ifindex: this.ifindex } };
    }
  }

  async ask(op) {
    const reply = await inTime(this.machine.uapi(this.request(op)), `${op.what} on ${this.name}`);
    if (op.what === 'dump' && reply.err === 0) return shownDump(reply.value);
    return reply.err === 0 ? 'OK' : (CODES[reply.err] ?? String(reply.err));
  }

  /** What the device is now, in one text. */
  async look() {
    const channels = await this.get('channels-get');
    const rings = await this.get('rings-get');
    const threaded = await this.machine.uapi({ kind: 'read', path: `/sys/class/net/${this.name}/threaded` });
    const link = await this.machine.uapi({ kind: 'read', path: `/sys/class/net/${this.name}/operstate` });
    const dump = await this.ask({ what: 'dump' });
    return `${link.value.trim()} ${channels['combined-count']} ${rings.rx} ${threaded.value.trim()} | ${dump}`;
  }

  async get(op) {
    return (await this.machine.uapi({ kind: 'ethtool', op, dev: this.name, values: {} })).value;
  }

  /** The same text, of a state of the model. */
  expected(s) {
    return `${s.up ? 'up' : 'down'} ${s.n} ${s.rx} ${s.dev} | ${this.model.dump(s)}`;
  }
}

const CODES = { '-2': 'ENOENT', '-12': 'ENOMEM', '-16': 'EBUSY', '-22': 'EINVAL', '-95': 'EOPNOTSUPP' };

async function inTime(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`deadlock: ${what} was not answered in ${STUCK_MS / 1000} s`)),
      STUCK_MS,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Looks for the orders of a round's operations on one device. What a link that is down hides may be several things.
 * @param states what the device may have been before
 * @param lists each client's operations, in its order: `{ op, answer, askedAt, answeredAt }`
 * @param seen what it showed behind the last one
 * @returns what it may be now; none: no order explains answers and state
 */
function explain(device, states, lists, seen) {
  const next = lists.map(() => 0);
  const been = new Set();
  const ends = new Map();
  const step = (state) => {
    const text = JSON.stringify(state);
    const key = `${next.join(',')} ${text}`;
    if (been.has(key)) return;
    been.add(key);
    if (lists.every((list, c) => next[c] === list.length)) {
      if (device.expected(state) === seen) ends.set(text, state);
      return;
    }
    // Whatever was answered before another was asked comes first.
    let answeredFirst = Number.POSITIVE_INFINITY;
    lists.forEach((list, c) => {
      if (next[c] < list.length) answeredFirst = Math.min(answeredFirst, list[next[c]].answeredAt);
    });
    for (let c = 0; c < lists.length; c++) {
      if (next[c] === lists[c].length) continue;
      const { op, answer, askedAt, missed } = lists[c][next[c]];
      if (askedAt > answeredFirst) continue;
      const [after, said] = missed ? [state, answer] : device.model.apply(state, op);
      if (said !== answer) continue;
      next[c]++;
      step(after);
      next[c]--;
    }
  };
  for (const state of states) step(state);
  return [...ends.values()];
}

/**
 * An id is looked up before the device is locked, and an instance that is disabled has none, as in the kernel: while
 * another client has the instances deleted and added, ENOENT is a true answer whatever came before and comes after.
 */
function markMissed(lists) {
  for (const r of lists.flat()) {
    if (r.op.what !== 'napi-set' || r.answer !== 'ENOENT') continue;
    r.missed = lists
      .flat()
      .some(
        (other) =>
          ['link', 'channels', 'rings'].includes(other.op.what) &&
          other.askedAt < r.answeredAt &&
          r.askedAt < other.answeredAt,
      );
  }
}

function seeded(seed) {
  let x = seed;
  return (n) => {
    x = (Math.imul(x, 1103515245) + 12345) & 0x7fffffff;
    return (x >>> 8) % n;
  };
}

function randomOp(random) {
  const all = [
    () => ({ what: 'threaded', value: random(2) }),
    () => ({ what: 'link', value: random(3) > 0 }),
    () => ({ what: 'channels', value: 1 + random(QUEUES) }),
    () => ({ what: 'rings', value: RINGS[random(RINGS.length)] }),
    () => ({
      what: 'napi-set',
      index: random(QUEUES),
      value: { threaded: random(2), defer: random(3), gro: random(3) * 10_000 },
    }),
    () => ({ what: 'dump' }),
  ];
  return all[random(all.length)]();
}

async function main(o) {
  const machine = await boot({ cpus: 2, controlWorkers: 4, maxThreads: 96 });
  const devices = [];
  for (const [i, reconfig] of RECONFIGS.entries()) {
    const eth = await machine.addDevice({
      name: `eth${i}`,
      queues: QUEUES,
      config: 'persistent',
      reconfig,
      ringSize: RINGS.at(-1),
    });
    const ids = (await eth.napis()).sort((a, b) => a.index - b.index).map((n) => n.id);
    const device = new Device(machine, eth, ids);
    device.ifindex = Number(
      (await machine.uapi({ kind: 'read', path: `/sys/class/net/eth${i}/ifindex` })).value,
    );
    devices.push(device);
  }
  const sockets = [await machine.openUdp({ port: 0, capacity: 1 << 16 })];
  const app = await machine.runApp(SINK, { name: 'sink', sockets, args: { latency: false, order: false } });
  const feeds = devices.map(({ device }, i) =>
    device.generate({ count: 1e12, flows: 32, port: 9 + i, pace: o.pps, whenFull: 'drop' }),
  );
  const answers = {};
  const result = { rounds: 0, operations: 0, answers, unexplained: 0, slowest_ms: 0 };
  const clients = Array.from({ length: o.clients }, (_, i) => seeded(o.seed * 7919 + i * 104_729));
  const endMs = performance.now() + o.seconds * 1000;
  while (performance.now() < endMs && result.rounds < o.rounds && result.unexplained === 0) {
    const round = await Promise.race([
      Promise.all(clients.map((random) => client(random, devices, o.ops))),
      machine.panic,
    ]);
    result.rounds++;
    for (const r of round.flat()) {
      const key = `${r.op.what} ${r.op.what === 'dump' ? 'OK' : r.answer}`;
      answers[key] = (answers[key] ?? 0) + 1;
      result.operations++;
      result.slowest_ms = Math.max(result.slowest_ms, Math.round(r.answeredAt - r.askedAt));
    }
    for (const device of devices) {
      const lists = round.map((list) => list.filter((r) => r.device === device));
      markMissed(lists);
      const seen = await device.look();
      const states = explain(device, device.states, lists, seen);
      if (states.length === 0) {
        result.unexplained++;
        const told = lists.map((l) => l.map(({ op, answer }) => ({ op, answer })));
        console.error(
          `${device.name}: no order explains ${JSON.stringify({ from: device.states, told, seen })}`,
        );
      } else device.states = states;
    }
  }
  for (const { device } of devices) {
    await device.stopWire();
    await device.up();
    await device.drained();
    await device.setThreaded(false);
  }
  const sent = (await Promise.all(feeds)).reduce((n, f) => n + f.frames, 0);
  const threads = machine.threadsOfKind(TASK_KIND_NAPI).alive;
  await machine.shutdown();
  const dropped = machine.drops();
  const lost = sent - (await app.result).frames - Object.values(dropped).reduce((a, b) => a + b, 0);
  return { ...result, sent, dropped, lost, threads_left: threads };
}

async function client(random, devices, ops) {
  const done = [];
  for (let i = 0; i < ops; i++) {
    const device = devices[random(devices.length)];
    const op = randomOp(random);
    const askedAt = performance.now();
    const answer = await device.ask(op);
    done.push({ device, op, answer, askedAt, answeredAt: performance.now() });
  }
  return done;
}

const o = options();
try {
  const result = await main(o);
  const ok = result.unexplained === 0 && result.lost === 0 && result.threads_left === 0;
  console.log(JSON.stringify({ parameters: o, ...result, verdict: ok ? 'SUCCESS' : 'FAILURE' }, null, 2));
  process.exit(ok ? 0 : 1);
} catch (error) {
  console.error(`control_stress: ${error.stack}`);
  process.exit(1);
}
