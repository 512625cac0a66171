// SPDX-License-Identifier: GPL-2.0-only
/** What was sent, in memory that the reader shares: it says of each frame whether it came as it was. */

/** Words at the start. */
export const WORD = {
  /** Number that the wire gives the first frame of the batch, and how many there are. */
  base: 0,
  count: 1,
  /** Frames read of this batch, fragments counted one by one; datagrams put together among them. */
  received: 2,
  datagrams: 3,
  /** What the reader saw first that must not be (an index of WRONG; 0: nothing), and at which frame. */
  wrong: 4,
  wrongAt: 5,
  wrongValue: 6,
  wrongWanted: 7,
};

export const WRONG = [
  '',
  'a frame came that was not sent',
  'a frame came twice',
  'a frame came with another length',
  'a frame came with other bytes',
  'an undamaged frame came with another destination port',
  'an undamaged frame came with another payload',
  'a payload does not lie within its frame',
  'a datagram that was put together has another length than its pieces',
  'frames of a batch came out of order within their flow',
];

const HEAD = 16;
/** Words of a frame. */
const ENTRY = 5;
const [LEN, HASH, PORT, PAYLOAD, SEEN] = [0, 1, 2, 3, 4];

/** FNV-1a of bytes. */
export function hashBytes(bytes, from, to) {
  let h = 0x811c9dc5 | 0;
  for (let i = from; i < to; i++) h = Math.imul(h ^ bytes[i], 0x01000193);
  return h;
}

export class FrameTable {
  /** @param shared memory of an existing table, or how many frames it is to hold */
  constructor(shared) {
    this.shared = typeof shared === 'number' ? new SharedArrayBuffer((HEAD + shared * ENTRY) * 4) : shared;
    this.words = new Int32Array(this.shared);
  }

  /** A batch begins: the wire numbers its frames from `base` on. */
  begin(base, frames) {
    const { words } = this;
    words.fill(0);
    words[WORD.base] = base;
    frames.forEach(({ bytes, port, payloadLen }, i) => {
      const at = HEAD + i * ENTRY;
      words[at + LEN] = bytes.length;
      words[at + HASH] = hashBytes(bytes, 0, bytes.length);
      words[at + PORT] = port;
      words[at + PAYLOAD] = payloadLen;
    });
    Atomics.store(words, WORD.count, frames.length);
  }

  received() {
    return Atomics.load(this.words, WORD.received);
  }

  /** @returns a line, or null */
  wrong() {
    const { words } = this;
    const what = Atomics.load(words, WORD.wrong);
    if (what === 0) return null;
    const [i, value, wanted] = [words[WORD.wrongAt], words[WORD.wrongValue], words[WORD.wrongWanted]];
    return { index: i, text: `${WRONG[what]}: ${value}, not ${wanted}` };
  }

  note(what, index, value, wanted) {
    const { words } = this;
    if (words[WORD.wrong] !== 0) return;
    words[WORD.wrongAt] = index;
    words[WORD.wrongValue] = value;
    words[WORD.wrongWanted] = wanted;
    Atomics.store(words, WORD.wrong, what);
  }

  /** Looks at frame `i` of what was read. For the reader. */
  check(batch, i) {
    const { words } = this;
    const frames = batch.frames(i);
    const index = (batch.seq(i) - words[WORD.base]) | 0;
    const length = batch.length(i);
    if (index < 0 || index >= words[WORD.count]) this.note(1, index, index, words[WORD.count]);
    else if (batch.payloadOffset(i) + batch.payloadLength(i) > length) this.note(7, index, length, 0);
    else if (frames > 1) this.datagram(batch, i, index);
    else this.frame(batch, i, index, length);
    Atomics.add(words, WORD.received, frames);
  }

  frame(batch, i, index, length) {
    const { words } = this;
    const at = HEAD + index * ENTRY;
    if (words[at + SEEN]++ > 0) this.note(2, index, words[at + SEEN], 1);
    if (length !== words[at + LEN]) return this.note(3, index, length, words[at + LEN]);
    const off = batch.offset(i);
    const hash =
      length <= 2048 ? hashBytes(batch.bytes, off, off + length) : hashBytes(batch.copy(i), 0, length);
    if (hash !== words[at + HASH]) return this.note(4, index, hash, words[at + HASH]);
    if (words[at + PORT] < 0) return;
    if (batch.dstPort(i) !== words[at + PORT]) this.note(5, index, batch.dstPort(i), words[at + PORT]);
    if (batch.payloadLength(i) !== words[at + PAYLOAD])
      this.note(6, index, batch.payloadLength(i), words[at + PAYLOAD]);
  }

  datagram(batch, i, index) {
    const length = batch.length(i);
    const bytes = batch.copy(i);
    const payload = batch.payload(i);
    if (bytes.length !== length) this.note(8, index, bytes.length, length);
    if (payload.length !== batch.payloadLength(i))
      this.note(8, index, payload.length, batch.payloadLength(i));
    this.words[WORD.datagrams]++;
  }
}
