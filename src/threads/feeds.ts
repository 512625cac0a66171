// SPDX-License-Identifier: GPL-2.0-only
/** What a NIC's thread can be fed from, and what it reports: plain data. */

/** How fast frames come: as fast as the receiver takes them, as the capture's clock says, or a rate in frames/s. */
export type Pace = 'asap' | 'capture' | number;

/** A capture file, `loops` times over. */
export interface CaptureFeed {
  readonly type: 'capture';
  readonly file: string;
  readonly loops: number;
  readonly pace: Pace;
}

/** UDP over IPv4, made up: `count` frames over `flows` flows in turn. */
export interface GeneratorFeed {
  readonly type: 'generator';
  readonly count: number;
  readonly flows: number;
  /** Length of a frame without its checksum, bytes: 60 and more. */
  readonly frameBytes: number;
  /** Destination port of flow i: `port + i % ports`. */
  readonly port: number;
  readonly ports: number;
  /** Source port of each flow; without it, ports of the generator's own choice (generator_flow.ts). */
  readonly srcPorts?: readonly number[];
  /** It ends after so long, ns, and loses nothing by that; without it, when all are sent. */
  readonly forNs?: number;
  readonly pace: 'asap' | number;
}

export type NicSource = CaptureFeed | GeneratorFeed;

/** What came of a run. */
export interface NicResult extends Fed {
  readonly startNs: number;
  readonly endNs: number;
  /** true if the main thread ended it early. */
  readonly stopped: boolean;
}

/** Bytes of arena in which frames stand before they are copied into buffers. */
export const STAGING_BYTES = 1 << 20;

/** Bytes of staging that a made-up frame takes: whole cache lines. */
export function frameStride(frameBytes: number): number {
  return (frameBytes + 63) & ~63;
}

/** @returns how many flows of such frames fit the staging buffer */
export function maxFlows(frameBytes: number): number {
  return Math.min(4096, Math.floor(STAGING_BYTES / frameStride(frameBytes)));
}

/** What a feed reports. */
export interface Fed {
  readonly frames: number;
  readonly bytes: number;
  /** One line each: a capture that was cut off, for example. */
  readonly warnings: string[];
  /** Why the source ended before its end: a capture that is damaged. null: it did not. */
  readonly error: FeedError | null;
}

/** A CaptureError, as plain data. */
export interface FeedError {
  readonly fileName: string;
  readonly message: string;
  readonly offset: number;
}
