// SPDX-License-Identifier: GPL-2.0-only
/** `softnet ynl`: the kernel's YNL command line, for the family `netdev`. */
import { strerror } from '../uapi/refuse.js';
import { clientArgs, err, out, type RemoteError } from './client.js';
import { EXIT_CHECK_FAILED, EXIT_OK, EXIT_USAGE } from './exit_codes.js';
import { pprint, repr } from './pprint.js';

const USAGE = `usage: softnet ynl --family netdev (--do OP | --dump OP | --list-ops) [--json TEXT] [--output-json]
Example:
  softnet ynl --family netdev --dump napi-get --json '{"ifindex": 1}' --output-json
`;

/** Operations and how they can be asked, with the attributes of their space. */
const OPS: { readonly [op: string]: { readonly modes: readonly string[]; readonly space: string } } = {
  'dev-get': { modes: ['do', 'dump'], space: 'dev' },
  'queue-get': { modes: ['do', 'dump'], space: 'queue' },
  'napi-get': { modes: ['do', 'dump'], space: 'napi' },
  'napi-set': { modes: ['do'], space: 'napi' },
};

const SPACES: { readonly [space: string]: readonly string[] } = {
  dev: ['ifindex', 'xdp-features', 'xdp-zc-max-segs', 'xdp-rx-metadata-features', 'xsk-features'],
  queue: ['id', 'ifindex', 'type', 'napi-id'],
  napi: [
    'ifindex',
    'id',
    'irq',
    'pid',
    'defer-hard-irqs',
    'gro-flush-timeout',
    'irq-suspend-timeout',
    'threaded',
  ],
};

/** A command line that cannot be carried out. */
class UsageError extends Error {}

interface Options {
  family: string;
  mode: 'do' | 'dump' | 'list-ops';
  op: string;
  json: string;
  outputJson: boolean;
}

/** Runs the command. @returns its exit code */
export async function ynl(all: readonly string[]): Promise<number> {
  const { client, args } = clientArgs(all);
  if (args.length === 0 || args.includes('-h') || args.includes('--help')) {
    (args.length === 0 ? err : out)(USAGE);
    return args.length === 0 ? EXIT_USAGE : EXIT_OK;
  }
  let o: Options;
  let attrs: object;
  try {
    o = parse(args);
    attrs = attributes(o);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    err(`softnet ynl: ${error.message}\n`);
    return EXIT_USAGE;
  }
  if (o.mode === 'list-ops') {
    for (const [name, { modes }] of Object.entries(OPS)) out(`${name}  [ ${modes.join(', ')} ]\n`);
    return EXIT_OK;
  }
  const answer = await client.ask('POST', '/netlink/netdev', JSON.stringify({ [o.mode]: o.op, attrs }));
  if (answer.error !== null) {
    err(netlinkError(answer.error, o.mode === 'dump'));
    return EXIT_CHECK_FAILED;
  }
  const value = JSON.parse(answer.body) as object;
  // An acknowledgement alone is no value.
  const shown = !Array.isArray(value) && Object.keys(value).length === 0 ? null : value;
  out(`${o.outputJson ? spaced(shown) : pprint(shown)}\n`);
  return EXIT_OK;
}

function parse(args: readonly string[]): Options {
  const o: Options = { family: '', mode: 'list-ops', op: '', json: '{}', outputJson: false };
  let asked = false;
  for (let i = 0; i < args.length; i++) {
    const [name, inline] = args[i].split(/=(.*)/s, 2);
    const value = (): string => {
      const v = inline ?? args[++i];
      if (v === undefined) throw new UsageError(`argument ${name}: expected one argument`);
      return v;
    };
    if (name === '--family') o.family = value();
    else if (name === '--json') o.json = value();
    else if (name === '--output-json') o.outputJson = true;
    else if (name === '--do' || name === '--dump') {
      if (asked) throw new UsageError('give --do or --dump, and one of them once');
      asked = true;
      o.mode = name === '--do' ? 'do' : 'dump';
      o.op = value();
    } else if (name === '--list-ops') o.mode = 'list-ops';
    else if (name !== '--no-schema' && name !== '--process-unknown') {
      throw new UsageError(`unrecognized arguments: ${name}; softnet ynl --help`);
    }
  }
  if (o.family !== 'netdev') {
    throw new UsageError(o.family === '' ? 'give --family netdev' : `no family ${o.family}; there is netdev`);
  }
  if (o.mode !== 'list-ops' && !OPS[o.op]?.modes.includes(o.mode)) {
    const names = Object.keys(OPS).filter((name) => OPS[name].modes.includes(o.mode));
    throw new UsageError(`no operation ${o.op} to ${o.mode}; there are ${names.join(', ')}`);
  }
  return o;
}

function attributes(o: Options): object {
  let value: unknown;
  try {
    value = JSON.parse(o.json);
  } catch (error) {
    throw new UsageError(`--json is no JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`--json must be an object: '{"id": 8193}'`);
  }
  if (o.mode === 'list-ops') return value;
  const { space } = OPS[o.op];
  for (const name of Object.keys(value)) {
    if (!SPACES[space].includes(name)) throw new UsageError(`Space '${space}' has no attribute '${name}'`);
  }
  return value;
}

/** JSON as Python's json.dumps lays it out: a space behind commas and colons. */
function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([k, v]) => `${JSON.stringify(k)}: ${spaced(v)}`)
    .join(', ')}}`;
}

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_MULTI = 0x2;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

/** What the tool prints of a message of type NLMSG_ERROR, or of the end of a dump that failed. */
function netlinkError(e: RemoteError, dump: boolean): string {
  // A request whose form the server refuses would not have left the tool.
  if (e.errno === 0) return `softnet ynl: ${e.message}\n`;
  const extack: { [name: string]: unknown } = {};
  let tlvs = 0;
  if (e.extack?.msg !== undefined) {
    extack.msg = e.extack.msg;
    tlvs += 4 + ((e.extack.msg.length + 1 + 3) & ~3);
  }
  if (e.extack?.policy !== undefined) {
    const { min, max } = e.extack.policy;
    extack.policy = { 'min-value': min, 'max-value': max, type: 'u32' };
    tlvs += 36;
  }
  if (e.extack?.missType !== undefined) {
    extack['miss-type'] = e.extack.missType;
    tlvs += 8;
  }
  if (e.extack?.badAttr !== undefined) {
    extack['bad-attr'] = e.extack.badAttr;
    tlvs += 8;
  }
  // What is wrong with the message itself is told at once; a dump that has begun ends with it.
  const late = dump && tlvs === 0;
  const length = (late ? 20 : 36) + tlvs;
  const flags = late ? NLM_F_MULTI : NLM_F_CAPPED | (tlvs > 0 ? NLM_F_ACK_TLVS : 0);
  let text = `Netlink error: ${strerror(e.errno)}\n`;
  text += `nl_len = ${length} (${length - 16}) nl_flags = 0x${flags.toString(16)} nl_type = ${late ? NLMSG_DONE : NLMSG_ERROR}\n`;
  text += `\terror: ${e.errno}\n`;
  return tlvs === 0 ? text : `${text}\textack: ${repr(extack)}\n`;
}
