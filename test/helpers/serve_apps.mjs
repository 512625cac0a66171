// SPDX-License-Identifier: GPL-2.0-only
//
// Applications that serve a simulated CPU.

/** Serves the CPU to the end. Answers how often a system call gave frames of each socket, the numbers in them, the most a call gave. */
export function serve(app) {
  const of = Array.from({ length: app.nrSockets }, () => []);
  let most = 0;
  let softirqNs = 0;
  app.timeSoftirqs((ns) => {
    softirqNs += ns;
  });
  app.serveCpu((batch) => {
    most = Math.max(most, batch.count);
    for (let i = 0; i < batch.count; i++) {
      const bytes = batch.payload(i);
      of[batch.socket].push(new DataView(bytes.buffer).getUint32(0));
    }
  }, app.args?.max);
  return { of, most, softirqNs };
}

/** Asks for the CPU. Answers why it was refused, or null. */
export function ask(app) {
  try {
    app.serveCpu(() => {});
    return null;
  } catch (error) {
    return { name: error.name, message: error.message };
  }
}
