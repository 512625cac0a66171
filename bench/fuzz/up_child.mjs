// SPDX-License-Identifier: GPL-2.0-only
/** `softnet` commands as children of a campaign. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { request } from 'node:http';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** A command under way. */
export class Child {
  stdout = '';
  stderr = '';
  /** `{ code, signal }`, once it has ended; null before. */
  exit = null;

  /** @param options `cwd`, `env`; `ready`: what it prints on standard output once it is */
  constructor(args, { ready = null, ...options } = {}) {
    this.process = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let isReady = () => {};
    let died = () => {};
    this.ready = new Promise((resolve, reject) => {
      isReady = resolve;
      died = reject;
    });
    this.ready.catch(() => {});
    this.process.stdout.on('data', (d) => {
      this.stdout += d;
      if (ready?.test(this.stdout)) isReady();
    });
    this.process.stderr.on('data', (d) => {
      this.stderr += d;
    });
    this.done = new Promise((resolve) => {
      this.process.on('close', (code, signal) => {
        this.exit = { code, signal };
        died(new Error(`softnet ${args.join(' ')} ended (${code ?? signal}): ${this.stderr.trim()}`));
        resolve(this.exit);
      });
    });
  }

  get pid() {
    return this.process.pid;
  }

  /** Sends a signal. @returns `{ code, signal }` of its end */
  end(signal) {
    this.process.kill(signal);
    return this.done;
  }

  /** Sockets it has open; -1 where the system does not tell. */
  sockets() {
    try {
      const folder = `/proc/${this.pid}/fd`;
      return readdirSync(folder).filter((fd) => {
        try {
          return readlinkSync(`${folder}/${fd}`).startsWith('socket:');
        } catch {
          return false; // closed meanwhile
        }
      }).length;
    } catch {
      return -1;
    }
  }

  /** Bytes resident; 0 where the system does not tell. */
  residentBytes() {
    try {
      return (
        Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
      );
    } catch {
      return 0;
    }
  }
}

/** `softnet up` at a path. */
export function startUp(path, args, options = {}) {
  return new Child(['up', '--socket', path, '--json', ...args], { ready: /"event":"up"/, ...options });
}

/** Asks as curl does. @returns `{ status, body }` */
export function ask(path, method, url, body = '') {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath: path, method, path: url, agent: false, timeout: 30_000 }, (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (piece) => {
        text += piece;
      });
      res.on('end', () => resolve({ status: res.statusCode, body: text }));
      res.on('error', reject);
    });
    req.on('timeout', () => req.destroy(new Error(`${method} ${url} was not answered in 30 s`)));
    req.on('error', reject);
    req.end(body);
  });
}
