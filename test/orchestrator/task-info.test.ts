import { completeApp, isRefused } from '../../src/core/records/app-validation';
import type { TaskInfo } from '../../src/core/records/mesos';
import { taskInfo, taskName } from '../../src/orchestrator/task-info';

function build(input: object, hostPorts: (number | undefined)[] = [], envVarsPrefix = ''): TaskInfo {
  const context = { servicePorts: { min: 10_000, max: 10_009 }, isServicePortUsed: () => false };
  const result = completeApp({ id: '/prod/web', ...input }, context);
  if (isRefused(result)) throw new Error(JSON.stringify(result));
  return taskInfo({
    spec: result.spec,
    version: 'v1',
    taskId: 'prod_web.instance-1._app.1',
    agentId: 'a1',
    hostname: 'host-1',
    match: { resources: [], hostPorts },
    envVarsPrefix,
  });
}

function environment(info: TaskInfo): Record<string, string | undefined> {
  return Object.fromEntries((info.command?.environment?.variables ?? []).map(({ name, value }) => [name, value]));
}

const docker = { docker: { image: 'x' } };
const bridge = [{ mode: 'container/bridge' }];

test('names are the id from the end', () => {
  expect(taskName('/prod/eu/web')).toBe('web.eu.prod');
});

describe('environment', () => {
  test('what Marathon tells a task', () => {
    const info = build(
      {
        container: docker,
        cpus: 0.1,
        mem: 32,
        labels: { 'my-label': 'a', long: 'x'.repeat(512) },
        env: { PORT0: 'mine', PLAIN: 'b' },
        portDefinitions: [{ port: 10_000, name: 'http-api' }, { port: 0 }],
      },
      [31_001, 31_002],
    );
    expect(environment(info)).toMatchObject({
      MESOS_TASK_ID: 'prod_web.instance-1._app.1',
      MARATHON_APP_ID: '/prod/web',
      MARATHON_APP_VERSION: 'v1',
      MARATHON_APP_DOCKER_IMAGE: 'x',
      MARATHON_APP_RESOURCE_CPUS: '0.1',
      MARATHON_APP_RESOURCE_MEM: '32.0',
      MARATHON_APP_RESOURCE_GPUS: '0',
      MARATHON_APP_LABELS: 'MY_LABEL',
      MARATHON_APP_LABEL_MY_LABEL: 'a',
      HOST: 'host-1',
      PORT: '31001',
      PORT0: 'mine',
      PORT1: '31002',
      PORTS: '31001,31002',
      PORT_10000: '31001',
      PORT_HTTP_API: '31001',
      PLAIN: 'b',
    });
  });

  test('the prefix is for ports and host only', () => {
    const variables = environment(build({ container: docker, portDefinitions: [{ port: 10_000 }] }, [31_001], 'MY_'));
    expect(variables).toMatchObject({ MY_HOST: 'host-1', MY_PORT0: '31001', MARATHON_APP_ID: '/prod/web' });
    expect(variables['PORT0']).toBeUndefined();
  });

  test('a port of the container network is the container port', () => {
    const info = build({ container: { ...docker, portMappings: [{ containerPort: 80 }] }, networks: [{ name: 'n' }] }, [
      undefined,
    ]);
    expect(environment(info)).toMatchObject({ PORT0: '80', PORT_80: '80' });
    expect(info.container).toMatchObject({
      network_infos: [{ name: 'n' }],
      docker: { network: 'USER', port_mappings: [] },
    });
  });

  test('no ports: no port variables', () => {
    const variables = environment(build({ container: docker, portDefinitions: [] }));
    expect(Object.keys(variables).filter((name) => name.startsWith('PORT'))).toEqual([]);
  });
});

describe('command', () => {
  test.each([
    { name: 'cmd', input: { cmd: 'sleep 1' }, expected: { shell: true, value: 'sleep 1' } },
    {
      name: 'cmd in an image',
      input: { cmd: 'sleep 1', container: docker },
      expected: { shell: true, value: 'sleep 1' },
    },
    {
      name: 'args in an image',
      input: { args: ['a', 'b'], container: docker },
      expected: { shell: false, arguments: ['a', 'b'] },
    },
    {
      name: 'args without an image',
      input: { args: ['a', 'b'] },
      expected: { shell: false, value: 'a', arguments: ['a', 'b'] },
    },
    { name: 'what the image does', input: { container: docker }, expected: { shell: false } },
  ])('$name', ({ input, expected }) => {
    const { environment: _environment, ...command } = build(input, [31_000]).command ?? {};
    expect(command).toEqual(expected);
  });
});

describe('container', () => {
  test('Docker with everything', () => {
    const info = build({
      user: 'nobody',
      taskKillGracePeriodSeconds: 7,
      container: {
        docker: { image: 'x', privileged: true, forcePullImage: true, parameters: [{ key: 'hostname', value: 'a' }] },
        volumes: [{ containerPath: '/a', hostPath: '/b', mode: 'RO' }],
      },
    });
    expect(info).toMatchObject({
      name: 'web.prod',
      kill_policy: { grace_period: { nanoseconds: 7e9 } },
      command: { user: 'nobody' },
      container: {
        type: 'DOCKER',
        volumes: [{ container_path: '/a', host_path: '/b', mode: 'RO' }],
        docker: {
          network: 'HOST',
          privileged: true,
          force_pull_image: true,
          parameters: [{ key: 'hostname', value: 'a' }],
        },
      },
    });
  });

  test('a container port 0 takes the host port', () => {
    const info = build({ container: { ...docker, portMappings: [{ containerPort: 0 }] }, networks: bridge }, [31_007]);
    expect(info.container?.docker?.port_mappings).toEqual([
      { container_port: 31_007, host_port: 31_007, protocol: 'tcp' },
    ]);
  });

  test('no container: none in the task', () => {
    expect(build({ cmd: 'x' }).container).toBeUndefined();
  });
});

describe('checks', () => {
  const mapped = { container: { ...docker, portMappings: [{ containerPort: 80, name: 'http' }] }, networks: bridge };
  test.each([
    {
      name: 'HTTP looks from outside at the host port',
      check: { path: '/up' },
      expected: { type: 'HTTP', from: 'host', http: { port: 31_000, path: '/up', scheme: 'http' }, delay_seconds: 5 },
    },
    {
      name: 'MESOS_HTTPS looks from inside at the container port',
      check: { protocol: 'MESOS_HTTPS' },
      expected: { type: 'HTTP', from: 'container', http: { port: 80, path: '/', scheme: 'https' }, delay_seconds: 15 },
    },
    {
      name: 'TCP',
      check: { protocol: 'TCP', intervalSeconds: 2 },
      expected: { type: 'TCP', from: 'host', tcp: { port: 31_000 }, delay_seconds: 2 },
    },
    { name: 'a given port', check: { port: 9 }, expected: { http: { port: 9, path: '/', scheme: 'http' } } },
    {
      name: 'COMMAND',
      check: { protocol: 'COMMAND', command: { value: 'true' } },
      expected: { type: 'COMMAND', command: { shell: true, value: 'true' }, from: 'container' },
    },
    {
      name: 'the agent reports, the orchestrator kills',
      check: { maxConsecutiveFailures: 4 },
      expected: { consecutive_failures: 0, max_consecutive_failures: 4 },
    },
  ])('$name', ({ check, expected }) => {
    expect(build({ ...mapped, healthChecks: [check] }, [31_000]).health_checks).toEqual([
      expect.objectContaining(expected),
    ]);
  });

  test('readiness by port name', () => {
    const info = build({ ...mapped, readinessChecks: [{ portName: 'http' }] }, [31_000]);
    expect(info.readiness_checks).toEqual([
      expect.objectContaining({ name: 'readinessCheck', port: 31_000, from: 'host', scheme: 'http', statuses: [200] }),
    ]);
  });
});
