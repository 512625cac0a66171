// SPDX-License-Identifier: GPL-2.0-only
/** A machine in front of another one, as the main thread sees it: what its tun devices queue goes into a NIC of the guest. */
import { OptionError } from './errors.js';
import type { App, Machine } from './machine.js';
import type { NetDevice } from './net_device.js';
import type { Socket } from './socket.js';
import type { VhostArgs, VhostResult } from './threads/vhost.js';

/** How a vhost is made. */
export interface VhostOptions {
  /** The machine in front. */
  readonly hypervisor: Machine;
  /**
   * What it has for the guest: packet sockets of its devices (openPacket), which stand for the queues of tun devices. Their
   * `rcvbuf` is the length of these queues.
   */
  readonly tuns: readonly Socket[];
  /** The hypervisor's CPU that the thread counts as running on; 0. */
  readonly cpu?: number;
}

const MODULE = new URL('./threads/vhost.js', import.meta.url);

/** A thread of the hypervisor that brings frames to a guest. Made by NetDevice.attachVhost. */
export class Vhost {
  /** Resolves when the tun devices are closed and all they had was brought. Rejects if the thread died. */
  readonly done: Promise<VhostResult>;
  private readonly tuns: readonly Socket[];

  private constructor(app: App<VhostResult>, tuns: readonly Socket[]) {
    this.done = app.result;
    this.done.catch(() => {});
    this.tuns = tuns;
  }

  /** For NetDevice, which has made the thread's task in the guest. */
  static async run(guest: Machine, device: NetDevice, taskAt: number, options: VhostOptions): Promise<Vhost> {
    const { hypervisor, tuns } = options;
    if (hypervisor === guest) {
      throw new OptionError('hypervisor', 'the machine of the device', 'another machine');
    }
    if (tuns.length === 0)
      throw new OptionError('tuns', 'none', 'one packet socket of the hypervisor or more');
    const args: VhostArgs = { sab: guest.arena.sab, taskAt, dev: device.at };
    const app = await hypervisor.runApp<VhostResult>(MODULE, {
      name: 'vhost',
      sockets: tuns,
      cpu: options.cpu ?? 0,
      args,
    });
    return new Vhost(app, tuns);
  }

  /** Closes the tun devices; resolves when all they had was brought and the guest's device can be fed by something else. */
  async stop(): Promise<VhostResult> {
    await Promise.all(this.tuns.map((t) => t.close()));
    return this.done;
  }
}
