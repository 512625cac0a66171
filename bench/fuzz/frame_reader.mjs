// SPDX-License-Identifier: GPL-2.0-only
/** The application that reads the fuzzed frames: looks at each, and says what is wrong in shared memory. */
import { FrameTable } from './frame_table.mjs';

/** Reads until every socket is closed. */
export default function reader(app) {
  const table = new FrameTable(app.args.table);
  for (;;) {
    const batch = app.recv(256);
    if (batch === null) return;
    for (let i = 0; i < batch.count; i++) table.check(batch, i);
  }
}
