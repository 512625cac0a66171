// SPDX-License-Identifier: GPL-2.0-only
/** Machines under control: in this process behind a real server, or as `softnet up` runs them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { type BootOptions, boot, type Machine, type NetDeviceOptions } from '../../dist/index.js';
import { topAnswer } from '../../dist/tools/top/answer.js';
import { traceService } from '../../dist/tools/trace/service.js';
import { type Backend, LIMITS, type Limits } from '../../dist/uapi/server/backend.js';
import { ControlServer } from '../../dist/uapi/server/control_server.js';
import { claimSocket } from '../../dist/uapi/server/socket_claim.js';
import { CLI, type CliResult } from './cli.js';

/** A directory for sockets, and what removes it. */
export function socketDirectory(): { readonly path: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), 'softnet-test-'));
  return { path: join(dir, 's'), remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export interface Served {
  readonly server: ControlServer;
  readonly path: string;
  stop(): Promise<void>;
}

/** Lets a backend be served at a path of its own. */
export async function serve(backend: Backend, limits: Partial<Limits> = {}): Promise<Served> {
  const dir = socketDirectory();
  const server = new ControlServer(backend, { ...LIMITS, ...limits });
  const claim = await claimSocket(server.http, dir.path);
  return {
    server,
    path: dir.path,
    async stop() {
      claim.release();
      await server.close();
      dir.remove();
    },
  };
}

/** Boots a machine and serves it. */
export async function servedMachine(
  devices: readonly NetDeviceOptions[],
  options: BootOptions = {},
  limits: Partial<Limits> = {},
): Promise<Served & { readonly machine: Machine }> {
  const machine = await boot({ controlWorkers: 4, ...options });
  for (const d of devices) await machine.addDevice(d);
  const served = await serve(backendOf(machine), limits);
  const stop = async () => {
    await served.stop();
    await machine.shutdown();
  };
  return { ...served, machine, stop };
}

/** A machine as the server sees it. */
export function backendOf(machine: Machine): Backend {
  return {
    uapi: (r) => machine.uapi(r),
    threads: () =>
      machine
        .threads()
        .filter((t) => t.running)
        .map((t) => ({
          name: t.name,
          tid: t.tid,
          cpu_ns: t.cpuNs,
          run_delay_ns: t.runDelayNs,
          wakeups: t.wakeups,
          serial: t.serial,
        })),
    top: () => topAnswer(machine),
    ...traceService(machine),
    about: () => ({ cpus: machine.cpus }),
  };
}

/** Runs a client in this process. @returns what it printed, and its exit code */
export async function runTool(
  path: string,
  tool: (args: readonly string[]) => Promise<number>,
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const text = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((piece) => {
      text[name] += String(piece);
      return true;
    }),
  );
  try {
    const code = await tool(['--socket', path, ...args]);
    return { code, ...text };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly body: string;
}

/** Asks as curl does. */
export function http(path: string, method: string, url: string, body = ''): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath: path, method, path: url, agent: false }, (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (piece: string) => {
        text += piece;
      });
      res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body: text }));
      res.on('error', reject);
    });
    req.on('error', reject);
    req.end(body);
  });
}

/** A connection that sends what it is told, and keeps what comes back until it is closed. */
export function raw(
  path: string,
  ...pieces: (string | Uint8Array)[]
): { socket: Socket; closed: Promise<string> } {
  const socket = connect(path);
  let text = '';
  socket.on('data', (d: Buffer) => {
    text += d.toString('latin1');
  });
  socket.on('error', () => {});
  const closed = new Promise<string>((resolve) => socket.on('close', () => resolve(text)));
  for (const piece of pieces) socket.write(piece);
  return { socket, closed };
}

/** `softnet up` in a process of its own. */
export class UpProcess {
  readonly child: ChildProcess;
  readonly path: string;
  readonly done: Promise<CliResult>;
  /** Resolves with what it printed once it is up; rejects if it ends before. */
  readonly ready: Promise<string>;

  constructor(path: string, ...args: readonly string[]) {
    this.path = path;
    this.child = spawn(process.execPath, [CLI, 'up', '--socket', path, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    this.ready = new Promise((resolve, reject) => {
      this.child.stdout?.on('data', (d: Buffer) => {
        stdout += d.toString();
        if (/Ctrl-C|"event":"up"/.test(stdout)) resolve(stdout);
      });
      this.child.on('close', () => reject(new Error(`softnet up ended: ${stderr}`)));
    });
    this.ready.catch(() => {});
    this.child.stderr?.on('data', (d: Buffer) => {
      stderr += d.toString();
    });
    this.done = new Promise((resolve) => {
      this.child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    });
  }

  end(signal: NodeJS.Signals = 'SIGTERM'): Promise<CliResult> {
    this.child.kill(signal);
    return this.done;
  }
}
