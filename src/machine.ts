// SPDX-License-Identifier: GPL-2.0-only
/**
 * A machine: one arena, one pool of threads, simulated CPUs, devices, sockets, applications. The main thread's face
 * of it all: every operation is a promise here and blocking code in a control worker.
 */
import { checkChoice, checkInt, checkPowerOfTwo, OptionError, SoftnetError } from './errors.js';
import { CPU } from './kernel/cpu.js';
import { KERNEL, KERNEL_AT } from './kernel/current.js';
import { ENOMEM } from './kernel/errno.js';
import { allocTask, putTaskStruct } from './kernel/kthread.js';
import { TASK, TASK_DEAD, taskComm } from './kernel/task.js';
import { layOut } from './lay_out.js';
import { Loopback } from './loopback.js';
import { Arena } from './mm/arena.js';
import { perCpuPtr } from './mm/percpu.js';
import { TASK_KIND_APP, TASK_KIND_CONTROL, TASK_KIND_NAPI } from './net/core/ids.js';
import { NAPI, NAPIF_STATE_SCHED } from './net/core/napi.js';
import { AF_INET, AF_PACKET } from './net/core/sock_queue.js';
import {
  DROP_REASON_NAMES,
  NAPI_KTHREAD_PERSIST_FIXED,
  NAPI_KTHREAD_PERSIST_OFF,
  NAPI_KTHREAD_PERSIST_V1,
  NET,
  NETDEV_BUDGET,
  NETDEV_BUDGET_USECS,
  NR_PORTS,
  SOFTNET_DATA,
  THREAD_BACKLOG_NAPI_NO_BYPASS,
  THREAD_BACKLOG_NAPI_OFF,
  THREAD_BACKLOG_NAPI_ON,
} from './net/core/softnet_data.js';
import { checkDeviceName, NetDevice, type NetDeviceOptions, netdevParams } from './net_device.js';
import { Sender } from './sender.js';
import { Socket, type SocketOptions, socketParams } from './socket.js';
import type { ControlOp, ControlResult } from './threads/control_ops.js';
import { ControlQueue } from './threads/control_queue.js';
import {
  DEFAULT_MAX_THREADS,
  Kthreadd,
  newRecord,
  type ThreadRecord,
  threadDied,
} from './threads/kthreadd.js';
import { readSchedStat } from './threads/os_thread.js';
import type { UapiReply, UapiRequest } from './uapi/request.js';

/** How a machine is booted. */
export interface BootOptions {
  /** Simulated CPUs; 2. */
  readonly cpus?: number;
  /** Bytes of shared memory; 256 MiB. It is taken from the system only as far as it is used. */
  readonly memoryBytes?: number;
  /** Most threads the machine may have at once; 64, or four a core. */
  readonly maxThreads?: number;
  /** Control operations carried out at a time, each by a thread; 1. */
  readonly controlWorkers?: number;
  /** Threads kept warm beside those that the CPUs take; 4. */
  readonly warmThreads?: number;
  /** Packets of one softirq round; 300 (sysctl net.core.netdev_budget). */
  readonly netdevBudget?: number;
  /** Microseconds of one softirq round; 2000 (sysctl net.core.netdev_budget_usecs). */
  readonly netdevBudgetUsecs?: number;
  /** What becomes of a NAPI thread when its instance is deleted (boot parameter napi_kthread_persist); 'fixed'. */
  readonly napiKthreadPersist?: keyof typeof PERSIST;
  /** Threads for backlogs from boot on (boot parameter thread_backlog_napi); 'off'. 'no-bypass': also for the own CPU. */
  readonly threadBacklogNapi?: keyof typeof THREAD_BACKLOG;
  /** Fault injection: this request for a kernel thread is refused, counted from 1. */
  readonly failKthread?: number;
}

/** An application to run in a thread of its own. */
export interface AppOptions {
  /** Its name, shown as `app/NAME`. */
  readonly name: string;
  /** Which export of the module to call; `default`. */
  readonly exportName?: string;
  /** Anything that can be cloned; `app.args` in the function. */
  readonly args?: unknown;
  /** What it receives from. */
  readonly sockets?: readonly Socket[];
  /** What it sends by. */
  readonly senders?: readonly Sender[];
  /** The simulated CPU it counts as running on; the applications in turn. */
  readonly cpu?: number;
}

/** A running application. */
export interface App<T = unknown> {
  readonly name: string;
  /** What its function returned. Rejects when it throws or dies. */
  readonly result: Promise<T>;
}

/** Times of one thread, as the operating system counts them. */
export interface ThreadStats {
  readonly name: string;
  /** Kernel thread id, 0 where /proc is not available. */
  readonly tid: number;
  /** CPU time in nanoseconds; null where it is not available. */
  readonly cpuNs: number | null;
  /** Time spent runnable but waiting for a CPU, ns; null where it is not available. */
  readonly runDelayNs: number | null;
  /** Times it went to sleep and was woken. */
  readonly wakeups: number;
  readonly kind: number;
  /** false once it has ended. */
  readonly running: boolean;
  /** Its number among all the machine ever had, from 1: a thread id is used again when its worker is. */
  readonly serial: number;
}

const PERSIST = Object.freeze({
  off: NAPI_KTHREAD_PERSIST_OFF,
  v1: NAPI_KTHREAD_PERSIST_V1,
  fixed: NAPI_KTHREAD_PERSIST_FIXED,
});
const THREAD_BACKLOG = Object.freeze({
  off: THREAD_BACKLOG_NAPI_OFF,
  on: THREAD_BACKLOG_NAPI_ON,
  'no-bypass': THREAD_BACKLOG_NAPI_NO_BYPASS,
});
const THREAD_BACKLOG_NAMES = Object.keys(THREAD_BACKLOG) as (keyof typeof THREAD_BACKLOG)[];
const PERSIST_NAMES = Object.keys(PERSIST) as (keyof typeof PERSIST)[];
/** Control operations that run alone. */
const EXCLUSIVE: ReadonlySet<string> = new Set([
  'boot',
  'shutdown',
  'netdev-add',
  'netdev-del',
  'loopback-add',
  'sender-free',
]);

const MIB = 1 << 20;
const SHUT_DOWN = 'the machine is shut down; boot another one';
/** How long applications get to return after their sockets were closed. */
const APP_GRACE_MS = 5000;

export class Machine {
  readonly arena: Arena;
  readonly cpus: number;
  private readonly kthreadd: Kthreadd;
  private readonly net: number;
  private readonly sockets = new Set<Socket>();
  private readonly senders = new Set<Sender>();
  private readonly devices = new Set<NetDevice>();
  private readonly apps = new Set<Promise<unknown>>();
  /** Never resolves; rejects when a thread died. */
  private readonly died: Promise<never>;
  private failure: Error | null = null;
  /** Whoever waits for something that a dead thread will not do. */
  private readonly waiting = new Set<(error: Error) => void>();
  private readonly controlQueue: ControlQueue;
  private closing: Promise<void> | null = null;

  private constructor(options: BootOptions) {
    this.cpus = checkInt('cpus', options.cpus, 2, 1, 64);
    const memoryBytes = checkInt('memoryBytes', options.memoryBytes, 256 * MIB, 4 * MIB, 1024 * MIB);
    const maxThreads = checkInt('maxThreads', options.maxThreads, DEFAULT_MAX_THREADS, 1, 4096);
    const warm = checkInt('warmThreads', options.warmThreads, 4, 0, 4096);
    const controlWorkers = checkInt('controlWorkers', options.controlWorkers, 1, 1, 64);
    this.controlQueue = new ControlQueue(controlWorkers);
    const failKthread = checkInt('failKthread', options.failKthread, 0, 0, 1 << 30);
    this.arena = new Arena(new SharedArrayBuffer(memoryBytes & ~63));
    this.net = layOut(this.arena.m, this.cpus, {
      budget: checkInt('netdevBudget', options.netdevBudget, NETDEV_BUDGET, 1, 1 << 30),
      budgetUsecs: checkInt('netdevBudgetUsecs', options.netdevBudgetUsecs, NETDEV_BUDGET_USECS, 1, 1 << 30),
      napiKthreadPersist:
        PERSIST[checkChoice('napiKthreadPersist', options.napiKthreadPersist, PERSIST_NAMES, 'fixed')],
      threadBacklogNapi:
        THREAD_BACKLOG[
          checkChoice('threadBacklogNapi', options.threadBacklogNapi, THREAD_BACKLOG_NAMES, 'off')
        ],
    });
    let reject: (error: Error) => void = () => {};
    this.died = new Promise<never>((_, r) => {
      reject = r;
    });
    this.died.catch(() => {});
    // A worker each for the CPUs, their ksoftirqd and backlog threads, and the control threads.
    const perCpu = (options.threadBacklogNapi ?? 'off') === 'off' ? 2 : 3;
    this.kthreadd = new Kthreadd(
      this.arena.sab,
      perCpu * this.cpus + controlWorkers + warm,
      maxThreads,
      controlWorkers,
      failKthread,
      (error) => {
        if (this.failure !== null) return;
        this.failure = error;
        reject(error);
        for (const tell of this.waiting) tell(error);
        void this.kthreadd.stop();
      },
    );
    this.kthreadd.serve();
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
    return new Loopback(this, at as number);
  }

  /** Opens a sender of UDP datagrams by the loopback device. */
  async openSender(device: Loopback, options: { buffers?: number; cpu?: number } = {}): Promise<Sender> {
    this.throwIfEnding();
    const buffers = checkPowerOfTwo('buffers', options.buffers, 1024, 2, 1 << 16);
    const cpu = checkInt('cpu', options.cpu, 0, 0, this.cpus - 1);
    const op: ControlOp = { name: 'sender-open', dev: device.at, cpu, buffers };
    const at = await this.control(op, 'opening a sender', 'boot with more memory (memoryBytes)');
    const sender = new Sender(this, at as number);
    this.senders.add(sender);
    return sender;
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
    if (!this.kthreadd.hasRoom()) {
      throw new SoftnetError(`running app/${options.name}`, ENOMEM, 'allow more threads (maxThreads)');
    }
    const sockets = options.sockets ?? [];
    sockets.forEach((s, i) => {
      s.checkFreeFor(this, sockets.indexOf(s) !== i);
    });
    try {
      structuredClone(options.args);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new OptionError('args', typeof options.args, `data that can be cloned (${why})`);
    }
    const senders = options.senders ?? [];
    for (const s of senders) s.checkFreeFor(this);
    const name = `app/${options.name}`;
    const cpu = checkInt('cpu', options.cpu, this.apps.size % this.cpus, 0, this.cpus - 1);
    const taskAt = this.newTask(TASK_KIND_APP, name, cpu);
    for (const s of senders) s.take();
    const record = newRecord(name, TASK_KIND_APP, taskAt);
    for (const s of sockets) s.addReader();
    const exit = this.kthreadd.run(
      {
        kind: 'app',
        sab: this.arena.sab,
        taskAt,
        module: module instanceof URL ? module.href : module,
        exportName: options.exportName ?? 'default',
        args: options.args,
        sockets: sockets.map((s) => s.at),
        senders: senders.map((s) => s.at),
        name: options.name,
      },
      record,
    );
    const result = this.orDied(this.lossIsFatal(record, exit)).then((e) => e.value as T);
    const ended = result
      .then(() => Promise.all([...sockets.map((s) => s.readerGone()), ...senders.map((s) => s.gone())]))
      // Its sockets are gone, with a grace period: nobody can be about to wake it.
      .then(() => putTaskStruct(this.arena.m, taskAt))
      .catch(() => {})
      .finally(() => this.apps.delete(ended));
    this.apps.add(ended);
    await Promise.race([whenSet(this.arena.m, taskAt + TASK.created), result]);
    return { name: options.name, result };
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

  /** Takes a simulated CPU offline or brings it back. Rejects with EBUSY for the last one online. */
  async setCpuOnline(cpu: number, online: boolean): Promise<void> {
    await this.control(
      { name: 'cpu-online', cpu: checkInt('cpu', cpu, 0, 0, this.cpus - 1), online },
      `taking CPU ${cpu} ${online ? 'online' : 'offline'}`,
      'leave one CPU online',
    );
  }

  /** Has backlogs run by threads from now on, or by interrupts (sysctl net.core.backlog_threaded). */
  async setBacklogThreaded(threaded: boolean): Promise<void> {
    await this.control(
      { name: 'backlog-threaded', threaded },
      'setting net.core.backlog_threaded',
      'boot without thread_backlog_napi, or allow more threads (maxThreads)',
    );
  }

  /** Entries of the table of flows that sockets read (sysctl net.core.rps_sock_flow_entries); 0: no RFS. */
  async setRpsSockFlowEntries(entries: number): Promise<void> {
    await this.control(
      { name: 'rps-sock-flow-entries', entries: checkInt('entries', entries, 0, 0, 1 << 24) },
      'setting net.core.rps_sock_flow_entries',
      'boot with more memory (memoryBytes)',
    );
  }

  /** @returns true if no CPU has frames in its backlog */
  backlogsIdle(): boolean {
    const { m } = this.arena;
    for (let i = 0; i < this.cpus; i++) {
      const sd = perCpuPtr(m[this.net + NET.softnetData], SOFTNET_DATA, i);
      const state = Atomics.load(m, sd + SOFTNET_DATA.backlog + NAPI.state);
      if ((state & NAPIF_STATE_SCHED) !== 0) return false;
    }
    return true;
  }

  /** Frames dropped so far, by reason; reasons without any are left out. */
  drops(): { [reason: string]: number } {
    const out: { [reason: string]: number } = {};
    DROP_REASON_NAMES.forEach((name, i) => {
      const n = Atomics.load(this.arena.m, this.net + NET.drops + i) >>> 0;
      if (n > 0) out[name] = n;
    });
    return out;
  }

  /** Carries a request of user space out (src/uapi). @returns the reply: an error is in it */
  async uapi(request: UapiRequest): Promise<UapiReply> {
    this.throwIfEnding();
    return (await this.control({ name: 'uapi', request }, request.kind)) as UapiReply;
  }

  /** Times of every thread the machine has or had, of those that ended the latest thousand (control threads excepted). */
  threads(): ThreadStats[] {
    const { m, f } = this.arena;
    return this.kthreadd.threads.map((r) => {
      if (r.taskAt === 0) {
        return {
          name: r.name,
          tid: r.tid,
          cpuNs: r.cpuNs,
          runDelayNs: r.runDelayNs,
          wakeups: r.sleeps,
          kind: r.kind,
          running: false,
          serial: r.serial,
        };
      }
      // kthreadd holds a reference while it has the index. What the thread starts from is there once `started` is.
      const tid = Atomics.load(m, r.taskAt + TASK.started) === 0 ? 0 : m[r.taskAt + TASK.tid];
      const now = readSchedStat(tid);
      return {
        // A device that is renamed renames its threads.
        name: r.kind === TASK_KIND_NAPI ? taskComm(m, r.taskAt) : r.name,
        tid,
        cpuNs: now === null ? null : now.cpuNs - f[(r.taskAt + TASK.cpuBaseNs) >> 1],
        runDelayNs: now === null ? null : now.runDelayNs - f[(r.taskAt + TASK.delayBaseNs) >> 1],
        wakeups: m[r.taskAt + TASK.nvcsw],
        kind: r.kind,
        running: true,
        serial: r.serial,
      };
    });
  }

  /**
   * The threads of one kind that have not returned, and how many of them there ever were. Exact as soon as the operation
   * that stops a thread is done, which is before its worker is back in the pool.
   */
  threadsOfKind(kind: number): { readonly made: number; readonly alive: number } {
    const { m } = this.arena;
    const records = this.kthreadd.threads.filter((r) => r.kind === kind);
    const alive = records.filter(
      (r) => r.taskAt !== 0 && Atomics.load(m, r.taskAt + TASK.state) !== TASK_DEAD,
    );
    return { made: this.kthreadd.madeByKind[kind] ?? 0, alive: alive.length };
  }

  /** @returns the number (ThreadStats.serial) of the thread that runs with this task_struct, or 0 */
  serialOf(taskAt: number): number {
    return this.kthreadd.threads.find((r) => r.taskAt === taskAt)?.serial ?? 0;
  }

  /** softnet_data counters of each CPU. */
  softnetStat(): { processed: number; timeSqueeze: number; receivedRps: number; ksoftirqd: number }[] {
    const { m } = this.arena;
    return Array.from({ length: this.cpus }, (_, i) => {
      const sd = perCpuPtr(m[this.net + NET.softnetData], SOFTNET_DATA, i);
      const cpu = perCpuPtr(m[KERNEL_AT + KERNEL.cpus], CPU, i);
      return {
        processed: m[sd + SOFTNET_DATA.processed] >>> 0,
        timeSqueeze: m[sd + SOFTNET_DATA.timeSqueeze] >>> 0,
        receivedRps: m[sd + SOFTNET_DATA.receivedRps] >>> 0,
        ksoftirqd: m[cpu + CPU.softirqHandovers] >>> 0,
      };
    });
  }

  /** Rejects, once a thread has died, with an error that names it and the cause; never resolves. */
  get panic(): Promise<never> {
    return this.died;
  }

  /**
   * Carries out a control operation, in turn. What makes or frees devices and CPUs runs alone: nobody holds a device
   * then that may go.
   * @param what for the error message: what was being done
   * @param remedy for the error message: what to do
   */
  async control(op: ControlOp, what: string, remedy = ''): Promise<unknown> {
    const turn = this.controlQueue.run(EXCLUSIVE.has(op.name), (slot) => this.controlNow(op, slot));
    const { err, value } = await this.orDied(turn);
    if (err < 0) throw new SoftnetError(what, err, remedy);
    return value;
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

  private async lossIsFatal<T>(record: ThreadRecord, run: Promise<T>): Promise<T> {
    try {
      return await run;
    } catch (error) {
      this.kthreadd.panic(threadDied(record.name, error));
      throw this.failure ?? error;
    }
  }

  /**
   * Settles as `p` does, or rejects as soon as a thread has died. Promise.race would leave something behind in `died`
   * each time: a machine lives long.
   */
  private orDied<T>(p: Promise<T>): Promise<T> {
    const raced = new Promise<T>((resolve, reject) => {
      this.waiting.add(reject);
      p.then(resolve, reject).finally(() => this.waiting.delete(reject));
      if (this.failure !== null) reject(this.failure);
    });
    // Whoever does not look at the outcome must not bring the process down: the machine remembers the failure.
    raced.catch(() => {});
    return raced;
  }

  /** Throws why nothing new can be begun. */
  throwIfEnding(): void {
    this.throwIfDown();
    if (this.closing !== null) throw new Error(SHUT_DOWN);
  }

  /** Throws why nothing can be done any more. */
  throwIfDown(): void {
    if (this.failure !== null) throw this.failure;
    if (this.closed) throw new Error(SHUT_DOWN);
  }

  private closed = false;

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
      if (this.failure === null) {
        await Promise.all([...this.devices].map((d) => d.stopWire()));
        for (const s of [...this.senders]) await s.close();
        for (const s of [...this.sockets]) await s.close();
        await this.appsEnded();
        await this.control({ name: 'shutdown' }, 'stopping the CPUs');
      }
    } finally {
      this.closed = true;
      await this.kthreadd.stop();
    }
    if (this.failure !== null) throw this.failure;
  }

  private async appsEnded(): Promise<void> {
    if (this.apps.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve('late'), APP_GRACE_MS);
    });
    const what = await Promise.race([Promise.allSettled([...this.apps]), late]);
    clearTimeout(timer);
    if (what === 'late') {
      this.kthreadd.panic(
        new Error('an application did not return after its sockets were closed; return when recv gives null'),
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }
}

/** Resolves when a word is no longer 0. */
async function whenSet(m: Int32Array, at: number): Promise<void> {
  while (Atomics.load(m, at) === 0) {
    const w = Atomics.waitAsync(m, at, 0);
    if (w.async) await w.value;
  }
}
