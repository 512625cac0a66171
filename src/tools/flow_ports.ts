// SPDX-License-Identifier: GPL-2.0-only
/** Source ports by which made-up flows get the hashes that a steering map sends to one CPU. */
import { Toeplitz } from '../drivers/net/toeplitz.js';
import { FLOW_DST_IP, flowSrcIp } from '../threads/generator_flow.js';

const FIRST_PORT = 1024;
const LAST_PORT = 65535;

/**
 * @param flows how many
 * @param dstPort where they all go
 * @param cpus CPUs in the map
 * @param index the place in the map that each must be steered to
 * @returns a source port for each flow of the generator
 */
export function portsForCpu(flows: number, dstPort: number, cpus: number, index: number): number[] {
  const rss = new Toeplitz();
  // Addresses and ports in the order of the wire.
  const input = new Uint8Array(12);
  input.set(FLOW_DST_IP, 4);
  input[10] = dstPort >>> 8;
  input[11] = dstPort & 0xff;
  const span = LAST_PORT - FIRST_PORT + 1;
  return Array.from({ length: flows }, (_, i) => {
    input.set(flowSrcIp(i), 0);
    for (let k = 0; k < span; k++) {
      const port = FIRST_PORT + ((i * 7919 + k) % span);
      input[8] = port >>> 8;
      input[9] = port & 0xff;
      const hash = rss.hash(input, 0, input.length);
      if (hash !== 0 && Math.floor((hash * cpus) / 2 ** 32) === index) return port;
    }
    throw new Error(`no source port steers flow ${i} to entry ${index} of ${cpus}`);
  });
}
