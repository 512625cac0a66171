// SPDX-License-Identifier: GPL-2.0-only
/** What the local server does with clients that are broken, slow, many or gone, while packets flow. */
import { afterEach, describe, expect, it } from 'vitest';
import type { SinkResult } from '../../dist/threads/sink.js';
import type { UapiReply } from '../../dist/uapi/request.js';
import type { Backend } from '../../dist/uapi/server/backend.js';
import { type HttpAnswer, http, raw, type Served, serve, servedMachine } from '../helpers/control.js';
import { SINK, seeded, until } from '../helpers/traffic.js';

const OK: UapiReply = { err: 0, message: '', extack: null, value: 'ok\n' };

/** A backend that answers at once, or when the test lets it. */
function backend(uapi: Backend['uapi'] = async () => OK): Backend {
  return {
    uapi,
    threads: () => [],
    top: async () => ({}),
    trace: async () => Object.assign(['{}'], { bytes: 2 }),
    endTrace: () => false,
    about: () => ({}),
  };
}

let served: Served | null = null;
afterEach(async () => {
  await served?.stop();
  served = null;
});

function errorOf(a: { readonly body: string }): string {
  expect(a.body.endsWith('\n')).toBe(true);
  expect(a.body.trimEnd()).not.toContain('\n');
  return (JSON.parse(a.body) as { error: { message: string } }).error.message;
}

describe('requests that are none', () => {
  it.each([
    ['GET', '/foo', '', 404, 'there is nothing at /foo; GET / lists what there is'],
    ['POST', '/sysctl', '', 405, '/sysctl takes GET, not POST'],
    ['DELETE', '/sys/class/net', '', 405, '/sys/class/net takes GET, PUT, not DELETE'],
    ['GET', '/sys/%ff', '', 400, 'the path is not properly encoded'],
    ['GET', '/sys/a%00b', '', 400, 'the path has the control character 0x00'],
    ['GET', '/sys/a%1b[2J', '', 400, 'the path has the control character 0x1b'],
    ['PUT', '/sys/x', 'a\0b', 400, 'the body has the control character 0x00'],
    ['POST', '/ethtool', '', 400, 'the body is no JSON: Unexpected end of JSON input'],
    ['POST', '/ethtool', '[]', 400, 'the body must be a JSON object'],
    ['POST', '/ethtool', 'null', 400, 'the body must be a JSON object'],
    ['POST', '/ethtool', '{"op":1}', 400, '"op" must be a text'],
    ['POST', '/ethtool', '{"op":"x","dev":"y","values":[]}', 400, '"values" must be an object'],
    ['POST', '/ethtool', '{"foo":1}', 400, 'there is no "foo"; there are op, dev, values'],
    ['POST', '/link', '{"dev":"eth0","up":1}', 400, '"up" must be true or false'],
    ['POST', '/netlink/netdev', '{}', 400, 'give either "do" or "dump", with an operation'],
    [
      'POST',
      '/netlink/netdev',
      '{"do":"a","dump":"b"}',
      400,
      'give either "do" or "dump", with an operation',
    ],
  ])('%s %s %j', async (method, path, body, status, message) => {
    served = await serve(backend());
    const answer = await http(served.path, method, path, body);
    expect([answer.status, errorOf(answer)]).toEqual([status, message]);
  });

  it('deep JSON and names of the language are refused or harmless', async () => {
    served = await serve(backend());
    const deep = await http(served.path, 'POST', '/ethtool', '['.repeat(30_000));
    expect(deep.status).toBe(400);
    errorOf(deep);
    const proto = await http(served.path, 'POST', '/ethtool', '{"__proto__":{"op":"x"}}');
    expect(proto.status).toBe(400);
    expect((await http(served.path, 'GET', '/sys/x')).body).toBe('ok\n');
  });

  it('garbage, headers without an end and bytes that are no text are cut off', async () => {
    served = await serve(backend());
    const garbage = Uint8Array.from({ length: 4096 }, (_, i) => (i * 37) & 0xff);
    expect(await raw(served.path, garbage).closed).toMatch(/^HTTP\/1.1 400 /);
    expect(await raw(served.path, `GET / HTTP/1.1\r\nX: ${'y'.repeat(20_000)}`).closed).toMatch(
      /^HTTP\/1.1 431 /,
    );
    const head = 'PUT /sys/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n';
    expect(await raw(served.path, head, Uint8Array.of(0xff, 0xfe)).closed).toContain('the body is no UTF-8');
    expect(await raw(served.path, 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n').closed).toBe('');
  });

  it('without a Host header, or with an expectation there is not, get one line as all errors do', async () => {
    served = await serve(backend());
    const hostless = await raw(served.path, 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n').closed;
    expect(hostless).toMatch(
      /^HTTP\/1.1 400 [\s\S]*\{"error":\{"message":"a request of HTTP\/1.1 has a Host header"\}\}\n$/,
    );
    const head = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: rain\r\n\r\n';
    expect(await raw(served.path, head).closed).toMatch(
      /^HTTP\/1.1 417 [\s\S]*\{"error":\{"message":"there is no expectation rain; there is 100-continue"\}\}\n$/,
    );
    expect(await raw(served.path, 'GET / HTTP/1.0\r\n\r\n').closed).toMatch(/^HTTP\/1.1 200 /);
  });

  it('a body above 64 KiB is not read, however it is announced', async () => {
    served = await serve(backend());
    const big = 'x'.repeat((64 << 10) + 1);
    const head = 'PUT /sys/x HTTP/1.1\r\nHost: x\r\n';
    const announced = await raw(served.path, `${head}Content-Length: 1000000000\r\n\r\n`).closed;
    expect(announced).toMatch(/^HTTP\/1.1 413 /);
    const chunked = raw(served.path, `${head}Transfer-Encoding: chunked\r\n\r\n10001\r\n${big}\r\n`);
    expect(await chunked.closed).toMatch(/^HTTP\/1.1 413 /);
    const expecting = await raw(served.path, `${head}Expect: 100-continue\r\nContent-Length: 99999\r\n\r\n`)
      .closed;
    expect(expecting).toMatch(/^HTTP\/1.1 413 /);
    expect((await http(served.path, 'PUT', '/sys/x', 'x'.repeat(64 << 10))).status).toBe(204);
  });
});

describe('slow and many clients', () => {
  it('those that dawdle over a request are ended, others are served meanwhile', async () => {
    served = await serve(backend(), { headersMs: 300, requestMs: 300, idleMs: 2000 });
    const slow = [
      raw(served.path, 'GET / HT'),
      raw(served.path, 'PUT /sys/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab'),
      raw(served.path),
    ];
    expect((await http(served.path, 'GET', '/sys/x')).body).toBe('ok\n');
    const [header, body] = await Promise.all(slow.map((s) => s.closed));
    expect(header).toMatch(/^HTTP\/1.1 408 /);
    expect(body).toMatch(/^(HTTP\/1.1 408 .*)?/);
  });

  it('a client that vanishes within a request leaves nothing behind', async () => {
    let asked = 0;
    let answerAll = () => {};
    const gate = new Promise<void>((resolve) => {
      answerAll = resolve;
    });
    served = await serve(
      backend(async () => {
        asked++;
        await gate;
        return OK;
      }),
    );
    const half = raw(served.path, 'PUT /sys/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab');
    const waiting = raw(served.path, 'GET /sys/x HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => asked === 1);
    half.socket.destroy();
    waiting.socket.destroy();
    answerAll();
    expect((await http(served.path, 'GET', '/sys/y')).body).toBe('ok\n');
    expect(asked).toBe(2);
  });

  it('answers pipelined requests in order', async () => {
    served = await serve(backend(async (r) => ({ ...OK, value: 'path' in r ? r.path : '' })));
    const paths = Array.from({ length: 20 }, (_, i) => `/sys/${i}`);
    const text = paths.map(
      (p, i) => `GET ${p} HTTP/1.1\r\nHost: x\r\n${i === 19 ? 'Connection: close\r\n' : ''}\r\n`,
    );
    const answers = await raw(served.path, text.join('')).closed;
    expect(answers.match(/\/sys\/\d+/g)).toEqual(paths);
  });

  it('operations above the limit are refused with 503 and when to come back', async () => {
    let answerAll = () => {};
    const gate = new Promise<void>((resolve) => {
      answerAll = resolve;
    });
    let asked = 0;
    served = await serve(
      backend(async () => {
        asked++;
        await gate;
        return OK;
      }),
      { operations: 4 },
    );
    const { path } = served;
    const first = Array.from({ length: 4 }, () => http(path, 'GET', '/sys/x'));
    await until(() => asked === 4);
    const late = await http(path, 'GET', '/sys/x');
    expect([late.status, late.headers['retry-after']]).toEqual([503, '1']);
    errorOf(late);
    answerAll();
    expect((await Promise.all(first)).map((a) => a.status)).toEqual([200, 200, 200, 200]);
    expect((await http(path, 'GET', '/sys/x')).status).toBe(200);
  });

  it('connections above the limit are closed, and those within it are not', async () => {
    served = await serve(backend(), { connections: 8 });
    const { path } = served;
    const idle = Array.from({ length: 8 }, () => raw(path));
    const connections = () =>
      new Promise<number>((resolve) => served?.server.http.getConnections((_e, n) => resolve(n)));
    await until(async () => (await connections()) === 8);
    expect(await raw(path, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n').closed).toBe('');
    idle[0].socket.destroy();
    await until(async () => (await connections()) === 7);
    expect((await http(path, 'GET', '/sys/x')).status).toBe(200);
    for (const { socket } of idle) socket.destroy();
  });

  it('ends when it is told, with connections open', async () => {
    const s = await serve(backend());
    const open = [
      raw(s.path),
      raw(s.path, 'GET / HT'),
      raw(s.path, 'GET /sys/x HTTP/1.1\r\nHost: x\r\n\r\n'),
    ];
    await http(s.path, 'GET', '/sys/x');
    await s.stop();
    await Promise.all(open.map((o) => o.closed));
  });
});

/** A machine with two devices under traffic, and an application that checks order. */
async function busyMachine() {
  const m = await servedMachine([
    { name: 'eth0', queues: 2, maxQueues: 3 },
    { name: 'eth1', queues: 2, maxQueues: 3, config: 'none', reconfig: 'rebuild' },
  ]);
  const { machine } = m;
  const devices = [
    ...(machine as unknown as { devices: Set<never> }).devices,
  ] as unknown as import('../../dist/index.js').NetDevice[];
  const sockets = [await machine.openUdp({ port: 0 })];
  const app = await machine.runApp<SinkResult>(SINK, {
    name: 'sink',
    sockets,
    args: { latency: false, order: true },
  });
  const feeds = devices.map((d, i) =>
    d.generate({ port: 9 + i, count: 1e9, flows: 32, pace: 5000, whenFull: 'drop' }),
  );
  /** Ends the traffic and checks that every packet is accounted for. @returns how many were overtaken */
  const finish = async () => {
    for (const d of devices) {
      await d.stopWire();
      await d.up();
      await d.drained();
    }
    const sent = (await Promise.all(feeds)).reduce((n, f) => n + f.frames, 0);
    await m.stop();
    const { frames, reordered } = await app.result;
    const dropped = Object.values(machine.drops()).reduce((n, d) => n + d, 0);
    expect(sent).toBeGreaterThan(0);
    expect(frames + dropped).toBe(sent);
    return reordered;
  };
  return { ...m, devices, finish };
}

describe('under traffic', () => {
  it('200 connections of all kinds disturb nobody', async () => {
    const { path, devices, finish } = await busyMachine();
    const before = devices[0].progress;
    const open = Array.from({ length: 200 }, (_, i) => {
      if (i % 4 === 0)
        return raw(
          path,
          Uint8Array.from({ length: 300 }, (_, j) => (i * j) & 0xff),
        );
      if (i % 4 === 1)
        return raw(path, 'POST /netlink/netdev HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"do');
      if (i % 4 === 2) return raw(path, 'GET /proc/net/softnet_stat HTTP/1.1\r\nHost: x\r\n\r\n');
      return raw(path);
    });
    const stat = await http(path, 'GET', '/proc/net/softnet_stat');
    expect(stat.status === 200 || stat.status === 503).toBe(true);
    for (const { socket } of open) socket.destroy();
    await until(async () => (await http(path, 'GET', '/link')).status === 200);
    await until(() => devices[0].progress > before);
    expect(await finish()).toBe(0);
  });

  it('eight clients that do as they like end in a state that some order of it gives', async () => {
    const { path, finish } = await busyMachine();
    const answers: HttpAnswer[] = [];
    const client = async (seed: number): Promise<void> => {
      const random = seeded(seed);
      for (let i = 0; i < 40; i++) {
        const [method, url, body] = randomOperation(random);
        answers.push(await http(path, method, url, body));
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, i) => client(i + 1)));
    expect(answers).toHaveLength(320);
    for (const a of answers) {
      // Applied, or a clear error: an instance or channel may be gone when its turn comes.
      if (a.status >= 300) {
        const { error } = JSON.parse(a.body) as { error: { code: string } };
        expect(['ENOENT', 'EOPNOTSUPP', 'EINVAL']).toContain(error.code);
      }
    }
    expect(answers.filter((a) => a.status < 300).length).toBeGreaterThan(100);
    for (const dev of ['eth0', 'eth1']) await isConsistent(path, dev);
    await finish();
  });
});

function randomOperation(random: (n: number) => number): [method: string, url: string, body: string] {
  const dev = `eth${random(2)}`;
  const sys = `/sys/class/net/${dev}`;
  const attrs = { id: 8193 + random(4), threaded: random(2), 'defer-hard-irqs': random(3) };
  const all: [string, string, string][] = [
    ['PUT', `${sys}/threaded`, String(random(2))],
    ['PUT', `${sys}/gro_flush_timeout`, String(random(3) * 10_000)],
    ['POST', '/link', JSON.stringify({ dev, up: random(3) > 0 })],
    [
      'POST',
      '/ethtool',
      JSON.stringify({ op: 'channels-set', dev, values: { 'combined-count': 1 + random(3) } }),
    ],
    ['POST', '/netlink/netdev', JSON.stringify({ do: 'napi-set', attrs })],
    ['POST', '/netlink/netdev', JSON.stringify({ dump: 'napi-get' })],
    ['GET', '/proc/interrupts', ''],
  ];
  return all[random(all.length)];
}

/** What is shown of a device in different places agrees. */
async function isConsistent(path: string, dev: string): Promise<void> {
  await http(path, 'POST', '/link', JSON.stringify({ dev, up: true }));
  const [link] = JSON.parse((await http(path, 'GET', `/link/${dev}`)).body) as {
    ifindex: number;
    operstate: string;
  }[];
  expect(link.operstate).toBe('UP');
  const ask = { op: 'channels-get', dev };
  const channels = JSON.parse((await http(path, 'POST', '/ethtool', JSON.stringify(ask))).body);
  const dump = { dump: 'napi-get', attrs: { ifindex: link.ifindex } };
  const napis = JSON.parse((await http(path, 'POST', '/netlink/netdev', JSON.stringify(dump))).body) as {
    id: number;
    threaded: string;
    pid?: number;
  }[];
  expect(napis).toHaveLength(channels['combined-count']);
  expect(napis.map((n) => n.id)).toEqual(napis.map((n) => n.id).toSorted((a, b) => b - a));
  for (const n of napis) expect(n.pid !== undefined).toBe(n.threaded === 'enabled');
  const { threads } = JSON.parse((await http(path, 'GET', '/threads')).body) as {
    threads: { name: string; tid: number }[];
  };
  const pids = napis.map((n) => n.pid).filter((pid) => pid !== undefined);
  const shown = threads.filter((t) => t.name.startsWith(`napi/${dev}-`)).map((t) => t.tid);
  expect(shown).toEqual(expect.arrayContaining(pids));
  // A write to the device is for all of them, whatever came before.
  for (const [value, mode] of [
    ['1', 'enabled'],
    ['0', 'disabled'],
  ]) {
    expect((await http(path, 'PUT', `/sys/class/net/${dev}/threaded`, value)).status).toBe(204);
    const now = JSON.parse((await http(path, 'POST', '/netlink/netdev', JSON.stringify(dump))).body) as {
      threaded: string;
    }[];
    expect(now.map((n) => n.threaded)).toEqual(napis.map(() => mode));
  }
}
