// SPDX-License-Identifier: GPL-2.0-only
/** The options of `softnet rr`: what they come to together. */
import { OptionError } from '../../errors.js';
import { MODES, type Mode, type Row, SEED_ROWS } from './plan.js';

/** As the command line gives them. */
export interface RrArguments {
  readonly period?: number;
  readonly delay?: number;
  readonly openLoop?: boolean;
  readonly separateThread?: boolean;
  readonly noKick?: boolean;
  readonly report?: number;
  readonly modes?: readonly Mode[];
  readonly rows?: readonly Row[];
  readonly trials: number;
  readonly retries: number;
  readonly duration: number;
  readonly wait: 'spin' | 'sleep';
  readonly pin?: true | readonly number[];
  readonly syscallNs?: number;
  readonly turnaround: number;
  readonly groFlushTimeout: number;
  readonly equalCores: boolean;
  readonly hist: boolean;
  readonly json: boolean;
  readonly hgrm?: string;
}

/** What is to be run. */
export interface RrOptions {
  readonly rows: readonly Row[];
  readonly modes: readonly Mode[];
  /** Packets come by the clock, whatever the client does; otherwise each is the answer to one that it sent. */
  readonly openLoop: boolean;
  /** From a packet's leaving to its answer's arrival, closed loop. */
  readonly turnaroundUs: number;
  /** The watchdog's time-out of the modes that busy poll. */
  readonly groFlushTimeoutUs: number;
  readonly seconds: number;
  readonly trials: number;
  readonly retries: number;
  readonly wait: 'spin' | 'sleep';
  /** Host cores for who polls and for the application; null: wherever the host puts them. */
  readonly pin: 'auto' | readonly number[] | null;
  /** What is charged for a socket call; null: what one costs on this host. */
  readonly syscallNs: number | null;
  readonly equalCores: boolean;
  readonly reportS: number | null;
  readonly hist: boolean;
  readonly json: boolean;
  readonly hgrm: string | null;
}

/** Samples of one trial are kept until the end: 16 bytes each. */
const MOST_PACKETS = 20_000_000;

/** @throws OptionError for options that do not go together */
export function rrOptions(a: RrArguments): RrOptions {
  const given = a.period !== undefined;
  if (!given && a.delay !== undefined) {
    throw new OptionError('delay', a.delay, 'given together with a period: -P 83 -d 78');
  }
  const rows = given ? [{ periodUs: a.period, delayUs: a.delay ?? 0 }] : (a.rows ?? SEED_ROWS);
  for (const row of rows) {
    if ((a.duration * 1e6) / row.periodUs > MOST_PACKETS) {
      throw new OptionError(
        'duration',
        a.duration,
        `short enough for ${MOST_PACKETS.toLocaleString('en')} packets, or a longer period`,
      );
    }
  }
  const asked: Mode[] = [];
  if (a.separateThread === true) asked.push('busypoll-separate');
  if (a.noKick === true) asked.push('threaded');
  return {
    rows,
    modes: a.modes ?? (asked.length > 0 ? asked : MODES),
    openLoop: a.openLoop === true || !given,
    turnaroundUs: a.turnaround,
    groFlushTimeoutUs: a.groFlushTimeout,
    seconds: a.duration,
    trials: a.trials,
    retries: a.retries,
    wait: a.wait,
    pin: a.pin === undefined ? null : a.pin === true ? 'auto' : a.pin,
    syscallNs: a.syscallNs ?? null,
    equalCores: a.equalCores,
    reportS: a.report ?? null,
    hist: a.hist,
    json: a.json,
    hgrm: a.hgrm ?? null,
  };
}
