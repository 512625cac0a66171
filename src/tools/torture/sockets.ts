// SPDX-License-Identifier: GPL-2.0-only
/** Applications that receive: one that takes whatever nobody else takes, and others that come and go. */
import type { App, Socket } from '../../index.js';
import type { ReaderArgs, ReadMode, XskArgs } from './reader_words.js';
import type { Context, Slot } from './world.js';

const APPS = new URL('./apps.js', import.meta.url);

/** An application that reads. */
export interface Reader {
  readonly socket: Socket;
  readonly name: string;
  readonly app: App<number>;
}

/** Opens the socket for every port that has none of its own, with its reader: for the length of the run. */
export async function catchAll({ world, random }: Context): Promise<Reader> {
  const socket = await world.machine.openUdp({ port: 0, capacity: 1 << 15 });
  return { socket, ...(await read({ world, name: 'all', random }, socket)) };
}

/** Runs a reader of a socket, in a way by chance. */
async function read({ world, random }: Context, socket: Socket): Promise<{ name: string; app: App<number> }> {
  const { machine, accounts } = world;
  const mode: ReadMode = random.pick(['recv', 'recv', 'try', 'epoll'] as const);
  const busy = random.chance(0.4);
  const busyPollUs = busy ? random.pick([20, 50, 200]) : 0;
  const { name, words } = world.newApp('rx');
  const args: ReaderArgs = {
    words,
    mode,
    max: random.pick([1, 16, 64, 256]),
    epoll: {
      busyPollUs,
      busyPollBudget: random.pick([0, 8, 64]),
      preferBusyPoll: busy && random.chance(0.5),
    },
  };
  if (busy && mode !== 'epoll') {
    socket.setBusyPoll({
      busyPollUs,
      preferBusyPoll: random.chance(0.5),
      busyPollBudget: args.epoll.busyPollBudget,
    });
  }
  accounts.sockets.add(socket);
  const cpu = random.below(machine.cpus);
  const app = await machine.runApp<number>(APPS, {
    name,
    exportName: 'reader',
    args,
    sockets: [socket],
    cpu,
  });
  return { name, app };
}

/** A context that opens a socket, lets an application read, changes its busy polling, closes it, and begins again. */
export async function socketLives(c: Context): Promise<void> {
  const { world, name, random } = c;
  const { ops, gate, accounts } = world;
  while (await gate.pass()) {
    const slot = random.pick(world.slots);
    const socket = await open(c, slot);
    if (socket === null) {
      await gate.pause(5);
      continue;
    }
    const reader = await read(c, socket);
    const until = performance.now() + random.between(10, 500);
    while (!gate.closing && performance.now() < until) {
      await gate.pause(random.between(5, 100));
      if (random.chance(0.3)) {
        socket.setBusyPoll({ busyPollUs: random.pick([0, 20, 100]), preferBusyPoll: random.chance(0.3) });
      }
    }
    await ops.run(name, 'socket', 'socket close', () => socket.close());
    await ops.run(name, 'app', `app/${reader.name} ends`, () => reader.app.result);
    accounts.close(socket, socket.delivered);
    world.apps.delete(reader.name);
  }
}

async function open({ world, name, random }: Context, slot: Slot): Promise<Socket | null> {
  const { machine, ops } = world;
  const { device } = slot;
  if (device !== null && random.chance(0.2)) {
    const what = `${slot.label} packet socket open`;
    return (await ops.run(name, 'socket', what, () => machine.openPacket(device))).value;
  }
  if (slot.ports.length === 0) return null;
  const port = random.pick(slot.ports);
  const o = { port, rcvbuf: random.pick([16, 1024, 16_384]) };
  return (await ops.run(name, 'socket', `UDP ${JSON.stringify(o)} open`, () => machine.openUdp(o))).value;
}

/** A context that opens an AF_XDP socket at some queue, lets an application use it, closes it, and begins again. */
export async function xskLives(c: Context): Promise<void> {
  const { world, name, random } = c;
  const { machine, ops, gate, accounts } = world;
  while (await gate.pass()) {
    await gate.pause(random.between(20, 300));
    const slot = random.pick(world.slots);
    const { device } = slot;
    if (device === null || gate.closing) continue;
    const steer = slot.ports.length > 0 && random.chance(0.5) ? slot.ports[0] : 'all';
    const busy = random.chance(0.4) ? { busyPollUs: 20, preferBusyPoll: random.chance(0.5) } : {};
    const o = {
      queue: random.below(slot.maxQueues),
      steer,
      frames: random.pick([64, 512]),
      ...busy,
    } as const;
    const what = `${slot.label} AF_XDP ${JSON.stringify(o)} open`;
    const { model } = slot;
    const opening = world.faulty();
    const opened = await ops.run(name, 'xsk', what, () => machine.openXsk(device, o));
    const xsk = opened.value;
    if (xsk === null) continue;
    model.rebound(o.queue, opening.wasHit(), opened);
    accounts.xsks.add(xsk);
    const shared = world.newApp('xsk');
    const args: XskArgs = {
      words: shared.words,
      max: random.pick([1, 16, 64]),
      timeoutMs: 20,
      sendEvery: random.pick([0, 1, 10]),
    };
    const running = await machine.runApp<number>(APPS, {
      name: shared.name,
      exportName: 'xskUser',
      args,
      xsks: [xsk],
    });
    await gate.pause(random.between(10, 300));
    const closing = world.faulty();
    const closed = await ops.run(name, 'xsk', `${slot.label} AF_XDP close`, () => xsk.close());
    model.rebound(o.queue, closing.wasHit(), closed);
    await ops.run(name, 'app', `app/${shared.name} ends`, () => running.result);
    accounts.close(xsk, xsk.statistics.delivered);
    world.apps.delete(shared.name);
  }
}
