// SPDX-License-Identifier: GPL-2.0-only
/**
 * The steps of the kernel's busy_poll_test.sh: two NICs joined by a cable, a server that waits by a busy polling epoll
 * instance, a client; one mebibyte over a reliable exchange, and the digests are equal. Its values for deferral, suspension
 * and budget are used here.
 */
import { createHash, randomFillSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type App, boot, type Machine, type NetDevice, type Socket } from '../../dist/index.js';

const APPS = new URL('../helpers/exchange.mjs', import.meta.url);
const MIB = 1 << 20;
const SERVER_PORT = 48_675;
const CLIENT_PORT = 48_676;
const SERVER_IP = Uint8Array.of(192, 168, 1, 1);
const CLIENT_IP = Uint8Array.of(192, 168, 1, 2);

const DEFER_HARD_IRQS = 100;
const GRO_FLUSH_TIMEOUT_NS = 50_000;
const SUSPEND_TIMEOUT_NS = 20_000_000;
const BUDGET = 16;

interface Sent {
  readonly pieces: number;
  readonly again: number;
  readonly timeouts: number;
}

interface Received {
  readonly pieces: number;
  readonly twice: number;
  readonly waits: number;
  readonly napiId: number;
}

interface Napi {
  readonly id: number;
  readonly threaded: string;
}

function digest(data: SharedArrayBuffer): string {
  return createHash('sha256').update(new Uint8Array(data)).digest('hex');
}

let machine: Machine;
let server: NetDevice;
let client: NetDevice;
let sockets: readonly Socket[];

/** Two NICs and a cable. @param ring descriptors of each receive ring */
async function plug(ring: number): Promise<void> {
  const rings = { ringSize: ring, poolSize: Math.max(64, 4 * ring) };
  server = await machine.addDevice({ name: 'eth0', queues: 1, ...rings });
  client = await machine.addDevice({ name: 'eth1', queues: 1, ...rings });
  await machine.connect(server, client);
}

/** Sends `bytes` random ones from client to server. */
async function exchange(
  bytes: number,
  o: { window?: number; epoll?: object } = {},
): Promise<{ sent: Sent; received: Received }> {
  const from = new SharedArrayBuffer(bytes);
  const into = new SharedArrayBuffer(bytes);
  new Uint8Array(from).set(randomFillSync(new Uint8Array(bytes)));
  sockets = [await machine.openUdp({ port: SERVER_PORT }), await machine.openUdp({ port: CLIENT_PORT })];
  const [up, down] = [
    { srcIp: CLIENT_IP, srcPort: CLIENT_PORT, dstIp: SERVER_IP, dstPort: SERVER_PORT },
    { srcIp: SERVER_IP, srcPort: SERVER_PORT, dstIp: CLIENT_IP, dstPort: CLIENT_PORT },
  ];
  const receiver: App<Received> = await machine.runApp(APPS, {
    name: 'server',
    exportName: 'exchangeReceive',
    sockets: [sockets[0]],
    senders: [await machine.openSender(server)],
    args: { data: into, flow: down, lingerMs: 2000, epoll: o.epoll ?? {} },
  });
  const sender: App<Sent> = await machine.runApp(APPS, {
    name: 'client',
    exportName: 'exchangeSend',
    sockets: [sockets[1]],
    senders: [await machine.openSender(client)],
    args: { data: from, flow: up, window: o.window ?? 64, timeoutMs: 10 },
  });
  const [sent, received] = await Promise.all([sender.result, receiver.result]);
  await Promise.all(sockets.map((s) => s.close()));
  expect(digest(into)).toBe(digest(from));
  expect(received.pieces - received.twice).toBe(sent.pieces);
  return { sent, received };
}

async function ask(op: string, dump: boolean, attrs: object): Promise<unknown> {
  const reply = await machine.uapi({ kind: 'netlink', op, dump, attrs: { ...attrs } });
  expect(reply).toMatchObject({ err: 0 });
  return reply.value;
}

/** Sets the server's instance by netlink, as busy_poller does. @returns it */
async function napiSet(values: object): Promise<Napi> {
  const find = async (): Promise<Napi> => ((await ask('napi-get', true, { ifindex: 1 })) as Napi[])[0];
  const { id } = await find();
  const common = { 'defer-hard-irqs': DEFER_HARD_IRQS, 'gro-flush-timeout': GRO_FLUSH_TIMEOUT_NS };
  await ask('napi-set', false, { id, ...common, ...values });
  return find();
}

const PREFER = { busyPollUs: 0, busyPollBudget: BUDGET, preferBusyPoll: true };
const CONFIGURATIONS: readonly (readonly [string, object, object, string])[] = [
  ['a busy polling epoll instance', { 'irq-suspend-timeout': 0 }, PREFER, 'disabled'],
  ['one that busy polls for 50 us', { 'irq-suspend-timeout': 0 }, { ...PREFER, busyPollUs: 50 }, 'disabled'],
  ['irq-suspend-timeout', { 'irq-suspend-timeout': SUSPEND_TIMEOUT_NS }, PREFER, 'disabled'],
  [
    'threaded busy poll',
    { 'irq-suspend-timeout': 0, threaded: 'busy-poll' },
    { ...PREFER, preferBusyPoll: false },
    'busy-poll',
  ],
];

beforeEach(async () => {
  machine = await boot({ cpus: 2 });
});

afterEach(() => machine.shutdown());

describe.each(CONFIGURATIONS)('with %s', (_name, napi, epoll, threaded) => {
  it('one mebibyte arrives as it was sent', async () => {
    await plug(1024);
    const { id } = await napiSet(napi);
    const { received } = await exchange(MIB, { epoll });
    expect(received.napiId).toBe(id);
    // What the application asked for has ended with it; the instance is as it was set.
    expect((await napiSet({})).threaded).toBe(threaded);
    await exchange(MIB / 16);
  });

  it('so it does through rings that lose most of it', async () => {
    await plug(8);
    await napiSet(napi);
    const { sent } = await exchange(MIB / 4, { window: 128, epoll });
    expect(sent.again).toBeGreaterThan(0);
    expect(machine.drops().rx_missed).toBeGreaterThan(0);
  });
});

it('one mebibyte arrives with everything as a device comes', async () => {
  await plug(1024);
  const { sent } = await exchange(MIB);
  // Behind the last piece the sender says that it has seen the last answer.
  expect(client.txStats().frames).toBe(sent.pieces + sent.again + 1);
});
