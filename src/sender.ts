// SPDX-License-Identifier: GPL-2.0-only
/** A sender of UDP datagrams, as the main thread sees it. Sending is done by an application thread. */
import { OptionError, SoftnetError } from './errors.js';
import { EBUSY } from './kernel/errno.js';
import type { Machine } from './machine.js';
import { UDP_SENDER } from './net/ipv4/udp_send.js';

export class Sender {
  /** Word index of its struct. */
  readonly at: number;
  /** Word index of the net_device it sends by. */
  readonly dev: number;
  private readonly machine: Machine;
  private taken = false;
  private freed = false;
  private lastSent = 0;
  private closing: Promise<void> | null = null;

  constructor(machine: Machine, at: number, dev: number) {
    this.machine = machine;
    this.at = at;
    this.dev = dev;
  }

  /** Datagrams sent so far (wraps at 2^32). */
  get sent(): number {
    return this.freed ? this.lastSent : Atomics.load(this.machine.arena.m, this.at + UDP_SENDER.sent) >>> 0;
  }

  /** Closes it: its application sends no more; `send` returns. */
  close(): Promise<void> {
    this.closing ??= this.doClose();
    return this.closing;
  }

  private async doClose(): Promise<void> {
    await this.machine.control({ name: 'sender-shutdown', sender: this.at }, 'closing a sender');
    if (!this.taken) await this.free();
  }

  /** Throws if an application of `machine` cannot send by it. For Machine. */
  checkFreeFor(machine: Machine, again: boolean): void {
    if (machine !== this.machine) {
      throw new OptionError('senders', 'a sender of another machine', 'senders that this machine opened');
    }
    if (this.closing !== null) throw new OptionError('senders', 'a closed sender', 'open ones');
    if (this.taken || again)
      throw new SoftnetError(
        'giving a sender to an application',
        EBUSY,
        'a sender has one thread: open another',
      );
  }

  /** An application takes it. For Machine. */
  take(): void {
    this.taken = true;
  }

  /** That application has ended. For Machine. */
  async gone(): Promise<void> {
    await this.close();
    await this.free();
  }

  private async free(): Promise<void> {
    if (this.freed) return;
    this.lastSent = this.sent;
    this.freed = true;
    await this.machine.control({ name: 'sender-free', sender: this.at }, 'freeing a sender');
    this.machine.forgetSender(this);
  }
}
