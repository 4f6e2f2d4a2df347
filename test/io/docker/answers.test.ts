import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TimeoutError, UnavailableError } from '../../../src/core/errors';
import { execIn } from '../../../src/io/docker/container-exec';
import { exitOf, phaseOf, type ContainerState } from '../../../src/io/docker/container-exit';
import { usageOf } from '../../../src/io/docker/container-usage';
import { DockerEngine, olderOf, withSignal } from '../../../src/io/docker/engine';
import { EngineRefusal } from '../../../src/io/docker/engine-error';
import { registryAuth, registryOf } from '../../../src/io/docker/registry-auth';
import { StartSlots } from '../../../src/io/docker/start-slots';
import { noopMetrics, settled } from '../../support/fakes';

const state = (parts: Partial<ContainerState>): ContainerState => ({
  Status: 'exited',
  ExitCode: 0,
  OOMKilled: false,
  Error: '',
  FinishedAt: '2026-01-01T00:00:00Z',
  ...parts,
});

test.each<[Partial<ContainerState>, object]>([
  [
    {},
    { exitCode: 0, oomKilled: false, message: 'Container exited with status 0', finishedAtMs: Date.UTC(2026, 0, 1) },
  ],
  [{ ExitCode: 3 }, { exitCode: 3, message: 'Container exited with status 3' }],
  [{ ExitCode: 137 }, { signal: 9, message: 'Container terminated with signal SIGKILL (status 137)' }],
  [
    { ExitCode: 137, OOMKilled: true },
    { oomKilled: true, message: expect.stringContaining('memory limit exceeded') },
  ],
  [
    { ExitCode: 0, OOMKilled: true },
    { exitCode: 0, oomKilled: true },
  ],
  [{ ExitCode: 255 }, { exitCode: 255, message: 'Container exited with status 255' }],
  [{ FinishedAt: '0001-01-01T00:00:00Z' }, { finishedAtMs: 42 }],
])('%j ended as %j', (parts, expected) => expect(exitOf(state(parts), 42)).toMatchObject(expected));

test.each([
  ['created', 'created'],
  ['running', 'running'],
  ['paused', 'running'],
  ['exited', 'exited'],
  ['dead', 'exited'],
])('a container that is %s counts as %s', (status, phase) => expect(phaseOf(status)).toBe(phase));

test('memory is counted without the inactive file cache, an absurd limit is none', () => {
  const stats = {
    cpu_stats: { cpu_usage: { total_usage: 2_500_000_000 } },
    memory_stats: { usage: 1_000, limit: 2 ** 63, stats: { total_inactive_file: 300 } },
  };
  expect(usageOf(stats)).toEqual({ cpuSeconds: 2.5, memoryBytes: 700 });
  expect(usageOf({ cpu_stats: {}, memory_stats: {} })).toBeUndefined();
});

test('usage adds up interfaces and devices, and tells what the engine does not', () => {
  const stats = {
    cpu_stats: { cpu_usage: { total_usage: 0 }, throttling_data: { throttled_time: 1_500_000_000 } },
    memory_stats: { usage: 1 },
    networks: { eth0: { rx_bytes: 1, tx_bytes: 10 }, eth1: { rx_bytes: 2, tx_bytes: 20 } },
    blkio_stats: {
      io_service_bytes_recursive: [
        { op: 'read', value: 3 },
        { op: 'Read', value: 4 },
        { op: 'write', value: 5 },
        { op: 'Total', value: 12 },
      ],
    },
    pids_stats: { current: 6 },
  };
  expect(usageOf(stats)).toEqual({
    cpuSeconds: 0,
    memoryBytes: 1,
    cpuThrottledSeconds: 1.5,
    networkReceivedBytes: 3,
    networkSentBytes: 30,
    diskReadBytes: 7,
    diskWrittenBytes: 5,
    processes: 6,
  });
  const nulls = { ...stats, networks: null, blkio_stats: { io_service_bytes_recursive: null }, pids_stats: {} };
  expect(usageOf(nulls)).toEqual({
    cpuSeconds: 0,
    memoryBytes: 1,
    cpuThrottledSeconds: 1.5,
    diskReadBytes: 0,
    diskWrittenBytes: 0,
  });
});

test.each([
  ['1.41', '1.44', '1.41'],
  ['1.52', '1.44', '1.44'],
  ['1.9', '1.44', '1.9'],
])('of API %s and %s the older is %s', (a, b, older) => expect(olderOf(a, b)).toBe(older));

describe('registryAuth', () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-auth-'));
  const file = join(folder, 'config.json');
  afterAll(() => rmSync(folder, { recursive: true }));
  const auth = Buffer.from('me:pass:word').toString('base64');

  test.each([
    ['a/b', 'https://index.docker.io/v1/'],
    ['nginx', 'https://index.docker.io/v1/'],
    ['docker.io/a', 'https://index.docker.io/v1/'],
    ['h.example/a', 'h.example'],
    ['localhost/a', 'localhost'],
    ['h:5000/a', 'h:5000'],
  ])('the registry of %s is %s', (image, registry) => expect(registryOf(image)).toBe(registry));

  test.each<[string, string, object | undefined]>([
    ['h:5000', 'h:5000/a:1', { username: 'me', password: 'pass:word', serveraddress: 'h:5000' }],
    ['https://h:5000/v1/', 'h:5000/a:1', { username: 'me', password: 'pass:word', serveraddress: 'h:5000' }],
    [
      'https://index.docker.io/v1/',
      'nginx',
      { username: 'me', password: 'pass:word', serveraddress: 'https://index.docker.io/v1/' },
    ],
    ['other', 'h:5000/a:1', undefined],
  ])('a login for %s used for %s', async (registry, image, expected) => {
    writeFileSync(file, JSON.stringify({ auths: { [registry]: { auth } } }));
    expect(await registryAuth(file, image)).toEqual(expected);
  });

  test('without a file there is no login; garbage is an error', async () => {
    expect(await registryAuth(undefined, 'a')).toBeUndefined();
    writeFileSync(file, '{');
    await expect(registryAuth(file, 'a')).rejects.toThrow();
  });
});

test('slots: never more than so many at once, starts before creates, a failure frees its slot', async () => {
  const slots = new StartSlots(1);
  const order: string[] = [];
  const releases: (() => void)[] = [];
  const work = (name: string) => async () => {
    order.push(name);
    await new Promise<void>((resolve) => releases.push(resolve));
    if (name === 'create1') throw new Error('refused');
  };
  const all = [
    slots.run('create', work('create1')).catch(() => undefined),
    slots.run('create', work('create2')),
    slots.run('start', work('start1')),
  ];
  for (let n = 1; n <= 3; n++) {
    await settled();
    expect(order).toHaveLength(n);
    releases.shift()?.();
  }
  await Promise.all(all);
  expect(order).toEqual(['create1', 'start1', 'create2']);
});

describe('DockerEngine', () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-engine-'));
  const socketPath = join(folder, 'docker.sock');
  let server: Server;
  let answer: { status: number; body: object } | 'hang';
  const versions: string[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === '/version')
        return response.setHeader('Content-Type', 'application/json').end('{"ApiVersion":"1.52"}');
      versions.push(request.url ?? '');
      if (answer === 'hang') return undefined;
      return response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer.body));
    }).listen(socketPath);
    await new Promise((resolve) => server.once('listening', resolve));
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const inspect = (timeoutMs = 5_000) => {
    const engine = new DockerEngine({ socketPath }, noopMetrics());
    return engine
      .call('inspect', (docker, signal) => docker.getContainer('x').inspect(withSignal({}, signal)), { timeoutMs })
      .finally(() => engine.close());
  };

  test('speaks an API version that both know', async () => {
    answer = { status: 200, body: {} };
    await inspect();
    expect(versions.at(-1)).toMatch(/^\/v1\.44\//);
  });

  test.each<[string, number, string, typeof EngineRefusal | typeof UnavailableError]>([
    ['what the request is to blame for', 500, 'driver failed: port is already allocated', EngineRefusal],
    ['a registry that does not answer', 500, 'Get "http://r:5000/v2/": context deadline exceeded', EngineRefusal],
    ['what is not there', 404, 'No such container: x', EngineRefusal],
    ['trouble behind the engine', 500, 'transport is closing', UnavailableError],
    ['an engine that is not ready', 503, 'starting', UnavailableError],
  ])('tells apart %s', async (_, status, message, kind) => {
    answer = { status, body: { message } };
    const error: unknown = await inspect().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toContain(message);
  });

  test('a call that hangs ends with TimeoutError', async () => {
    answer = 'hang';
    await expect(inspect(50)).rejects.toThrow(TimeoutError);
  });

  test('whether it answers is asked with a time limit of its own', async () => {
    const ask = async (path: string) => {
      const engine = new DockerEngine({ socketPath: path }, noopMetrics());
      return engine.ping().finally(() => engine.close());
    };
    answer = { status: 200, body: {} };
    await expect(ask(socketPath)).resolves.toBeUndefined();
    answer = 'hang';
    await expect(ask(socketPath)).rejects.toThrow(TimeoutError);
    await expect(ask(join(folder, 'none.sock'))).rejects.toThrow(UnavailableError);
  });

  test('a command in a container of an engine that hangs is not late: the engine is', async () => {
    answer = 'hang';
    const engine = new DockerEngine({ socketPath }, noopMetrics());
    await expect(execIn(engine, 'x', ['true'], { timeoutMs: 50 })).rejects.toThrow(UnavailableError);
    engine.close();
  });

  test('an engine that is not there is UnavailableError, whatever DOCKER_HOST says', async () => {
    const engine = new DockerEngine({ socketPath: join(folder, 'none.sock') }, noopMetrics());
    process.env['DOCKER_HOST'] = `unix://${socketPath}`;
    try {
      await expect(engine.facts()).rejects.toThrow(UnavailableError);
    } finally {
      delete process.env['DOCKER_HOST'];
      engine.close();
    }
  });
});
