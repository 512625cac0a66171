// SPDX-License-Identifier: GPL-2.0-only
/** `softnet ip link`: iproute2's words, output and exit codes, as far as links of this machine go. */
import { strerror } from '../uapi/refuse.js';
import type { LinkInfo } from '../uapi/rtnl.js';
import { type Client, clientArgs, err, out } from './client.js';
import { EXIT_CHECK_FAILED, EXIT_OK } from './exit_codes.js';

const USAGE = `Usage: softnet ip [ -j[son] | -p[retty] | -br[ief] ] link [ show [ [ dev ] DEVICE ] ]
       softnet ip link set [ dev ] DEVICE [ up | down ] [ name NEWNAME ]
Example:
  softnet ip link set eth0 down
`;

/** Exit codes of ip(8): the kernel refused; the command line cannot be read. */
const EXIT_KERNEL = 2;
const EXIT_ARGUMENT = 255;

const ENODEV = 19;

interface Style {
  readonly json: boolean;
  readonly pretty: boolean;
  readonly brief: boolean;
}

/** Runs the command. @returns its exit code */
export async function ip(all: readonly string[]): Promise<number> {
  const { client, args } = clientArgs(all);
  const options = args.slice(0, args.findIndex((a) => !a.startsWith('-')) >>> 0);
  const [object, ...rest] = args.slice(options.length);
  const style = { json: false, pretty: false, brief: false };
  for (const option of options.map((o) => o.replace(/^--?/, ''))) {
    if (option === 'h' || option === 'help') {
      out(USAGE);
      return EXIT_OK;
    }
    const key = ({ j: 'json', p: 'pretty', br: 'brief' } as const)[/^(j|p|br)/.exec(option)?.[1] ?? ''];
    if (key === undefined) {
      err(`Option "-${option}" is unknown, try "ip -help".\n`);
      return EXIT_ARGUMENT;
    }
    style[key] = true;
  }
  if (object === undefined) {
    err(USAGE);
    return EXIT_ARGUMENT;
  }
  if (!'link'.startsWith(object)) {
    if ('help'.startsWith(object)) {
      out(USAGE);
      return EXIT_OK;
    }
    err(`Object "${object}" is unknown, try "ip help".\n`);
    return EXIT_CHECK_FAILED;
  }
  return link(client, style, rest);
}

/** Words may be cut short, as ip takes them: the first that fits. */
function link(client: Client, style: Style, [verb, ...rest]: readonly string[]): Promise<number> | number {
  if (verb === undefined) return show(client, style, []);
  const found = ['set', 'show', 'list', 'lst', 'help'].find((w) => w.startsWith(verb));
  if (found === 'set') return set(client, rest);
  if (found === 'help') {
    out(USAGE);
    return EXIT_OK;
  }
  if (found !== undefined) return show(client, style, rest);
  err(`Command "${verb}" is unknown, try "ip link help".\n`);
  return EXIT_ARGUMENT;
}

async function show(client: Client, style: Style, args: readonly string[]): Promise<number> {
  const [name, more] = args[0] === 'dev' ? args.slice(1) : args;
  if (more !== undefined) {
    err(`Error: either "dev" is duplicate, or "${more}" is a garbage.\n`);
    return EXIT_ARGUMENT;
  }
  const answer = await client.ask('GET', name === undefined ? '/link' : `/link/${encodeURIComponent(name)}`);
  if (answer.error !== null) {
    err(`Device "${name}" does not exist.\n`);
    return EXIT_CHECK_FAILED;
  }
  const links = JSON.parse(answer.body) as LinkInfo[];
  if (style.json) out(`${JSON.stringify(links, null, style.pretty ? 4 : 0)}\n`);
  else for (const l of links) out(style.brief ? brief(l) : full(l));
  return EXIT_OK;
}

function full(l: LinkInfo): string {
  return (
    `${l.ifindex}: ${l.ifname}: <${l.flags.join(',')}> mtu ${l.mtu} qdisc ${l.qdisc} state ${l.operstate} ` +
    `mode ${l.linkmode} group ${l.group} qlen ${l.txqlen}\n    link/${l.link_type} ${l.address} brd ${l.broadcast}\n`
  );
}

function brief(l: LinkInfo): string {
  return `${l.ifname.padEnd(16)} ${l.operstate.padEnd(14)} ${l.address} <${l.flags.join(',')}> \n`;
}

async function set(client: Client, args: readonly string[]): Promise<number> {
  let dev: string | undefined;
  const change: { up?: boolean; name?: string } = {};
  for (let i = 0; i < args.length; i++) {
    const word = args[i];
    if (word === 'up' || word === 'down') change.up = word === 'up';
    else if (word === 'name') {
      const name = args[++i];
      if (name === undefined) return incomplete();
      if (!/^[\x21-\x2e\x30-\x7e]{1,15}$/.test(name)) {
        err(`Error: argument "${name}" is wrong: "name" not a valid ifname\n`);
        return EXIT_ARGUMENT;
      }
      change.name = name;
    } else {
      const name = word === 'dev' ? args[++i] : word;
      if (name === undefined) return incomplete();
      if (dev !== undefined) {
        err(`Error: either "dev" is duplicate, or "${name}" is a garbage.\n`);
        return EXIT_ARGUMENT;
      }
      dev = name;
    }
  }
  if (dev === undefined) {
    err('Not enough information: "dev" argument is required.\n');
    return EXIT_ARGUMENT;
  }
  const answer = await client.ask('POST', '/link', JSON.stringify({ dev, ...change }));
  if (answer.error === null) return EXIT_OK;
  if (answer.error.errno === -ENODEV) {
    err(`Cannot find device "${dev}"\n`);
    return EXIT_CHECK_FAILED;
  }
  const why = answer.error.errno === 0 ? answer.error.message : strerror(answer.error.errno);
  err(`RTNETLINK answers: ${why}\n`);
  return EXIT_KERNEL;
}

function incomplete(): number {
  err('Command line is not complete. Try option "help"\n');
  return EXIT_ARGUMENT;
}
