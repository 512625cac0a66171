// SPDX-License-Identifier: GPL-2.0-only
/**
 * A machine: one arena, one pool of threads, simulated CPUs, devices, sockets, applications. The main thread's face
 * of it all: every operation is a promise here and blocking code in a control worker.
 */
import { type App, Applications, type AppOptions } from './applications.js';
import { type BootOptions, bootParams, threadsOfBoot } from './boot_options.js';
import { Cable } from './cable.js';
import { checkGivenInt, checkInt, checkPowerOfTwo, OptionError, SoftnetError } from './errors.js';
import { Failure } from './failure.js';
import { KERNEL, KERNEL_AT } from './kernel/current.js';
import { ENOMEM } from './kernel/errno.js';
import { allocTask, putTaskStruct } from './kernel/kthread.js';
import { layOut } from './lay_out.js';
import { Loopback } from './loopback.js';
import { Arena } from './mm/arena.js';
import { TASK_KIND_CONTROL } from './net/core/ids.js';
import { AF_INET, AF_PACKET } from './net/core/sock_queue.js';
import { NR_PORTS } from './net/core/softnet_data.js';
import { NetDevice } from './net_device.js';
import { checkDeviceName, type NetDeviceOptions, netdevParams } from './net_device_options.js';
import { Sender } from './sender.js';
import { Socket, type SocketOptions, socketParams } from './socket.js';
import { type CpuStat, type ReassemblyStats, Statistics, type ThreadStats } from './statistics.js';
import type { ControlOp, ControlResult } from './threads/control_ops.js';
import { ControlQueue } from './threads/control_queue.js';
import { jumpClocks } from './threads/jumping_clock.js';
import { Kthreadd, newRecord, type ThreadRecord, threadDied } from './threads/kthreadd.js';
import type { Trace } from './trace.js';
import { Tracing } from './tracing.js';
import { cpumaskText } from './uapi/cpumask.js';
import type { UapiReply, UapiRequest } from './uapi/request.js';
import { Xsk, type XskOptions, xskParams } from './xsk.js';

export type { App, AppOptions } from './applications.js';
export type { BootOptions } from './boot_options.js';
export type { ThreadStats } from './statistics.js';

/** Control operations that run alone. */
const EXCLUSIVE: ReadonlySet<string> = new Set([
  'boot',
  'shutdown',
  'netdev-add',
  'netdev-del',
  'loopback-add',
  'sender-free',
]);

const SHUT_DOWN = 'the machine is shut down; boot another one';
export class Machine {
  readonly arena: Arena;
  readonly cpus: number;
  private readonly kthreadd: Kthreadd;
  private readonly statistics: Statistics;
  private readonly net: number;
  private readonly sockets = new Set<Socket>();
  private readonly senders = new Set<Sender>();
  private readonly xsks = new Set<Xsk>();
  private readonly devices = new Set<NetDevice>();
  private readonly loopbacks = new Set<Loopback>();
  private readonly applications: Applications;
  private readonly failure = new Failure();
  private readonly controlQueue: ControlQueue;
  private readonly tracing: Tracing;
  /** Who gets its trace, from its boot to its end. */
  private bootTrace: typeof bootTraces;
  private closing: Promise<void> | null = null;
  /** Its control threads are gone; everything is. */
  private dismantled = false;
  private closed = false;

  private constructor(options: BootOptions) {
    const params = bootParams(options);
    this.cpus = params.cpus;
    this.controlQueue = new ControlQueue(params.controlWorkers);
    this.arena = new Arena(new SharedArrayBuffer(params.memoryBytes & ~63));
    this.net = layOut(this.arena.m, params);
    this.kthreadd = new Kthreadd(
      this.arena.sab,
      threadsOfBoot(params) + params.warmThreads,
      params.maxThreads,
      params.controlWorkers,
      params.failKthread,
      params.workerHeapMib,
      (error) => {
        if (this.failure.is(error)) void this.kthreadd.stop();
      },
    );
    this.kthreadd.serve();
    this.applications = new Applications(this, this.kthreadd);
    this.statistics = new Statistics(this.arena, this.net, this.kthreadd);
    this.tracing = new Tracing(this.arena.m);
    this.kthreadd.onTrace = (hello) => this.tracing.heard(hello);
    this.bootTrace = bootTraces;
    if (bootTraces !== null) this.tracing.start();
  }

  /** Boots a machine. Rejects with SoftnetError (ENOMEM) if its threads cannot be had. */
  static async boot(options: BootOptions = {}): Promise<Machine> {
    const machine = new Machine(options);
    try {
      await machine.control({ name: 'boot' }, 'booting the CPUs', 'allow more threads (maxThreads)');
    } catch (error) {
      await machine.kthreadd.stop();
      throw error;
    }
    return machine;
  }

  /** Adds a simulated NIC and brings its link up. */
  async addDevice(options: NetDeviceOptions): Promise<NetDevice> {
    this.throwIfEnding();
    const params = netdevParams(options);
    const dev = await this.control(
      { name: 'netdev-add', params },
      `adding ${params.name}`,
      'take another name, boot with more memory (memoryBytes) or allow more threads (maxThreads)',
    );
    const device = new NetDevice(this, params, dev as number);
    this.devices.add(device);
    return device;
  }

  /** Adds the loopback device, up: what is sent by it is received. */
  async addLoopback(name = 'lo'): Promise<Loopback> {
    this.throwIfEnding();
    const device = checkDeviceName(name);
    const at = await this.control(
      { name: 'loopback-add', device },
      `adding ${name}`,
      'take another name, or boot with more memory (memoryBytes)',
    );
    const loopback = new Loopback(this, at as number);
    this.loopbacks.add(loopback);
    return loopback;
  }

  /**
   * Joins two devices by a cable: what one sends the other receives, as fast as it is sent; what finds no posted buffer is
   * dropped (rx_missed). Rejects with EBUSY if one of them has a cable, or is fed.
   */
  async connect(a: NetDevice, b: NetDevice): Promise<Cable> {
    this.throwIfEnding();
    for (const device of [a, b]) {
      if (!(device instanceof NetDevice) || !device.belongsTo(this))
        throw new OptionError('device', 'what was given', 'two devices of this machine (addDevice)');
    }
    if (a === b) throw new OptionError('device', `${a.name} twice`, 'two devices');
    return new Cable(this, a, b).ready();
  }

  /**
   * Opens a sender of UDP datagrams by the loopback device or by a NIC. What is sent by a NIC goes to the other end of its
   * cable (connect); without one it is counted and gone.
   */
  async openSender(
    device: Loopback | NetDevice,
    options: { buffers?: number; cpu?: number } = {},
  ): Promise<Sender> {
    this.throwIfEnding();
    if (!(device instanceof Loopback || device instanceof NetDevice) || !device.belongsTo(this)) {
      throw new OptionError('device', 'what was given', 'a device of this machine (addLoopback, addDevice)');
    }
    // By the loopback device they go all the way to the reader; a NIC has sent them when the call returns.
    const usual = device instanceof Loopback ? 1024 : 64;
    const buffers = checkPowerOfTwo('buffers', options.buffers, usual, 2, 1 << 16);
    const cpu = checkInt('cpu', options.cpu, 0, 0, this.cpus - 1);
    const op = { name: 'sender-open', dev: device.at, cpu, buffers } as const;
    const at = await this.control(op, 'opening a sender', 'boot with more memory (memoryBytes)');
    const sender = new Sender(this, at as number, op.dev);
    this.senders.add(sender);
    if (device instanceof NetDevice && device.isGoing()) {
      await sender.close();
      throw new Error('the device is being removed; add another one');
    }
    return sender;
  }

  /** Closes every sender by a device. For NetDevice. */
  async closeSenders(dev: number): Promise<void> {
    await Promise.all([...this.senders].filter((s) => s.dev === dev).map((s) => s.close()));
  }

  /** Takes a sender off the list of those that shutdown closes. */
  forgetSender(sender: Sender): void {
    this.senders.delete(sender);
  }

  /** Takes a device off the list of those whose wire shutdown stops. For NetDevice. */
  forgetDevice(device: NetDevice): void {
    this.devices.delete(device);
  }

  /** Opens a UDP socket for one port, or for every port that has none of its own (port 0). */
  async openUdp(options: SocketOptions & { readonly port: number }): Promise<Socket> {
    const port = checkInt('port', options.port, 0, 0, NR_PORTS - 1);
    return this.openSocket(AF_INET, port, null, options, port === 0 ? 'UDP on any port' : `UDP port ${port}`);
  }

  /** Opens a packet socket: it gets every frame of the device that no other socket takes. */
  async openPacket(device: NetDevice, options: SocketOptions = {}): Promise<Socket> {
    if (!device.belongsTo(this))
      throw new OptionError('device', 'one of another machine', 'one of this machine');
    return this.openSocket(AF_PACKET, 0, device, options, `the packet socket of ${device.name}`);
  }

  private async openSocket(
    family: number,
    port: number,
    device: NetDevice | null,
    options: SocketOptions,
    what: string,
  ): Promise<Socket> {
    this.throwIfEnding();
    const params = socketParams(options);
    const dev = device?.at ?? 0;
    const op: ControlOp = { name: 'sock-open', family, port, dev, ...params };
    const at = await this.control(
      op,
      `opening ${what}`,
      'close the socket that has it, take another port, or boot with more memory',
    );
    const socket = new Socket(this, at as number, dev);
    this.sockets.add(socket);
    return socket;
  }

  /** Opens an AF_XDP socket at a queue of a device: what that receives goes to the application without a copy. */
  async openXsk(device: NetDevice, options: XskOptions = {}): Promise<Xsk> {
    this.throwIfEnding();
    if (!device.belongsTo(this))
      throw new OptionError('device', 'one of another machine', 'one of this machine');
    const queue = checkInt('queue', options.queue, 0, 0, device.maxQueues - 1);
    const op: ControlOp = { name: 'xsk-open', dev: device.at, queue, params: xskParams(options) };
    const at = await this.control(
      op,
      `opening an AF_XDP socket at queue ${queue} of ${device.name}`,
      'close the socket that it has, take a queue that is in use of a device with NAPI, or boot with more memory',
    );
    const xsk = new Xsk(this, at as number);
    this.xsks.add(xsk);
    return xsk;
  }

  /** Takes an AF_XDP socket off the list of those that shutdown closes. */
  forgetXsk(xsk: Xsk): void {
    this.xsks.delete(xsk);
  }

  /** Takes a socket off the list of those that shutdown closes. */
  forgetSocket(socket: Socket): void {
    this.sockets.delete(socket);
  }

  /**
   * Runs a function of a module as an application thread. It is called with an AppContext (see softnet/app).
   * Resolves when the thread has taken its sockets over and is about to call the function.
   * @param module URL of the module, absolute
   */
  async runApp<T = unknown>(module: string | URL, options: AppOptions): Promise<App<T>> {
    this.throwIfEnding();
    return this.applications.run<T>(module, options);
  }

  /** Runs a NIC's hardware thread. For NetDevice. */
  async runNic(record: ThreadRecord, task: Parameters<Kthreadd['run']>[0]): Promise<unknown> {
    const exit = await this.orDied(this.lossIsFatal(record, this.kthreadd.run(task, record)));
    putTaskStruct(this.arena.m, task.taskAt);
    return exit.value;
  }

  /** @returns true if a thread beside the kernel's can be had */
  hasRoom(): boolean {
    return this.kthreadd.hasRoom();
  }

  /** Fault injection: the `n`th request for a kernel thread from now on is refused; 0: none. */
  failKthread(n: number): void {
    this.kthreadd.failNth(checkInt('n', n, 0, 0, 1 << 30));
  }

  /**
   * Fault injection: ends a thread in the middle of whatever it does. The machine does not survive that: `panic` says so.
   * @param serial ThreadStats.serial
   * @returns false if no such thread runs
   */
  endThread(serial: number): boolean {
    return this.kthreadd.endWorker(serial);
  }

  /**
   * Fault injection: clocks jump forwards by `ns`, as after a suspend; the machine was booted with `clockFaults`.
   * @param serial ThreadStats.serial of the thread whose clock jumps; without it all clocks do, and those that were behind
   *   are where the foremost one is
   * @returns false if no such thread runs
   */
  jumpClocks(ns: number, serial?: number): boolean {
    const table = this.arena.m[KERNEL_AT + KERNEL.clockJumps];
    if (table === 0) throw new OptionError('clockFaults', false, 'true, at boot, for clocks that jump');
    checkGivenInt('ns', ns, 0, 60e9);
    const worker = serial === undefined ? null : this.kthreadd.workerOf(serial);
    if (serial !== undefined && worker === null) return false;
    jumpClocks(this.arena.f, table, ns, worker);
    return true;
  }

  /** Workers of its pool; 0 once it has ended. */
  get workers(): number {
    return this.kthreadd.workers;
  }

  /** Takes a simulated CPU offline or brings it back. Rejects with EBUSY for the last one online. */
  async setCpuOnline(cpu: number, online: boolean): Promise<void> {
    await this.change(
      { name: 'cpu-online', cpu: checkGivenInt('cpu', cpu, 0, this.cpus - 1), online },
      `taking CPU ${cpu} ${online ? 'online' : 'offline'}`,
      'leave one CPU online',
    );
  }

  /** Has backlogs run by threads from now on, or by interrupts (sysctl net.core.backlog_threaded). */
  async setBacklogThreaded(threaded: boolean): Promise<void> {
    await this.change(
      { name: 'backlog-threaded', threaded },
      'setting net.core.backlog_threaded',
      'boot without thread_backlog_napi, or allow more threads (maxThreads)',
    );
  }

  /** Entries of the table of flows that sockets read (sysctl net.core.rps_sock_flow_entries); 0: no RFS. */
  async setRpsSockFlowEntries(entries: number): Promise<void> {
    await this.change(
      { name: 'rps-sock-flow-entries', entries: checkGivenInt('entries', entries, 0, 1 << 24) },
      'setting net.core.rps_sock_flow_entries',
      'boot with more memory (memoryBytes)',
    );
  }

  /** Sets a sysctl by its dotted name. Rejects with EINVAL for a value it does not take, ENOENT for one there is not. */
  async setSysctl(name: string, value: string | number): Promise<void> {
    const path = `/proc/sys/${name.replaceAll('.', '/')}`;
    const { err } = await this.uapi({ kind: 'write', path, text: `${value}\n` });
    if (err !== 0) throw new SoftnetError(`setting ${name} to ${value}`, err, 'see docs/control.md');
  }

  /**
   * Where these CPUs queue for a backlog that is half full, frames of a flow that makes up most of the latest are dropped
   * first (sysctl net.core.flow_limit_cpu_bitmap); none: nowhere.
   */
  async setFlowLimit(cpus: readonly number[]): Promise<void> {
    const checked = cpus.map((cpu) => checkGivenInt('cpus', cpu, 0, this.cpus - 1));
    await this.setSysctl('net.core.flow_limit_cpu_bitmap', cpumaskText(checked, this.cpus));
  }

  /** @returns true if no CPU has frames in its backlog */
  backlogsIdle(): boolean {
    return this.statistics.backlogsIdle();
  }

  /** What the reassembly of fragments counts and holds; null without `ipDefrag`. */
  reassembly(): ReassemblyStats | null {
    return this.statistics.reassembly();
  }

  /** Gives up every datagram that waits for fragments, as if their time were over (frag_reasm_timeout). */
  async flushFragments(): Promise<void> {
    await this.change({ name: 'frag-flush' }, 'giving up the fragments that wait');
  }

  /** Frames dropped so far, by reason; reasons without any are left out. */
  drops(): { [reason: string]: number } {
    return this.statistics.drops();
  }

  /** Carries a request of user space out (src/uapi). @returns the reply: an error is in it */
  async uapi(request: UapiRequest): Promise<UapiReply> {
    this.throwIfEnding();
    return (await this.control({ name: 'uapi', request }, request.kind)) as UapiReply;
  }

  /** Times of every thread the machine has or had, of those that ended the latest thousand (control threads excepted). */
  threads(): ThreadStats[] {
    return this.statistics.threads();
  }

  /** The threads of one kind that have not returned, and how many of them there ever were. */
  threadsOfKind(kind: number): { readonly made: number; readonly alive: number } {
    return this.statistics.threadsOfKind(kind);
  }

  /** @returns the number (ThreadStats.serial) of the thread that runs with this task_struct, or 0 */
  serialOf(taskAt: number): number {
    return this.statistics.serialOf(taskAt);
  }

  /** What softnet_data counts for each CPU, those offline too, and how often its softirqs were left to ksoftirqd. */
  softnetStat(): CpuStat[] {
    return this.statistics.softnetStat();
  }

  /** Rejects, once a thread has died, with an error that names it and the cause; never resolves. */
  get panic(): Promise<never> {
    return this.failure.died;
  }

  /**
   * Carries out a control operation, in turn. What makes or frees devices and CPUs runs alone: nobody holds a device
   * then that may go.
   * @param what for the error message: what was being done
   * @param remedy for the error message: what to do
   */
  async control(op: ControlOp, what: string, remedy = ''): Promise<unknown> {
    if (this.dismantled) throw this.failure.error ?? new Error(SHUT_DOWN);
    const turn = this.controlQueue.run(EXCLUSIVE.has(op.name), (slot) => this.controlNow(op, slot));
    const { err, value } = await this.orDied(turn);
    if (err < 0) throw new SoftnetError(what, err, remedy);
    return value;
  }

  /** The same for what users ask for: refused once the machine is being shut down. */
  async change(op: ControlOp, what: string, remedy = ''): Promise<unknown> {
    this.throwIfEnding();
    return this.control(op, what, remedy);
  }

  private async controlNow(op: ControlOp, slot: number): Promise<ControlResult> {
    this.throwIfDown();
    const name = `control/${slot}`;
    const taskAt = this.newTask(TASK_KIND_CONTROL, name, 0);
    const record = newRecord(name, TASK_KIND_CONTROL, taskAt);
    const exit = await this.lossIsFatal(
      record,
      this.kthreadd.run({ kind: 'control', sab: this.arena.sab, taskAt, op }, record),
    );
    putTaskStruct(this.arena.m, taskAt);
    return exit.value as ControlResult;
  }

  /** Makes the task_struct of a thread that is no kernel thread. */
  newTask(kind: number, name: string, cpu: number): number {
    const taskAt = allocTask(this.arena.m, 0, 0, cpu, kind, name);
    if (taskAt === 0)
      throw new SoftnetError(`starting ${name}`, ENOMEM, 'boot with more memory (memoryBytes)');
    return taskAt;
  }

  /** Settles as `run` does; the machine does not survive it if that rejects. For Applications. */
  async lossIsFatal<T>(record: ThreadRecord, run: Promise<T>): Promise<T> {
    try {
      return await run;
    } catch (error) {
      this.kthreadd.panic(threadDied(record.name, error));
      throw this.failure.error ?? error;
    }
  }

  /** Settles as `p` does, or rejects as soon as a thread has died. */
  orDied<T>(p: Promise<T>): Promise<T> {
    return this.failure.or(p);
  }

  /**
   * Gives the machine up, whatever state it is in: all that is under way rejects with `why`, every thread is ended.
   * Resolves when none is left.
   */
  async abandon(why: Error): Promise<void> {
    this.kthreadd.panic(why);
    await this.kthreadd.stop();
    this.endBootTrace();
  }

  /** Threads made so far, those of control operations excepted. */
  get threadsMade(): number {
    return this.kthreadd.madeByKind.reduce((sum, n) => sum + (n ?? 0), 0);
  }

  /** Throws why nothing new can be begun. */
  throwIfEnding(): void {
    this.throwIfDown();
    if (this.closing !== null) throw new Error(SHUT_DOWN);
  }

  /** Throws why nothing can be done any more. */
  throwIfDown(): void {
    this.failure.throwIfAny();
    if (this.closed) throw new Error(SHUT_DOWN);
  }

  /** The devices there are, but for loopbacks. */
  netDevices(): NetDevice[] {
    return [...this.devices];
  }

  /** true while `trace` runs, or all of it is traced. */
  get traced(): boolean {
    return this.tracing.on;
  }

  /** Has all threads record their tracepoints (docs/tracing.md) until `traceStop`. @throws Error if they do */
  traceStart(): void {
    this.tracing.start();
  }

  /** @returns what was recorded since `traceStart`, put in order while the main thread does other things, too */
  async traceStop(): Promise<Trace> {
    return this.tracing.stopInSlices();
  }

  /**
   * Has all threads record their tracepoints from now on, of which only the latest are kept (`latestEvents`): for who may
   * want to know what came before something went wrong.
   */
  recordLatest(): void {
    this.tracing.recordLatest();
  }

  /** @returns the latest `count` events of all threads since `recordLatest`; threads record on */
  latestEvents(count: number): Trace {
    return this.tracing.latest(count);
  }

  /**
   * Both, with so many seconds in between, or less: until there is no more room, or `signal` is aborted. The main thread does
   * other things in between. @throws Error if the machine is being traced
   */
  async trace(seconds: number, signal?: AbortSignal): Promise<Trace> {
    this.tracing.start();
    let over: () => void = () => {};
    const enough = new Promise<void>((resolve) => {
      over = resolve;
    });
    const timer = setTimeout(over, seconds * 1e3);
    this.tracing.onFull = over;
    signal?.addEventListener('abort', over);
    if (signal?.aborted) over();
    try {
      await this.orDied(enough);
    } catch (error) {
      this.tracing.end();
      throw error;
    } finally {
      clearTimeout(timer);
      this.tracing.onFull = () => {};
      signal?.removeEventListener('abort', over);
    }
    return this.tracing.stopInSlices();
  }

  /**
   * Shuts the machine down: ends the NICs, closes sockets, waits for applications to return, stops every thread.
   * Rejects if a thread had died.
   */
  shutdown(): Promise<void> {
    this.closing ??= this.doShutdown();
    return this.closing;
  }

  private async doShutdown(): Promise<void> {
    try {
      if (this.failure.error === null) {
        await Promise.all([...this.devices].map((d) => d.stopWire()));
        for (const s of [...this.senders]) await s.close();
        for (const s of [...this.sockets]) await s.close();
        for (const x of [...this.xsks]) await x.close();
        await this.applications.ended();
        for (const lo of this.loopbacks) lo.keepCounters();
        const stopped = this.control({ name: 'shutdown' }, 'stopping the CPUs');
        // Whatever is asked for from here on would find nothing to work on.
        this.dismantled = true;
        await stopped;
      }
    } finally {
      this.closed = true;
      await this.kthreadd.stop();
      this.endBootTrace();
    }
    this.failure.throwIfAny();
  }

  private endBootTrace(): void {
    const take = this.bootTrace;
    this.bootTrace = null;
    if (take !== null) take(this.tracing.stop());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }
}

/** Whoever wants the traces of machines that are booted from here on. */
let bootTraces: ((trace: Trace) => void) | null = null;

/** Traces every machine booted from here on, from its boot to its end. @param take gets what was recorded; null: no more */
export function traceBoots(take: ((trace: Trace) => void) | null): void {
  bootTraces = take;
}
