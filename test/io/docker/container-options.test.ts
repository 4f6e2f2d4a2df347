import type { TaskLaunch } from '../../../src/core/ports/task-driver';
import { containerName } from '../../../src/io/docker/container-names';
import { containerOptions, imageReference } from '../../../src/io/docker/container-options';
import { docker, taskInfo } from '../../agent/builders';

const MIB = 1024 * 1024;
const launch = (parts: Record<string, unknown> = {}): TaskLaunch => ({
  taskId: 't',
  frameworkId: 'F1',
  agentId: 'S1',
  info: taskInfo('t', parts),
  sandbox: '/sandbox',
  environment: { HOST: 'node1', MESOS_TASK_ID: 't' },
});
const options = (parts: Record<string, unknown> = {}) =>
  containerOptions(launch(parts), { cluster: 'c', workDir: '/w' });
const withParameter = (key: string, value: string) => options({ container: docker({ parameters: [{ key, value }] }) });
const scalar = (name: string, value: number) => ({ name, type: 'SCALAR', scalar: { value } });

test('name, labels and image are there for every task and cannot be overwritten', () => {
  const made = withParameter('label', 'berth.task=other');
  expect(made).toMatchObject({
    name: 'mesos-S1.t',
    Image: 'berth/bb:1',
    Labels: {
      'berth.task': 't',
      'berth.agent': 'S1',
      'berth.framework': 'F1',
      'berth.cluster': 'c',
      'berth.workdir': '/w',
      MESOS_TASK_ID: 't',
    },
    HostConfig: { RestartPolicy: { Name: 'no' } },
  });
  expect(JSON.parse(made.Labels?.['berth.info'] ?? '')).toMatchObject({ task_id: { value: 't' } });
});

test.each([
  ['web.instance-1._app.2', /^mesos-S1\.web\.instance-1\._app\.2$/],
  ['bad/id with spaces', /^mesos-S1\.[0-9a-f]{32}$/],
  ['x'.repeat(250), /^mesos-S1\.[0-9a-f]{32}$/],
])('container name of task %s', (taskId, expected) => {
  expect(containerName('S1', taskId)).toMatch(expected);
  expect(containerName('S1', taskId)).toBe(containerName('S1', taskId));
});

test.each([
  ['nginx', 'nginx:latest'],
  ['nginx:1', 'nginx:1'],
  ['host:5000/a/b', 'host:5000/a/b:latest'],
  ['host:5000/a:1', 'host:5000/a:1'],
  ['a@sha256:00', 'a@sha256:00'],
])('image %s is %s', (image, expected) => expect(imageReference(image)).toBe(expected));

test.each<{ name: string; command: object | undefined; expected: object }>([
  {
    name: 'a shell line',
    command: { value: 'a b', shell: true },
    expected: { Entrypoint: ['/bin/sh'], Cmd: ['-c', 'a b'] },
  },
  {
    name: 'a shell line by default',
    command: { value: 'a b' },
    expected: { Entrypoint: ['/bin/sh'], Cmd: ['-c', 'a b'] },
  },
  {
    name: 'arguments',
    command: { shell: false, arguments: ['a', 'b c'] },
    expected: { Entrypoint: undefined, Cmd: ['a', 'b c'] },
  },
  {
    name: 'value and arguments',
    command: { value: 'x', shell: false, arguments: ['a'] },
    expected: { Cmd: ['x', 'a'] },
  },
  { name: 'neither', command: { shell: false }, expected: { Entrypoint: undefined, Cmd: undefined } },
  { name: 'no command', command: undefined, expected: { Entrypoint: undefined, Cmd: undefined } },
  { name: 'a user', command: { value: 'x', user: 'nobody' }, expected: { User: 'nobody' } },
])('command: $name', ({ command, expected }) => {
  const { Entrypoint, Cmd, User } = options({ command });
  expect({ Entrypoint, Cmd, User }).toMatchObject(expected);
});

test.each<{ name: string; resources: object[]; limits?: object; expected: object; absent?: string[] }>([
  {
    name: 'cpu shares',
    resources: [scalar('cpus', 0.5), scalar('mem', 64)],
    expected: { CpuShares: 512, Memory: 64 * MIB },
    absent: ['CpuQuota', 'MemoryReservation'],
  },
  {
    name: 'at least 2 shares and 32 MB',
    resources: [scalar('cpus', 0.001), scalar('mem', 8)],
    expected: { CpuShares: 2, Memory: 32 * MIB },
  },
  {
    name: 'cpus of two roles',
    resources: [scalar('cpus', 1), { ...scalar('cpus', 1), role: 'a' }],
    expected: { CpuShares: 2048 },
  },
  {
    name: 'a cpu limit',
    resources: [scalar('cpus', 1)],
    limits: { cpus: { value: 2 } },
    expected: { CpuPeriod: 100_000, CpuQuota: 200_000 },
  },
  {
    name: 'an endless cpu limit',
    resources: [scalar('cpus', 1)],
    limits: { cpus: { value: 'Infinity' } },
    expected: { CpuShares: 1024 },
    absent: ['CpuQuota'],
  },
  {
    name: 'a memory limit',
    resources: [scalar('mem', 64)],
    limits: { mem: { value: 128 } },
    expected: { Memory: 128 * MIB, MemoryReservation: 64 * MIB },
  },
  {
    name: 'endless memory',
    resources: [scalar('mem', 64)],
    limits: { mem: { value: 'Infinity' } },
    expected: { MemoryReservation: 64 * MIB },
    absent: ['Memory'],
  },
])('resources: $name', ({ resources, limits, expected, absent = [] }) => {
  const { HostConfig = {} } = options({ resources, limits });
  expect(HostConfig).toMatchObject(expected);
  for (const key of absent) expect(HostConfig).not.toHaveProperty(key);
});

test.each<{ name: string; volume: object; bind: string }>([
  { name: 'read only', volume: { host_path: '/h', container_path: '/c', mode: 'RO' }, bind: '/h:/c:ro' },
  { name: 'writable', volume: { host_path: '/h', container_path: '/c', mode: 'RW' }, bind: '/h:/c:rw' },
  { name: 'in the sandbox', volume: { host_path: 'h', container_path: '/c', mode: 'RW' }, bind: '/sandbox/h:/c:rw' },
  {
    name: 'below the sandbox’s mount',
    volume: { host_path: '/h', container_path: 'c', mode: 'RW' },
    bind: '/h:/mnt/mesos/sandbox/c:rw',
  },
  {
    name: 'a named one',
    volume: {
      container_path: '/c',
      mode: 'RW',
      source: { type: 'DOCKER_VOLUME', docker_volume: { name: 'v', driver: 'd' } },
    },
    bind: 'v:/c:rw',
  },
])('volume: $name', ({ volume, bind }) => {
  const { HostConfig } = options({ container: docker({}, { volumes: [volume] }) });
  expect(HostConfig?.Binds).toEqual(['/sandbox:/mnt/mesos/sandbox', bind]);
});

test('environment: the task’s own wins over the agent’s, MESOS_SANDBOX over both', () => {
  const variables = [
    { name: 'HOST', value: 'mine' },
    { name: 'MESOS_SANDBOX', value: '/elsewhere' },
    { name: 'EMPTY' },
  ];
  expect(options({ command: { value: 'x', environment: { variables } } }).Env).toEqual([
    'HOST=mine',
    'MESOS_TASK_ID=t',
    'MESOS_SANDBOX=/mnt/mesos/sandbox',
    'EMPTY=',
    'MESOS_CONTAINER_NAME=mesos-S1.t',
  ]);
});

test.each<{ name: string; container: object; expected: object }>([
  {
    name: 'HOST by default',
    container: docker({ network: undefined }),
    expected: { HostConfig: { NetworkMode: 'host' } },
  },
  { name: 'NONE', container: docker({ network: 'NONE' }), expected: { HostConfig: { NetworkMode: 'none' } } },
  {
    name: 'a named one',
    container: docker({ network: 'USER' }, { network_infos: [{ name: 'blue' }] }),
    expected: { HostConfig: { NetworkMode: 'blue' } },
  },
  {
    name: 'an alias in it',
    container: docker(
      { network: 'USER', parameters: [{ key: 'net-alias', value: 'db' }] },
      { network_infos: [{ name: 'blue' }] },
    ),
    expected: { NetworkingConfig: { EndpointsConfig: { blue: { Aliases: ['db'] } } } },
  },
  {
    name: 'the first net parameter',
    container: docker({
      parameters: [
        { key: 'net', value: 'a' },
        { key: 'network', value: 'b' },
      ],
    }),
    expected: { HostConfig: { NetworkMode: 'a' } },
  },
  {
    name: 'ports of both protocols',
    container: docker({ port_mappings: [{ host_port: 31005, container_port: 53, protocol: 'udp,tcp' }] }),
    expected: {
      HostConfig: { PortBindings: { '53/udp': [{ HostPort: '31005' }], '53/tcp': [{ HostPort: '31005' }] } },
      ExposedPorts: { '53/udp': {}, '53/tcp': {} },
    },
  },
  { name: 'a host name', container: docker({}, { hostname: 'h' }), expected: { Hostname: 'h' } },
])('network: $name', ({ container, expected }) => {
  expect(options({ container })).toMatchObject(expected);
});

test.each<[string, string, object]>([
  ['hostname', 'h', { Hostname: 'h' }],
  ['--user', '1:2', { User: '1:2' }],
  ['w', '/x', { WorkingDir: '/x' }],
  ['entrypoint', '/init', { Entrypoint: ['/init'] }],
  ['volume', '/a:/b:ro', { HostConfig: { Binds: ['/sandbox:/mnt/mesos/sandbox', '/a:/b:ro'] } }],
  ['v', '/data', { Volumes: { '/data': {} } }],
  ['volumes-from', 'other:ro', { HostConfig: { VolumesFrom: ['other:ro'] } }],
  [
    'mount',
    'type=bind,src=/a,dst=/b,readonly',
    { HostConfig: { Mounts: [{ Type: 'bind', Source: '/a', Target: '/b', ReadOnly: true }] } },
  ],
  ['tmpfs', '/t:size=1m', { HostConfig: { Tmpfs: { '/t': 'size=1m' } } }],
  ['add-host', 'db:10.0.0.1', { HostConfig: { ExtraHosts: ['db:10.0.0.1'] } }],
  ['dns', '10.0.0.2', { HostConfig: { Dns: ['10.0.0.2'] } }],
  ['cap-add', 'NET_ADMIN', { HostConfig: { CapAdd: ['NET_ADMIN'] } }],
  ['cap-drop', 'ALL', { HostConfig: { CapDrop: ['ALL'] } }],
  ['ulimit', 'nofile=10:20', { HostConfig: { Ulimits: [{ Name: 'nofile', Soft: 10, Hard: 20 }] } }],
  ['ulimit', 'nproc=5', { HostConfig: { Ulimits: [{ Name: 'nproc', Soft: 5, Hard: 5 }] } }],
  ['log-driver', 'syslog', { HostConfig: { LogConfig: { Type: 'syslog' } } }],
  ['log-opt', 'max-size=10m', { HostConfig: { LogConfig: { Config: { 'max-size': '10m' } } } }],
  ['init', 'true', { HostConfig: { Init: true } }],
  ['read-only', '', { HostConfig: { ReadonlyRootfs: true } }],
  ['ipc', 'host', { HostConfig: { IpcMode: 'host' } }],
  ['shm-size', '64m', { HostConfig: { ShmSize: 64 * MIB } }],
  ['memory-swap', '-1', { HostConfig: { MemorySwap: -1 } }],
  ['security-opt', 'no-new-privileges', { HostConfig: { SecurityOpt: ['no-new-privileges'] } }],
  [
    'device',
    '/dev/fuse',
    { HostConfig: { Devices: [{ PathOnHost: '/dev/fuse', PathInContainer: '/dev/fuse', CgroupPermissions: 'rwm' }] } },
  ],
  [
    'device',
    '/dev/a:/dev/b:r',
    { HostConfig: { Devices: [{ PathOnHost: '/dev/a', PathInContainer: '/dev/b', CgroupPermissions: 'r' }] } },
  ],
  ['sysctl', 'net.core.somaxconn=9', { HostConfig: { Sysctls: { 'net.core.somaxconn': '9' } } }],
  ['cpus', '1.5', { HostConfig: { NanoCpus: 1_500_000_000 } }],
  ['publish', '8080:80', { HostConfig: { PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] } } }],
])('parameter %s=%s', (key, value, expected) => {
  expect(withParameter(key, value)).toMatchObject(expected);
});

test.each<{ name: string; parts: Record<string, unknown>; message: RegExp }>([
  {
    name: 'a parameter nobody knows',
    parts: { container: docker({ parameters: [{ key: 'frobnicate', value: '1' }] }) },
    message: /parameter 'frobnicate' is not a docker run option/,
  },
  {
    name: 'a name of JavaScript’s own',
    parts: { container: docker({ parameters: [{ key: 'constructor', value: '1' }] }) },
    message: /parameter 'constructor' is not/,
  },
  {
    name: 'restart',
    parts: { container: docker({ parameters: [{ key: 'restart', value: 'always' }] }) },
    message: /parameter 'restart' is not allowed: the orchestrator restarts/,
  },
  {
    name: 'lxc-conf',
    parts: { container: docker({ parameters: [{ key: 'lxc-conf', value: 'x' }] }) },
    message: /parameter 'lxc-conf' is not allowed/,
  },
  {
    name: 'a bad size',
    parts: { container: docker({ parameters: [{ key: 'shm-size', value: 'much' }] }) },
    message: /parameter 'shm-size': 'much' is not a size/,
  },
  {
    name: 'a bad number',
    parts: { container: docker({ parameters: [{ key: 'pids-limit', value: '1.5' }] }) },
    message: /'1.5' is not a whole number/,
  },
  {
    name: 'a port not its own',
    parts: { container: docker({ port_mappings: [{ host_port: 1, container_port: 80 }] }) },
    message: /Port \[1\] not included in resources/,
  },
  {
    name: 'ports with HOST',
    parts: { container: docker({ network: 'HOST', port_mappings: [{ host_port: 31000, container_port: 80 }] }) },
    message: /only supported for bridge and user-defined/,
  },
  {
    name: 'a hostname with HOST',
    parts: { container: docker({ network: 'HOST' }, { hostname: 'h' }) },
    message: /hostname with host network/,
  },
  {
    name: 'USER without a name',
    parts: { container: docker({ network: 'USER' }) },
    message: /exactly one network_infos/,
  },
  { name: 'a shell without a line', parts: { command: { shell: true } }, message: /no command value/ },
  {
    name: 'a volume relative on both sides',
    parts: { container: docker({}, { volumes: [{ host_path: 'a', container_path: 'b', mode: 'RW' }] }) },
    message: /are relative/,
  },
  {
    name: 'a volume that leaves the sandbox',
    parts: { container: docker({}, { volumes: [{ host_path: '../../etc', container_path: '/b', mode: 'RW' }] }) },
    message: /leaves the sandbox/,
  },
])('refuses $name in words', ({ parts, message }) => {
  expect(() => options(parts)).toThrow(message);
});
