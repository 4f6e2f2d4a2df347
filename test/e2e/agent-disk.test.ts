import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

describe('an agent whose own folder cannot be read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-agent-disk-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('ends with the reason, so that whoever keeps it running starts it anew', () => {
    writeFileSync(join(folder, 'checkpoints'), 'a file where a folder should be');
    const args = [
      'dist/main.js',
      'agent',
      '--work-dir',
      folder,
      '--docker-socket',
      join(folder, 'none'),
      '--port',
      '0',
    ];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
    expect(status).toBe(1);
    expect(stderr).toMatch(/the agent gave up.*EEXIST/);
    expect(stderr).toMatch(/berth: .*the agent .*EEXIST/);
  });
});
