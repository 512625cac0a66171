// SPDX-License-Identifier: GPL-2.0-only
/** Progress on standard error: a line that is kept up to date on a terminal, a line for each part elsewhere. */
import type { Part, Plan } from './parts.js';

const STEP_MS = 500;
/** Of a terminal that does not tell. */
const USUAL_COLUMNS = 80;

/** A part that is to run. */
export interface Step {
  readonly part: Part;
  readonly plan: Plan;
}

export interface Progress {
  /** A part begins, the `nr`th of the steps, from 0. */
  begin(nr: number): void;
  end(): void;
}

/**
 * @param steps all parts that are to run
 * @param out writes to standard error
 * @param live whether that is a terminal
 * @param columns of it at this moment; 0 or nothing where it does not tell
 */
export function progressOf(
  steps: readonly Step[],
  out: (text: string) => void = (text) => process.stderr.write(text),
  live: boolean = process.stderr.isTTY === true,
  columns: () => number | undefined = () => process.stderr.columns,
): Progress {
  let timer: NodeJS.Timeout | undefined;
  return {
    begin(nr) {
      const beginMs = performance.now();
      const line = (): string => {
        const spentS = (performance.now() - beginMs) / 1e3;
        return progressLine(steps, nr, spentS);
      };
      if (!live) {
        out(`softnet reproduce: ${line()}\n`);
        return;
      }
      const show = (): void => out(`\r\x1b[K${clipped(line(), columns() || USUAL_COLUMNS)}`);
      show();
      timer = setInterval(show, STEP_MS);
    },
    end() {
      clearInterval(timer);
      if (live) out('\r\x1b[K');
    },
  };
}

/**
 * A line that goes on in the next one is not wiped whole. The name of the part gives way: the time that is left is what a reader
 * waits for.
 * @returns the line, shorter than the terminal is wide
 */
export function clipped(line: string, columns: number): string {
  const most = Math.max(1, columns - 1);
  if (line.length <= most) return line;
  const tail = /(, \d+ s)?, about \d+ s left$/.exec(line)?.[0] ?? '';
  const room = most - tail.length - 1;
  return room < 1 ? `${line.slice(0, most - 1)}…` : `${line.slice(0, room)}…${tail}`;
}

/** @returns the state of a run, with the time that is left: `2 of 8: 003 softnet rr, 12 s, about 80 s left` */
export function progressLine(steps: readonly Step[], nr: number, spentS: number): string {
  const { part, plan } = steps[nr];
  // Who is late is not known to be done: a second is left.
  const left =
    Math.max(1, plan.seconds - spentS) + steps.slice(nr + 1).reduce((s, x) => s + x.plan.seconds, 0);
  const name = `${part.seed === null ? '' : `${part.seed} `}${part.title}`;
  const spent = spentS < 1 ? '' : `, ${Math.floor(spentS)} s`;
  return `${nr + 1} of ${steps.length}: ${name}${spent}, about ${Math.ceil(left)} s left`;
}
