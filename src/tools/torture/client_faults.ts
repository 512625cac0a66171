// SPDX-License-Identifier: GPL-2.0-only
/** A control server, and clients that go away in the middle of a request: nobody else may notice. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Machine } from '../../index.js';
import { LIMITS } from '../../uapi/server/backend.js';
import { ControlServer } from '../../uapi/server/control_server.js';
import { type Claim, claimSocket } from '../../uapi/server/socket_claim.js';
import { topAnswer } from '../top/answer.js';
import { traceService } from '../trace/service.js';
import { TortureFailure } from './operations.js';
import type { Context } from './world.js';

/** Requests that change nothing, and one that would if it came whole. */
const REQUESTS: readonly string[] = [
  'GET / HTTP/1.1\r\nHost: softnet\r\n\r\n',
  'GET /threads HTTP/1.1\r\nHost: softnet\r\n\r\n',
  'GET /proc/net/softnet_stat HTTP/1.1\r\nHost: softnet\r\n\r\n',
  'GET /sysctl HTTP/1.1\r\nHost: softnet\r\n\r\n',
];
const HALF_WRITTEN =
  'PUT /proc/sys/net/core/netdev_budget HTTP/1.1\r\nHost: softnet\r\nContent-Length: 9\r\n\r\n3';

export class ClientFaults {
  private readonly server: ControlServer;
  private readonly claim: Claim;
  private readonly folder: string;

  private constructor(server: ControlServer, claim: Claim, folder: string) {
    this.server = server;
    this.claim = claim;
    this.folder = folder;
  }

  static async start(machine: Machine): Promise<ClientFaults> {
    const folder = mkdtempSync(join(tmpdir(), 'softnet-torture-'));
    const backend = {
      uapi: machine.uapi.bind(machine),
      threads: () => [],
      top: () => topAnswer(machine),
      ...traceService(machine),
      about: () => ({ softnet: 'a machine under torture' }),
    };
    const server = new ControlServer(backend, LIMITS);
    return new ClientFaults(server, await claimSocket(server.http, join(folder, 's')), folder);
  }

  /** A few clients write some of a request, or all of it, and are gone. */
  async vanish({ random }: Context): Promise<boolean> {
    const clients = random.between(1, 8);
    for (let i = 0; i < clients; i++) {
      const request = random.chance(0.3) ? HALF_WRITTEN : random.pick(REQUESTS);
      const bytes = random.chance(0.4) ? request.length : random.below(request.length);
      await new Promise<void>((resolve) => {
        const socket = connect(this.claim.path);
        socket.on('error', () => resolve());
        socket.on('close', () => resolve());
        socket.on('connect', () => socket.write(request.slice(0, bytes), () => socket.destroy()));
      });
    }
    return true;
  }

  /** Whoever comes now is answered. @throws TortureFailure */
  async check({ world }: Context): Promise<void> {
    const ask = (): Promise<string> =>
      new Promise((resolve) => {
        let text = '';
        const socket = connect(this.claim.path);
        socket.on('data', (d) => {
          text += d.toString();
          if (text.includes('\r\n')) socket.destroy();
        });
        socket.on('error', () => {});
        socket.on('close', () => resolve(text));
        socket.write(REQUESTS[0]);
      });
    const a = await world.ops.run('rest', 'client', 'a client that waits for its answer', ask);
    if (!a.value?.startsWith('HTTP/1.1 200')) {
      throw new TortureFailure(`the control server answers ${JSON.stringify(a.value?.split('\r\n')[0])}`);
    }
  }

  /** Ends the server. */
  async stop(): Promise<void> {
    this.claim.release();
    await this.server.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
