// SPDX-License-Identifier: GPL-2.0-only
/**
 * The application of the row of AF_XDP sockets: as path_app.js, but it looks at frames where the NIC has put them, and
 * gives each batch back.
 */
import { Rounds } from '../lib/rounds.js';

/** Most frames a look at the ring shows. */
const MAX = 256;

/** @param app its `args` are `{ sab, count }`: where to report, and frames a round */
export default function xdpApp(app) {
  const rounds = new Rounds(app.args.sab);
  const { count } = app.args;
  const [xsk] = app.xsks;
  const { bytes } = xsk;
  let frames = 0;
  let nextSeq = 0;
  let sum = 0;
  let misplaced = 0;
  for (;;) {
    const n = xsk.rxPeek(MAX);
    if (n === 0) {
      if (xsk.closed) return;
      xsk.poll();
      continue;
    }
    for (let i = 0; i < n; i++) {
      misplaced |= xsk.rxSeq(i) ^ nextSeq;
      nextSeq = (nextSeq + 1) | 0;
      const at = xsk.rxOffset(i);
      const end = at + xsk.rxLen(i);
      for (let k = at; k < end; k++) sum = (sum + bytes[k]) | 0;
    }
    xsk.rxRelease();
    frames += n;
    if (frames < count) continue;
    rounds.finish(sum, misplaced | (frames ^ count), app.nowNs());
    frames = 0;
    sum = 0;
  }
}
