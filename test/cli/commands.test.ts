import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli, type Handlers } from '../../src/cli/main';
import type { AgentOptions, ServerOptions } from '../../src/cli/options';
import { httpStub, json, type HttpStub } from './http-stub';
import { recorder } from './recorder';

const TASK = 'web.instance-0a1b2c3d-1111-4222-8333-444455556666._app.1';
const SECOND = 'web.instance-9f8e7d6c-1111-4222-8333-444455556666._app.2';

let folder: string;
let stubs: HttpStub[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-cli-'));
  stubs = [];
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await Promise.all(stubs.map((stub) => stub.close()));
});

async function stub(routes: Parameters<typeof httpStub>[0]): Promise<HttpStub> {
  const made = await httpStub(routes);
  stubs.push(made);
  return made;
}

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly started: readonly (ServerOptions | AgentOptions)[];
}

async function berth(argv: readonly string[], env: NodeJS.ProcessEnv = {}, signal?: AbortSignal): Promise<Outcome> {
  const terminal = recorder();
  const started: (ServerOptions | AgentOptions)[] = [];
  const start = (options: ServerOptions | AgentOptions) => Promise.resolve(void started.push(options));
  const never = () => Promise.reject(new Error('not in these tests'));
  const handlers: Handlers = { server: start, agent: start, backup: never, restore: never, doctor: never };
  const code = await runCli(
    argv,
    { BERTH_STATE_DIR: folder, ...env },
    handlers,
    terminal,
    signal ?? new AbortController().signal,
  );
  return { code, stdout: terminal.stdout(), stderr: terminal.stderr(), started };
}

function statusOf(agentPort: number, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    version: '9.9.9',
    leader: { hostname: 'one', marathonAddress: '10.0.0.1:8080' },
    etcd: { healthy: true },
    auth: 'none-loopback',
    agents: [
      { id: 'a-S0', hostname: '127.0.0.1', port: agentPort, state: 'active', resources: { cpus: 4, mem: 8192 } },
    ],
    apps: [{ id: '/web', instances: 3, running: 2, healthy: 1, unhealthy: 1, message: 'waits: INSUFFICIENT_CPUS' }],
    ...more,
  };
}

describe('the command line as a whole', () => {
  test.each([['--help'], ['-h'], ['help']])('%s lists the commands on stdout', async (argument) => {
    const { code, stdout } = await berth([argument]);
    expect(code).toBe(0);
    for (const name of ['up', 'down', 'status', 'logs APP', 'server', 'agent', 'version'])
      expect(stdout).toContain(`berth ${name}`);
  });

  test.each([
    ['server', '--etcd-endpoints'],
    ['agent', '--resources'],
    ['up', '--marathon-port'],
    ['down', '--wipe'],
    ['status', '--url'],
    ['logs', '--tail'],
  ])('%s --help explains its flags and starts nothing', async (name, flag) => {
    const { code, stdout, started } = await berth([name, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(flag);
    expect(stdout).toContain('BERTH_');
    expect(started).toEqual([]);
  });

  test('without a command it shows the same and says by its code that nothing was done', async () => {
    expect(await berth([])).toMatchObject({ code: 2, stdout: expect.stringContaining('berth up') });
  });

  test.each<[string[], string]>([
    [['sever'], 'unknown command "sever"; did you mean server?'],
    [['--wat'], 'unknown flag --wat'],
    [['server', '--wat=1'], 'unknown flag --wat'],
    [['logs'], 'APP is missing'],
    [['logs', '/a', '/b'], 'unexpected argument "/b"'],
    [['logs', '/a', '--tail', '-1'], '--tail'],
    [['down', '--wipe=perhaps'], '--wipe: "perhaps" must be true or false'],
    [['status', '--url', 'nowhere'], '--url: "nowhere" must be a URL'],
    [['up', '--marathon-port', '0'], '--marathon-port: "0" must be a port'],
    [['up', '--resources', 'lots'], '--resources: "lots" must be like'],
    [['version', 'now'], 'unexpected argument "now"'],
  ])('%j: one line on stderr, exit code 2', async (argv, message) => {
    const { code, stdout, stderr } = await berth(argv);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr.trimEnd()).not.toContain('\n');
  });

  test('version', async () => {
    expect((await berth(['version'])).stdout).toMatch(/^berth \d+\.\d+\.\d+ \(node v\d/);
  });

  test('server and agent get their options', async () => {
    const { started } = await berth(['server', '--marathon-port', '1234']);
    expect(started).toMatchObject([{ marathonPort: 1234 }]);
    expect((await berth(['agent'], { BERTH_PORT: '99' })).started).toMatchObject([{ port: 99 }]);
  });

  test('a secret that is too short is refused before anything starts', async () => {
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, 'hunter2');
    const { code, stderr, started } = await berth(['server', '--token-file', tokenFile]);
    expect({ code, started }).toEqual({ code: 2, started: [] });
    expect(stderr).toContain('at least 16 characters');
    expect(stderr).not.toContain('hunter2');
  });
});

describe('status', () => {
  test('shows leader, etcd, access, agents and apps', async () => {
    const server = await stub({ 'GET /v1/status': json(statusOf(5051)) });
    const { code, stdout } = await berth(['status', '--url', server.url]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/leader +one \(10\.0\.0\.1:8080\)/);
    expect(stdout).toMatch(/etcd +healthy/);
    expect(stdout).toMatch(/127\.0\.0\.1 +active +4 +8192 +5051 +a-S0/);
    expect(stdout).toMatch(/\/web +3 +2 +1 +1 +waits: INSUFFICIENT_CPUS/);
  });

  test.each<[Record<string, unknown>, RegExp]>([
    [{ leader: null }, /leader +NONE/],
    [{ etcd: { healthy: false, message: 'no answer' } }, /etcd +NOT HEALTHY: no answer/],
    [{ etcd: { healthy: true, message: 'answers, but takes no writes' } }, /etcd +answers, but takes no writes/],
    [{ auth: 'insecure' }, /access +NONE: anybody/],
    [{ agents: [], apps: [] }, /no agents\n\nno apps/],
    [{ orphanedTasks: [{ id: 'web.1', hostname: 'a1', missing: 'app /web' }] }, /web\.1 +a1 +no record of app \/web/],
  ])('does not hide %j', async (more, text) => {
    const server = await stub({ 'GET /v1/status': json(statusOf(1, more)) });
    expect((await berth(['status'], { BERTH_URL: server.url })).stdout).toMatch(text);
  });

  test('--json is for programs', async () => {
    const server = await stub({ 'GET /v1/status': json(statusOf(1, { future: 1 })) });
    expect(JSON.parse((await berth(['status', '--json', '--url', server.url])).stdout)).toMatchObject({ future: 1 });
  });

  test('sends the secret, and says when one is needed or not accepted', async () => {
    const server = await stub({
      'GET /v1/status': (request, response) => {
        if (request.headers.authorization === 'Bearer 0123456789abcdef') return json(statusOf(1))(request, response);
        response.writeHead(401).end();
      },
    });
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, '0123456789abcdef\n');
    expect((await berth(['status', '--url', server.url, '--token-file', tokenFile])).code).toBe(0);
    expect(await berth(['status', '--url', server.url])).toMatchObject({
      code: 1,
      stderr: 'berth: the cluster wants a secret: give --token-file FILE\n',
    });
    writeFileSync(tokenFile, 'another-secret-text');
    const refused = await berth(['status', '--url', server.url, '--token-file', tokenFile]);
    expect(refused.stderr).toContain('does not accept this secret');
    expect(refused.stderr).not.toContain('another-secret-text');
  });

  test.each([
    [
      'not JSON',
      (_: unknown, response: { end(text: string): unknown }) => void response.end('<html>'),
      'did not answer JSON',
    ],
    ['something else', json({ hello: 1 }), 'is not as expected'],
    ['an error', json({ message: 'store is away' }, 503), 'store is away (HTTP 503)'],
  ])('a server that answers %s', async (_, answer, text) => {
    const server = await stub({ 'GET /v1/status': answer });
    expect(await berth(['status', '--url', server.url])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(text),
    });
  });

  test('no server', async () => {
    const server = await httpStub({});
    await server.close();
    const { code, stderr } = await berth(['status', '--url', server.url]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^berth: http:\/\/127\.0\.0\.1:\d+ does not answer: .*ECONNREFUSED/);
    expect(stderr.trimEnd()).not.toContain('\n');
  });
});

describe('logs', () => {
  function app(tasks: readonly string[], more: Record<string, unknown> = {}) {
    const list = tasks.map((id) => ({ id, host: '127.0.0.1', ports: [1], slaveId: 'a-S0' }));
    return json({ app: { id: '/web', instances: tasks.length, tasks: list, ...more } });
  }

  test('one instance: its output as it is, from its agent', async () => {
    const agent = await stub({ [`GET /v1/tasks/${TASK}/logs`]: (_, response) => void response.end('one\ntwo\nhalf') });
    const server = await stub({ 'GET /v2/apps/web': app([TASK]), 'GET /v1/status': json(statusOf(agent.port)) });
    const { code, stdout } = await berth(['logs', 'web', '--tail', '5', '--stderr', '--url', server.url]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'one\ntwo\nhalf\n' });
    expect(agent.requests).toEqual([`GET /v1/tasks/${TASK}/logs?stream=stderr&follow=false&tail=5`]);
  });

  test('several instances: each line says whose it is, also when characters arrive in pieces', async () => {
    const umlaut = Buffer.from('ü');
    const agent = await stub({
      [`GET /v1/tasks/${TASK}/logs`]: (_, response) => {
        response.write(umlaut.subarray(0, 1));
        response.end(Buffer.concat([umlaut.subarray(1), Buffer.from('ber\n')]));
      },
      [`GET /v1/tasks/${SECOND}/logs`]: (_, response) => void response.end('x\ny\n'),
    });
    const server = await stub({
      'GET /v2/apps/web': app([TASK, SECOND]),
      'GET /v1/status': json(statusOf(agent.port)),
    });
    const { stdout } = await berth(['logs', '/web', '--url', server.url]);
    expect(stdout.trimEnd().split('\n').sort()).toEqual(['0a1b2c3d.1 | über', '9f8e7d6c.2 | x', '9f8e7d6c.2 | y']);
  });

  test('-f goes on with instances that appear, until it is told to stop', async () => {
    const stop = new AbortController();
    const agent = await stub({
      [`GET /v1/tasks/${TASK}/logs`]: (_, response) => void response.write('first\n'),
      [`GET /v1/tasks/${SECOND}/logs`]: (_, response) => {
        response.write('second\n');
        setImmediate(() => stop.abort());
      },
    });
    let looks = 0;
    const server = await stub({
      'GET /v2/apps/web': (request, response) => app(looks++ === 0 ? [TASK] : [TASK, SECOND])(request, response),
      'GET /v1/status': json(statusOf(agent.port)),
    });
    const { code, stdout } = await berth(['logs', '/web', '-f', '--tail', '1', '--url', server.url], {}, stop.signal);
    expect(code).toBe(0);
    expect(stdout).toContain('first\n');
    expect(agent.requests).toEqual([
      `GET /v1/tasks/${TASK}/logs?stream=stdout&follow=true&tail=1`,
      `GET /v1/tasks/${SECOND}/logs?stream=stdout&follow=true`,
    ]);
  });

  test('an app that does not exist', async () => {
    const server = await stub({});
    expect(await berth(['logs', '/nope', '--url', server.url])).toMatchObject({
      code: 1,
      stderr: 'berth: app /nope does not exist (berth status lists all)\n',
    });
  });

  test('an app of which nothing runs says why', async () => {
    const lastTaskFailure = { state: 'TASK_FAILED', message: 'exit 1' };
    const server = await stub({
      'GET /v2/apps/web': app([], { lastTaskFailure }),
      'GET /v1/status': json(statusOf(1)),
    });
    const { code, stderr } = await berth(['logs', '/web', '--url', server.url]);
    expect(code).toBe(1);
    expect(stderr).toContain('no instance of /web runs (the last one: TASK_FAILED: exit 1)');
  });

  test('an agent that is not known or does not answer is named, the others are printed', async () => {
    const agent = await stub({ [`GET /v1/tasks/${TASK}/logs`]: (_, response) => void response.end('fine\n') });
    const server = await stub({
      'GET /v2/apps/web': app([TASK, SECOND]),
      'GET /v1/status': json(statusOf(agent.port)),
    });
    const { stdout, stderr } = await berth(['logs', '/web', '--url', server.url]);
    expect(stdout).toBe('0a1b2c3d.1 | fine\n');
    expect(stderr).toContain(SECOND);
    const lost = await stub({ 'GET /v2/apps/web': app([TASK]), 'GET /v1/status': json(statusOf(1, { agents: [] })) });
    expect((await berth(['logs', '/web', '--url', lost.url])).stderr).toContain('is not known to the cluster');
  });
});
