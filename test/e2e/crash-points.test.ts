import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

describe('BERTH_CRASH_POINT', () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-crash-point-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each([
    ['server', '--data-dir'],
    ['agent', '--work-dir'],
  ])('a %s refuses a name that is none, before it does anything', (command, place) => {
    const args = ['dist/main.js', command, place, folder];
    const env = { ...process.env, BERTH_CRASH_POINT: 'agent.lunch' };
    const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8', timeout: 30_000 });
    expect(status).toBe(2);
    expect(stderr).toContain('BERTH_CRASH_POINT=agent.lunch: no such crash point; there are: agent.id-given, ');
  });
});
