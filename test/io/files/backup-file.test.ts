import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackupFile, BackupFileError, type BackupEntry, type BackupHeader } from '../../../src/io/files/backup-file';

const HEADER: BackupHeader = {
  kind: 'BerthBackup',
  formatVersion: 1,
  berthVersion: '1.2.3',
  revision: 42,
  takenAt: '2026-01-02T03:04:05.000Z',
};
const ENTRIES: readonly BackupEntry[] = [
  { key: '/berth/v1/apps/a', value: '{"a":"ä\\n\u2028"}' },
  { key: '/berth/v1/apps/b', value: 'x'.repeat(300_000) },
];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-backup-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function* from(entries: readonly BackupEntry[]): AsyncIterable<BackupEntry> {
  yield* entries;
}

async function all(file: BackupFile): Promise<BackupEntry[]> {
  const found: BackupEntry[] = [];
  for await (const entry of file.entries()) found.push(entry);
  return found;
}

describe.each(['all.jsonl', 'all.jsonl.gz'])('a backup in %s', (name) => {
  test('gives back what was put in, byte by byte', async () => {
    const file = new BackupFile(join(folder, name));
    expect(await file.write(HEADER, from(ENTRIES))).toBe(2);
    expect(await all(file)).toEqual(ENTRIES);
    expect(await file.verify()).toEqual({ header: HEADER, records: 2 });
  });

  test('is readable by its owner alone: environments of apps may hold secrets', async () => {
    await new BackupFile(join(folder, name)).write(HEADER, from(ENTRIES));
    expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  });

  test('that is cut off anywhere is refused', async () => {
    const path = join(folder, name);
    await new BackupFile(path).write(HEADER, from(ENTRIES));
    const whole = readFileSync(path);
    for (const share of [0, 0.1, 0.5, 0.9, 0.999]) {
      writeFileSync(path, whole.subarray(0, Math.floor(whole.length * share)));
      await expect(new BackupFile(path).verify()).rejects.toThrow(BackupFileError);
    }
  });
});

test('a write that fails leaves the old file and no draft', async () => {
  const path = join(folder, 'all.jsonl');
  await new BackupFile(path).write(HEADER, from(ENTRIES));
  async function* failing(): AsyncIterable<BackupEntry> {
    yield { key: 'k', value: 'v' };
    throw new Error('etcd went away');
  }
  await expect(new BackupFile(path).write(HEADER, failing())).rejects.toThrow('etcd went away');
  expect(await all(new BackupFile(path))).toEqual(ENTRIES);
  expect(readdirSync(folder)).toEqual(['all.jsonl']);
});

describe('a file that is refused', () => {
  const end = '{"end":true,"records":0,"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}\n';
  test.each([
    ['nothing', '', 'empty'],
    ['something else', '{"apps":[]}\n', 'no backup of Berth'],
    ['no JSON', 'hello\n', 'line 1 is not JSON'],
    ['a newer format', `${JSON.stringify({ ...HEADER, formatVersion: 2 })}\n`, 'newer Berth (1.2.3)'],
    ['a line that is no record', `${JSON.stringify(HEADER)}\n{"key":5}\n`, 'line 2 is no record'],
    [
      'records after the end',
      `${JSON.stringify(HEADER)}\n${end}{"key":"a","value":"b"}\n`,
      'line 3 comes after the end',
    ],
    [
      'a changed record',
      `${JSON.stringify(HEADER)}\n{"key":"a","value":"b"}\n${end}`,
      'do not agree with the checksum',
    ],
  ])('%s', async (_what, text, why) => {
    const path = join(folder, 'x.jsonl');
    writeFileSync(path, text);
    await expect(new BackupFile(path).verify()).rejects.toThrow(why);
  });

  test('one that does not exist', async () => {
    await expect(new BackupFile(join(folder, 'none')).verify()).rejects.toThrow(/ENOENT/);
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });
});
