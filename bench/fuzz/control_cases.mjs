// SPDX-License-Identifier: GPL-2.0-only
/**
 * Damaged control requests by number: requests in order with values that are not, HTTP that is none, bytes damaged anywhere,
 * many at once; and clients that stop in the middle, close their end, or go away.
 */
import { caseRandom } from './campaign.mjs';
import { damaged, garbage } from './damage.mjs';

const DEVICES = ['eth0', 'eth1', 'eth2'];
const FILES = [
  '/sys/class/net/eth0/threaded',
  '/sys/class/net/eth1/gro_flush_timeout',
  '/sys/class/net/eth1/napi_defer_hard_irqs',
  '/sys/class/net/eth0/queues/rx-0/rps_cpus',
  '/sys/class/net/eth0/queues/rx-1/rps_flow_cnt',
  '/sys/class/net/eth2/statistics/rx_packets',
  '/sys/devices/system/cpu/cpu1/online',
  '/sys/devices/system/cpu/online',
  '/sys/class/net/',
  '/proc/net/softnet_stat',
  '/proc/interrupts',
  '/proc/sys/net/core/netdev_budget',
  '/proc/sys/net/core/backlog_threaded',
  '/proc/nothing/here',
];
const SYSCTLS = [
  'net.core.netdev_max_backlog',
  'net.core.netdev_budget',
  'net.core.netdev_budget_usecs',
  'net.core.dev_weight',
  'net.core.backlog_threaded',
  'net.core.rps_sock_flow_entries',
  'net.core.flow_limit_cpu_bitmap',
  'net.core.flow_limit_table_len',
  'net.core.skb_defer_max',
  'net.core.busy_poll',
  'net.core.busy_read',
  'net.core.gro_normal_batch',
  'net.ipv4.ipfrag_time',
  'net.core',
  'a.b',
  '..',
];
const NETLINK = ['napi-get', 'napi-set', 'queue-get', 'dev-get', 'no-such-op', '', '__proto__'];
const ATTRS = [
  'id',
  'ifindex',
  'threaded',
  'defer-hard-irqs',
  'gro-flush-timeout',
  'irq-suspend-timeout',
  'type',
  'constructor',
];
const ETHTOOL = ['channels', 'rings', 'coalesce', 'stats'].flatMap((k) => [`${k}-get`, `${k}-set`]);
const VALUES = ['combined-count', 'rx', 'rx-usecs', 'rx-max-frames', 'tx', 'other'];
const METHODS = [
  'GET',
  'PUT',
  'POST',
  'HEAD',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'get',
  'CONNECT',
  'PRI',
  'G ET',
  '',
];

/** @returns `{ pieces, end }`: bytes, and what the client does behind them: wait, half (close its end), cut, stay */
export function controlCase(seed, number) {
  const random = caseRandom(seed, 'control', number);
  const bytes = request(random);
  const sent = random.chance(0.25) ? Buffer.from(damaged(random, new Uint8Array(bytes))) : bytes;
  const end = random.chance(0.15)
    ? 'half'
    : random.chance(0.1)
      ? 'cut'
      : random.chance(0.003)
        ? 'stay'
        : 'wait';
  const cut = end === 'cut' || end === 'stay' ? sent.subarray(0, random.below(sent.length + 1)) : sent;
  return { pieces: random.chance(0.2) ? split(random, cut) : [cut], end };
}

function split(random, bytes) {
  const at = random.below(bytes.length + 1);
  return [bytes.subarray(0, at), bytes.subarray(at)];
}

function request(random) {
  if (random.chance(0.01)) return Buffer.from(garbage(random, random.below(3000)));
  if (random.chance(0.05)) {
    return Buffer.concat(Array.from({ length: random.between(2, 20) }, () => single(random)));
  }
  return single(random);
}

function single(random) {
  return random.chance(0.3) ? oddHttp(random) : http(...meant(random));
}

/** A request in order: method, path, body. */
function meant(random) {
  switch (random.below(7)) {
    case 0:
      return [random.pick(['GET', 'PUT', 'HEAD']), random.pick(FILES), text(random)];
    case 1:
      return [random.pick(['GET', 'PUT']), `/sysctl/${random.pick(SYSCTLS)}`, text(random)];
    case 2:
    case 3:
      return ['POST', '/netlink/netdev', json(random, netlink(random))];
    case 4:
      return ['POST', '/ethtool', json(random, ethtool(random))];
    case 5:
      return ['POST', '/link', json(random, link(random))];
    default:
      return [
        'GET',
        random.pick(['/', '/threads', '/top', '/link', '/link/eth1', '/sysctl', '/nothing']),
        '',
      ];
  }
}

function http(method, path, body, headers = []) {
  const all = ['Host: x', ...headers];
  if (body.length > 0) all.push(`Content-Length: ${Buffer.byteLength(body)}`);
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${all.join('\r\n')}\r\n\r\n${body}`);
}

function netlink(random) {
  const attrs = Object.fromEntries(
    Array.from({ length: random.below(4) }, () => [random.pick(ATTRS), value(random)]),
  );
  return { [random.pick(['do', 'dump', 'dump', 'do', 'both'])]: random.pick(NETLINK), attrs };
}

function ethtool(random) {
  const values = Object.fromEntries(
    Array.from({ length: random.below(3) }, () => [random.pick(VALUES), value(random)]),
  );
  return {
    op: random.pick(ETHTOOL),
    dev: random.chance(0.8) ? random.pick(DEVICES) : text(random),
    values: random.chance(0.9) ? values : value(random),
  };
}

function link(random) {
  // Names that others have or that nobody can have: the devices keep theirs.
  const name = random.chance(0.2) ? { name: random.pick(['eth0', 'a b', '', '..', 'x'.repeat(20), 7]) } : {};
  return { dev: random.pick(DEVICES), ...(random.chance(0.7) ? { up: value(random, 0.6) } : {}), ...name };
}

/** Values of every type and range. */
function value(random, bool = 0.1) {
  if (random.chance(bool)) return random.chance(0.5);
  return random.pick([
    () => random.below(5),
    () => random.between(8190, 8210),
    () => random.pick([-1, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, 1e308, -0]),
    () => text(random),
    () => null,
    () => [random.below(3)],
    () => ({ id: random.below(3) }),
    () => random.pick(['enabled', 'disabled', 'busy-poll', 'rx', 'tx']),
  ])();
}

function text(random) {
  return random.pick([
    () => String(random.below(3)),
    () => String(random.below(2 ** 31)),
    () =>
      random.pick([
        '0x10',
        '-1',
        '1e3',
        ' 1 ',
        '1\n',
        '',
        'on',
        'off',
        'ff,ffffffff',
        '0-1',
        'ẞ∂',
        '\u0000',
        '\u202e',
      ]),
    () => 'x'.repeat(random.pick([1, 15, 16, 300, 5000])),
    () => '../'.repeat(random.between(1, 40)),
  ])();
}

/** JSON that may have lost its sense on the way. */
function json(random, value) {
  const whole = JSON.stringify(value);
  if (random.chance(0.8)) return whole;
  return random.pick([
    () => whole.slice(0, random.below(whole.length + 1)),
    () => `${whole}${whole}`,
    () => '['.repeat(random.pick([10, 30_000])),
    () => whole.replace(/:/g, random.pick(['', '::', '=']).toString()),
    () => JSON.stringify([value]),
    () => whole.replace('{', '{"__proto__":{"x":1},'),
    () => `\ufeff${whole}`,
    () => whole.replace(/\d+/, '9'.repeat(400)),
  ])();
}

const ODD = [
  () => http('GET', '/', '', ['Expect: 100-continue']),
  () => http('GET', '/', '', ['Expect: the unexpected']),
  () => http('PUT', '/sysctl/net.core.netdev_budget', '300', ['Expect: 100-continue']),
  () => Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  () => Buffer.from('GET / HTTP/1.0\r\n\r\n'),
  () => Buffer.from('GET /\r\n\r\n'),
  () => http('GET', '/', '', ['Upgrade: websocket', 'Connection: Upgrade']),
  () => Buffer.from('POST /link HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n'),
  () =>
    Buffer.from(
      'POST /link HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nA: b\r\n\r\n',
    ),
  () =>
    Buffer.from(
      'POST /link HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, x\r\nContent-Length: 2\r\n\r\n{}',
    ),
  () => Buffer.from('POST /link HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}'),
  () => Buffer.from('POST /link HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\n{}'),
  () => Buffer.from('POST /link HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n{}'),
  () => http('POST', '/trace', '{"seconds": 0.01}'),
  () => http('POST', '/trace', '{"seconds": 51}'),
  () => http('POST', '/trace', '{"seconds": "1"}'),
];

/** HTTP as nobody should write it. */
function oddHttp(random) {
  const odd = random.below(10);
  if (odd < 5) return random.pick(ODD)();
  if (odd === 5)
    return http(random.pick(METHODS), random.pick(FILES), random.chance(0.5) ? text(random) : '');
  if (odd === 6) return http('GET', `/${text(random)}`, '');
  if (odd === 7)
    return http(
      'GET',
      random.pick(['/sys/%', '/sys/%00', '/sys/%ff', '*', 'http://a/b', '//', '/?', '/sys/%2e%2e/x']),
      '',
    );
  if (odd === 8) {
    const headers = Array.from({ length: random.pick([1, 100, 3000]) }, (_, i) => `X-${i}: ${text(random)}`);
    return http(
      'GET',
      '/',
      '',
      headers.map((h) => (random.chance(0.05) ? h : h.replace(/[^ -~]/g, '?'))),
    );
  }
  return http('PUT', '/sysctl/net.core.netdev_budget', 'x'.repeat(random.pick([65_536, 65_537, 200_000])));
}
