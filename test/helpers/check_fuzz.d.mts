// SPDX-License-Identifier: GPL-2.0-only
/** What was compared. */
export interface Seen {
  compared: number;
  tooLarge: number;
  merged: number;
  audits: number;
  opaque: number;
  outcomes: number;
  disagreements: string[];
}
export function fuzzModule(first: number, count: number): string;
export function fuzz(
  checker: unknown,
  folder: string,
  first: number,
  count: number,
  most?: number,
): Promise<Seen>;
