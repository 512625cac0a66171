// SPDX-License-Identifier: GPL-2.0-only
/** What bench/fuzz notices, and how it says so: targets that are broken on purpose. */
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { caseRandom, FuzzFailure, runCampaign, Tally } from '../../bench/fuzz/campaign.mjs';
import { damagedCapture } from '../../bench/fuzz/capture_cases.mjs';
import { cliCase } from '../../bench/fuzz/cli_cases.mjs';
import { cliWrong } from '../../bench/fuzz/cli_verdict.mjs';
import { controlCase } from '../../bench/fuzz/control_cases.mjs';
import { doCase } from '../../bench/fuzz/control_client.mjs';
import { FrameTable } from '../../bench/fuzz/frame_table.mjs';
import { makeFrames } from '../../bench/fuzz/frames.mjs';
import { readReplies } from '../../bench/fuzz/http_replies.mjs';
import { runWatched } from '../../bench/fuzz/watched.mjs';
import { socketDirectory } from '../helpers/control.js';

const signal = new AbortController().signal;
const job = { seed: 1, from: 0, count: 10, signal };

describe('a case', () => {
  it('depends on seed and number alone', () => {
    const alone = [9, 8, 7].map((n) => makeFrames(1, n, n + 1)[0].bytes).reverse();
    expect(makeFrames(1, 7, 10).map((f: { bytes: Uint8Array }) => f.bytes)).toEqual(alone);
    for (const make of [damagedCapture, controlCase, cliCase]) {
      expect(make(1, 5)).toEqual(make(1, 5));
      expect([make(1, 5), make(1, 6), make(1, 7)]).not.toEqual([make(2, 5), make(2, 6), make(2, 7)]);
    }
    expect(caseRandom(1, 'a', 3).below(1e9)).not.toBe(caseRandom(1, 'b', 3).below(1e9));
  });
});

describe('a process of cases', () => {
  const target = new URL('../helpers/fuzz_target.mjs', import.meta.url);
  const run = (how: string) =>
    runWatched(target, job, new Tally('test', 10), { data: { how }, looks: 10 }).then(
      () => null,
      (error: FuzzFailure) => ({
        from: error.from,
        count: error.count,
        message: error.message,
        details: error.details,
      }),
    );

  it.each([
    ['hang', 7, 1, /^a hang: case 7 takes more than 2 s$/],
    ['throws', 7, 1, /^case 7 ended its process \(1\)$/],
    ['exit', 7, 1, /^case 7 ended its process \(0\)$/],
    ['wrong', 7, 1, /^case 7: a wrong answer$/],
    ['leak', 0, 10, /^1 files were left open$/],
  ])('that %s is noticed', async (how, from, count, message) => {
    expect(await run(how)).toMatchObject({ from, count, message: expect.stringMatching(message) });
  });

  it('that is right is no failure, and what is said of a failure is kept', async () => {
    expect(await run('right')).toBeNull();
    expect((await run('throws'))?.details.join('\n')).toContain('nobody has thought of this');
  });
});

describe('a campaign', () => {
  const said: string[] = [];
  const stub = (bad: (n: number) => boolean, narrows = true) => ({
    name: 'stub',
    what: 'cases',
    count: 100,
    narrows,
    async run({ from, count }: typeof job, tally: Tally) {
      for (let n = from; n < from + count; n++)
        if (bad(n)) throw new FuzzFailure('it broke', from, count, ['why']);
      tally.note('fine', count);
      tally.progress(count);
    },
  });
  afterEach(() => said.splice(0));

  it('says what came of it', async () => {
    expect(
      await runCampaign(
        stub(() => false),
        job,
        (line: string) => said.push(line),
      ),
    ).toBe(true);
    expect(said[0]).toBe('stub: 10 cases from 0 on, seed 1');
    expect(said[1]).toMatch(/^stub: SUCCESS: 10 of 10 cases from 0 on, seed 1, [\d.]+ s: fine 10$/);
  });

  it('names the one case that does it', async () => {
    expect(
      await runCampaign(
        stub((n) => n === 6),
        job,
        (line: string) => said.push(line),
      ),
    ).toBe(false);
    expect(said.slice(1, 4)).toEqual([
      '!!! stub: it broke',
      '!!!   why',
      '!!! repeat: node bench/fuzz.mjs stub --seed 1 --from 6 --count 1',
    ]);
    expect(said[4]).toMatch(/^stub: FAILURE after 0 of 10 /);
  });

  it('that throws what nobody has thought of has failed', async () => {
    const broken = {
      ...stub(() => false),
      narrows: false,
      run: () => Promise.reject(new TypeError('x is not y')),
    };
    expect(await runCampaign(broken, job, (line: string) => said.push(line))).toBe(false);
    expect(said[1]).toContain('TypeError: x is not y');
  });
});

describe('frames', () => {
  const bytes = Uint8Array.of(1, 2, 3, 4);
  const batch = (over: object = {}) => ({
    bytes: new Uint8Array([0, 0, ...bytes]),
    frames: () => 1,
    seq: () => 100,
    length: () => 4,
    offset: () => 2,
    payloadOffset: () => 1,
    payloadLength: () => 3,
    dstPort: () => 9,
    copy: () => bytes,
    payload: () => bytes.slice(1),
    ...over,
  });
  const wrong = (over: object) => {
    const table = new FrameTable(4);
    table.begin(100, [{ bytes, port: 9, payloadLen: 3 }]);
    table.check(batch(over), 0);
    return table.wrong()?.text ?? null;
  };

  it.each([
    [{}, null],
    [{ seq: () => 101 }, /was not sent/],
    [{ length: () => 5 }, /another length/],
    [{ offset: () => 1 }, /other bytes/],
    [{ dstPort: () => 8 }, /another destination port/],
    [{ payloadLength: () => 2 }, /another payload/],
    [{ payloadOffset: () => 2 }, /within its frame/],
    [{ frames: () => 2, copy: () => bytes.slice(1) }, /another length than its pieces/],
  ])('that come other than they were sent are noticed: %o', (over, text) => {
    if (text === null) expect(wrong(over)).toBeNull();
    else expect(wrong(over)).toMatch(text);
  });

  it('that come twice are noticed', () => {
    const table = new FrameTable(4);
    table.begin(100, [{ bytes, port: -1, payloadLen: 0 }]);
    table.check(batch(), 0);
    table.check(batch(), 0);
    expect(table.wrong()?.text).toMatch(/twice/);
    expect(table.received()).toBe(2);
  });
});

describe('answers of a control server', () => {
  const answer = (status: string, type: string, body: string) =>
    `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const GOOD = answer('400 Bad Request', 'application/json', '{"error":{"message":"no"}}\n');

  it('are read one after the other', () => {
    const two = Buffer.from(`HTTP/1.1 100 Continue\r\n\r\n${GOOD}HTTP/1.1 2`);
    expect(readReplies(two, false)).toEqual({ statuses: [100, 400], rest: 10 });
  });

  it.each([
    ['no status line', 'FTP/1.1 200 OK\r\n\r\n'],
    ['without a length', 'HTTP/1.1 417 Expectation Failed\r\n\r\n'],
    ['of type text/plain', answer('400 Bad Request', 'text/plain', 'no')],
    ['no JSON', answer('400 Bad Request', 'application/json', 'no\n')],
    ['not one line', answer('400 Bad Request', 'application/json', '{"error":\n{"message":"no"}}\n')],
    ['without a clear message', answer('400 Bad Request', 'application/json', '{"error":{}}\n')],
    ['an answer 500', answer('500 Oh', 'application/json', '{"error":{"message":"no"}}\n')],
  ])('that are %s are noticed', (text, reply) => {
    expect(() => readReplies(Buffer.from(reply), false)).toThrow(text);
  });

  let server: Server | null = null;
  const open: Socket[] = [];
  afterEach(() => {
    for (const s of open.splice(0)) s.destroy();
    server?.close();
  });

  it('that do not come, on a connection that stays open, are noticed; so is one that cannot be had', async () => {
    const dir = socketDirectory();
    server = createServer({ allowHalfOpen: true }, (s) => open.push(s.on('error', () => {})));
    await new Promise<void>((resolve) => server?.listen(dir.path, resolve));
    const request = { pieces: [Buffer.from('GET / HTTP/1.1\r\n\r\n')], end: 'wait' };
    await expect(doCase(dir.path, request, { quietMs: 20, closedMs: 300 })).rejects.toThrow(/^silence/);
    await expect(doCase(`${dir.path}x`, request)).rejects.toThrow('no connection: ENOENT');
    dir.remove();
  });
});

describe('a command line', () => {
  const ended = (code: number | null, stderr: string, stdout = '') => ({ code, stderr, stdout });

  it.each([
    [['x'], ended(null, ''), 'exit code null'],
    [['x'], ended(3, ''), 'exit code 3'],
    [['x'], ended(1, 'softnet: Cannot read properties of undefined\n'), 'nobody has thought of'],
    [['x'], ended(2, 'softnet: bad\n    at run (file:///x.js:1:2)\n'), 'nobody has thought of'],
    [['x'], ended(1, 'softnet: EISDIR: illegal operation\n'), 'wrong use that is no wrong use'],
    [['x'], ended(2, ''), 'without a word'],
    [['ethtool'], ended(81, ''), null],
    [['replay', 'x'], ended(2, 'softnet: x: no such file; check the path\n'), null],
    [['replay', 'is not a function'], ended(2, 'softnet: is not a function: no such file\n'), null],
  ])('%j is judged by how it ends: %o', (argv, outcome, wrong) => {
    const found = cliWrong(argv, outcome);
    if (wrong === null) expect(found).toBeNull();
    else expect(found).toContain(wrong);
  });
});
