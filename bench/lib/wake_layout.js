// SPDX-License-Identifier: GPL-2.0-only
/** What the two threads of the wake row share, in words. */

/** Wakes the sleeper has answered: the waker waits on it. */
export const ANSWERS = 0;
/** The bare hand-over: 1 wakes the sleeper. A cache line of its own. */
export const BARE = 16;
/** 1 while the sleeper is in, or on its way into, the wait the waker wants next. A cache line of its own. */
export const READY = 32;
/** When the sleeper ran: a double, by index into doubles. */
export const WOKEN_NS = 24;
/** Bytes of the shared memory. */
export const SHARED_BYTES = 256;
