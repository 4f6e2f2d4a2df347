import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Probe } from '../../src/core/ports/probe';
import type { TaskState } from '../../src/core/records/mesos';
import { startDocker, type TestDocker } from '../support/docker';
import { importBusybox } from '../support/images';
import { waitFor } from '../support/wait';
import { docker, shellTask, taskInfo } from './builders';
import { DockerAgent } from './docker-agent';

/** Real HTTP, enough for these tests. */
const probe: Probe = {
  http: async ({ scheme, host, port, path, timeoutMs }) => {
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      const { status } = await fetch(`${scheme}://${host}:${port}${path}`, { signal });
      return { ok: true, status };
    } catch (error) {
      return { ok: false, cause: String(error) };
    }
  },
  tcp: () => Promise.resolve({ ok: true }),
};

jest.setTimeout(60_000);

let engine: TestDocker;
let node: DockerAgent;

beforeAll(async () => {
  engine = await startDocker();
  await importBusybox(engine.socketPath, 'berth/bb:1');
  await importBusybox(engine.socketPath, 'berth/entry:1', { changes: ['ENTRYPOINT ["echo","entry"]'] });
}, 60_000);
afterAll(() => engine.stop(), 60_000);
beforeEach(async () => {
  node = new DockerAgent(engine.socketPath, probe);
  await registered();
});
afterEach(() => node.stop(), 20_000);

const registered = () => waitFor('registration', () => node.agent.status().state === 'registered');
const reached = (taskId: string, state: TaskState, timeoutMs = 20_000) =>
  waitFor(`${taskId} ${state}`, () => node.master.statuses(taskId).find((status) => status.state === state), timeoutMs);
const output = (taskId: string, text: string, file = 'stdout') =>
  waitFor(`'${text}' in ${file} of ${taskId}`, () => {
    const path = join(node.sandbox(taskId), file);
    return existsSync(path) && readFileSync(path, 'utf8').includes(text) ? readFileSync(path, 'utf8') : undefined;
  });
const loop = 'trap "exit 0" TERM; while :; do sleep 0.1; done';

describe('a task', () => {
  test('runs, is reported in order with its address, and its output reaches the sandbox', async () => {
    node.master.launch(shellTask('web', `echo out; echo err >&2; ${loop}`));

    const running = await reached('web', 'TASK_RUNNING');

    expect(node.master.states('web')).toEqual(['TASK_STARTING', 'TASK_RUNNING']);
    expect(running.container_status?.network_infos?.[0]?.ip_addresses?.[0]?.ip_address).toMatch(/^172\./);
    expect(running).toMatchObject({ agent_id: { value: 'S1' }, source: 'SOURCE_EXECUTOR' });
    await output('web', 'out');
    await output('web', 'err', 'stderr');
    const [inspection] = await Promise.all(
      (await node.containerIds()).map((id) => node.docker.getContainer(id).inspect()),
    );
    expect(inspection?.Name).toBe('/mesos-S1.web');
    expect(inspection?.Config.Labels).toMatchObject({ 'berth.task': 'web', 'berth.agent': 'S1', MESOS_TASK_ID: 'web' });
  });

  test.each<{ name: string; line: string; expected: object }>([
    { name: 'exit 0', line: 'exit 0', expected: { state: 'TASK_FINISHED', message: 'Container exited with status 0' } },
    { name: 'exit 7', line: 'exit 7', expected: { state: 'TASK_FAILED', message: 'Container exited with status 7' } },
    {
      name: 'a signal',
      line: "sh -c 'kill -SEGV $$'; exit $?",
      expected: { state: 'TASK_FAILED', message: expect.stringContaining('SIGSEGV') },
    },
    {
      name: 'too much memory',
      line: 'exec tail -c 200m /dev/zero',
      expected: { state: 'TASK_FAILED', reason: 'REASON_CONTAINER_LIMITATION_MEMORY' },
    },
    {
      name: 'a child that took too much memory, exit 0',
      line: 'tail -c 200m /dev/zero; exit 0',
      expected: { state: 'TASK_FINISHED' },
    },
  ])('ends with $name', async ({ line, expected }) => {
    node.master.launch(shellTask('t', line));
    await waitFor('the end', () => node.master.states('t').length === 3);
    expect(node.master.last('t')).toMatchObject(expected);
  });

  test.each<{ name: string; parts: Record<string, unknown>; message: RegExp; reason?: string }>([
    {
      name: 'a command that is not there',
      parts: { command: { value: '/no/such', shell: false } },
      message: /no such file or directory/,
    },
    {
      name: 'an image that is not there',
      parts: { container: docker({ image: 'localhost:1/none' }) },
      message: /Failed to pull image 'localhost:1\/none:latest'/,
    },
    {
      name: 'a parameter that Docker lost',
      parts: { container: docker({ parameters: [{ key: 'lxc-conf', value: 'x' }] }) },
      message: /parameter 'lxc-conf' is not allowed/,
    },
    {
      name: 'a port that is not its own',
      parts: { container: docker({ port_mappings: [{ host_port: 80, container_port: 80 }] }) },
      message: /Port \[80\] not included in resources/,
    },
    {
      name: 'no containerizer',
      parts: { container: undefined, command: { value: 'true' } },
      message: /None of the enabled containerizers/,
    },
  ])('that cannot start says why: $name', async ({ parts, message }) => {
    node.master.launch(taskInfo('t', parts));
    const failed = await reached('t', 'TASK_FAILED');
    expect(failed.message).toMatch(message);
    expect(failed.reason).toBe('REASON_CONTAINER_LAUNCH_FAILED');
    expect(await node.containerIds()).toEqual([]);
  });

  test('whose port is taken fails in words and leaves no container', async () => {
    const server = createServer().listen(0, '0.0.0.0');
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const ports = { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: port, end: port }] } };
    const container = docker({ port_mappings: [{ host_port: port, container_port: 80 }] });
    node.master.launch(shellTask('t', loop, { container, resources: [ports] }));
    const failed = await reached('t', 'TASK_FAILED');
    server.close();
    expect(failed.message).toMatch(/address already in use|port is already allocated/);
    expect(await node.containerIds()).toEqual([]);
  });

  test('has its environment, its volumes and its limits', async () => {
    const shared = join(node.workDir, 'shared');
    mkdirSync(shared);
    writeFileSync(join(shared, 'given'), 'from the host');
    const container = docker(
      {
        parameters: [
          { key: 'hostname', value: 'named' },
          { key: 'tmpfs', value: '/scratch:size=1m' },
        ],
      },
      {
        volumes: [
          { host_path: shared, container_path: '/data', mode: 'RW' },
          { host_path: shared, container_path: '/readonly', mode: 'RO' },
        ],
      },
    );
    const line = [
      'echo "$MESOS_SANDBOX $MESOS_CONTAINER_NAME $MESOS_TASK_ID $HOST $MINE"',
      'cat /data/given; echo written > /data/back; echo mine > $MESOS_SANDBOX/file',
      'touch /readonly/x 2>/dev/null && echo OOPS; hostname; df /scratch | tail -1; cat /sys/fs/cgroup/memory/memory.limit_in_bytes',
    ].join('; ');
    const environment = {
      variables: [
        { name: 'MINE', value: 'a b' },
        { name: 'HOST', value: 'mine.example' },
      ],
    };
    node.master.launch(taskInfo('t', { container, command: { value: line, shell: true, environment } }));
    await reached('t', 'TASK_FINISHED');
    const text = await output('t', 'named');
    expect(text).toContain('/mnt/mesos/sandbox mesos-S1.t t mine.example a b');
    expect(text).toContain('from the host');
    expect(text).not.toContain('OOPS');
    expect(text).toContain('/scratch');
    await output('t', String(32 * 1024 * 1024));
    expect(readFileSync(join(shared, 'back'), 'utf8')).toBe('written\n');
    expect(readFileSync(join(node.sandbox('t'), 'file'), 'utf8')).toBe('mine\n');
  });

  test('with arguments keeps the image’s ENTRYPOINT, with a shell line replaces it', async () => {
    const container = docker({ image: 'berth/entry:1' });
    node.master.launch(
      taskInfo('args', { container, command: { shell: false, arguments: ['one', 'two words'] } }),
      shellTask('shell', 'echo shell only', { container }),
    );
    expect(await output('args', 'entry')).toBe('entry one two words\n');
    expect(await output('shell', 'only')).toBe('shell only\n');
  });

  test('answers on its host port', async () => {
    const container = docker({ port_mappings: [{ host_port: 31_777, container_port: 8080, protocol: 'tcp' }] });
    node.master.launch(shellTask('web', 'exec httpd -f -p 8080 -h /www', { container }));
    await reached('web', 'TASK_RUNNING');
    const answer = await waitFor('an answer', async () => (await fetch('http://127.0.0.1:31777/')).text());
    expect(answer).toBe('hello from berth\n');
  });
});

describe('a kill', () => {
  test('is polite first, is reported when the container is gone, and can be repeated', async () => {
    node.master.launch(shellTask('t', 'trap "echo asked; exit 3" TERM; echo up; while :; do sleep 0.1; done'));
    await output('t', 'up');
    node.master.kill('t', 10_000);
    node.master.kill('t', 20_000);
    expect(await reached('t', 'TASK_KILLED')).toMatchObject({ message: expect.stringContaining('status 3') });
    expect(await output('t', 'asked')).toContain('asked');
    expect(await node.containerIds()).toEqual([]);
    await waitFor('the checkpoint to go', () => node.agent.task('t') === undefined);
  });

  test('is hard after the grace period, and a shorter one joins a longer one', async () => {
    node.master.launch(shellTask('t', 'trap "" TERM; echo up; while :; do sleep 0.1; done'));
    await output('t', 'up');
    node.master.kill('t', 600_000);
    node.master.kill('t', 0);
    expect(await reached('t', 'TASK_KILLED')).toMatchObject({ message: expect.stringContaining('SIGKILL') });
  });

  test('by Mesos’ own health check says that the task was unhealthy', async () => {
    const health_check = {
      type: 'COMMAND',
      command: { value: 'test ! -e /tmp/sick' },
      delay_seconds: 0,
      interval_seconds: 0.1,
      timeout_seconds: 5,
      consecutive_failures: 2,
      grace_period_seconds: 0,
    };
    node.master.launch(shellTask('t', `sleep 1; touch /tmp/sick; ${loop}`, { health_check }));
    await waitFor('healthy', () => node.master.last('t')?.healthy === true);
    const killed = await reached('t', 'TASK_KILLED');
    expect(killed.healthy).toBe(false);
    expect(killed.message).toMatch(/health check failed 2 times in a row: the command exited with status 1/);
  });
});

test('reported health checks: each flip and each failure is an update, readiness until it is ready', async () => {
  const http = { port: 31_778, path: '/ok' };
  const health = {
    type: 'HTTP',
    http,
    from: 'host',
    delay_seconds: 0,
    interval_seconds: 0.1,
    timeout_seconds: 2,
    grace_period_seconds: 300,
  };
  const readiness = {
    name: 'ready',
    port: 31_778,
    path: '/ok',
    scheme: 'http',
    interval_seconds: 0.1,
    timeout_seconds: 2,
    statuses: [200],
    from: 'host',
  };
  const container = docker({ port_mappings: [{ host_port: 31_778, container_port: 80 }] });
  const line = 'mkdir /tmp/w; (sleep 1; touch /tmp/w/ok; sleep 2; rm /tmp/w/ok)& exec httpd -f -p 80 -h /tmp/w';
  node.master.launch(shellTask('t', line, { container, health_checks: [health], readiness_checks: [readiness] }));
  await waitFor('three failures', () => (node.master.last('t')?.health?.[0]?.consecutiveFailures ?? 0) >= 3);
  const results = node.master.statuses('t').flatMap((status) => status.health?.[0] ?? []);
  expect(results[0]).toMatchObject({ alive: true, consecutiveFailures: 0 });
  const failures = results.filter((result) => !result.alive);
  expect(failures.slice(0, 3).map((result) => result.consecutiveFailures)).toEqual([1, 2, 3]);
  expect(failures[0]?.lastFailureCause).toBe('HTTP 404');
  const ready = node.master.statuses('t').flatMap((status) => status.readiness ?? []);
  expect(ready[0]?.ready).toBe(false);
  expect(ready.at(-1)?.ready).toBe(true);
});

test('docker rm -f is noticed at once', async () => {
  node.master.launch(shellTask('t', loop));
  await reached('t', 'TASK_RUNNING');
  const [id = ''] = await node.containerIds();
  await node.docker.getContainer(id).remove({ force: true });
  const failed = await reached('t', 'TASK_FAILED', 2_000);
  expect(failed.message).toMatch(/removed from outside|SIGKILL/);
});

describe('after kill -9 of the agent', () => {
  test('the same containers are there, what ended meanwhile is reported, output has no gap and no repeat', async () => {
    const count = 'n=0; while [ $n -lt 60 ]; do n=$((n+1)); echo line $n; sleep 0.05; done';
    node.master.launch(shellTask('stays', `${count}; ${loop}`), shellTask('ends', 'sleep 1; exit 5'));
    await reached('stays', 'TASK_RUNNING');
    await reached('ends', 'TASK_RUNNING');
    const before = await node.containerIds();
    await node.reborn(async () => {
      await waitFor('the end', async () => (await node.docker.listContainers()).length === 1);
    });
    await registered();

    expect(await reached('ends', 'TASK_FAILED')).toMatchObject({ message: 'Container exited with status 5' });
    expect(node.master.states('stays')).toEqual([]);
    expect(node.agent.task('stays')?.state).toBe('TASK_RUNNING');
    expect((await node.containerIds()).sort()).toEqual(before.sort());
    expect(node.master.subscriptions[0]?.tasks.map((task) => [task.info.task_id.value, task.state])).toContainEqual([
      'stays',
      'TASK_RUNNING',
    ]);
    const text = await output('stays', 'line 60\n');
    expect(text.trim().split('\n')).toEqual(Array.from({ length: 60 }, (_, n) => `line ${n + 1}`));
    node.master.kill('stays', 1_000);
    await reached('stays', 'TASK_KILLED');
  });

  test('a garbage checkpoint is set aside and its container is taken over', async () => {
    node.master.launch(shellTask('t', loop));
    await reached('t', 'TASK_RUNNING');
    const before = await node.containerIds();
    const meta = join(node.workDir, 'meta');
    await node.reborn(() => {
      for (const file of readdirSync(meta)) writeFileSync(join(meta, file), '{"name": "cut sho');
      return Promise.resolve();
    });
    await registered();
    await reached('t', 'TASK_RUNNING');
    expect(await node.containerIds()).toEqual(before);
    expect(node.agent.status().agentId).toBe('S1');
    expect(readdirSync(join(meta, 'set-aside'))).toHaveLength(2);
    expect(node.log.messages('error')).toContain('checkpoint set aside');
    expect(node.metrics.values.get('berth_agent_checkpoints_set_aside_total')).toBe(2);
  });

  test('a container that was removed meanwhile is reported', async () => {
    node.master.launch(shellTask('t', loop));
    await reached('t', 'TASK_RUNNING');
    await node.reborn(async () => {
      const [id = ''] = await node.containerIds();
      await node.docker.getContainer(id).remove({ force: true });
    });
    expect((await reached('t', 'TASK_FAILED')).message).toMatch(/gone when the agent came back/);
  });

  test('copies of our containers, and those of another cluster, are neither taken over nor removed', async () => {
    node.master.launch(shellTask('t', loop));
    await reached('t', 'TASK_RUNNING');
    const [original = ''] = await node.containerIds();
    const { Config } = await node.docker.getContainer(original).inspect();
    const copyWith = async (labels: Record<string, string>) => {
      const Labels = { ...Config.Labels, ...labels };
      const copy = await node.docker.createContainer({ Image: 'berth/bb:1', Cmd: ['sleep', '100'], Labels });
      await copy.start();
      return copy;
    };
    const copy = await copyWith({});
    const foreign = await copyWith({ 'berth.cluster': 'other', 'berth.agent': 'S9', 'berth.task': 'theirs' });

    await node.reborn();
    await registered();
    expect(node.agent.list().map(({ taskId, containerId }) => [taskId, containerId])).toEqual([['t', original]]);
    expect(node.log.messages('error')).toContain('a container of ours cannot be taken over and is left alone');

    node.master.kill('t');
    await reached('t', 'TASK_KILLED');
    expect((await node.containerIds()).sort()).toEqual([copy.id, foreign.id].sort());
  });
});

test('kill -9 of dockerd and a restart: same containers, exits and output of the outage arrive, new tasks run', async () => {
  node.master.launch(
    shellTask('stays', `n=0; while :; do n=$((n+1)); echo line $n; sleep 0.05; done`),
    shellTask('ends', 'sleep 3; exit 6'),
  );
  await reached('stays', 'TASK_RUNNING');
  await reached('ends', 'TASK_RUNNING');
  const before = await node.containerIds();
  await engine.kill9();
  node.master.launch(shellTask('later', loop));
  await waitFor('the launch to say what it waits for', () => node.master.last('later')?.phase?.includes('Docker'));
  await engine.restart();

  expect(await reached('ends', 'TASK_FAILED')).toMatchObject({ message: 'Container exited with status 6' });
  await reached('later', 'TASK_RUNNING');
  expect((await node.containerIds()).sort()).toEqual(expect.arrayContaining(before));
  const text = await output('stays', 'line 100\n');
  const lines = text.trim().split('\n').slice(0, 100);
  expect(lines).toEqual(Array.from({ length: 100 }, (_, n) => `line ${n + 1}`));
}, 60_000);

test('usage of running tasks is measured', async () => {
  node.master.launch(shellTask('t', loop));
  await reached('t', 'TASK_RUNNING');
  // The first statistics of a container may come before its cgroup is filled.
  const sample = await waitFor('a measurement', async () => (await node.agent.usage()).get('t'));
  expect(sample.memoryBytes).toBeGreaterThan(0);
  expect(sample.memoryLimitBytes).toBe(32 * 1024 * 1024);
  expect(node.metrics.read('berth_agent_tasks', { state: 'TASK_RUNNING' })).toBe(1);
});
