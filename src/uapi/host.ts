// SPDX-License-Identifier: GPL-2.0-only
/** What requests need of the layers above: whoever hands them in knows how the machine's CPUs are started. */
export interface UapiHost {
  /** Takes a CPU offline or brings it back. @returns 0, or -EBUSY for the last one online */
  setCpuOnline(cpu: number, online: boolean): number;
}
