// SPDX-License-Identifier: GPL-2.0-only
/** When a search gives up: its verdict is then "incomplete", never "holds". */
export interface Limits {
  readonly maxStates: number;
  readonly maxSeconds: number;
}

export const DEFAULT_LIMITS: Limits = Object.freeze({ maxStates: 20_000_000, maxSeconds: 60 });
