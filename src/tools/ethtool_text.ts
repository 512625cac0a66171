// SPDX-License-Identifier: GPL-2.0-only
/** What ethtool prints of a device: a value the driver does not have is "n/a". */

type Values = { readonly [name: string]: number };

function value(v: Values, name: string): string {
  return v[name] === undefined ? 'n/a' : String(v[name]);
}

export function channelsText(dev: string, v: Values): string {
  const rows = (suffix: string): string =>
    ['RX', 'TX', 'Other', 'Combined']
      .map(
        (name) => `${name}:\t${name.length < 7 ? '\t' : ''}${value(v, `${name.toLowerCase()}-${suffix}`)}\n`,
      )
      .join('');
  return `Channel parameters for ${dev}:\nPre-set maximums:\n${rows('max')}Current hardware settings:\n${rows('count')}`;
}

const RINGS: readonly (readonly [label: string, name: string])[] = [
  ['RX:\t\t', 'rx'],
  ['RX Mini:\t', 'rx-mini'],
  ['RX Jumbo:\t', 'rx-jumbo'],
  ['TX:\t\t', 'tx'],
];

export function ringsText(dev: string, v: Values): string {
  const max = RINGS.map(([label, name]) => `${label}${value(v, `${name}-max`)}\n`).join('');
  const now = RINGS.map(([label, name]) => `${label}${value(v, name)}\n`).join('');
  const rest = 'RX Buf Len:\t\tn/a\nCQE Size:\t\tn/a\nTX Push:\tn/a\nTCP data split:\tn/a\n';
  return `Ring parameters for ${dev}:\nPre-set maximums:\n${max}Current hardware settings:\n${now}${rest}`;
}

/** Blocks of values, each block followed by an empty line. */
const COALESCE: readonly (readonly string[])[] = [
  ['stats-block-usecs', 'sample-interval', 'pkt-rate-low', 'pkt-rate-high'],
  ['rx-usecs', 'rx-frames', 'rx-usecs-irq', 'rx-frames-irq'],
  ['tx-usecs', 'tx-frames', 'tx-usecs-irq', 'tx-frames-irq'],
  ['rx-usecs-low', 'rx-frame-low', 'tx-usecs-low', 'tx-frame-low'],
  ['rx-usecs-high', 'rx-frame-high', 'tx-usecs-high', 'tx-frame-high'],
];

export function coalesceText(dev: string, values: Values): string {
  const v: Values = { ...values, 'rx-frames': values['rx-max-frames'] };
  const blocks = COALESCE.map((names) => `${names.map((name) => `${name}: ${value(v, name)}\n`).join('')}\n`);
  return `Coalesce parameters for ${dev}:\nAdaptive RX: n/a  TX: n/a\n${blocks.join('')}CQE mode RX: n/a  TX: n/a\n\n`;
}

export function statsText(v: Values): string {
  return `NIC statistics:\n${Object.entries(v)
    .map(([name, n]) => `     ${name}: ${n}\n`)
    .join('')}`;
}

/** The names that `ethtool --json` has for the attributes. */
export function asJson(dev: string, v: Values): object {
  const entries = Object.entries(v).map(([name, n]) => [
    name === 'rx-max-frames' ? 'rx-frames' : name.replace(/-count$/, ''),
    n,
  ]);
  return [{ ifname: dev, ...Object.fromEntries(entries) }];
}
