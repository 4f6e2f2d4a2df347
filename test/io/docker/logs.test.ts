import { mkdtempSync, readFileSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogFiles } from '../../../src/io/docker/log-files';
import { FrameReader, logMessage } from '../../../src/io/docker/log-frames';
import { advanced, Resume, sinceOf, START } from '../../../src/io/docker/log-position';

const frame = (stream: number, text: string): Buffer => {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
};
const at = (nanos: number) => `2026-01-01T00:00:01.${String(nanos).padStart(9, '0')}Z`;
const message = (nanos: number, text: string) => ({ timestamp: at(nanos), data: Buffer.from(text) });

test.each([1, 3, 7, 1_000])('frames come out whole however the stream is cut: %i bytes at a time', (size) => {
  const bytes = Buffer.concat([frame(1, 'one\n'), frame(2, 'two'), frame(1, ''), frame(1, 'ü\n')]);
  const reader = new FrameReader();
  const read: string[] = [];
  for (let from = 0; from < bytes.length; from += size)
    for (const { stream, data } of reader.push(bytes.subarray(from, from + size)))
      read.push(`${stream}:${data.toString()}`);
  expect(read).toEqual(['stdout:one\n', 'stderr:two', 'stdout:', 'stdout:ü\n']);
});

test('a frame of a size nobody sends is an error, not memory', () => {
  const header = Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
  expect(() => [...new FrameReader().push(header)]).toThrow(/4294967295 bytes/);
});

test.each([
  [`${at(5)} hello\n`, at(5), 'hello\n'],
  [`${at(5)} `, at(5), ''],
  ['no timestamp', 'before', 'no timestamp'],
])('the timestamp is taken off %j', (text, timestamp, data) => {
  const read = logMessage('stdout', Buffer.from(text), 'before');
  expect([read.timestamp, read.data.toString()]).toEqual([timestamp, data]);
});

test('a resumed stream skips what it has had, also among equal timestamps', () => {
  let position = START.stdout;
  for (const nanos of [1, 2, 2]) position = advanced(position, at(nanos), 10);
  expect(position).toEqual({ bytes: 30, timestamp: at(2), same: 2 });
  const resume = new Resume(position);
  expect([1, 2, 2, 2, 3].map((nanos) => resume.isNew(at(nanos)))).toEqual([false, false, false, true, true]);
});

test('since is a little before the newest message; 0 at the beginning', () => {
  expect(sinceOf(START)).toBe(0);
  const stdout = { bytes: 1, timestamp: at(1), same: 1 };
  expect(sinceOf({ ...START, stdout })).toBe(Date.UTC(2026, 0, 1) / 1_000 + 1 - 5);
});

describe('LogFiles', () => {
  let sandbox: string;
  beforeEach(() => (sandbox = mkdtempSync(join(tmpdir(), 'berth-logs-'))));
  afterEach(() => rmSync(sandbox, { recursive: true, force: true }));
  const content = (file: string) => readFileSync(join(sandbox, file), 'utf8');

  test('what was written after the last save is cut off, so that copying it again repeats nothing', async () => {
    const first = await LogFiles.open(sandbox);
    await first.append('stdout', [message(1, 'a\n')]);
    await first.save();
    await first.append('stdout', [message(2, 'b\n')]);
    const second = await LogFiles.open(sandbox);
    expect(second.position.stdout.timestamp).toBe(at(1));
    await second.append('stdout', [message(2, 'b\n'), message(3, 'c\n')]);
    await second.close();
    expect(content('stdout')).toBe('a\nb\nc\n');
    await first.close();
  });

  test.each(['', '{', '{"stdout":{}}'])(
    'a position that makes no sense (%j) means from the beginning',
    async (text) => {
      writeFileSync(join(sandbox, 'stdout'), 'old');
      writeFileSync(join(sandbox, '.log-position'), text);
      const files = await LogFiles.open(sandbox);
      expect(files.position).toEqual(START);
      await files.close();
      expect(content('stdout')).toBe('');
    },
  );

  test('a link that a task put in the place of its output is replaced, not followed', async () => {
    const victim = join(sandbox, 'victim');
    writeFileSync(victim, 'precious');
    symlinkSync(victim, join(sandbox, 'stdout'));
    const files = await LogFiles.open(sandbox);
    await files.append('stdout', [message(1, 'evil')]);
    await files.close();
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    expect(content('stdout')).toBe('evil');
  });

  test('a full file is put aside once', async () => {
    const files = await LogFiles.open(sandbox);
    const big = Buffer.alloc(60 * 1024 * 1024, 'x');
    await files.append('stderr', [{ timestamp: at(1), data: big }]);
    await files.append('stderr', [{ timestamp: at(2), data: big }]);
    await files.append('stderr', [message(3, 'after')]);
    await files.close();
    expect(content('stderr')).toBe('after');
    expect(readFileSync(join(sandbox, 'stderr.1'))).toHaveLength(2 * big.length);
    unlinkSync(join(sandbox, 'stderr.1'));
  });
});
