// SPDX-License-Identifier: GPL-2.0-only
/** Exit codes, one table for every command. */

/** Done, and correct. */
export const EXIT_OK = 0;
/** A check failed: frames lost or reordered, a thread died. */
export const EXIT_CHECK_FAILED = 1;
/** Wrong usage, or bad input. */
export const EXIT_USAGE = 2;
/** The host cannot do it. */
export const EXIT_SKIPPED = 4;
/** Measured, but not to be trusted. */
export const EXIT_UNTRUSTED = 7;
/** Interrupted by the user (128 + SIGINT); what there was has been printed. */
export const EXIT_INTERRUPTED = 130;
