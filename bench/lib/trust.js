// SPDX-License-Identifier: GPL-2.0-only
/**
 * Whether a row's figures can be trusted: enough cores for its threads, and a host that did nothing else. Ratios of
 * interleaved peers stand a busy host better than absolute figures do, but a busy host slows waiting threads and
 * running ones in different ways, so the row says so and the bench ends with 7.
 */

/** Cores that others may use beside those the row needs, as a part of one. */
const OTHERS_TOLERANCE = 0.1;
/** Part of the time that a thread of the row may have waited for a core. */
const DELAY_TOLERANCE = 0.05;
/** Load average before the start, a part of the cores, from which the reader is warned. */
const LOAD_WARNING = 0.5;

/**
 * @param row `threads` that are busy at once, `minCores` below which nothing can be told, and `fewCores`, what its
 *   figures are with fewer cores than threads: nothing (without it), a 'lower bound' ("ok" stands, "short" is open), or
 *   'marked' one by one by the row itself
 * @param watch what HostWatch saw
 * @param checks the row's checks, judged
 * @returns reasons why the figures cannot be trusted; none: they can
 */
export function distrust(row, watch, checks, cores) {
  const reasons = [];
  const few = cores < row.threads;
  if (cores < row.minCores) {
    reasons.push(`too few cores: ${row.minCores} are needed, the host has ${cores}`);
  } else if (few && row.fewCores === undefined) {
    reasons.push(`too few cores: ${row.threads} threads are busy at once, the host has ${cores}`);
  } else if (few && row.fewCores === 'lower bound' && checks.some((c) => c.verdict === 'short')) {
    reasons.push(`${row.threads} busy threads share ${cores} cores: what is short here may be ok with more`);
  }
  if (watch === null || row.hostMatters === false) return reasons;
  const spare = Math.max(0, cores - row.threads);
  if (watch.others_cores !== null && watch.others_cores > spare + OTHERS_TOLERANCE) {
    reasons.push(`the host was busy: others used ${watch.others_cores.toFixed(2)} of ${cores} cores`);
  }
  // With fewer cores than threads the row delays itself: that says nothing about the host.
  if (!few && watch.run_delay_s !== null) {
    const share = watch.run_delay_s / (watch.wall_s * row.threads);
    if (share > DELAY_TOLERANCE) {
      reasons.push(`its threads waited for a core for ${(share * 100).toFixed(0)} % of the time`);
    }
  }
  return reasons;
}

/** @returns a warning about the load average before the start, or null */
export function loadWarning(host) {
  if (host.load_average_1min < host.cores * LOAD_WARNING) return null;
  return `load average ${host.load_average_1min.toFixed(2)} on ${host.cores} cores before the start: the host may be busy`;
}
