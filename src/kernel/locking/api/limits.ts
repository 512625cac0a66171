// SPDX-License-Identifier: GPL-2.0-only
//
// Range of thread ids, permits and counts: what a word of an Int32Array holds.

/** Largest value of a word, 2^31 - 1. */
export const INT32_MAX_VALUE = 0x7fffffff;

/** Smallest value of a word, -2^31. */
export const INT32_MIN_VALUE = -0x80000000;
