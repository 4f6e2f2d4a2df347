import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClusterFolder } from '../../../src/cli/up/cluster-state';
import { Daemon } from '../../../src/cli/up/daemon';
import { explain, StepFailure } from '../../../src/cli/up/failure';
import { withLock } from '../../../src/cli/up/lock';
import { freePort, isPortFree, listenerOf, processFacts } from '../../../src/cli/up/process-table';
import { waitFor } from '../../../src/cli/wait';

let folder: string;
let daemon: Daemon;
let strangers: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-up-'));
  daemon = new Daemon('sleeper', folder);
  strangers = [];
});
afterEach(async () => {
  await daemon.stop();
  for (const stranger of strangers) stranger.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** A process that is none of ours. */
function stranger(): number {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  strangers.push(child);
  if (child.pid === undefined) throw new Error('sleep did not start');
  return child.pid;
}

async function failure(work: Promise<unknown>): Promise<StepFailure> {
  const thrown: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof StepFailure) return thrown;
  throw new Error(`no StepFailure, but ${String(thrown)}`);
}

const PID_FILE = () => join(folder, 'run', 'sleeper.json');

describe('Daemon', () => {
  test('starts in the background, is found again by another object, and stops', async () => {
    await daemon.start('/bin/sh', ['-c', 'echo hello; exec sleep 600'], process.env);
    const again = new Daemon('sleeper', folder).running();
    expect(again?.pid).toBe(daemon.running()?.pid);
    await daemon.ready('says nothing', 10_000, () =>
      Promise.resolve(readFileSync(daemon.logFile, 'utf8') === 'hello\n'),
    );
    expect(await daemon.stop()).toBe(true);
    expect(again === undefined || processFacts(again.pid)).toBeUndefined();
    expect(existsSync(PID_FILE())).toBe(false);
    expect(await daemon.stop()).toBe(false);
  });

  test('never takes, let alone kills, a process that only has the number of ours', async () => {
    await daemon.start('sleep', ['600'], process.env);
    const pid = stranger();
    await daemon.stop();
    writeFileSync(PID_FILE(), JSON.stringify({ ...processFacts(process.pid), pid }));
    expect(daemon.running()).toBeUndefined();
    expect(await daemon.stop()).toBe(false);
    expect(processFacts(pid)?.pid).toBe(pid);
  });

  test.each(['', '{', '{"pid":-1}', '{"pid":"1","started":"1"}', 'null'])(
    'a pid file that says %j names no process',
    async (text) => {
      await daemon.start('true', [], process.env).catch(() => undefined);
      writeFileSync(PID_FILE(), text);
      expect(daemon.running()).toBeUndefined();
      expect(await daemon.stop()).toBe(false);
    },
  );

  test('a zombie counts as dead', async () => {
    // `sleep` is never waited for by the shell that `exec` turns into another sleep.
    const parent = spawn('/bin/sh', ['-c', 'sleep 0 & echo $!; exec sleep 600'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    strangers.push(parent);
    const pid = await new Promise<number>((resolve) =>
      parent.stdout.once('data', (data) => resolve(Number(String(data)))),
    );
    const isZombie = () => (/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')) ? true : undefined);
    expect(await waitFor(10_000, isZombie)).toBe(true);
    expect(processFacts(pid)).toBeUndefined();
  });

  test('one that ignores SIGTERM is killed all the same', async () => {
    const impatient = new Daemon('sleeper', folder, { termMs: 300, killMs: 10_000 });
    await impatient.start('/bin/sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 1; done'], process.env);
    await impatient.ready('says nothing', 10_000, () =>
      Promise.resolve(readFileSync(daemon.logFile, 'utf8') === 'ready\n'),
    );
    expect(await impatient.stop()).toBe(true);
    expect(impatient.running()).toBeUndefined();
  });

  test('one that ends before it is ready fails at once, with the end of its log', async () => {
    await daemon.start('/bin/sh', ['-c', 'echo it went wrong; sleep 0.2; exit 3'], process.env);
    const failed = await failure(daemon.ready('never is', 60_000, () => Promise.resolve(false)));
    expect(failed.message).toBe('ended before it was ready');
    expect(explain(failed)).toContain('| it went wrong');
  });

  test('one that does not get ready in time says what was missing', async () => {
    await daemon.start('sleep', ['600'], process.env);
    const failed = await failure(daemon.ready('does not answer', 300, () => Promise.resolve(false)));
    expect(failed.message).toBe('does not answer within 0.3 s');
  });

  test('a program that is not there', async () => {
    const failed = await failure(daemon.start(join(folder, 'nonesuch'), [], process.env));
    expect(failed.message).toContain('ENOENT');
  });

  test('the log is put aside when it has grown too long', async () => {
    await daemon.start('sleep', ['600'], process.env);
    await daemon.stop();
    truncateSync(daemon.logFile, 11 * 1024 * 1024);
    await daemon.start('sleep', ['600'], process.env);
    expect(statSync(daemon.logFile).size).toBe(0);
    expect(statSync(`${daemon.logFile}.1`).size).toBe(11 * 1024 * 1024);
  });
});

describe('ports', () => {
  test('a taken port is seen, and who has it', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await isPortFree(port)).toBe(false);
    expect(listenerOf(port)?.pid).toBe(process.pid);
    await new Promise((resolve) => server.close(resolve));
    expect(await isPortFree(port)).toBe(true);
    expect(listenerOf(port)).toBeUndefined();
  });

  test('a free port is free', async () => {
    expect(await isPortFree(await freePort())).toBe(true);
  });
});

describe('withLock', () => {
  test('lets one command at a time work on a folder', async () => {
    const cluster = new ClusterFolder(folder);
    await withLock(cluster, async () => {
      const failed = await failure(withLock(cluster, () => Promise.resolve()));
      expect(failed.message).toContain(`process ${process.pid}`);
    });
    await expect(withLock(cluster, () => Promise.resolve('free again'))).resolves.toBe('free again');
  });

  test.each([
    ['of a process that is gone', JSON.stringify({ pid: 4_000_000, started: '1' })],
    ['of a process whose number was used again', JSON.stringify({ pid: process.pid, started: '1' })],
    ['that a crash left half written', '{"pid":'],
  ])('takes over a lock %s', async (_, content) => {
    const cluster = new ClusterFolder(folder);
    writeFileSync(cluster.inside('lock'), content);
    await expect(withLock(cluster, () => Promise.resolve(1))).resolves.toBe(1);
  });

  test('is given back after a failure', async () => {
    const cluster = new ClusterFolder(folder);
    await expect(withLock(cluster, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(existsSync(cluster.inside('lock'))).toBe(false);
  });
});

describe('ClusterFolder', () => {
  const state = {
    cluster: 'local-1',
    ports: { marathon: 1, mesos: 2, kube: 3, agent: 4, etcd: 5, etcdPeer: 6 },
    docker: { socket: '/s', startedBy: 'up' as const },
  };

  test('remembers how the cluster was set up', () => {
    new ClusterFolder(folder).write(state);
    expect(new ClusterFolder(folder).read()).toEqual(state);
  });

  test.each(['', '{', '{"cluster":1}'])('a state file that says %j is no state', (text) => {
    writeFileSync(join(folder, 'cluster.json'), text);
    expect(new ClusterFolder(folder).read()).toBeUndefined();
  });

  test('two folders have two clusters, and the same folder always the same', () => {
    const [a, b] = [new ClusterFolder(folder), new ClusterFolder(tmpdir())];
    expect(a.clusterName()).not.toBe(b.clusterName());
    expect(a.clusterName()).toBe(new ClusterFolder(`${folder}/../${folder.split('/').at(-1)}`).clusterName());
    expect(a.engineRunFolder().length).toBeLessThan(40);
  });
});

describe('explain', () => {
  test('names step, fault, log with its last lines, and what to do', () => {
    const logFile = join(folder, 'x.log');
    writeFileSync(logFile, Array.from({ length: 40 }, (_, line) => `line ${line}`).join('\n'));
    const text = explain(new StepFailure('etcd', 'is not healthy', { logFile, advice: 'look at the disk' }));
    expect(text).toMatch(/^FAILED: etcd: is not healthy\n/);
    expect(text).toContain(`log: ${logFile}`);
    expect(text).toContain('| line 39');
    expect(text).not.toContain('| line 20');
    expect(text).toContain('what to do: look at the disk');
  });

  test('a log that is not there does not hide the fault', () => {
    expect(explain(new StepFailure('etcd', 'is gone', { logFile: '/nowhere' }))).toContain('there is no such file');
  });
});
