// SPDX-License-Identifier: GPL-2.0-only
//
// Errors of softnet/locking. Each sets `name`, so that it can be told apart after a trip through postMessage as well.

/** The call would make the thread wait for itself: it locks what it holds already. */
export class DeadlockError extends Error {
  override name = 'DeadlockError';
}

/** The call is not this thread's to make: it unlocks what it does not hold. */
export class PermissionError extends Error {
  override name = 'PermissionError';
}

/** An argument makes no sense: a thread id that is 0, a count that is no integer, a timestamp that is NaN. */
export class InvalidError extends Error {
  override name = 'InvalidError';
}
