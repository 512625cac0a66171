// SPDX-License-Identifier: GPL-2.0-only
/** Devices and boot parameters as they are written on the command line of `softnet up`. */
import { describe, expect, it } from 'vitest';
import { parseBootParameters, parseDevice } from '../../dist/tools/up_options.js';

describe('--dev', () => {
  it('is a name, and options behind commas', () => {
    expect(parseDevice('eth0')).toEqual({ name: 'eth0' });
    expect(
      parseDevice(
        'eth1,queues=4,max-queues=8,threaded,gro=off,rx-usecs=20,ring=64,config=none,reconfig=safe-switch',
      ),
    ).toEqual({
      name: 'eth1',
      queues: 4,
      maxQueues: 8,
      config: 'none',
      reconfig: 'safe-switch',
      threaded: true,
      gro: false,
      rxUsecs: 20,
      ringSize: 64,
    });
  });

  it.each(['eth0,foo=1', 'eth0,foo', 'eth0,__proto__=1', 'eth0,'])('names what there is for %s', (text) => {
    expect(() => parseDevice(text)).toThrow(/^--dev eth0: .*; give one of queues=N, .*threaded=.*$/);
  });

  it.each(['eth0,queues=x', 'eth0,queues=', 'eth0,queues=-1', 'eth0,queues', 'eth0,threaded=2'])(
    'says what a value may be for %s',
    (text) => {
      expect(() => parseDevice(text)).toThrow(/^--dev eth0: .*; give (queues=a number|threaded=.*)$/);
    },
  );
});

describe('--append', () => {
  it('has words between spaces', () => {
    expect(parseBootParameters('')).toEqual({});
    expect(parseBootParameters('  ')).toEqual({});
    expect(parseBootParameters(' napi_kthread_persist=v1 ')).toEqual({ napiKthreadPersist: 'v1' });
    expect(parseBootParameters('napi_kthread_persist=off thread_backlog_napi=no-bypass')).toEqual({
      napiKthreadPersist: 'off',
      threadBacklogNapi: 'no-bypass',
    });
    expect(parseBootParameters('thread_backlog_napi')).toEqual({ threadBacklogNapi: 'on' });
  });

  it('names what there is', () => {
    expect(() => parseBootParameters('napi_kthread_persist=v2')).toThrow(
      '--append: napi_kthread_persist=v2 is not possible; give napi_kthread_persist=off or v1 or fixed',
    );
    expect(() => parseBootParameters('quiet')).toThrow(/^--append: quiet is not possible; give one of /);
  });
});
