// SPDX-License-Identifier: GPL-2.0-only
/** The report: text for people, one JSON document for programs. */

/** @returns the head of the report: host, runtime, what was asked for */
export function headText({ command, host }) {
  const load = [host.load_average_1min, host.load_average_5min, host.load_average_15min];
  return [
    `softnet bench: ${command}`,
    `host: ${host.cpu_model}, ${host.cores} cores, ${host.kernel}; Node ${host.node}, V8 ${host.v8}`,
    `load average before: ${load.map((l) => l.toFixed(2)).join(' ')}`,
  ].join('\n');
}

/** @returns a row's part of the report */
export function rowText(row, quick) {
  const lines = ['', `${row.name}: ${row.title}`];
  const labels = [...row.figures, ...row.checks].map((f) => f.label.length);
  const width = Math.max(...labels) + 2;
  for (const f of row.figures) lines.push(`  ${f.label.padEnd(width)}${formatValue(f.value, f.unit)}`);
  for (const c of row.checks) lines.push(`  ${c.label.padEnd(width)}${checkText(c, quick)}`);
  for (const note of row.notes) lines.push(`  note: ${note}`);
  if (row.watched !== null && !quick) lines.push(`  ${watchText(row.watched)}`);
  for (const reason of row.reasons) lines.push(`  NOT TO BE TRUSTED: ${reason}`);
  return lines.join('\n');
}

function checkText(c, quick) {
  const range =
    c.low === undefined ? '' : ` (rounds: ${formatValue(c.low, c.unit)} to ${formatValue(c.high, c.unit)})`;
  const verdict = quick ? 'not judged' : c.verdict;
  return `${formatValue(c.measured, c.unit)}${range}, wanted ${c.op} ${formatWanted(c)}: ${verdict}`;
}

function formatWanted(c) {
  return c.unit === 'x' ? `${c.wanted}x` : formatValue(c.wanted, c.unit);
}

function watchText(w) {
  const others = w.others_cores === null ? 'not known' : `${w.others_cores.toFixed(2)} cores`;
  const delay = w.run_delay_s === null ? 'not known' : `${w.run_delay_s.toFixed(2)} s`;
  return `took ${w.wall_s.toFixed(1)} s, ${w.own_cpu_s.toFixed(1)} s of CPU; others used ${others}; run delay ${delay}`;
}

/** A value with its unit, three digits. */
export function formatValue(value, unit) {
  if (unit === 'x') return `${digits(value)}x`;
  if (unit === 'ns') return value < 10_000 ? `${digits(value)} ns` : `${digits(value / 1e3)} us`;
  if (unit === 'bytes') return `${digits(value / 1e6)} MB`;
  if (unit.endsWith('/s')) return `${digits(value / 1e6)} M ${unit}`;
  return `${digits(value)} ${unit}`;
}

function digits(value) {
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

/** @returns the document of `--json`: every key that has a unit ends in it */
export function document({ command, host, warning, quick, rows, failures, exitCode }) {
  return {
    bench: 'softnet',
    command,
    quick,
    host,
    warnings: warning === null ? [] : [warning],
    rows: rows.map((row) => ({
      name: row.name,
      title: row.title,
      busy_threads: row.threads,
      figures: Object.fromEntries(row.figures.map((f) => [f.key, f.value])),
      checks: row.checks.map((c) => checkDocument(c, quick)),
      notes: row.notes,
      watched: row.watched,
      trusted: quick ? null : row.reasons.length === 0,
      reasons: row.reasons,
      /** Nanoseconds an item, a round each, in the order of the rounds. */
      samples_ns: row.samples,
    })),
    failures,
    exit_code: exitCode,
  };
}

function checkDocument(c, quick) {
  return {
    key: c.key,
    measured: c.measured,
    ...(c.low === undefined ? {} : { lowest_round: c.low, highest_round: c.high }),
    op: c.op,
    wanted: c.wanted,
    verdict: quick ? null : c.verdict,
  };
}
