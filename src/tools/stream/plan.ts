// SPDX-License-Identifier: GPL-2.0-only
/** What `softnet stream` runs: rows of datagram sizes and flows, and the settings that are compared. */
import { datagramFrames } from '../../index.js';

/** In the order of the columns. */
export const SETTINGS = ['vanilla', 'guest_threaded', 'both_threaded'] as const;
export type Setting = (typeof SETTINGS)[number];

/** One row of the table. */
export interface Row {
  /** Payload of a datagram, bytes. */
  readonly size: number;
  readonly flows: number;
}

export const SIZES: readonly number[] = [1, 64, 256, 1438, 4096, 64000];
export const FLOWS: readonly number[] = [1, 25, 50, 100, 200];
/** The rows of the experiment, in its order. */
export const SEED_ROWS: readonly Row[] = SIZES.flatMap((size) => FLOWS.map((flows) => ({ size, flows })));

/** Which machines have a thread for each NAPI instance, and where a hypervisor stands in front. */
export interface Topology {
  readonly guestThreaded: boolean;
  /** null: the wire ends in the guest. */
  readonly hypervisor: { readonly threaded: boolean } | null;
}

/** Where the second machine stands: in front in the last setting only, or in all of them. */
export type Front = 'last' | 'all';

/** @returns the machines of a setting */
export function topologyOf(setting: Setting, front: Front): Topology {
  const last = setting === 'both_threaded';
  return {
    guestThreaded: setting !== 'vanilla',
    hypervisor: last || front === 'all' ? { threaded: last } : null,
  };
}

/** The size of a buffer as a socket's limit counts it: the frame's bytes and what describes it. */
const TRUESIZE = 2304;
/** net.core.rmem_default, bytes. */
const RMEM_DEFAULT = 212_992;

/** @returns the datagrams that a socket's queue holds: as many as its usual limit of bytes has room for */
export function rcvbufOf(size: number): number {
  return Math.max(1, Math.floor(RMEM_DEFAULT / (datagramFrames(size) * TRUESIZE)));
}

export function rowName(row: Row): string {
  return `${row.size}/${row.flows}`;
}
