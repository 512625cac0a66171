// SPDX-License-Identifier: GPL-2.0-only
/** A cable between two devices, as the main thread sees it. */
import type { Machine } from './machine.js';
import type { NetDevice } from './net_device.js';

export class Cable {
  /** The devices it joins: what one sends the other receives. */
  readonly ends: readonly [NetDevice, NetDevice];
  private readonly machine: Machine;
  private readonly connected: Promise<unknown>;
  private disconnecting: Promise<void> | null = null;

  /** Connects. For Machine. */
  constructor(machine: Machine, a: NetDevice, b: NetDevice) {
    this.machine = machine;
    this.ends = [a, b];
    const what = `connecting ${a.name} and ${b.name}`;
    a.plug(this, what);
    try {
      b.plug(this, what);
    } catch (error) {
      a.unplug();
      throw error;
    }
    this.connected = machine.change({ name: 'cable-connect', dev: a.at, peer: b.at }, what);
    this.connected.catch(() => this.unplug());
  }

  /** Resolves when it is plugged in. For Machine. */
  async ready(): Promise<this> {
    await this.connected;
    return this;
  }

  /** Takes it out, under traffic or not. Removing a device does so, too. */
  disconnect(): Promise<void> {
    this.disconnecting ??= this.doDisconnect();
    return this.disconnecting;
  }

  private async doDisconnect(): Promise<void> {
    await this.connected;
    const [a, b] = this.ends;
    const what = `disconnecting ${a.name} and ${b.name}`;
    await this.machine.change({ name: 'cable-disconnect', dev: a.at, peer: b.at }, what);
    this.unplug();
  }

  private unplug(): void {
    for (const end of this.ends) end.unplug();
  }
}
