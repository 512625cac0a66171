// SPDX-License-Identifier: GPL-2.0-only
import { Worker } from 'node:worker_threads';

/** A worker of bench/workers that answers calls (see workers/serve.js). One call at a time. */
export class BenchWorker {
  /**
   * @param file its file in bench/workers
   * @param data what it finds in `workerData`
   * @param transferList ports in `data`
   */
  constructor(file, data, transferList = []) {
    this.pending = null;
    this.worker = new Worker(new URL(`../workers/${file}`, import.meta.url), {
      workerData: data,
      transferList,
      name: file,
    });
    this.worker.on('message', (value) => this.settle('resolve', value));
    this.worker.on('error', (error) => this.settle('reject', error));
    this.worker.on('exit', () =>
      this.settle('reject', new Error(`bench worker ${file} ended during a call`)),
    );
  }

  settle(how, value) {
    const { pending } = this;
    this.pending = null;
    if (pending !== null) pending[how](value);
    else if (how === 'reject' && !this.ending) this.failure = value;
  }

  /** Calls `op` in the worker. @returns what it gives back; rejects if it throws or ends */
  call(op, args = {}) {
    const answer = this.next();
    this.worker.postMessage({ op, args });
    return answer;
  }

  /** @returns the next thing the worker says; rejects if it throws or ends */
  next() {
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) reject(this.failure);
      else this.pending = { resolve, reject };
    });
  }

  /** Ends the thread, whatever it does. */
  async end() {
    this.ending = true;
    await this.worker.terminate();
  }
}
