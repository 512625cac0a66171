// SPDX-License-Identifier: GPL-2.0-only
/**
 * Damaged control requests to a machine that is up, under traffic, from many clients at once. Each is answered, with one line
 * of JSON if it is refused, or its connection closed; whoever asks rightly is answered rightly all the while; nothing is left
 * of any of them, and the machine ends in good order with every frame accounted for.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FuzzFailure, inTime } from './campaign.mjs';
import { controlCase } from './control_cases.mjs';
import { doCase } from './control_client.mjs';
import { ask, startUp } from './up_child.mjs';

const CLIENTS = 24;
const GOOD_EVERY = 250;
const WARM = 5000;
const MAX_MORE_BYTES = 160 << 20;
const END_MS = 60_000;
const SETTLE_LOOKS = 600;
const DEVICES = ['eth0', 'eth1', 'eth2'];
const ARGS = [...DEVICES.flatMap((name) => ['--dev', `${name},queues=2`]), '--cpus', '2', '--traffic', '500'];
/** Brings back what requests have changed. */
const RESET = [
  ...DEVICES.flatMap((dev) => [
    ['POST', '/link', JSON.stringify({ dev, up: true })],
    ['POST', '/ethtool', JSON.stringify({ op: 'channels-set', dev, values: { 'combined-count': 2 } })],
    ['PUT', `/sys/class/net/${dev}/threaded`, '1'],
    ['PUT', `/sys/class/net/${dev}/threaded`, '0'],
  ]),
  ['PUT', '/sys/devices/system/cpu/cpu1/online', '1'],
  // Threads of backlogs stay once they were made.
  ['PUT', '/sysctl/net.core.backlog_threaded', '1'],
  ['PUT', '/sysctl/net.core.backlog_threaded', '0'],
];

class Target {
  #folder = mkdtempSync(join(tmpdir(), 'softnet-fuzz-'));

  constructor() {
    this.path = join(this.#folder, 's');
    this.child = startUp(this.path, ARGS);
  }

  async begin() {
    await this.child.ready;
    await this.reset();
    this.threads = await this.threadNames();
    this.sockets = await this.quiet();
  }

  /** What a good client asks. @throws Error if it is not answered rightly */
  async good() {
    const index = await ask(this.path, 'GET', '/');
    if (index.status !== 200 || JSON.parse(index.body).pid !== this.child.pid)
      throw new Error(`GET /: ${index.status} ${index.body}`);
    const dump = await ask(this.path, 'POST', '/netlink/netdev', '{"dump":"napi-get"}');
    if (dump.status !== 200 || !Array.isArray(JSON.parse(dump.body)))
      throw new Error(`napi-get: ${dump.status} ${dump.body}`);
    const refused = await ask(this.path, 'GET', '/sys/class/net/none');
    if (refused.status !== 404)
      throw new Error(`a file that is not there: ${refused.status} ${refused.body}`);
  }

  async reset() {
    for (const [method, path, body] of RESET) {
      const { status, body: said } = await ask(this.path, method, path, body);
      if (status >= 300) throw new Error(`${method} ${path} ${body}: ${status} ${said}`);
    }
  }

  /** Names of the machine's threads, those of control operations and numbers of instances left out. */
  async threadNames() {
    const { threads } = JSON.parse((await ask(this.path, 'GET', '/threads')).body);
    return threads
      .map((t) => t.name)
      .filter((name) => !name.startsWith('control/'))
      .sort()
      .join(' ');
  }

  /** Sockets that are open when no client is there. */
  async quiet() {
    let least = this.child.sockets();
    for (let i = 0; i < 20; i++) {
      await delay(10);
      least = Math.min(least, this.child.sockets());
    }
    return least;
  }

  /** Nothing is left of the clients. @throws Error */
  async clean() {
    await this.reset();
    const threads = await this.threadNames();
    if (threads !== this.threads) throw new Error(`threads were ${this.threads}, are ${threads}`);
    for (let looks = 0; this.child.sockets() > this.sockets; looks++) {
      if (looks > SETTLE_LOOKS)
        throw new Error(`${this.child.sockets()} sockets are open, ${this.sockets} were before`);
      await delay(50);
    }
  }

  /** @returns what the machine said at its end @throws Error */
  async stop() {
    const { code, signal } = await inTime(
      this.child.end('SIGTERM'),
      END_MS,
      () => new Error('the machine does not end'),
    );
    if (code !== 0) throw new Error(`the machine ended with ${code ?? signal}: ${this.child.stderr}`);
    if (this.child.stderr !== '') throw new Error(`the machine said ${JSON.stringify(this.child.stderr)}`);
    if (existsSync(this.path)) throw new Error('the socket is still there');
    return JSON.parse(this.child.stdout.trim().split('\n').at(-1));
  }

  remove() {
    this.child.process.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function run(job, tally) {
  const { seed, from, count, signal } = job;
  const target = new Target();
  const whole = (error) =>
    error instanceof FuzzFailure
      ? error
      : new FuzzFailure(String(error?.message ?? error), from, count, [target.child.stderr.trim()]);
  let next = from;
  let done = 0;
  let warmBytes = 0;
  const lane = async () => {
    while (next < from + count && !signal.aborted) {
      const n = next++;
      try {
        const { outcome } = await doCase(target.path, controlCase(seed, n));
        tally.note(outcome);
      } catch (error) {
        throw new FuzzFailure(`request ${n}: ${error.message}`, n, 1, endOf(target.child));
      }
      tally.progress(++done);
      if (done === WARM) warmBytes = target.child.residentBytes();
      if (n % GOOD_EVERY === 0) {
        await target.good();
        tally.note('good ones');
      }
    }
  };
  try {
    await target.begin();
    await Promise.all(Array.from({ length: CLIENTS }, lane));
    await target.good();
    await target.clean();
    const more = warmBytes === 0 ? 0 : target.child.residentBytes() - warmBytes;
    if (more > MAX_MORE_BYTES) throw new Error(`memory grows: ${more >> 20} MiB since request ${WARM}`);
    const { requests, packets } = await target.stop();
    tally.figures = {
      operations: requests,
      packets: packets.read,
      lost: packets.lost,
      rss_growth_mib: more >> 20,
    };
  } catch (error) {
    next = from + count;
    throw whole(error);
  } finally {
    target.remove();
  }
}

function endOf(child) {
  return child.exit === null
    ? []
    : [`the machine has ended: ${JSON.stringify(child.exit)} ${child.stderr.trim()}`];
}

/** The campaign. */
export const control = {
  name: 'control',
  what: 'damaged control requests',
  count: 100_000,
  narrows: true,
  run,
};
