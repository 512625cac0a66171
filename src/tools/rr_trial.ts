// SPDX-License-Identifier: GPL-2.0-only
import type { Trial } from './rr_summary.js';
export async function rrTrial(_o: unknown, _s: AbortSignal): Promise<Trial | null> {
  return null;
}
