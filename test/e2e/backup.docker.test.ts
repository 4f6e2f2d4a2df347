import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { waitFor } from '../support/wait';
import { startWorld, webApp, type World } from './world';

const MAIN = resolve(process.cwd(), 'dist/main.js');

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe('berth backup and berth restore', () => {
  let world: World;
  let folder: string;
  let file: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'berth-backup-'));
    file = join(folder, 'all.jsonl.gz');
    world = await startWorld({ agents: 2 });
    await world.marathon.ok('POST', '/v2/apps', webApp('/prod/web', { instances: 3 }));
    await world.marathon.ok('POST', '/v2/apps', webApp('/one'));
    await world.marathon.settled('/prod/web', 3);
    await world.marathon.settled('/one', 1);
  });
  afterAll(async () => {
    await world.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function berth(...args: readonly string[]): Promise<Outcome> {
    const env = { ...process.env, BERTH_ETCD_ENDPOINTS: world.etcd.endpoint };
    return new Promise((done) => {
      execFile(process.execPath, [MAIN, ...args], { env, timeout: 60_000 }, (error, stdout, stderr) => {
        done({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr });
      });
    });
  }

  async function etcdctl(...args: readonly string[]): Promise<string> {
    return new Promise((done, fail) => {
      const env = { ...process.env, ETCDCTL_API: '3' };
      execFile('etcdctl', [`--endpoints=${world.etcd.endpoint}`, ...args], { env, timeout: 20_000 }, (error, stdout) =>
        error === null ? done(stdout) : fail(error),
      );
    });
  }

  test('a backup of a running cluster is one file with everything', async () => {
    const { code, stdout } = await berth('backup', file);
    expect(stdout).toMatch(/^\d+ records at revision \d+ are in /);
    expect(code).toBe(0);
    const keys = (await etcdctl('get', '--prefix', '--keys-only', '/berth/v1/')).split('\n').filter(Boolean);
    const text = await unzipped(file);
    for (const kind of ['apps', 'instances', 'tasks', 'agents'])
      for (const key of keys.filter((name) => name.startsWith(`/berth/v1/${kind}/`))) expect(text).toContain(key);
  });

  test('a restore is refused while a server runs, and changes nothing', async () => {
    const before = await etcdctl('get', '--prefix', '--keys-only', '/berth/v1/apps');
    const { code, stderr } = await berth('restore', file, '--replace');
    expect(stderr).toMatch(/the cluster is alive: .* leads; nothing was changed/);
    expect(stderr).toContain('stop all servers first');
    expect(code).toBe(1);
    expect(await etcdctl('get', '--prefix', '--keys-only', '/berth/v1/apps')).toBe(before);
  });

  test('etcd is lost: the restored apps go on in the same containers', async () => {
    const before = await world.containers();
    expect(before.size).toBe(4);
    const server = world.cluster.servers[0];
    await server?.process.kill('SIGKILL');
    await world.etcd.kill('SIGKILL');
    rmSync(join(world.etcd.dataDir, 'data'), { recursive: true });
    await world.etcd.restart();

    const { code, stdout, stderr } = await berth('restore', file);
    expect(stderr).not.toContain('FAILED');
    expect(stdout).toContain('records are restored');
    expect(code).toBe(0);

    await server?.restart();
    await waitFor('both agents', async () => (await world.cluster.activeAgents()) === 2);
    await world.marathon.settled('/prod/web', 3);
    await world.marathon.settled('/one', 1);
    expect(await world.containers()).toEqual(before);
    // And they obey again.
    await world.marathon.ok('PUT', '/v2/apps/prod/web', { instances: 1 });
    const left = await world.marathon.settled('/prod/web', 1);
    const now = await world.containers();
    expect(now.get(left.tasks[0]?.id ?? '')).toBe(before.get(left.tasks[0]?.id ?? ''));
  });

  describe('with the servers stopped', () => {
    beforeAll(async () => {
      await world.cluster.servers[0]?.process.kill('SIGTERM');
    });

    test('a restore over records is refused unless it is asked for, and then replaces all', async () => {
      await etcdctl('put', '/berth/v1/groups/later', '{}');
      const refused = await berth('restore', file);
      expect(refused.stderr).toContain('etcd holds records already; nothing was changed');
      expect(refused.code).toBe(1);
      expect(await etcdctl('get', '/berth/v1/groups/later')).not.toBe('');

      const replaced = await berth('restore', file, '--replace');
      expect(replaced.code).toBe(0);
      expect(await etcdctl('get', '/berth/v1/groups/later')).toBe('');
      expect(await etcdctl('get', '/berth/leader')).toBe('');
    });

    test('a file that is cut off is refused before anything is written', async () => {
      const broken = join(folder, 'broken.jsonl.gz');
      const whole = readFileSync(file);
      writeFileSync(broken, whole.subarray(0, whole.length - 20));
      const before = await etcdctl('get', '--prefix', '--keys-only', '/berth/v1/');
      const { code, stderr } = await berth('restore', broken, '--replace');
      expect(stderr).toMatch(/FAILED: restore: cannot be read/);
      expect(code).toBe(1);
      expect(await etcdctl('get', '--prefix', '--keys-only', '/berth/v1/')).toBe(before);
    });
  });

  test('an etcd that does not answer is named, and no file is left', async () => {
    const target = join(folder, 'none.jsonl');
    const { code, stderr } = await berth('backup', target, '--etcd-endpoints', 'http://127.0.0.1:1');
    expect(stderr).toContain('http://127.0.0.1:1');
    expect(code).toBe(1);
    expect(existsSync(target)).toBe(false);
  });
});

function unzipped(path: string): Promise<string> {
  return new Promise((done, fail) => {
    execFile('gzip', ['-dc', path], { timeout: 10_000, maxBuffer: 64 << 20 }, (error, stdout) =>
      error === null ? done(stdout) : fail(error),
    );
  });
}
