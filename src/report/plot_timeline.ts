// SPDX-License-Identifier: GPL-2.0-only
/** Time lines: a lane for each thread, and in it how much of a core the thread had, and how much it waited for one. */
import type { At } from './at.js';
import { esc } from './html.js';
import { bottomAxis, legend, plotFigure, WIDTH } from './plot.js';
import { linear, round, type Scale } from './scale.js';

const LEFT = 104;
const RIGHT = WIDTH - 12;
const LANE = 30;
const TALL = 24;
const TOP = 6;

/** @param timeline `{at_ms, threads: [{name, cpu_ms, run_delay_ms}]}`; threads that never ran are left out */
export function timelinePlot(id: string, title: string, timeline: At): string {
  const ends = timeline.at('at_ms').items();
  const threads = timeline
    .at('threads')
    .items()
    .filter((t) =>
      t
        .at('cpu_ms')
        .items()
        .some((v) => (v.number ?? 0) > 0.05),
    );
  const lengthMs = ends.at(-1)?.number ?? 0;
  if (ends.length === 0 || threads.length === 0) return '';
  const x = endsAt(lengthMs);
  const bottom = TOP + LANE * threads.length;
  const lanes = threads.map((thread, i) => {
    const floor = TOP + LANE * (i + 1) - 2;
    const name = thread.at('name').text;
    return (
      `<text class="tick" x="${LEFT - 8}" y="${floor - 8}" text-anchor="end">${esc(name)}</text>` +
      `<path class="grid" d="M${LEFT} ${floor}H${RIGHT}"/>` +
      lane(thread, 'cpu_ms', null, ends, x, floor, 's0') +
      lane(thread, 'run_delay_ms', 'cpu_ms', ends, x, floor, 'waits')
    );
  });
  const body = bottomAxis(x, 'time, ms', [TOP, bottom], true) + lanes.join('');
  const key =
    legend([{ name: 'ran', nr: 0 }], 'box').replace('</ul>', '') +
    `<li><svg class="swatch" viewBox="0 0 24 14" aria-hidden="true"><rect class="fill waits" x="3" y="2" width="18" height="10"/></svg>could have run, waited for a core</li></ul>`;
  return plotFigure(id, {
    title,
    description: `A lane for each of ${threads.length} threads over ${Math.round(lengthMs)} ms; the height of a lane is one core.`,
    height: bottom + 38,
    body,
    legend: key,
  });
}

/** The last interval ends where the axis ends, whatever number that is. */
function endsAt(lengthMs: number): Scale {
  const x = linear(lengthMs, [LEFT, RIGHT]);
  const last = x.ticks.at(-1)?.v ?? lengthMs;
  if (last <= lengthMs) return x;
  // Cut at the end: empty time would look like rest.
  const place = (ms: number): number => round(LEFT + (Math.min(ms, lengthMs) / lengthMs) * (RIGHT - LEFT));
  return {
    spec: `linear 0 ${lengthMs} ${LEFT} ${RIGHT}`,
    ticks: x.ticks.filter(({ v }) => v <= lengthMs),
    place,
  };
}

/** Steps of a figure by intervals, as a part of each; on top of another figure where `on` names one. */
function lane(
  thread: At,
  of: string,
  on: string | null,
  ends: readonly At[],
  x: Scale,
  floor: number,
  look: string,
): string {
  const part = (key: string, i: number): number => {
    const begin = i === 0 ? 0 : (ends[i - 1].number ?? 0);
    const ms = (ends[i].number ?? 0) - begin;
    return ms > 0 ? (thread.at(key, i).number ?? 0) / ms : 0;
  };
  const height = (share: number): number => round(Math.min(1, Math.max(0, share)) * TALL);
  let d = '';
  let any = false;
  for (let i = 0; i < ends.length; i++) {
    const low = on === null ? 0 : part(on, i);
    const [base, top] = [height(low), height(low + part(of, i))];
    if (top <= base) continue;
    any = true;
    const [from, to] = [x.place(i === 0 ? 0 : (ends[i - 1].number ?? 0)), x.place(ends[i].number ?? 0)];
    d += `M${from} ${round(floor - base)}V${round(floor - top)}H${to}V${round(floor - base)}Z`;
  }
  if (!any) return '';
  return `<path class="fill ${look} lane" d="${d}" data-lane="${esc(thread.at(of).path)}" data-xs="${x.spec}" data-floor="${floor}" data-tall="${TALL}"><title>${esc(thread.at('name').text)}</title></path>`;
}
