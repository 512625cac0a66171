// SPDX-License-Identifier: GPL-2.0-only
/** softnet: the library's face. */
import { type BootOptions, Machine } from './machine.js';

export type { Cable } from './cable.js';
export { CaptureError, CaptureOpenError } from './drivers/net/capture/capture_error.js';
export { OptionError, SoftnetError } from './errors.js';
export type { App, AppOptions, BootOptions, Machine, ThreadStats } from './machine.js';
export type { BusyPollOptions } from './net/core/sock_busy.js';
export type { NetDevice, NetDeviceOptions, QueueStats, TxStats, WireResult } from './net_device.js';
export type { Socket, SocketOptions } from './socket.js';
export type { NapiInfo, NapiMode } from './threads/control_ops.js';
export type { Pace } from './threads/feeds.js';
export type { TimedOptions, TimedResult, TimedSchedule, TimedWire } from './timed_wire.js';
export { datagramFrames } from './timed_wire.js';
export type { SoftnetStat } from './uapi/softnet_stat.js';
export type { Vhost, VhostOptions } from './vhost.js';
export type { Xsk, XskOptions, XskStatistics } from './xsk.js';

/**
 * Boots a machine: its CPUs' threads run when the promise resolves.
 * @throws OptionError for an option out of range, SoftnetError (ENOMEM) if the threads or the memory cannot be had
 */
export function boot(options: BootOptions = {}): Promise<Machine> {
  return Machine.boot(options);
}
