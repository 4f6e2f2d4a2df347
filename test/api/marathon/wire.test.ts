import { InvalidError } from '../../../src/core/errors';
import { readApp } from '../../../src/api/marathon/wire';

const patchOf = (body: Record<string, unknown>) => readApp(body).patch;

describe('readApp', () => {
  test.each<{ name: string; body: Record<string, unknown>; expected: object }>([
    { name: 'nothing', body: {}, expected: {} },
    {
      name: 'docker.network HOST',
      body: { container: { docker: { image: 'x', network: 'HOST' } } },
      expected: { networks: [{ mode: 'host' }], container: { type: 'DOCKER', docker: { image: 'x' } } },
    },
    {
      name: 'docker.network in any case',
      body: { container: { type: 'docker', docker: { image: 'x', network: 'bridge' } } },
      expected: { networks: [{ mode: 'container/bridge' }], container: { type: 'DOCKER', docker: { image: 'x' } } },
    },
    {
      name: 'docker.network NONE',
      body: { container: { docker: { image: 'x', network: 'NONE' } } },
      expected: { networks: [{ mode: 'none' }], container: { type: 'DOCKER', docker: { image: 'x' } } },
    },
    {
      name: 'BRIDGE with docker.portMappings',
      body: {
        container: {
          docker: { image: 'x', network: 'BRIDGE', portMappings: [{ containerPort: 80, protocol: 'TCP' }] },
        },
      },
      expected: {
        networks: [{ mode: 'container/bridge' }],
        container: { type: 'DOCKER', docker: { image: 'x' }, portMappings: [{ containerPort: 80, protocol: 'tcp' }] },
      },
    },
    {
      name: 'USER with ipAddress',
      body: {
        container: { docker: { image: 'x', network: 'USER' } },
        ipAddress: { networkName: 'overlay', labels: { a: 'b' }, discovery: { ports: [{ number: 80, name: 'http' }] } },
      },
      expected: {
        networks: [{ mode: 'container', name: 'overlay', labels: { a: 'b' } }],
        container: { type: 'DOCKER', docker: { image: 'x' }, portMappings: [{ containerPort: 80, name: 'http' }] },
      },
    },
    {
      name: 'ipAddress alone',
      body: { ipAddress: { networkName: 'overlay' } },
      expected: { networks: [{ mode: 'container', name: 'overlay' }], container: { type: 'MESOS' } },
    },
    {
      name: 'networks without a mode',
      body: { networks: [{ name: 'n' }] },
      expected: { networks: [{ mode: 'container', name: 'n' }] },
    },
    {
      name: 'an empty new list beside a filled old one',
      body: { container: { docker: { image: 'x', portMappings: [{ containerPort: 1 }] }, portMappings: [] } },
      expected: { container: { type: 'DOCKER', docker: { image: 'x' }, portMappings: [{ containerPort: 1 }] } },
    },
    {
      name: 'explicitly no mappings',
      body: { container: { docker: { image: 'x' }, portMappings: [] } },
      expected: { container: { type: 'DOCKER', docker: { image: 'x' }, portMappings: [] } },
    },
    { name: 'ports', body: { ports: [0, 8080] }, expected: { portDefinitions: [{ port: 0 }, { port: 8080 }] } },
    {
      name: 'ports beside portDefinitions that agree',
      body: { ports: [8080], portDefinitions: [{ port: 8080, name: 'http' }] },
      expected: { portDefinitions: [{ port: 8080, name: 'http' }] },
    },
    {
      name: 'uris',
      body: { uris: ['http://a/x.tar.gz', 'http://a/x.TGZ', '/etc/docker.tgz', 'http://a/plain'] },
      expected: {
        fetch: [
          { uri: 'http://a/x.tar.gz', extract: true },
          { uri: 'http://a/x.TGZ', extract: false },
          { uri: '/etc/docker.tgz', extract: true },
          { uri: 'http://a/plain', extract: false },
        ],
      },
    },
    {
      name: 'uris that repeat fetch, as Marathon 1.4 prints both',
      body: { uris: ['http://a/b'], fetch: [{ uri: 'http://a/b', cache: true }] },
      expected: { fetch: [{ uri: 'http://a/b', cache: true }] },
    },
    {
      name: 'constraints with an empty value, a number, a null',
      body: {
        constraints: [
          ['hostname', 'UNIQUE', ''],
          ['rack', 'group_by', 3],
          ['zone', 'UNIQUE', null],
        ],
      },
      expected: {
        constraints: [
          ['hostname', 'UNIQUE', ''],
          ['rack', 'group_by', '3'],
          ['zone', 'UNIQUE'],
        ],
      },
    },
    {
      name: 'dependencies',
      body: { dependencies: ['db', '/a/b/', '../c'] },
      expected: { dependencies: ['/db', '/a/b', '/c'] },
    },
    {
      name: 'unreachableStrategy in capitals',
      body: { unreachableStrategy: 'DISABLED' },
      expected: { unreachableStrategy: 'disabled' },
    },
    {
      name: 'an unreachableStrategy',
      body: { unreachableStrategy: { inactiveAfterSeconds: 1 } },
      expected: { unreachableStrategy: { inactiveAfterSeconds: 1 } },
    },
    {
      name: 'killSelection as old versions wrote it',
      body: { killSelection: 'YoungestFirst' },
      expected: { killSelection: 'YOUNGEST_FIRST' },
    },
    {
      name: 'health check protocol in small letters',
      body: { healthChecks: [{ protocol: 'mesos_http' }] },
      expected: { healthChecks: [{ protocol: 'MESOS_HTTP' }] },
    },
    {
      name: 'an env with a secret',
      body: { env: { A: 'b', P: { secret: 'pw' } } },
      expected: { env: { A: 'b', P: { secret: 'pw' } } },
    },
    {
      name: 'what only answers have',
      body: { tasksRunning: 3, deployments: [], versionInfo: {}, version: 'x' },
      expected: {},
    },
  ])('$name', ({ body, expected }) => {
    expect(patchOf(body)).toEqual(expected);
    expect(readApp(body).unknown).toEqual([]);
  });

  test.each([
    ['nginx', '/nginx'],
    ['/nginx', '/nginx'],
    ['prod//web/', '/prod/web'],
    ['./web', '/web'],
    ['/a/../web', '/web'],
  ])('the id %s is %s', (id, absolute) => {
    expect(readApp({ id }).id).toBe(absolute);
  });

  test('names unknown fields at any depth, and is not misled by one named __proto__', () => {
    const body = JSON.parse(
      '{"a":1,"__proto__":{"b":2},"healthChecks":[{"protocol":"TCP","c":3}],"labels":{"d":"e"}}',
    ) as Record<string, unknown>;
    const { unknown, patch } = readApp(body, '(1)');
    expect(unknown.toSorted()).toEqual(['(1)/__proto__', '(1)/a', '(1)/healthChecks(0)/c']);
    expect(patch).toEqual({ healthChecks: [{ protocol: 'TCP' }], labels: { d: 'e' } });
  });

  test.each<{ name: string; body: Record<string, unknown>; path: string }>([
    {
      name: 'USER without ipAddress',
      body: { container: { docker: { image: 'x', network: 'USER' } } },
      path: '(3)/ipAddress',
    },
    {
      name: 'MESOS with an old network',
      body: { container: { type: 'MESOS', docker: { image: 'x', network: 'BRIDGE' } } },
      path: '(3)/container/docker/network',
    },
    { name: 'a null inside a constraint', body: { constraints: [['a', null, 'b']] }, path: '(3)/constraints(0)' },
    { name: 'both network forms', body: { ipAddress: {}, networks: [] }, path: '(3)' },
  ])('$name is refused with its place in the list', ({ body, path }) => {
    const refused = () => readApp(body, '(3)');
    expect(refused).toThrow(InvalidError);
    expect(refused).toThrow(expect.objectContaining({ violations: [expect.objectContaining({ path })] }) as Error);
  });
});
