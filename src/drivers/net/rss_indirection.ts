// SPDX-License-Identifier: GPL-2.0-only
/** Receive-side scaling: the indirection table that turns a hash into a queue (Linux: Documentation/networking/scaling.rst). */

/** Entries of an indirection table: a power of two. */
export const RSS_INDIRECTION_SIZE = 128;

/** The queue that entry `index` of a fresh indirection table names (Linux: `ethtool_rxfh_indir_default`). */
export function ethtoolRxfhIndirDefault(index: number, rxRings: number): number {
  return index % rxRings;
}

/** Indirection table of 128 entries: from the hash's low seven bits to a queue. */
export class RssIndirection {
  private readonly table: Int32Array;

  /**
   * @param queues receive queues, at least 1; the table is filled round robin
   * @param shared its 128 words, for a table that threads share: a view of the arena's; without, words of its own
   * @throws RangeError for another length, or without a queue
   */
  constructor(queues: number, shared?: Int32Array) {
    const table = shared ?? new Int32Array(RSS_INDIRECTION_SIZE);
    if (table.length !== RSS_INDIRECTION_SIZE) {
      throw new RangeError(
        `RssIndirection: the table has ${table.length} words; give ${RSS_INDIRECTION_SIZE}`,
      );
    }
    this.table = table;
    this.setDefault(queues);
  }

  /**
   * Spreads the entries over `queues` queues round robin (`ethtool -X DEV default`). Throws RangeError below
   * 1.
   */
  setDefault(queues: number): void {
    if (!Number.isInteger(queues) || queues < 1) {
      throw new RangeError(`RssIndirection: ${queues} queues given; give a whole number from 1 up`);
    }
    for (let i = 0; i < RSS_INDIRECTION_SIZE; i++) this.table[i] = ethtoolRxfhIndirDefault(i, queues);
  }

  /** Points one entry (0 to 127) at a queue (`ethtool -X DEV equal|weight` set many). */
  set(index: number, queue: number): void {
    this.table[index & (RSS_INDIRECTION_SIZE - 1)] = queue;
  }

  /** The queue for a hash, given as 0 to 2^32 - 1 or as int32. */
  queue(hash: number): number {
    return this.table[hash & (RSS_INDIRECTION_SIZE - 1)];
  }
}
