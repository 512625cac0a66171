// SPDX-License-Identifier: GPL-2.0-only
/** The loopback device, as the main thread sees it. */
import { LOOPBACK } from './drivers/net/loopback.js';
import { checkGivenInt } from './errors.js';
import type { Machine } from './machine.js';
import { NET_DEVICE, netdevName } from './net/core/net_device.js';

export class Loopback {
  /** Word index of its net_device. */
  readonly at: number;
  private readonly machine: Machine;
  private gone = false;
  private lastPackets = 0;

  constructor(machine: Machine, at: number) {
    this.machine = machine;
    this.at = at;
  }

  /** Its name now. */
  get name(): string {
    return netdevName(this.machine.arena.m, this.at);
  }

  /** @returns true if it is a device of that machine. For Machine. */
  belongsTo(machine: Machine): boolean {
    return machine === this.machine;
  }

  /** The machine ends: its counters go. For Machine. */
  keepCounters(): void {
    this.lastPackets = this.packets;
    this.gone = true;
  }

  /** Frames sent, and so received (wraps at 2^32). */
  get packets(): number {
    if (this.gone) return this.lastPackets;
    const { m } = this.machine.arena;
    return Atomics.load(m, m[this.at + NET_DEVICE.priv] + LOOPBACK.packets) >>> 0;
  }

  /** Link up. */
  async up(): Promise<void> {
    await this.machine.change({ name: 'netdev-up', dev: this.at }, `bringing ${this.name} up`);
  }

  /** Link down: what is sent is dropped (dev_ready). */
  async down(): Promise<void> {
    await this.machine.change({ name: 'netdev-down', dev: this.at }, `bringing ${this.name} down`);
  }

  /** Steers its frames to these CPUs by their hash (rps_cpus); none: they stay with the sender's CPU. */
  async setRpsCpus(cpus: readonly number[]): Promise<void> {
    const list = cpus.map((cpu) => checkGivenInt('cpus', cpu, 0, this.machine.cpus - 1));
    await this.machine.change(
      { name: 'rps-cpus', dev: this.at, index: 0, cpus: list },
      `setting rps_cpus of ${this.name}`,
      'boot with more memory (memoryBytes)',
    );
  }

  /** Entries of its flow table (rps_flow_cnt); 0: none. */
  async setRpsFlowCnt(entries: number): Promise<void> {
    await this.machine.change(
      {
        name: 'rps-flow-cnt',
        dev: this.at,
        index: 0,
        entries: checkGivenInt('entries', entries, 0, 1 << 24),
      },
      `setting rps_flow_cnt of ${this.name}`,
      'boot with more memory (memoryBytes)',
    );
  }
}
