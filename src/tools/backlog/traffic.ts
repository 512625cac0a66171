// SPDX-License-Identifier: GPL-2.0-only
/** The three cases of `softnet backlog`: where its frames come from, and which backlogs they pass. */
import type { Machine } from '../../machine.js';
import type { NetDevice } from '../../net_device.js';
import { maxFlows } from '../../threads/feeds.js';
import { Flood, type Flooded } from '../flood.js';
import { portsForCpu } from '../flow_ports.js';
import type { Case, RunOptions } from './run.js';

/** What sends on command. */
export interface Traffic {
  /** Sends for `ns` at most and `count` frames at most; all of them have left it then. */
  send(count: number, ns: number): Promise<Flooded>;
  /** Ends what is under way. */
  stop(): void;
  /** Ends it for good. */
  end(): Promise<void>;
}

/** The port of the socket. */
export const PORT = 9;
const ETH_IP_UDP_BYTES = 42;

/** @returns how many flows a case can have */
export function mostFlows(kase: Case, size: number): number {
  return kase === 'loopback' ? 4096 : maxFlows(size);
}

/** Sets a case up. */
export async function openTraffic(machine: Machine, o: RunOptions): Promise<Traffic> {
  return o.case === 'loopback' ? new LoopbackTraffic(await openFlood(machine, o)) : openNic(machine, o);
}

/** A sender on CPU 0, a datagram a system call: its backlog is that CPU's. */
async function openFlood(machine: Machine, o: RunOptions): Promise<Flood> {
  const lo = await machine.addLoopback();
  const payloadBytes = o.size - ETH_IP_UDP_BYTES;
  const { flows, window: buffers } = o;
  return Flood.open(machine, lo, {
    name: 'send',
    cpu: 0,
    buffers,
    flows,
    payloadBytes,
    port: PORT,
    batch: 1,
  });
}

class LoopbackTraffic implements Traffic {
  private readonly flood: Flood;

  constructor(flood: Flood) {
    this.flood = flood;
  }

  send(count: number, ns: number): Promise<Flooded> {
    return this.flood.send({ count, ns });
  }

  stop(): void {
    // The machine is shut down behind it, which tells what went wrong.
    this.flood.stop().catch(() => {});
  }

  end(): Promise<void> {
    return this.flood.end();
  }
}

/** One receive queue whose interrupt is CPU 0's, steered to all CPUs; with few flows, all of them to CPU 0 again. */
async function openNic(machine: Machine, o: RunOptions): Promise<Traffic> {
  const ringSize = o.buffers / 2;
  const device = await machine.addDevice({ name: 'eth0', ringSize, poolSize: o.buffers });
  await device.setIrqAffinity(0, 0);
  await device.setRpsCpus(
    0,
    Array.from({ length: o.cpus }, (_, cpu) => cpu),
  );
  return new NicTraffic(device, o);
}

class NicTraffic implements Traffic {
  private readonly device: NetDevice;
  private readonly o: RunOptions;
  private readonly srcPorts: readonly number[] | undefined;

  constructor(device: NetDevice, o: RunOptions) {
    this.device = device;
    this.o = o;
    this.srcPorts = o.case === 'few' ? portsForCpu(o.flows, PORT, o.cpus, 0) : undefined;
  }

  async send(count: number, ns: number): Promise<Flooded> {
    const { flows, size: frameBytes } = this.o;
    const { srcPorts } = this;
    return this.device.generate({
      count,
      forNs: ns,
      flows,
      frameBytes,
      port: PORT,
      whenFull: 'wait',
      ...(srcPorts === undefined ? {} : { srcPorts }),
    });
  }

  stop(): void {
    void this.device.stopWire();
  }

  async end(): Promise<void> {
    await this.device.drained();
  }
}
