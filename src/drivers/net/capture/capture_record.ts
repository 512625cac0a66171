// SPDX-License-Identifier: GPL-2.0-only

/**
 * One captured packet, filled in by `CaptureParser.next()` and reused by its caller: it points into the work buffer
 * and copies nothing. The bytes it points to stay where they are until the next `push`.
 */
export class CaptureRecord {
  /** Where the packet's first byte lies, counted from the start of the work buffer (not of what that views). */
  off = 0;
  /** Bytes of the packet that are in the capture, without the frame check sequence. 0..MAX_CAP_LEN. */
  capLen = 0;
  /** Bytes that the packet had on the wire, without the frame check sequence; never less than `capLen`. */
  origLen = 0;
  /** Nanoseconds within the second, 0..999999999. */
  tsNsec = 0;
  /** The LINKTYPE_ value; 1 (Ethernet), as packets of other types are refused. */
  linkType = 0;
  /** Packets before this one in the file, so 0 for the first. Messages count from 1. */
  index = 0;
  /** Seconds since the epoch: an integer, kept as a double as it may exceed 32 bits. 0 where the capture has none. */
  tsSec = 0.5;
  /** Where the packet's record or block begins in the uncompressed stream; a double for files above 4 GiB. */
  fileOffset = 0.5;

  constructor() {
    // Both start as fractions, so that the engine keeps them as doubles that it overwrites in place; as integers they
    // would become an allocation for each record as soon as values above 31 bits come.
    this.tsSec = 0;
    this.fileOffset = 0;
  }
}

/** The largest packet that a capture may hold, in bytes (libpcap's MAXIMUM_SNAPLEN). */
export const MAX_CAP_LEN = 262144;
