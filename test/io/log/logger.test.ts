import { Writable } from 'node:stream';
import { RepeatLimitedLogger } from '../../../src/io/log/repeat-limit';
import { WinstonLogger, type WinstonLoggerOptions } from '../../../src/io/log/winston-logger';
import { LIMITS } from '../../../src/core/limits';
import { FakeClock, RecordingLogger, settled } from '../../support/fakes';

class Sink extends Writable {
  readonly written: string[] = [];
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written.push(chunk.toString());
    done();
  }
  lines(): string[] {
    return this.written.join('').split('\n').filter(Boolean);
  }
}

function open(options: Omit<WinstonLoggerOptions, 'stream'> = {}) {
  const sink = new Sink();
  const log = WinstonLogger.open(new FakeClock(Date.UTC(2026, 0, 2, 3, 4, 5, 6)), { ...options, stream: sink });
  const json = () => sink.lines().map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, sink, json };
}

describe('WinstonLogger', () => {
  it('writes one JSON object per line, with the fields of its parents', () => {
    const { log, json } = open();
    log.child({ part: 'master' }).child({ agentId: 'a1' }).info('agent registered', { attempt: 2, part: 'agents' });
    expect(json()).toEqual([
      {
        time: '2026-01-02T03:04:05.006Z',
        level: 'info',
        message: 'agent registered',
        part: 'agents',
        agentId: 'a1',
        attempt: 2,
      },
    ]);
  });

  test.each<{ level: 'debug' | 'info' | 'warn' | 'error'; expected: string[] }>([
    { level: 'debug', expected: ['debug', 'info', 'warn', 'error'] },
    { level: 'info', expected: ['info', 'warn', 'error'] },
    { level: 'error', expected: ['error'] },
  ])('writes from level $level up', ({ level, expected }) => {
    const { log, json } = open({ level });
    for (const each of ['debug', 'info', 'warn', 'error'] as const) log[each]('x');
    expect(json().map((line) => line['level'])).toEqual(expected);
  });

  it('writes text for people', () => {
    const { log, sink } = open({ format: 'text' });
    log.warn('agent is silent', { agentId: 'a1', why: 'no answer', nothing: undefined, list: [1] });
    log.info('done');
    expect(sink.lines()).toEqual([
      '03:04:05.006 WARN  agent is silent  agentId=a1 why="no answer" list=[1]',
      '03:04:05.006 INFO  done',
    ]);
  });

  it('keeps a message with line breaks on one line of JSON', () => {
    const { log, sink } = open();
    log.info('two\nlines', { text: 'a\nb' });
    expect(sink.lines()).toHaveLength(1);
  });

  test.each<{ name: string; fields: Record<string, unknown>; hidden: string }>([
    { name: 'in a field', fields: { url: 'http://x/?token=s3cr3t-t0ken&y=1' }, hidden: 's3cr3t-t0ken' },
    { name: 'deep inside', fields: { a: { b: [{ c: 's3cr3t-t0ken' }] } }, hidden: 's3cr3t-t0ken' },
    { name: 'in an error', fields: { error: new Error('refused s3cr3t-t0ken') }, hidden: 's3cr3t-t0ken' },
    { name: 'as base64', fields: { header: `Basic ${btoa('s3cr3t-t0ken')}` }, hidden: btoa('s3cr3t-t0ken') },
    { name: 'as a name', fields: { 's3cr3t-t0ken': 1 }, hidden: 's3cr3t-t0ken' },
    {
      name: 'by name of the field',
      fields: { headers: { Authorization: 'Bearer abc-unknown' } },
      hidden: 'abc-unknown',
    },
  ])('never writes a secret $name', ({ fields, hidden }) => {
    const { log, sink } = open({ secrets: ['s3cr3t-t0ken', ''] });
    log.info('about s3cr3t-t0ken', fields);
    expect(sink.lines()).toHaveLength(1);
    expect(sink.lines()[0]).not.toContain(hidden);
    expect(sink.lines()[0]).toContain('[secret]');
  });

  it('writes anything without throwing: cycles, depth, errors, bytes, odd getters', () => {
    const cycle: Record<string, unknown> = { name: 'c' };
    cycle['self'] = cycle;
    const { log, json } = open();
    log.info('odd', {
      cycle,
      error: new TypeError('broken'),
      big: 10n,
      bytes: Buffer.from('abc'),
      map: new Map([['k', 1]]),
      fn: () => 1,
      date: new Date(NaN),
      long: 'x'.repeat(20_000),
    });
    log.info('getter', {
      get boom(): string {
        throw new Error('no');
      },
    });
    const [first, second] = json();
    expect(first).toMatchObject({ big: '10', bytes: '3 bytes', map: { k: 1 }, date: 'invalid date' });
    expect(String(first?.['error'])).toMatch(/^TypeError: broken\n/);
    expect(String(first?.['long']).length).toBeLessThan(9_000);
    expect(second).toMatchObject({ message: 'getter' });
  });

  it('survives a reader that goes away', async () => {
    const { log, sink } = open();
    log.info('before');
    sink.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    await settled();
    log.info('after');
    await settled();
    expect(sink.lines()).toHaveLength(1);
  });
});

describe('RepeatLimitedLogger', () => {
  it('writes the same message once per period and then tells how many were left out', () => {
    const [inner, clock] = [new RecordingLogger(), new FakeClock()];
    const log = new RepeatLimitedLogger(inner, clock, 1_000);
    for (let i = 0; i < 5; i++) log.warn('cannot reach', { attempt: i });
    log.error('cannot reach');
    log.child({ part: 'x' }).warn('cannot reach');
    log.warn('something else');
    clock.advance(1_000);
    log.warn('cannot reach', { attempt: 9 });
    expect(inner.lines).toEqual([
      { level: 'warn', message: 'cannot reach', fields: { attempt: 0 } },
      { level: 'error', message: 'cannot reach', fields: {} },
      { level: 'warn', message: 'something else', fields: {} },
      { level: 'warn', message: 'cannot reach', fields: { attempt: 9, repeated: 5 } },
    ]);
  });

  it('remembers a bounded number of messages', () => {
    const [inner, clock] = [new RecordingLogger(), new FakeClock()];
    const seen = new Map();
    const log = new RepeatLimitedLogger(inner, clock, 1_000, seen);
    for (let i = 0; i < LIMITS.logRepeatMessages + 50; i++) log.info(`message ${i}`);
    expect(seen.size).toBe(LIMITS.logRepeatMessages);
    log.info('message 0'); // forgotten, so written again
    expect(inner.lines).toHaveLength(LIMITS.logRepeatMessages + 51);
  });
});
