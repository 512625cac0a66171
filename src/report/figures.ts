// SPDX-License-Identifier: GPL-2.0-only
/** The figures of a run that two runs are compared by: each with its trials, where there were some. */
import { At, numbers } from './at.js';
import { curveKept, LEAST_KEPT, lostCore } from './curve.js';
import type { PartResult } from './document.js';
import { type Kind, kindOf } from './sections.js';

export type Better = 'higher' | 'lower' | 'exact';

export interface Figure {
  /** The same in both runs for what is the same. */
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  /** Every trial of it that the document has; one where it has one figure only. */
  readonly trials: readonly number[];
  /** Trials behind each of these: a document may have no more than their median. */
  readonly behind: number;
  /** The run itself says that it is not to be trusted. */
  readonly disturbed: boolean;
  /** A count that is not of all that it was to be of: its command was ended before. */
  readonly short: boolean;
  /** What a count is of, in words: others are not to be compared with it. */
  readonly of: string;
  /** A smaller difference says nothing, whatever it is in percent. */
  readonly least: number;
}

const COLLECT: { readonly [kind in Kind]: (result: At, done: boolean) => Figure[] } = {
  stream: streamFigures,
  backlog: backlogFigures,
  rr: rrFigures,
  reconfig: reconfigFigures,
  litmus: litmusFigures,
  mutants: mutantFigures,
  replay: replayFigures,
};

/** From here on, as a part of all CPU time, others at work on the host spoil what depends on time. */
const OTHERS_LIMIT = 0.15;

/** What a run says of the part whose figures these are. */
export type PartFacts = Pick<PartResult, 'others_share' | 'state'>;

/**
 * @param result the document of a command
 * @param part `stream` and `rr` tell by themselves what others at work on the host spoilt
 */
export function figuresOf(result: unknown, part: PartFacts): Figure[] {
  const at = new At(result);
  const kind = kindOf(at);
  if (kind === null) return [];
  const figures = COLLECT[kind](at, part.state === 'done');
  const spoilt = kind !== 'stream' && kind !== 'rr' && (part.others_share ?? 0) >= OTHERS_LIMIT;
  return spoilt ? figures.map((f) => (f.better === 'exact' ? f : { ...f, disturbed: true })) : figures;
}

const PLAIN = { behind: 1, disturbed: false, short: false, of: '', least: 0 };

function one(name: string, unit: string, better: Better, at: At, more: Partial<Figure> = {}): Figure[] {
  return at.number === null ? [] : [{ ...PLAIN, name, unit, better, trials: [at.number], ...more }];
}

function streamFigures(result: At): Figure[] {
  // A row is the median of its trials; the document has only that.
  const behind = result.at('options', 'trials').number ?? 1;
  const rows = result
    .at('rows')
    .items()
    .flatMap((row) =>
      row
        .at('settings')
        .fields()
        .flatMap(({ key, at }) => {
          const name = `${row.at('size').number}/${row.at('flows').number}, ${key.replaceAll('_', ' ')}`;
          return one(name, 'kpps', 'higher', at.at('kpps'), { disturbed: lostCore(at), behind });
        }),
    );
  const row = result.at('options', 'curve').text;
  const curve = curveKept(result.at('curve').items()).flatMap((kept) => {
    const name = `curve${row === '' ? '' : ` of ${row}`}, ${kept.setting.replaceAll('_', ' ')}`;
    const more = { ...PLAIN, better: 'higher' as const, behind, disturbed: kept.disturbed };
    const peak = { ...more, name: `${name}, peak`, unit: 'kpps', trials: [kept.peakKpps] };
    if (kept.keptPercent === null) return [peak];
    const beyond = `${name}, kept beyond its peak`;
    return [peak, { ...more, name: beyond, unit: '%', trials: [kept.keptPercent], least: LEAST_KEPT }];
  });
  return [...rows, ...curve];
}

function backlogFigures(result: At): Figure[] {
  const groups = new Map<string, At[]>();
  for (const r of result.at('runs').items()) {
    const name = `${r.at('case').text}, ${r.at('mode').text}, ${r.at('size').number} bytes, ${r.at('flows').number} flows`;
    groups.set(name, [...(groups.get(name) ?? []), r]);
  }
  return [...groups].flatMap(([name, runs]) => {
    const trials = numbers(runs.map((r) => r.at('pps'))).map(({ v }) => v);
    return trials.length === 0 ? [] : [{ ...PLAIN, name, unit: 'packets/s', better: 'higher', trials }];
  });
}

function rrFigures(result: At): Figure[] {
  return result
    .at('rows')
    .items()
    .flatMap((row) =>
      row
        .at('modes')
        .fields()
        .flatMap(({ key, at }) => {
          const name = `${row.at('title').text}, ${key}`;
          const disturbed = at.at('marked').value === true;
          const [all, bad] = [at.at('trials').number ?? 1, at.at('disturbed_trials').number ?? 0];
          // Of a cell that was disturbed throughout all trials are used.
          const behind = all > bad ? all - bad : all;
          return ['p50', 'p99'].flatMap((p) =>
            one(`${name}, ${p}`, 'ns', 'lower', at.at(`${p}_ns`), { disturbed, behind }),
          );
        }),
    );
}

function reconfigFigures(result: At, done: boolean): Figure[] {
  return result
    .at('runs')
    .items()
    .flatMap((r) => {
      const name = `${r.at('persist').text}, ${r.at('personality').text}`;
      const cycles = r.at('cycles').number;
      if (cycles === 0) return [];
      const short = !done && cycles !== result.at('parameters', 'cycles').number;
      const of = `${cycles} cycles`;
      return [
        ...one(`${name}, threads leaked`, '', 'exact', r.at('threads_leaked'), { short, of }),
        ...one(`${name}, frames lost`, '', 'exact', r.at('lost'), { short, of }),
        ...one(`${name}, cycle p50`, 'µs', 'lower', r.at('cycle_us', 'p50')),
      ];
    });
}

function litmusFigures(result: At): Figure[] {
  return result
    .at('tests')
    .items()
    .flatMap((t) => {
      const short = t.at('outcome').text === 'incomplete';
      return one(`${t.at('test').text}, states`, '', 'exact', t.at('states'), { short });
    });
}

/** One for each, so that a run of some of them can be compared with one of all. */
function mutantFigures(result: At): Figure[] {
  return result
    .at('mutants')
    .items()
    .flatMap((m) => {
      const name = `${m.at('mutant').text}, caught (1) or not (0)`;
      const caught = m.at('caught').value === true;
      const short = !caught && m.at('cut_by').text !== '';
      return m.at('mutant').text === ''
        ? []
        : [{ ...PLAIN, name, unit: '', better: 'exact', trials: [caught ? 1 : 0], short }];
    });
}

function replayFigures(result: At, done: boolean): Figure[] {
  return result
    .at('runs')
    .items()
    .flatMap((r) => {
      const mode = r.at('mode').text;
      const short = !done && r.at('interrupted').value !== false;
      const of = `${r.at('packets', 'read').number ?? 'unknown'} frames`;
      return [
        ...one(`${mode}, packets delivered`, '', 'exact', r.at('packets', 'delivered'), { short, of }),
        ...one(`${mode}, throughput`, 'packets/s', 'higher', r.at('pps')),
        ...one(`${mode}, latency p50`, 'ns', 'lower', r.at('latency_ns', 'p50')),
        ...one(`${mode}, latency p99`, 'ns', 'lower', r.at('latency_ns', 'p99')),
        ...one(`${mode}, packets a poll`, '', 'higher', r.at('packets_per_poll')),
      ];
    });
}
