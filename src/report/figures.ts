// SPDX-License-Identifier: GPL-2.0-only
/** The figures of a run that two runs are compared by: each with its trials, where there were some. */
import { At, numbers } from './at.js';
import { type Kind, kindOf } from './sections.js';

export type Better = 'higher' | 'lower' | 'exact';

export interface Figure {
  /** The same in both runs for what is the same. */
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  /** Every trial of it; one where there was only one. */
  readonly trials: readonly number[];
  /** The run itself says that it is not to be trusted. */
  readonly disturbed: boolean;
}

const COLLECT: { readonly [kind in Kind]: (result: At) => Figure[] } = {
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

/**
 * @param result the document of a command
 * @param othersShare the part of all CPU time that others had meanwhile; `stream` and `rr` tell by themselves what that spoilt
 */
export function figuresOf(result: unknown, othersShare: number | null = null): Figure[] {
  const at = new At(result);
  const kind = kindOf(at);
  if (kind === null) return [];
  const figures = COLLECT[kind](at);
  const spoilt = kind !== 'stream' && kind !== 'rr' && (othersShare ?? 0) >= OTHERS_LIMIT;
  return spoilt ? figures.map((f) => (f.better === 'exact' ? f : { ...f, disturbed: true })) : figures;
}

/** Others had more than a tenth of the core of this cell of `softnet stream`. */
function lostCore(cell: At): boolean {
  return (cell.at('core_available').number ?? 1) < 0.9;
}

function one(name: string, unit: string, better: Better, at: At, disturbed = false): Figure[] {
  return at.number === null ? [] : [{ name, unit, better, trials: [at.number], disturbed }];
}

function streamFigures(result: At): Figure[] {
  const rows = result.at('rows').items();
  const table = rows.flatMap((row) =>
    row
      .at('settings')
      .fields()
      .flatMap(({ key, at }) => {
        const name = `${row.at('size').number}/${row.at('flows').number}, ${key.replaceAll('_', ' ')}`;
        return one(name, 'kpps', 'higher', at.at('kpps'), lostCore(at));
      }),
  );
  const curve = result
    .at('curve')
    .items()
    .flatMap((p) =>
      p
        .at('settings')
        .fields()
        .flatMap(({ key, at }) => {
          const name = `${p.at('offered_kpps').number} kpps offered, ${key.replaceAll('_', ' ')}`;
          return one(name, 'kpps', 'higher', at.at('kpps'), lostCore(at));
        }),
    );
  return [...table, ...curve];
}

function backlogFigures(result: At): Figure[] {
  const groups = new Map<string, At[]>();
  for (const r of result.at('runs').items()) {
    const name = `${r.at('case').text}, ${r.at('mode').text}, ${r.at('size').number} bytes, ${r.at('flows').number} flows`;
    groups.set(name, [...(groups.get(name) ?? []), r]);
  }
  return [...groups].flatMap(([name, runs]) => {
    const trials = numbers(runs.map((r) => r.at('pps'))).map(({ v }) => v);
    return trials.length === 0
      ? []
      : [{ name, unit: 'packets/s', better: 'higher', trials, disturbed: false }];
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
          return ['p50', 'p99'].flatMap((p) =>
            one(`${name}, ${p}`, 'ns', 'lower', at.at(`${p}_ns`), disturbed),
          );
        }),
    );
}

function reconfigFigures(result: At): Figure[] {
  return result
    .at('runs')
    .items()
    .flatMap((r) => {
      const name = `${r.at('persist').text}, ${r.at('personality').text}`;
      return [
        ...one(`${name}, threads leaked`, '', 'exact', r.at('threads_leaked')),
        ...one(`${name}, frames lost`, '', 'exact', r.at('lost')),
        ...one(`${name}, cycle p50`, 'µs', 'lower', r.at('cycle_us', 'p50')),
      ];
    });
}

function litmusFigures(result: At): Figure[] {
  return result
    .at('tests')
    .items()
    .flatMap((t) => one(`${t.at('test').text}, states`, '', 'exact', t.at('states')));
}

function mutantFigures(result: At): Figure[] {
  const mutants = result.at('mutants').items();
  if (mutants.length === 0) return [];
  const caught = mutants.filter((m) => m.at('caught').value === true).length;
  const trials = [caught];
  return [{ name: 'mutants caught', unit: '', better: 'exact', trials, disturbed: false }];
}

function replayFigures(result: At): Figure[] {
  return result
    .at('runs')
    .items()
    .flatMap((r) => {
      const mode = r.at('mode').text;
      return [
        ...one(`${mode}, packets delivered`, '', 'exact', r.at('packets', 'delivered')),
        ...one(`${mode}, throughput`, 'packets/s', 'higher', r.at('pps')),
        ...one(`${mode}, latency p50`, 'ns', 'lower', r.at('latency_ns', 'p50')),
        ...one(`${mode}, latency p99`, 'ns', 'lower', r.at('latency_ns', 'p99')),
        ...one(`${mode}, packets a poll`, '', 'higher', r.at('packets_per_poll')),
      ];
    });
}
