// SPDX-License-Identifier: GPL-2.0-only
/** What each path and method of the local server means. */
import type { Attributes, UapiReply, UapiRequest } from '../request.js';
import type { Backend, Pieces } from './backend.js';
import { HttpError, refusalBody, statusOf } from './http_error.js';

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly type: 'text/plain' | 'application/json';
  /** In pieces where it is long: others are answered in between. */
  readonly body: string | Pieces;
}

/** A request whose body has been read. */
export interface Asked {
  readonly method: string;
  /** Decoded, without a query. */
  readonly path: string;
  readonly body: string;
  /** Aborted when nobody waits for the answer any more. */
  readonly gone: AbortSignal;
}

interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Matches the whole path; what its group takes is given to `run`. */
  readonly path: RegExp;
  readonly shown: string;
  readonly does: string;
  readonly run: (backend: Backend, rest: string, body: string, gone: AbortSignal) => Promise<Answer>;
}

const ROUTES: readonly Route[] = [
  { method: 'GET', path: /^\/$/, shown: '/', does: 'this list', run: index },
  { method: 'GET', path: /^\/threads$/, shown: '/threads', does: 'threads that run', run: threads },
  {
    method: 'GET',
    path: /^(\/(?:sys|proc)(?:\/.*)?)$/,
    shown: '/sys/…, /proc/…',
    does: 'a file; with a slash at the end, the names in a directory',
    run: readFile,
  },
  {
    method: 'PUT',
    path: /^(\/(?:sys|proc)\/.*)$/,
    shown: '/sys/…, /proc/…',
    does: 'write a file: the body is what is written',
    run: writeFile,
  },
  { method: 'GET', path: /^\/sysctl$/, shown: '/sysctl', does: 'all sysctls', run: listSysctls },
  {
    method: 'GET',
    path: /^\/sysctl\/([^/]+)$/,
    shown: '/sysctl/NAME',
    does: 'one sysctl, net.core.netdev_budget for example',
    run: (backend, name) => readFile(backend, sysctlPath(name)),
  },
  {
    method: 'PUT',
    path: /^\/sysctl\/([^/]+)$/,
    shown: '/sysctl/NAME',
    does: 'set one',
    run: (backend, name, body) => writeFile(backend, sysctlPath(name), body),
  },
  {
    method: 'POST',
    path: /^\/netlink\/netdev$/,
    shown: '/netlink/netdev',
    does: '{"do"|"dump": OPERATION, "attrs": {…}}: napi-get, napi-set, queue-get, dev-get',
    run: netlink,
  },
  {
    method: 'POST',
    path: /^\/ethtool$/,
    shown: '/ethtool',
    does: '{"op": OPERATION, "dev": NAME, "values": {…}}: channels-get, channels-set, rings-…, coalesce-…, stats-get',
    run: ethtool,
  },
  {
    method: 'GET',
    path: /^\/top$/,
    shown: '/top',
    does: 'counters of CPUs and instances (softnet top makes rates of them)',
    run: top,
  },
  {
    method: 'POST',
    path: /^\/trace$/,
    shown: '/trace',
    does: '{"seconds": 0.01 to 50}: records tracepoints (softnet trace, softnet stat read the answer)',
    run: trace,
  },
  {
    method: 'DELETE',
    path: /^\/trace$/,
    shown: '/trace',
    does: 'ends what is being recorded: whoever asked for it is answered',
    run: endTrace,
  },
  { method: 'GET', path: /^\/link$/, shown: '/link', does: 'all links', run: linkGet },
  { method: 'GET', path: /^\/link\/([^/]+)$/, shown: '/link/NAME', does: 'one link', run: linkGet },
  {
    method: 'POST',
    path: /^\/link$/,
    shown: '/link',
    does: '{"dev": NAME, "up": true|false, "name": NEW NAME}',
    run: linkSet,
  },
];

/** Answers a request. @throws HttpError for one that means nothing */
export async function answer(backend: Backend, asked: Asked): Promise<Answer> {
  const here = ROUTES.filter((r) => r.path.test(asked.path));
  if (here.length === 0)
    throw new HttpError(404, `there is nothing at ${asked.path}; GET / lists what there is`);
  const method = asked.method === 'HEAD' ? 'GET' : asked.method;
  const route = here.find((r) => r.method === method);
  if (route === undefined) {
    const allow = [...new Set(here.map((r) => r.method))].join(', ');
    throw new HttpError(405, `${asked.path} takes ${allow}, not ${asked.method}`, { Allow: allow });
  }
  const rest = route.path.exec(asked.path)?.[1] ?? '';
  return route.run(backend, rest, asked.body, asked.gone);
}

function json(value: unknown): Answer {
  return { status: 200, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

/** Carries a request out and lets `show` make the answer of what came of it. */
async function ask(
  backend: Backend,
  request: UapiRequest,
  show: (value: unknown) => Answer = json,
): Promise<Answer> {
  const reply: UapiReply = await backend.uapi(request);
  if (reply.err === 0) return show(reply.value);
  return { status: statusOf(reply.err), type: 'application/json', body: refusalBody(reply) };
}

async function index(backend: Backend): Promise<Answer> {
  const routes = ROUTES.map(({ method, shown, does }) => ({ method, path: shown, does }));
  return json({ ...backend.about(), routes });
}

async function threads(backend: Backend): Promise<Answer> {
  return json({ pid: process.pid, threads: backend.threads() });
}

async function top(backend: Backend): Promise<Answer> {
  return json(await backend.top());
}

async function trace(backend: Backend, _rest: string, body: string, gone: AbortSignal): Promise<Answer> {
  const { seconds } = object(body, ['seconds']);
  if (typeof seconds !== 'number' || !(seconds >= 0.01 && seconds <= 50))
    throw new HttpError(400, '"seconds" must be a number from 0.01 to 50');
  return { status: 200, type: 'application/json', body: await backend.trace(seconds, gone) };
}

async function endTrace(backend: Backend): Promise<Answer> {
  if (!backend.endTrace()) throw new HttpError(409, 'the machine is not being traced');
  return { ...text(''), status: 204 };
}

function text(value: unknown): Answer {
  return { status: 200, type: 'text/plain', body: String(value) };
}

function readFile(backend: Backend, path: string): Promise<Answer> {
  if (path.endsWith('/')) {
    return ask(backend, { kind: 'list', path }, (names) =>
      text((names as string[]).map((n) => `${n}\n`).join('')),
    );
  }
  return ask(backend, { kind: 'read', path }, text);
}

function writeFile(backend: Backend, path: string, body: string): Promise<Answer> {
  return ask(backend, { kind: 'write', path, text: body }, () => ({ ...text(''), status: 204 }));
}

/** net.core.x and net/core/x are the same. */
function sysctlPath(name: string): string {
  return `/proc/sys/${name.replaceAll('.', '/')}`;
}

function listSysctls(backend: Backend): Promise<Answer> {
  return ask(backend, { kind: 'sysctls' });
}

async function netlink(backend: Backend, _rest: string, body: string): Promise<Answer> {
  const o = object(body, ['do', 'dump', 'attrs']);
  const dump = o.dump !== undefined;
  if (dump === (o.do !== undefined))
    throw new HttpError(400, 'give either "do" or "dump", with an operation');
  const op = string(o, dump ? 'dump' : 'do');
  // What only acknowledges has no attributes.
  return ask(backend, { kind: 'netlink', op, dump, attrs: attributes(o, 'attrs') }, (value) =>
    json(value ?? {}),
  );
}

async function ethtool(backend: Backend, _rest: string, body: string): Promise<Answer> {
  const o = object(body, ['op', 'dev', 'values']);
  const request = {
    kind: 'ethtool',
    op: string(o, 'op'),
    dev: string(o, 'dev'),
    values: attributes(o, 'values'),
  };
  return ask(backend, request as UapiRequest, (value) => json(value ?? {}));
}

async function linkGet(backend: Backend, dev: string): Promise<Answer> {
  return ask(backend, { kind: 'link-get', dev });
}

async function linkSet(backend: Backend, _rest: string, body: string): Promise<Answer> {
  const o = object(body, ['dev', 'up', 'name']);
  const { up, name } = o;
  if (up !== undefined && typeof up !== 'boolean') throw new HttpError(400, '"up" must be true or false');
  if (name !== undefined && typeof name !== 'string') throw new HttpError(400, '"name" must be a text');
  const request = {
    kind: 'link-set',
    dev: string(o, 'dev'),
    ...(up === undefined ? {} : { up }),
    ...(name === undefined ? {} : { name }),
  } as const;
  return ask(backend, request, (value) => json(value ?? {}));
}

/** Reads a JSON object that has no other members than those. */
function object(body: string, members: readonly string[]): { readonly [name: string]: unknown } {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    throw new HttpError(400, `the body is no JSON: ${oneLine((error as Error).message)}`);
  }
  if (!isObject(value)) throw new HttpError(400, 'the body must be a JSON object');
  for (const name of Object.keys(value)) {
    if (!members.includes(name)) {
      throw new HttpError(400, `there is no ${JSON.stringify(name)}; there are ${members.join(', ')}`);
    }
  }
  return value;
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function string(o: { readonly [name: string]: unknown }, name: string): string {
  const value = o[name];
  if (typeof value !== 'string') throw new HttpError(400, `"${name}" must be a text`);
  return value;
}

function attributes(o: { readonly [name: string]: unknown }, name: string): Attributes {
  const value = o[name] ?? {};
  if (!isObject(value)) throw new HttpError(400, `"${name}" must be an object`);
  return value;
}

/** @returns a text without anything a terminal would obey, and not too long */
export function oneLine(s: string): string {
  return s.replace(/\p{Cc}/gu, '?').slice(0, 200);
}
