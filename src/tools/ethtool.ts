// SPDX-License-Identifier: GPL-2.0-only
/** `softnet ethtool`: channels, rings, moderation and counters, with ethtool's words, texts and exit codes. */
import { strerror } from '../uapi/refuse.js';
import { clientArgs, err, out, type RemoteError } from './client.js';
import { asJson, channelsText, coalesceText, ringsText, statsText } from './ethtool_text.js';
import { EXIT_CHECK_FAILED, EXIT_OK } from './exit_codes.js';

const USAGE = `Usage:
        softnet ethtool [--json] -l|--show-channels DEVNAME
        softnet ethtool -L|--set-channels DEVNAME [ rx N ] [ tx N ] [ other N ] [ combined N ]
        softnet ethtool [--json] -g|--show-ring DEVNAME
        softnet ethtool -G|--set-ring DEVNAME [ rx N ] [ rx-mini N ] [ rx-jumbo N ] [ tx N ]
        softnet ethtool [--json] -c|--show-coalesce DEVNAME
        softnet ethtool -C|--coalesce DEVNAME [ rx-usecs N ] [ rx-frames N ]
        softnet ethtool [--json] -S|--statistics DEVNAME
Example:
        softnet ethtool -L eth0 combined 4
`;
const BAD = 'ethtool: bad command line argument(s)\nFor more information run ethtool -h\n';

type Values = { readonly [name: string]: number };

interface Getter {
  readonly op: string;
  readonly text: (dev: string, v: Values) => string;
}

interface Setter {
  readonly op: string;
  /** Words of the command line and the attributes they set. */
  readonly words: { readonly [word: string]: string };
  /** What ethtool exits with when the kernel refuses. */
  readonly exit: number;
}

const GETTERS: { readonly [option: string]: Getter } = {
  '-l': { op: 'channels-get', text: channelsText },
  '-g': { op: 'rings-get', text: ringsText },
  '-c': { op: 'coalesce-get', text: coalesceText },
  '-S': { op: 'stats-get', text: (_dev, v) => statsText(v) },
};

/** Parameters that ethtool knows and no driver here has. */
const UNSUPPORTED_COALESCE = [
  ...['adaptive-rx', 'adaptive-tx', 'rx-usecs-irq', 'rx-frames-irq', 'tx-usecs', 'tx-frames', 'tx-usecs-irq'],
  ...['tx-frames-irq', 'stats-block-usecs', 'pkt-rate-low', 'rx-usecs-low', 'rx-frames-low', 'tx-usecs-low'],
  ...['tx-frames-low', 'pkt-rate-high', 'rx-usecs-high', 'rx-frames-high', 'tx-usecs-high', 'tx-frames-high'],
  'sample-interval',
];

const same = (names: readonly string[]): { [word: string]: string } =>
  Object.fromEntries(names.map((name) => [name, name]));

const SETTERS: { readonly [option: string]: Setter } = {
  '-L': {
    op: 'channels-set',
    words: { rx: 'rx-count', tx: 'tx-count', other: 'other-count', combined: 'combined-count' },
    exit: 1,
  },
  '-G': { op: 'rings-set', words: same(['rx', 'rx-mini', 'rx-jumbo', 'tx']), exit: 81 },
  '-C': {
    op: 'coalesce-set',
    words: { 'rx-usecs': 'rx-usecs', 'rx-frames': 'rx-max-frames', ...same(UNSUPPORTED_COALESCE) },
    exit: 1,
  },
};

const LONG: { readonly [name: string]: string } = {
  '--show-channels': '-l',
  '--set-channels': '-L',
  '--show-ring': '-g',
  '--set-ring': '-G',
  '--show-coalesce': '-c',
  '--coalesce': '-C',
  '--statistics': '-S',
  '--help': '-h',
  '--json': '-j',
};

/** A command line that ethtool refuses before it asks the kernel. */
class Refused extends Error {}

/** Runs the command. @returns its exit code */
export async function ethtool(all: readonly string[]): Promise<number> {
  const { client, args } = clientArgs(all);
  const words = args.map((a) => (Object.hasOwn(LONG, a) ? LONG[a] : a));
  const json = words[0] === '-j';
  const [option, dev, ...rest] = json ? words.slice(1) : words;
  if (option === '-h') {
    out(USAGE);
    return EXIT_OK;
  }
  const getter = Object.hasOwn(GETTERS, option ?? '') ? GETTERS[option] : undefined;
  const setter = Object.hasOwn(SETTERS, option ?? '') ? SETTERS[option] : undefined;
  if (dev === undefined || (getter === undefined ? setter === undefined || json : rest.length > 0)) {
    err(BAD);
    return EXIT_CHECK_FAILED;
  }
  if (getter !== undefined) {
    const answer = await client.ask('POST', '/ethtool', JSON.stringify({ op: getter.op, dev }));
    if (answer.error !== null) return refusal(answer.error, getter.op === 'stats-get');
    const values = JSON.parse(answer.body) as Values;
    out(json ? `${JSON.stringify(asJson(dev, values), null, 4)}\n` : getter.text(dev, values));
    return EXIT_OK;
  }
  const { op, words: names, exit } = setter as Setter;
  let values: Values;
  try {
    values = parse(option, names, rest);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    err(`ethtool (${option}): ${error.message}\n`);
    return EXIT_CHECK_FAILED;
  }
  const answer = await client.ask('POST', '/ethtool', JSON.stringify({ op, dev, values }));
  if (answer.error === null) return EXIT_OK;
  refusal(answer.error, false);
  return answer.error.extack?.offset === undefined || op !== 'rings-set' ? 1 : exit;
}

/** What the tool exits with when the kernel does not know the device of its counters. */
const EXIT_NO_STATS = 96;

function refusal(e: RemoteError, stats: boolean): number {
  if (e.errno === 0) err(`netlink error: ${e.message}\n`);
  else if (stats) {
    err(`Cannot get stats strings information: ${strerror(e.errno)}\n`);
    return EXIT_NO_STATS;
  } else {
    const { msg, offset } = e.extack ?? {};
    if (msg !== undefined) err(`netlink error: ${msg}${offset === undefined ? '' : ` (offset ${offset})`}\n`);
    err(`netlink error: ${strerror(e.errno)}\n`);
  }
  return EXIT_CHECK_FAILED;
}

function parse(option: string, names: { readonly [word: string]: string }, rest: readonly string[]): Values {
  const values: { [name: string]: number } = {};
  for (let i = 0; i < rest.length; i += 2) {
    const [word, text] = [rest[i], rest[i + 1]];
    if (!Object.hasOwn(names, word)) throw new Refused(`unknown parameter '${word}'`);
    if (text === undefined) throw new Refused(`no value for parameter '${word}'`);
    const isFlag = option === '-C' && word.startsWith('adaptive');
    const n = isFlag ? (text === 'on' ? 1 : text === 'off' ? 0 : Number.NaN) : number(text);
    if (!(n <= 0xffffffff)) throw new Refused(`invalid value '${text}' for parameter '${word}'`);
    values[names[word]] = n;
  }
  return values;
}

function number(text: string): number {
  if (/^0[0-7]+$/.test(text)) return Number(`0o${text.slice(1)}`);
  return /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
}
