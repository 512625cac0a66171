// SPDX-License-Identifier: GPL-2.0-only
/** One device of a trial with all that belongs to it: the AF_XDP socket, the client, who polls for it, the timed wire. */
import type { App, Machine } from '../../machine.js';
import type { NetDevice } from '../../net_device.js';
import type { ClientArgs, ClientResult, RrWait } from '../../threads/rr_client.js';
import type { ClosedClientArgs, ClosedClientResult } from '../../threads/rr_closed_client.js';
import type { PollerArgs, PollerResult } from '../../threads/rr_poller.js';
import { RR, type RrSchedule, type RrShared, rrGo, rrShared } from '../../threads/rr_shared.js';
import type { TimedWire } from '../../timed_wire.js';
import type { Xsk } from '../../xsk.js';
import type { Mode } from './plan.js';
import type { TrialOptions } from './schedule.js';

/** What came of a lane. */
export interface Ended {
  readonly client: ClientResult;
  /** Packets that came over the wire, or were to come and were missed. */
  readonly sent: number;
  /** Slots of what was measured in which nothing came, or nothing was sent. */
  readonly missed: number;
  readonly calls: number;
  readonly emptyPolls: number;
  readonly log2: Int32Array | null;
  readonly failures: readonly string[];
}

const CLIENT = new URL('../../threads/rr_client.js', import.meta.url);
const CLOSED_CLIENT = new URL('../../threads/rr_closed_client.js', import.meta.url);
const POLLER = new URL('../../threads/rr_poller.js', import.meta.url);

/** What the experiment's script sets: interrupts deferred for the modes that poll, not for the one that does not. */
const DEFER_HARD_IRQS = 100;
/** Of the mode that waits for interrupts: it bounds what GRO holds, and defers nothing. */
const INTERRUPTS_FLUSH_TIMEOUT_NS = 15_000;
/** SO_BUSY_POLL (xsk_rr -B 400). */
const BUSY_POLL_USECS = 400;
const RING = 1024;
const FRAMES = 4096;
/**
 * Before what is measured packets come so much slower: what piled up while the code was not yet compiled is worked off, which
 * at a load of 97 % would take longer than the trial.
 */
const WARMUP_SLOWER = 1.5;
/** The schedule begins so long after it was set up: whoever did so sleeps again. */
const START_IN_NS = 5e6;
/** And the part that is measured so long after it was: the client has noted how things stand, and waits. */
const PAUSE_NS = 30e6;

export class Lane {
  readonly shared: RrShared;
  private readonly o: TrialOptions;
  private readonly device: NetDevice;
  private readonly client: App<ClientResult | ClosedClientResult>;
  private readonly poller: App<PollerResult> | null;
  private readonly periodNs: number;
  private readonly schedule: RrSchedule;

  private constructor(
    o: TrialOptions,
    device: NetDevice,
    shared: RrShared,
    apps: { client: App<ClientResult>; poller: App<PollerResult> | null },
    periodNs: number,
    schedule: RrSchedule,
  ) {
    this.o = o;
    this.device = device;
    this.shared = shared;
    this.client = apps.client;
    this.poller = apps.poller;
    this.periodNs = periodNs;
    this.schedule = schedule;
  }

  /** Sets everything up but the wire. */
  static async open(
    machine: Machine,
    o: TrialOptions,
    index: number,
    periodNs: number,
    schedule: RrSchedule,
  ): Promise<Lane> {
    const mode = o.cell.mode as Mode;
    const polls = mode === 'busypoll' || mode === 'busypoll-separate';
    if (index === 0 && polls) await machine.setSysctl('net.core.busy_read', BUSY_POLL_USECS);
    const device = await machine.addDevice({
      name: `eth${index}`,
      ringSize: RING,
      deferHardIrqs: mode === 'interrupts' ? 0 : DEFER_HARD_IRQS,
      groFlushTimeoutNs: mode === 'interrupts' ? INTERRUPTS_FLUSH_TIMEOUT_NS : o.groFlushTimeoutUs * 1e3,
    });
    const xsk = await machine.openXsk(device, {
      frames: FRAMES,
      ...(polls ? { busyPollUs: BUSY_POLL_USECS, preferBusyPoll: true } : {}),
    });
    if (mode === 'threaded') await device.setNapi(0, { threaded: 'busy-poll' });
    const shared = rrShared(schedule.last - schedule.first + 1);
    const client = await runClient(machine, o, xsk, index, { shared, schedule, periodNs });
    const poller = mode === 'busypoll-separate' ? await runPoller(machine, xsk, shared) : null;
    return new Lane(o, device, shared, { client, poller }, periodNs, schedule);
  }

  /** Lets packets come, until the client has had the last one. `tids`: the threads whose times are noted. */
  async run(tids: readonly number[], signal: AbortSignal): Promise<Ended> {
    const { o, device, shared, schedule } = this;
    const control = new Int32Array(shared.control);
    const polled = await this.polls();
    let wire = await device.startTimed(
      o.openLoop
        ? { periodNs: this.periodNs * WARMUP_SLOWER, count: schedule.moment + 1, startInNs: START_IN_NS }
        : { echo: { turnaroundNs: o.turnaroundUs * 1e3 } },
    );
    rrGo(shared, tids);
    const stop = (): void => {
      if (o.openLoop) void wire.stop();
      else Atomics.store(control, RR.stop, 1);
    };
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    try {
      let warm: TimedResult | null = null;
      if (o.openLoop) {
        warm = await wire.done;
        if (!warm.stopped) {
          wire = await device.startTimed({
            periodNs: this.periodNs,
            count: schedule.last - schedule.moment,
            startInNs: PAUSE_NS,
          });
          if (signal.aborted) stop();
        }
        this.stopBehind(wire, control);
      }
      const client = await this.client.result;
      const result = added(warm, o.openLoop ? await wire.done : await wire.stop());
      const poller = this.poller === null ? null : await this.poller.result;
      return await this.ended(client, poller, result, polled, signal);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** Takes the device away, and with it what it had. */
  async close(): Promise<void> {
    await this.device.remove();
  }

  /** Once the schedule has ended and everything was polled, the client waits for nothing more. */
  private stopBehind(wire: TimedWire, control: Int32Array): void {
    wire.done
      .then(() => this.device.drained())
      // Whatever goes wrong is told by whoever waits for the wire.
      .catch(() => {})
      .finally(() => Atomics.store(control, RR.stop, 1));
  }

  private async ended(
    client: ClientResult | ClosedClientResult,
    poller: PollerResult | null,
    wire: TimedResult,
    polled: Polls,
    signal: AbortSignal,
  ): Promise<Ended> {
    const { schedule, o } = this;
    const now = await this.polls();
    const closed = 'sent' in client ? client : null;
    const sent = wire.arrived + wire.missed + wire.dropped;
    const last = signal.aborted ? client.lastSeq : schedule.last;
    const missed = closed?.missed ?? Math.max(0, last - schedule.first + 1 - client.measured);
    const spanNs = (client.measured + missed) * this.periodNs;
    const failures: string[] = [];
    if (o.openLoop && !wire.stopped && sent !== schedule.last + 1) {
      failures.push(`${schedule.last + 1} packets were to come, ${sent} came or were missed`);
    }
    if (closed !== null && !signal.aborted && closed.sent !== sent) {
      failures.push(`${closed.sent} packets were sent, ${sent} answers came or were missed`);
    }
    return {
      client,
      sent,
      missed,
      calls: client.calls + (poller?.calls ?? 0),
      emptyPolls: Math.round(
        ((now.empty - polled.empty + 2 ** 32) % 2 ** 32) * (spanNs / (now.atNs - polled.atNs)),
      ),
      log2: poller?.log2 ?? client.log2,
      failures,
    };
  }

  /** Polls of the queue's instance that found nothing, so far. The measured part of them is taken by time. */
  private async polls(): Promise<Polls> {
    const [napi] = await this.device.napis();
    return { empty: napi.emptyPolls, atNs: performance.now() * 1e6 };
  }
}

type TimedResult = Pick<Awaited<TimedWire['done']>, 'arrived' | 'missed' | 'dropped' | 'stopped'>;

/** Both parts of a schedule. */
function added(a: TimedResult | null, b: TimedResult): TimedResult {
  if (a === null || a === b) return b;
  return {
    arrived: a.arrived + b.arrived,
    missed: a.missed + b.missed,
    dropped: a.dropped + b.dropped,
    stopped: a.stopped || b.stopped,
  };
}

interface Polls {
  readonly empty: number;
  readonly atNs: number;
}

async function runClient(
  machine: Machine,
  o: TrialOptions,
  xsk: Xsk,
  index: number,
  given: { shared: RrShared; schedule: RrSchedule; periodNs: number },
): Promise<App<ClientResult>> {
  const mode = o.cell.mode as Mode;
  let wait: RrWait = o.wait;
  if (mode === 'busypoll') wait = 'recvfrom';
  const args: ClientArgs = {
    shared: given.shared,
    schedule: given.schedule,
    wait,
    delayNs: o.row.delayUs * 1e3,
  };
  const closed: ClosedClientArgs = { ...args, periodNs: given.periodNs, noKick: mode === 'threaded' };
  // The interrupt is CPU 0's; the second of two clients polls there.
  const cpu = 1 - index;
  return machine.runApp<ClientResult>(o.openLoop ? CLIENT : CLOSED_CLIENT, {
    name: `rr${index}`,
    xsks: [xsk],
    cpu,
    args: o.openLoop ? args : closed,
  });
}

function runPoller(machine: Machine, xsk: Xsk, shared: RrShared): Promise<App<PollerResult>> {
  const args: PollerArgs = { shared };
  return machine.runApp<PollerResult>(POLLER, { name: 'poll', xskPollers: [xsk], cpu: 0, args });
}
