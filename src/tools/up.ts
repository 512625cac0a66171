// SPDX-License-Identifier: GPL-2.0-only
/** `softnet up`: a machine that runs until it is told to end, under control through a Unix socket. */
import { checkCapture } from '../drivers/net/capture/open_capture.js';
import { OptionError, SoftnetError } from '../errors.js';
import { boot } from '../index.js';
import type { App, BootOptions, Machine } from '../machine.js';
import type { NetDevice } from '../net_device.js';
import { type NetDeviceOptions, netdevParams } from '../net_device_options.js';
import type { SinkArgs, SinkResult } from '../threads/sink.js';
import { type Backend, LIMITS } from '../uapi/server/backend.js';
import { ControlServer } from '../uapi/server/control_server.js';
import { type Claim, claimSocket } from '../uapi/server/socket_claim.js';
import { SocketPathError, socketPath } from '../uapi/server/socket_path.js';
import { EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_SKIPPED, EXIT_USAGE } from './exit_codes.js';
import { topAnswer } from './top/answer.js';
import { traceService } from './trace/service.js';
import { parseBootParameters, parseDevice } from './up_options.js';

export interface UpOptions {
  readonly cpus: number;
  readonly dev: readonly string[];
  readonly append: string;
  /** The boot parameter by itself; it goes before what `append` says. */
  readonly threadBacklogNapi?: BootOptions['threadBacklogNapi'];
  /** Packets per second into each device. */
  readonly traffic?: number;
  readonly capture?: string;
  readonly socket?: string;
  readonly json: boolean;
}

/** Control operations carried out at a time. */
const CONTROL_WORKERS = 4;
const DEFAULT_DEVICE = 'eth0,queues=2';
const FLOWS = 64;
/** Destination port of the first device's traffic; the others have ports of their own, so that flows differ. */
const FIRST_PORT = 9;
const MIB = 1 << 20;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs the command. @returns its exit code */
export async function up(o: UpOptions): Promise<number> {
  if (process.platform === 'win32') {
    process.stderr.write('softnet up: this system has no Unix sockets that can be kept private\n');
    return EXIT_SKIPPED;
  }
  const devices = (o.dev.length === 0 ? [DEFAULT_DEVICE] : o.dev).map(parseDevice);
  const parameters = { ...parseBootParameters(o.append), ...backlogThreads(o) };
  const twice = devices.find((d, i) => devices.findIndex((x) => x.name === d.name) !== i);
  if (twice !== undefined) throw new OptionError('--dev', twice.name, 'each name once');
  // Before the machine is booted: to end its workers while they still load can bring Node 20 down.
  for (const d of devices) netdevParams(d);
  let path: string;
  try {
    path = socketPath(o.socket);
  } catch (error) {
    return refused(error);
  }
  if (o.capture !== undefined) await checkCapture(o.capture);
  const end = endSignal();
  const queues = devices.reduce((n, d) => n + maxQueues(d), 0);
  const machine = await boot({
    cpus: o.cpus,
    controlWorkers: CONTROL_WORKERS,
    memoryBytes: Math.min(1024, 256 + 16 * queues) * MIB,
    // For each CPU its own thread, ksoftirqd, and one for its backlog.
    maxThreads: Math.max(64, 3 * o.cpus + 4 * queues + 2 * devices.length + CONTROL_WORKERS + 8),
    ...parameters,
  });
  const run = new Run(machine, o);
  try {
    for (const d of devices) await run.add(d);
    return await run.serve(path, end);
  } catch (error) {
    await machine.shutdown().catch(() => {});
    return refused(error);
  } finally {
    end.forget();
  }
}

function backlogThreads({ threadBacklogNapi }: UpOptions): BootOptions {
  return threadBacklogNapi === undefined ? {} : { threadBacklogNapi };
}

function maxQueues(d: NetDeviceOptions): number {
  return d.maxQueues ?? d.queues ?? 1;
}

/** One line for a path that cannot be used, or for what the host cannot give. */
function refused(error: unknown): number {
  if (!(error instanceof SocketPathError) && !(error instanceof SoftnetError)) throw error;
  process.stderr.write(`softnet up: ${error.message}\n`);
  return error instanceof SocketPathError ? EXIT_USAGE : EXIT_CHECK_FAILED;
}

interface EndSignal {
  /** Resolves with the first signal. */
  readonly came: Promise<void>;
  forget(): void;
}

/** The first signal ends the machine in good order, a second one at once. */
function endSignal(): EndSignal {
  let first: (() => void) | null = null;
  const came = new Promise<void>((resolve) => {
    first = resolve;
  });
  const handler = (): void => {
    if (first !== null) {
      first();
      first = null;
      return;
    }
    process.exit(EXIT_INTERRUPTED);
  };
  const signal: EndSignal = {
    came,
    forget: () => {
      for (const s of SIGNALS) process.removeListener(s, handler);
    },
  };
  for (const s of SIGNALS) process.on(s, handler);
  return signal;
}

class Run {
  private readonly machine: Machine;
  private readonly o: UpOptions;
  private readonly devices: NetDevice[] = [];
  private readonly beganMs = performance.now();
  private requests = 0;
  private feeds: Promise<number>[] = [];
  private failure: Error | null = null;
  private app: App<SinkResult> | null = null;

  constructor(machine: Machine, o: UpOptions) {
    this.machine = machine;
    this.o = o;
  }

  async add(options: NetDeviceOptions): Promise<void> {
    this.devices.push(await this.machine.addDevice(options));
  }

  /** Offers the machine at `path` until the signal comes. @returns the exit code */
  async serve(path: string, end: EndSignal): Promise<number> {
    const server = new ControlServer(this.backend(), LIMITS);
    const claim = await claimSocket(server.http, path);
    // Whichever way the process ends, its socket goes.
    process.once('exit', claim.release);
    try {
      await this.feed();
      this.announce(claim);
      await Promise.race([end.came, this.machine.panic]);
    } finally {
      // Nobody who comes now finds us; who has asked is answered.
      claim.release();
      await server.close();
    }
    return this.finish();
  }

  private backend(): Backend {
    const { machine } = this;
    return {
      uapi: (request) => {
        this.requests++;
        return machine.uapi(request);
      },
      threads: () =>
        machine
          .threads()
          .filter((t) => t.running)
          .map((t) => ({
            name: t.name,
            tid: t.tid,
            cpu_ns: t.cpuNs,
            run_delay_ns: t.runDelayNs,
            wakeups: t.wakeups,
            serial: t.serial,
          })),
      top: () => topAnswer(machine),
      ...traceService(machine),
      about: () => ({ softnet: 'a machine under control', pid: process.pid, cpus: machine.cpus }),
    };
  }

  /** Lets the traffic flow, and an application that takes it. */
  private async feed(): Promise<void> {
    const { o, machine } = this;
    if (o.traffic === undefined && o.capture === undefined) return;
    const sockets = [await machine.openUdp({ port: 0 })];
    for (const d of this.devices) sockets.push(await machine.openPacket(d));
    // Flows of one capture come through each device: their order can be told for one only.
    const order = o.capture === undefined || this.devices.length === 1;
    const args: SinkArgs = { latency: false, order };
    const sink = new URL('../threads/sink.js', import.meta.url);
    this.app = await machine.runApp<SinkResult>(sink, { name: 'sink', sockets, args });
    this.feeds = this.devices.map(async (d, i) => {
      const whenFull = 'drop';
      const pace = o.traffic ?? 'asap';
      const count = Number.MAX_SAFE_INTEGER;
      try {
        const run =
          o.capture === undefined
            ? d.generate({ count, flows: FLOWS, port: FIRST_PORT + i, pace, whenFull })
            : d.replay(o.capture, { loops: 1e9, pace: o.traffic ?? 'capture', whenFull });
        return (await run).frames;
      } catch (error) {
        // The machine goes on: only its traffic has ended.
        this.failure ??= error as Error;
        process.stderr.write(`softnet up: the traffic of ${d.name} ended: ${(error as Error).message}\n`);
        return 0;
      }
    });
  }

  private announce(claim: Claim): void {
    const { o, devices, machine } = this;
    if (o.json) {
      const doc = { event: 'up', socket: claim.path, pid: process.pid, cpus: machine.cpus };
      process.stdout.write(`${JSON.stringify({ ...doc, devices: devices.map((d) => d.name) })}\n`);
      return;
    }
    const names = devices.map((d) => d.name).join(', ');
    process.stdout.write(`softnet up: ${machine.cpus} CPUs, ${names}; pid ${process.pid}\n`);
    process.stdout.write(`socket: ${claim.path}\n`);
    process.stdout.write(
      'Ctrl-C ends it. In another terminal: softnet ynl --family netdev --dump napi-get\n',
    );
  }

  /** Ends the traffic, lets everything under way arrive, and prints what there is. @returns the exit code */
  private async finish(): Promise<number> {
    const { machine, devices, o } = this;
    for (const d of devices) {
      await d.stopWire();
      // What waits in the rings of a link that is down is delivered, too.
      await d.up().catch(() => {});
      await d.drained();
    }
    const threads = machine.threads();
    await machine.shutdown();
    const frames = (await Promise.all(this.feeds)).reduce((a, b) => a + b, 0);
    const sink = this.app === null ? null : await this.app.result;
    const dropped = machine.drops();
    const drops = Object.values(dropped).reduce((a, b) => a + b, 0);
    const delivered = sink?.frames ?? 0;
    const uptimeS = (performance.now() - this.beganMs) / 1e3;
    const lost = this.failure === null ? frames - delivered - drops : 0;
    const reordered = sink?.reordered ?? 0;
    if (o.json) {
      const doc = {
        event: 'end',
        uptime_s: uptimeS,
        requests: this.requests,
        packets: { read: frames, delivered, dropped, reordered, lost },
        threads: threads.map((t) => ({ name: t.name, tid: t.tid, cpu_ns: t.cpuNs, wakeups: t.wakeups })),
      };
      process.stdout.write(`${JSON.stringify(doc)}\n`);
    } else {
      const reasons = Object.entries(dropped).map(([reason, n]) => `${reason} ${n}`);
      const why = reasons.length === 0 ? '' : ` (${reasons.join(', ')})`;
      process.stdout.write(`up for ${uptimeS.toFixed(1)} s, ${this.requests} requests\n`);
      if (sink !== null) {
        process.stdout.write(`${frames} frames: ${delivered} delivered, ${drops} dropped${why}\n`);
        // A change of channels moves flows to other queues while frames wait in the old ones: no failure, but told.
        if (reordered > 0) process.stdout.write(`${reordered} frames came out of order\n`);
      }
    }
    if (lost !== 0) process.stderr.write(`softnet up: ${lost} frames are not accounted for\n`);
    return lost !== 0 ? EXIT_CHECK_FAILED : EXIT_OK;
  }
}
