// SPDX-License-Identifier: GPL-2.0-only
/** The commands that are killed: how each is started, what it leaves when it ends well, and what may lie about besides. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ask, Child } from './up_child.mjs';

const CAPTURE = fileURLToPath(new URL('../../test/fixtures/small.pcapng.gz', import.meta.url));
const UP_READY = /"event":"up"/;
const UP_END_MS = 60_000;

/** A folder of a case: the commands run in it, and have their temporary files in `tmp`. */
export class Place {
  constructor(dir) {
    this.dir = dir;
    this.tmp = join(dir, 'tmp');
    const { SOFTNET_SOCKET: _, XDG_RUNTIME_DIR: __, ...env } = process.env;
    this.options = { cwd: dir, env: { ...env, TMPDIR: this.tmp } };
  }

  list(name = '.') {
    const path = join(this.dir, name);
    return existsSync(path) ? readdirSync(path).sort() : [];
  }

  json(name) {
    return JSON.parse(readFileSync(join(this.dir, name), 'utf8'));
  }
}

/** A machine that runs until it is told to end. */
class Up {
  constructor(name, weight, socket, args) {
    this.name = name;
    this.weight = weight;
    this.socket = socket;
    this.args = ['up', '--json', ...args];
  }

  start(place) {
    return new Child(this.args, { ...place.options, ready: UP_READY });
  }

  /** Waits until it works. */
  async works(place, child) {
    await child.ready;
    const { status, body } = await ask(this.socket(place), 'GET', '/');
    if (status !== 200 || JSON.parse(body).pid !== child.pid) throw new Error(`GET /: ${status} ${body}`);
  }

  /** Ends it. @throws Error */
  async ends(place, child) {
    const timer = setTimeout(() => child.process.kill('SIGKILL'), UP_END_MS);
    const { code, signal } = await child.end('SIGTERM');
    clearTimeout(timer);
    if (code !== 0) throw new Error(`it ended with ${code ?? signal}: ${child.stderr.trim()}`);
    const own = `tmp/softnet-${process.getuid()}`;
    const left = [...place.list(), ...place.list('tmp'), ...place.list(own)];
    const known = ['tmp', own.slice(4)];
    const strange = left.filter((f) => !known.includes(f));
    if (strange.length > 0) throw new Error(`left behind: ${strange.join(', ')}`);
  }
}

/** A command that ends by itself, and what is checked of what it wrote. */
class Once {
  constructor(name, weight, args, check) {
    this.name = name;
    this.weight = weight;
    this.args = args;
    this.check = check;
  }

  start(place) {
    return new Child(this.args, place.options);
  }

  async works() {}

  async ends(place, child) {
    const { code, signal } = await child.done;
    if (code !== 0)
      throw new Error(`it ended with ${code ?? signal}: ${child.stdout.slice(-300)} ${child.stderr.trim()}`);
    this.check(place);
  }
}

/** Records are there; what a run that was killed has begun is hidden, and in nobody's way. */
function checkRecords(name) {
  return (place) => {
    const files = place.list('rec').filter((f) => !f.startsWith('.'));
    if (files.join() !== name) throw new Error(`records: ${files.join()}, not ${name}`);
    if (place.json(`rec/${name}`).verdict !== 'SUCCESS') throw new Error('the record says something else');
    const strange = place.list('tmp').filter((f) => !f.startsWith('softnet-torture-'));
    if (strange.length > 0)
      throw new Error(`left behind in the folder for temporary files: ${strange.join(', ')}`);
  };
}

export const COMMANDS = [
  new Up('up', 40, (place) => join(place.dir, 's'), [
    '--socket',
    's',
    '--dev',
    'eth0,queues=2',
    '--traffic',
    '2000',
  ]),
  new Up(
    'up, its own path',
    20,
    (place) => join(place.tmp, `softnet-${process.getuid()}`, 'softnet.sock'),
    [],
  ),
  new Up('up with a capture', 15, (place) => join(place.dir, 's'), [
    ...['--socket', 's', '--capture', CAPTURE, '--traffic', '2000', '--thread-backlog-napi', 'on'],
  ]),
  new Once('trace', 13, ['trace', '-o', 't.json', 'replay', CAPTURE], (place) => {
    if (!(place.json('t.json').traceEvents.length > 0)) throw new Error('the trace has no events');
  }),
  new Once(
    'torture',
    6,
    ['torture', '--duration', '1s', '--seed', '1', '--threads', '2', '--devices', '1', '--record', 'rec'],
    checkRecords('torture-1.json'),
  ),
  new Once(
    'check',
    6,
    ['check', 'backlog-flush-order', '--record', 'rec'],
    checkRecords('check-backlog-flush-order.json'),
  ),
];
