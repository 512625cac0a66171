// SPDX-License-Identifier: GPL-2.0-only
/**
 * The application of the rows that send packets down the whole path: reads every byte of every frame, checks that the
 * frames come in the order of the wire, and says when it has read a round's frames.
 */
import { Rounds } from '../lib/rounds.js';

/** Most frames a call of `recv` returns. */
const MAX = 256;

/** @param app its `args` are `{ sab, count }`: where to report, and frames a round */
export default function pathApp(app) {
  const rounds = new Rounds(app.args.sab);
  const { count } = app.args;
  let frames = 0;
  let nextSeq = 0;
  let sum = 0;
  let misplaced = 0;
  for (;;) {
    const batch = app.recv(MAX);
    if (batch === null) return;
    const { bytes } = batch;
    for (let i = 0; i < batch.count; i++) {
      misplaced |= batch.seq(i) ^ nextSeq;
      nextSeq = (nextSeq + 1) | 0;
      const at = batch.offset(i);
      const end = at + batch.length(i);
      for (let k = at; k < end; k++) sum = (sum + bytes[k]) | 0;
    }
    frames += batch.count;
    if (frames < count) continue;
    // More than a round's frames would be the main thread's mistake: it sees a wrong count, then.
    rounds.finish(sum, misplaced | (frames ^ count), app.nowNs());
    frames = 0;
    sum = 0;
  }
}
