// SPDX-License-Identifier: GPL-2.0-only
/** Reachability of goals: backwards over the graph that the search has recorded. */

/**
 * @param edges targets of all transitions, in order of their sources
 * @param edgeEnd where the transitions of each state end in `edges`
 * @param good states that meet the goal
 * @returns the first state (by number, so by distance) from which no good state can be reached, or -1
 */
export function unreachable(
  states: number,
  edges: Int32Array,
  edgeEnd: Int32Array,
  edgeCount: number,
  good: readonly number[],
): number {
  // Incoming transitions of each state, side by side.
  const start = new Int32Array(states + 1);
  for (let e = 0; e < edgeCount; e++) start[edges[e] + 1]++;
  for (let i = 0; i < states; i++) start[i + 1] += start[i];
  const source = new Int32Array(edgeCount);
  const fill = start.slice(0, states);
  for (let i = 0, e = 0; i < states; i++) for (; e < edgeEnd[i]; e++) source[fill[edges[e]]++] = i;
  const reached = new Uint8Array(states);
  const queue = new Int32Array(states);
  let tail = 0;
  for (const g of good) {
    if (reached[g] !== 0) continue;
    reached[g] = 1;
    queue[tail++] = g;
  }
  for (let head = 0; head < tail; head++) {
    const j = queue[head];
    for (let e = start[j]; e < start[j + 1]; e++) {
      const i = source[e];
      if (reached[i] !== 0) continue;
      reached[i] = 1;
      queue[tail++] = i;
    }
  }
  for (let i = 0; i < states; i++) if (reached[i] === 0) return i;
  return -1;
}
