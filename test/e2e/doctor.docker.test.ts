import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { startDocker, type TestDocker } from '../support/docker';
import { freePorts } from '../support/process';
import { startWorld, type World } from './world';

const MAIN = resolve(process.cwd(), 'dist/main.js');

interface Finding {
  readonly check: string;
  readonly level: string;
  readonly what: string;
  readonly fix?: string;
}

describe('berth doctor', () => {
  let world: World;
  let spare: readonly number[];
  beforeAll(async () => {
    world = await startWorld();
    spare = await freePorts(4);
  });
  afterAll(() => world.stop());

  function doctor(...args: readonly string[]): Promise<{ code: number; findings: Finding[]; stderr: string }> {
    const [marathon, mesos, kube, agent] = spare;
    const words = [
      ...['doctor', '--json', `--etcd-endpoints=${world.etcd.endpoint}`, `--docker-socket=${world.engine.socketPath}`],
      ...[`--marathon-port=${marathon}`, `--mesos-port=${mesos}`, `--kube-port=${kube}`, `--port=${agent}`],
      ...args,
    ];
    // The last of a repeated flag would be an error: those that a test gives replace ours.
    const unique = words.filter(
      (word, index) => !words.slice(index + 1).some((later) => later.split('=')[0] === word.split('=')[0]),
    );
    return new Promise((done) => {
      execFile(process.execPath, [MAIN, ...unique], { timeout: 60_000 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : Number(error.code);
        done({ code, findings: JSON.parse(stdout) as Finding[], stderr });
      });
    });
  }

  const find = (findings: readonly Finding[], check: string) => findings.find((finding) => finding.check === check);

  test('a machine that is well', async () => {
    const server = world.cluster.servers[0];
    const port = new URL(server?.marathonUrl ?? '').port;
    const { code, findings } = await doctor(`--url=${server?.marathonUrl}`, `--marathon-port=${port}`);
    expect(findings.filter(({ level }) => level === 'fail')).toEqual([]);
    expect(code).toBe(0);
    expect(find(findings, 'live-restore')?.level).toBe('ok');
    expect(find(findings, `port ${port}`)?.what).toContain('listens');
    expect(find(findings, `server ${server?.marathonUrl}`)?.what).toContain('1 agents');
    expect(find(findings, 'versions')?.level).toBe('ok');
  });

  test('etcd that is away, Docker that is away, a port that is taken: each with its fix, exit code 1', async () => {
    const stranger = createServer((socket) => socket.destroy());
    await new Promise<void>((ready) => stranger.listen(0, '127.0.0.1', ready));
    const address = stranger.address();
    const taken = address !== null && typeof address === 'object' ? address.port : 0;
    try {
      const { code, findings, stderr } = await doctor(
        '--etcd-endpoints=http://127.0.0.1:1',
        '--docker-socket=/nowhere/docker.sock',
        `--port=${taken}`,
      );
      expect(code).toBe(1);
      expect(stderr).toContain('checks failed');
      for (const check of ['etcd http://127.0.0.1:1', 'docker', `port ${taken}`]) {
        expect(find(findings, check)).toMatchObject({ level: 'fail', fix: expect.stringMatching(/./) as string });
      }
    } finally {
      await new Promise((closed) => stranger.close(closed));
    }
  });

  describe('of an engine without live-restore', () => {
    let engine: TestDocker;
    beforeAll(async () => {
      engine = await startDocker({ liveRestore: false });
    });
    afterAll(() => engine.stop());

    test('warns, and does not fail for it', async () => {
      const { findings } = await doctor(`--docker-socket=${engine.socketPath}`);
      expect(find(findings, 'live-restore')).toMatchObject({ level: 'warn' });
    });
  });
});
