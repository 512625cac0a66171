// SPDX-License-Identifier: GPL-2.0-only
/**
 * What a live Linux 6.18 kernel answered to 150 random sequences of 30 control operations each on a device whose driver
 * has no per-index config (test/fixtures/README.md): a machine gives the same errors, states and identities.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { boot, type Machine } from '../../dist/index.js';
import { errnoName } from '../../dist/kernel/errno.js';
import type { UapiReply, UapiRequest } from '../../dist/uapi/request.js';

type Value = string | number;

interface Instance {
  readonly id: string;
  readonly threaded: string;
  readonly pid?: string;
  readonly 'defer-hard-irqs': number;
  readonly 'gro-flush-timeout': number;
}

interface Step {
  readonly op: readonly unknown[];
  readonly errno: string;
  readonly state: { readonly threaded: string; readonly napis: readonly Instance[] };
}

interface Sequence {
  readonly seed: number;
  readonly steps: readonly Step[];
}

const FILE = fileURLToPath(new URL('../fixtures/linux-answers.jsonl.gz', import.meta.url));
const SEQUENCES = gunzipSync(readFileSync(FILE))
  .toString()
  .trim()
  .split('\n')
  .map((text) => JSON.parse(text) as Sequence);

const NO_SUCH_ID = 999_999;

/** Names things in the order in which they are first shown: identity is the point. */
class Names {
  private readonly prefix: string;
  private readonly names = new Map<number, string>();
  readonly real = new Map<string, number>();

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  of(value: number): string {
    let name = this.names.get(value);
    if (name === undefined) {
      name = `${this.prefix}${this.names.size + 1}`;
      this.names.set(value, name);
      this.real.set(name, value);
    }
    return name;
  }
}

/** Plays one sequence on a device of its own, and looks at the state behind each step as the recorder did. */
class Player {
  private readonly machine: Machine;
  private readonly dev: string;
  private readonly ifindex: number;
  private readonly ids = new Names('n');
  private readonly pids = new Names('p');

  constructor(machine: Machine, dev: string, ifindex: number) {
    this.machine = machine;
    this.dev = dev;
    this.ifindex = ifindex;
  }

  /** @returns what this machine says where the kernel said `step` */
  async play(step: Step): Promise<Step> {
    const request = this.request(step.op);
    const code = request === null ? 'OK' : codeOf(await this.machine.uapi(request));
    return { op: step.op, errno: code, state: await this.state() };
  }

  private request([what, a, b]: readonly unknown[]): UapiRequest | null {
    const { dev } = this;
    switch (what) {
      case 'start':
        return null;
      case 'sysfs-threaded':
        return { kind: 'write', path: `/sys/class/net/${dev}/threaded`, text: `${a}\n` };
      case 'napi-set': {
        const id = a === null ? {} : { id: this.ids.real.get(a as string) ?? NO_SUCH_ID };
        const attrs = { ...(b as { [name: string]: Value }), ...id };
        return { kind: 'netlink', op: 'napi-set', dump: false, attrs };
      }
      case 'channels':
        return { kind: 'ethtool', op: 'channels-set', dev, values: { 'combined-count': a as number } };
      case 'link':
        return { kind: 'link-set', dev, up: a === 'up' };
      default:
        throw new Error(`the recording has an operation that nobody knows: ${what}`);
    }
  }

  private async state(): Promise<Step['state']> {
    const { machine, dev, ifindex } = this;
    const threaded = await machine.uapi({ kind: 'read', path: `/sys/class/net/${dev}/threaded` });
    const dump = await machine.uapi({ kind: 'netlink', op: 'napi-get', dump: true, attrs: { ifindex } });
    // The id of a thread is used again when its worker is: its number is not.
    const serials = new Map(machine.threads().flatMap((t) => (t.running ? [[t.tid, t.serial]] : [])));
    const napis = (dump.value as { [name: string]: Value }[]).map((n) => ({
      id: this.ids.of(n.id as number),
      threaded: n.threaded as string,
      ...(n.pid === undefined ? {} : { pid: this.pids.of(serials.get(n.pid as number) as number) }),
      'defer-hard-irqs': n['defer-hard-irqs'] as number,
      'gro-flush-timeout': n['gro-flush-timeout'] as number,
    }));
    return { threaded: (threaded.value as string).trim(), napis };
  }
}

function codeOf(reply: UapiReply): string {
  return reply.err === 0 ? 'OK' : errnoName(reply.err);
}

// Without /proc there are no pids to tell threads by.
describe.skipIf(process.platform !== 'linux')('the recorded answers of a Linux kernel', () => {
  it('are 150 sequences of 30 operations', () => {
    expect(SEQUENCES).toHaveLength(150);
    for (const { steps } of SEQUENCES) expect(steps).toHaveLength(31);
  });

  it.each(['fixed', 'off'] as const)('are given step by step, napi_kthread_persist=%s', async (persist) => {
    const machine = await boot({ maxThreads: 64, napiKthreadPersist: persist });
    try {
      for (const { seed, steps } of SEQUENCES) {
        const name = `veth${seed}`;
        const device = await machine.addDevice({
          name,
          queues: 2,
          maxQueues: 4,
          config: 'none',
          reconfig: 'delta',
          ringSize: 16,
          poolSize: 32,
        });
        const ifindex = await machine.uapi({ kind: 'read', path: `/sys/class/net/${name}/ifindex` });
        const player = new Player(machine, name, Number(ifindex.value));
        for (const [i, step] of steps.entries()) {
          expect({ seed, i, ...(await player.play(step)) }).toEqual({ seed, i, ...step });
        }
        await machine.control({ name: 'netdev-del', dev: device.at }, `deleting ${name}`);
      }
    } finally {
      await machine.shutdown();
    }
  });
});
