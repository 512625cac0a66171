// SPDX-License-Identifier: GPL-2.0-only
/** What `softnet rr` measures: rows of rate and delay, ways of polling, and the cells that they make. */

/** Ways of polling, in the order of the columns. */
export const MODES = ['interrupts', 'busypoll', 'busypoll-separate', 'threaded'] as const;
export type Mode = (typeof MODES)[number];

/** What the columns are called. */
export const MODE_TITLES: { readonly [mode in Mode]: string } = {
  interrupts: 'interrupts',
  busypoll: 'SO_BUSYPOLL',
  'busypoll-separate': 'SO_BUSYPOLL(separate)',
  threaded: 'NAPI threaded',
};

/** One packet a period, and what the application does with each, µs. */
export interface Row {
  readonly periodUs: number;
  readonly delayUs: number;
}

/** The rows of the experiment that this command repeats: 12, 32, 125, 12, 25 thousand packets a second. */
export const SEED_ROWS: readonly Row[] = [
  { periodUs: 1000 / 12, delayUs: 0 },
  { periodUs: 1000 / 32, delayUs: 30 },
  { periodUs: 1000 / 125, delayUs: 6 },
  { periodUs: 1000 / 12, delayUs: 78 },
  { periodUs: 1000 / 25, delayUs: 38 },
];

/** @returns what a row is called: `12 Kpkt/s + 78us delay` */
export function rowTitle({ periodUs, delayUs }: Row): string {
  const kpps = 1000 / periodUs;
  const rate = kpps >= 10 ? kpps.toFixed(0) : String(Number(kpps.toPrecision(2)));
  return `${rate} Kpkt/s + ${Number(delayUs.toFixed(3))}us delay`;
}

/** @returns the part of the time for which the application is busy with packets, above 1 where it cannot keep up */
export function utilisation({ periodUs, delayUs }: Row): number {
  return delayUs / periodUs;
}

/** What is run in one column of a row. `handover`: the bare hand-over between two cores, for comparison. */
export interface Cell {
  readonly mode: Mode | 'handover';
  /** Charged for each socket call, ns. */
  readonly syscallNs: number;
  /** Application threads, each with a queue and an equal part of the packets. */
  readonly apps: 1 | 2;
}

/** @returns a cell's place in maps, and its name in messages */
export function cellKey({ mode, syscallNs, apps }: Cell): string {
  return `${mode}${apps === 2 ? ', 2 threads' : ''}${syscallNs === 0 && hasCalls(mode) ? ', uncharged' : ''}`;
}

/** Threads of a cell that never sleep, and so need a core each. */
export function coresNeeded(cell: Pick<Cell, 'mode' | 'apps'>): number {
  // The CPU that takes the interrupt runs while the application spins; with two applications each is its own poller.
  return cell.mode === 'busypoll' ? cell.apps : 2;
}

/** Modes that poll by socket calls. */
function hasCalls(mode: Cell['mode']): boolean {
  return mode === 'busypoll' || mode === 'busypoll-separate';
}

/**
 * The cells of a row: the modes; those that poll by socket calls once more, uncharged; inline polling with the two cores
 * that the modes with a poller of their own take; the bare hand-over.
 */
export function cellsOf(
  modes: readonly Mode[],
  { syscallNs, equalCores, handover }: { syscallNs: number; equalCores: boolean; handover: boolean },
): Cell[] {
  const cells: Cell[] = modes.map((mode) => ({ mode, syscallNs, apps: 1 }));
  if (syscallNs > 0) {
    for (const mode of modes.filter(hasCalls)) cells.push({ mode, syscallNs: 0, apps: 1 });
  }
  if (equalCores && modes.includes('busypoll')) cells.push({ mode: 'busypoll', syscallNs, apps: 2 });
  if (handover && modes.includes('threaded')) cells.push({ mode: 'handover', syscallNs: 0, apps: 1 });
  return cells;
}
