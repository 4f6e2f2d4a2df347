import { appSpecSchema } from '../../../src/core/records/app';
import { notActedUpon } from '../../../src/core/records/app-support';
import { completeApp, isRefused, type AppContext } from '../../../src/core/records/app-validation';

const context: AppContext = { servicePorts: { min: 10_000, max: 10_009 }, isServicePortUsed: () => false };
const docker = { docker: { image: 'x' } };
const bridge = [{ mode: 'container/bridge' }];

function complete(input: object, more: Partial<AppContext> = {}) {
  const result = completeApp({ id: '/web', ...input }, { ...context, ...more });
  if (isRefused(result)) throw new Error(JSON.stringify(result));
  return result.spec;
}

function refused(input: object, more: Partial<AppContext> = {}): string[] {
  const result = completeApp({ id: '/web', ...input }, { ...context, ...more });
  return isRefused(result) ? result.map(({ path, message }) => `${path} ${message}`) : [];
}

describe('defaults that depend on other fields', () => {
  test('host networking: one port definition, mappings are dropped', () => {
    const spec = complete({ container: { ...docker, portMappings: [{ containerPort: 80 }] } });
    expect(spec.networks).toEqual([{ mode: 'host', labels: {} }]);
    expect(spec.portDefinitions).toMatchObject([{ name: 'default', protocol: 'tcp' }]);
    expect(spec.container?.portMappings).toBeUndefined();
  });

  test('[] means no ports', () => {
    expect(complete({ cmd: 'x', portDefinitions: [] }).portDefinitions).toEqual([]);
    const none = complete({ container: { ...docker, portMappings: [] }, networks: bridge });
    expect(none.container?.portMappings).toEqual([]);
  });

  test('bridge: one mapping, any host port, never requirePorts', () => {
    const spec = complete({ container: docker, networks: bridge, requirePorts: true });
    expect(spec.container?.portMappings).toMatchObject([{ containerPort: 0, hostPort: 0, name: 'default' }]);
    expect(spec.portDefinitions).toBeUndefined();
    expect(spec.requirePorts).toBe(false);
  });

  test('container network: no host port unless asked for; a container is added', () => {
    const spec = complete({ cmd: 'x', networks: [{ name: 'n' }] });
    expect(spec.container).toMatchObject({ type: 'MESOS', portMappings: [{ containerPort: 0 }] });
    expect(spec.container?.portMappings?.[0]?.hostPort).toBeUndefined();
  });

  test('port definitions of a bridge app become mappings', () => {
    const spec = complete({ container: docker, networks: bridge, portDefinitions: [{ port: 9000, name: 'http' }] });
    expect(spec.container?.portMappings).toMatchObject([{ servicePort: 9000, hostPort: 0, name: 'http' }]);
  });

  test('the default network name', () => {
    expect(complete({ cmd: 'x', networks: [{}] }, { defaultNetworkName: 'dcos' }).networks[0]?.name).toBe('dcos');
  });

  test('constraints: upper case, empty values gone', () => {
    const constraints = [
      ['hostname', 'unique', ''],
      ['rack', 'Group_By', ''],
      ['rack', 'like', 'a'],
    ];
    expect(complete({ cmd: 'x', constraints }).constraints).toEqual([
      ['hostname', 'UNIQUE'],
      ['rack', 'GROUP_BY'],
      ['rack', 'LIKE', 'a'],
    ]);
  });

  test('health checks look at the first port', () => {
    const healthChecks = [{}, { port: 80 }, { portIndex: 1 }, { protocol: 'COMMAND', command: { value: 'true' } }];
    const spec = complete({ container: docker, healthChecks, portDefinitions: [{}, {}] });
    expect(spec.healthChecks.map(({ portIndex }) => portIndex)).toEqual([0, undefined, 1, undefined]);
  });

  test.each([
    {
      name: 'single instance',
      input: { cmd: 'x', labels: { MARATHON_SINGLE_INSTANCE_APP: 'true' } },
      expected: [0, 0],
    },
    {
      name: 'external volume',
      input: {
        container: {
          ...docker,
          volumes: [{ containerPath: 'a', mode: 'RW', external: { name: 'n', provider: 'dvdi' } }],
        },
      },
      expected: [0.5, 0],
    },
    {
      name: 'persistent volume',
      input: { container: { ...docker, volumes: [{ containerPath: 'a', mode: 'RW', persistent: { size: 1 } }] } },
      expected: [0.5, 0],
    },
    { name: 'plain', input: { cmd: 'x' }, expected: [1, 1] },
  ])('upgrade strategy: $name', ({ input, expected }) => {
    const { minimumHealthCapacity, maximumOverCapacity } = complete(input).upgradeStrategy;
    expect([minimumHealthCapacity, maximumOverCapacity]).toEqual(expected);
  });

  test('completing again changes nothing', () => {
    const spec = complete({
      container: docker,
      networks: bridge,
      healthChecks: [{}],
      constraints: [['hostname', 'UNIQUE', '']],
    });
    const again = completeApp(spec, { ...context, previous: spec });
    expect(again).toEqual({ spec });
  });
});

describe('service ports', () => {
  test('are free, different, and inside the range', () => {
    const ports =
      complete({ cmd: 'x', portDefinitions: [{}, {}, { port: 80 }] }).portDefinitions?.map(({ port }) => port) ?? [];
    expect(ports[2]).toBe(80);
    expect(new Set(ports).size).toBe(3);
    for (const port of ports.slice(0, 2)) expect(port >= 10_000 && port <= 10_009).toBe(true);
  });

  test('former ones are used again first, those of others never', () => {
    const previous = complete({ cmd: 'x', portDefinitions: [{ port: 10_005 }] });
    const spec = complete(
      { cmd: 'x', portDefinitions: [{}, {}] },
      { previous, isServicePortUsed: (port) => port !== 10_007 },
    );
    expect(spec.portDefinitions?.map(({ port }) => port)).toEqual([10_005, 10_007]);
  });

  test('none left', () => {
    expect(refused({ cmd: 'x' }, { isServicePortUsed: () => true })).toEqual([
      '/portDefinitions All ports in the range [10000-10009] are already in use',
    ]);
  });

  test('two mappings with the same one are accepted', () => {
    const portMappings = [
      { containerPort: 8080, servicePort: 9000 },
      { containerPort: 161, servicePort: 9000 },
    ];
    expect(refused({ container: { ...docker, portMappings }, networks: bridge })).toEqual([]);
  });
});

describe('what is refused', () => {
  const volume = (more: object) => ({
    container: { ...docker, volumes: [{ containerPath: 'a', mode: 'RW', ...more }] },
  });
  test.each<{ name: string; input: object; expected: (string | RegExp)[] }>([
    { name: 'id grammar', input: { id: '/Web_1', cmd: 'x' }, expected: [/^\/id must fully match regular expression/] },
    {
      name: 'reserved last segment',
      input: { id: '/a/tasks', cmd: 'x' },
      expected: [/^\/id must not end with any of the following reserved keywords: restart, tasks, versions/],
    },
    { name: 'nothing to run', input: {}, expected: [/^\/ AppDefinition must either contain/] },
    { name: 'cmd and args', input: { cmd: 'x', args: ['y'] }, expected: [/^\/ AppDefinition must either contain/] },
    {
      name: 'DOCKER without docker',
      input: { cmd: 'x', container: { type: 'DOCKER' } },
      expected: ['/container/docker not defined'],
    },
    {
      name: 'a wrong type',
      input: { cmd: 'x', container: { ...docker, portMappings: [{ containerPort: 'a' }] } },
      expected: [/^\/container\/portMappings\(0\)\/containerPort /],
    },
    {
      name: 'host network with a name',
      input: { cmd: 'x', networks: [{ mode: 'host', name: 'a' }] },
      expected: ['/networks(0)/name must be empty'],
    },
    {
      name: 'container network without name',
      input: { cmd: 'x', networks: [{}] },
      expected: ['/networks(0)/name Network name must be specified when container network is selected.'],
    },
    {
      name: 'host and bridge',
      input: { container: docker, networks: [{ mode: 'host' }, { mode: 'container/bridge' }] },
      expected: [
        /^\/networks may only specify a single host/,
        /^\/networks may only specify a single container network/,
      ],
    },
    {
      name: 'two networks with Docker',
      input: { container: docker, networks: [{ name: 'a' }, { name: 'b' }] },
      expected: [/^\/networks may only specify a single container network when using the Docker/],
    },
    {
      name: 'ports twice',
      input: { cmd: 'x', portDefinitions: [{ port: 80 }, { port: 80 }] },
      expected: ['/portDefinitions Ports must be unique.'],
    },
    {
      name: 'port names twice',
      input: { cmd: 'x', portDefinitions: [{ name: 'a' }, { name: 'a' }] },
      expected: ['/portDefinitions Port names must be unique.'],
    },
    {
      name: 'unknown network of a mapping',
      input: {
        cmd: 'x',
        networks: [{ name: 'a' }],
        container: { type: 'MESOS', portMappings: [{ networkNames: ['b'] }] },
      },
      expected: ['/container/portMappings(0)/networkNames(0) is not one of (a)'],
    },
    { name: 'volume of no kind', input: volume({}), expected: ['/container/volumes(0)/hostPath undefined'] },
    {
      name: 'volume without mode',
      input: { container: { ...docker, volumes: [{ containerPath: '/a', hostPath: '/a' }] } },
      expected: ['/container/volumes(0)/mode undefined'],
    },
    {
      name: 'undeclared secret',
      input: { cmd: 'x', env: { A: { secret: 's' } } },
      expected: ["/env(A) references an undeclared secret 's'"],
    },
    {
      name: 'unknown operator',
      input: { cmd: 'x', constraints: [['a', 'NEAR']] },
      expected: [/^\/constraints\(0\) operator must be one of the following UNIQUE/],
    },
    {
      name: 'too short',
      input: { cmd: 'x', constraints: [['a']] },
      expected: ['/constraints(0) Each constraint must have either 2 or 3 fields'],
    },
    {
      name: 'empty field',
      input: { cmd: 'x', constraints: [['', 'UNIQUE']] },
      expected: ['/constraints(0) illegal constraint specification'],
    },
    {
      name: 'UNIQUE with a value',
      input: { cmd: 'x', constraints: [['a', 'UNIQUE', '1']] },
      expected: ['/constraints(0) UNIQUE does not accept a value'],
    },
    {
      name: 'GROUP_BY with a word',
      input: { cmd: 'x', constraints: [['a', 'GROUP_BY', 'x']] },
      expected: ['/constraints(0) GROUP BY must define an integer value or else no value at all'],
    },
    {
      name: 'MAX_PER without value',
      input: { cmd: 'x', constraints: [['a', 'MAX_PER']] },
      expected: ['/constraints(0) MAX_PER requires an integer value'],
    },
    {
      name: 'LIKE without value',
      input: { cmd: 'x', constraints: [['a', 'LIKE']] },
      expected: ['/constraints(0) LIKE and UNLIKE require a non-empty, regular expression value'],
    },
    {
      name: 'LIKE with a bad pattern',
      input: { cmd: 'x', constraints: [['a', 'LIKE', '(']] },
      expected: ["/constraints(0) '(' is not a valid regular expression"],
    },
    {
      name: 'IS with blanks',
      input: { cmd: 'x', constraints: [['a', 'IS', 'a b']] },
      expected: [/^\/constraints\(0\) IS only supports/],
    },
    {
      name: 'port index beyond the ports',
      input: { container: docker, healthChecks: [{ portIndex: 1 }] },
      expected: [/^\/healthChecks\(0\)\/portIndex Health check port indices must address/],
    },
    {
      name: 'a COMMAND check without command',
      input: { cmd: 'x', healthChecks: [{ protocol: 'COMMAND' }] },
      expected: ['/healthChecks(0)/command undefined'],
    },
    {
      name: 'two Mesos checks',
      input: { cmd: 'x', healthChecks: [{ protocol: 'MESOS_TCP' }, { protocol: 'MESOS_HTTP' }] },
      expected: ['/healthChecks AppDefinition can contain at most one Mesos health check'],
    },
    {
      name: 'readiness of an unknown port',
      input: { cmd: 'x', readinessChecks: [{}] },
      expected: ['/readinessChecks(0)/portName No port definition reference for portName http-api'],
    },
    {
      name: 'single instance, two wanted',
      input: { cmd: 'x', instances: 2, labels: { MARATHON_SINGLE_INSTANCE_APP: 'true' } },
      expected: ['/instances Single instance app may only have one instance'],
    },
    {
      name: 'inactive after expunge',
      input: { cmd: 'x', unreachableStrategy: { inactiveAfterSeconds: 2, expungeAfterSeconds: 1 } },
      expected: ['/unreachableStrategy inactiveAfterSeconds must be less or equal to expungeAfterSeconds'],
    },
    {
      name: 'foreign roles',
      input: { cmd: 'x', acceptedResourceRoles: ['dev'] },
      expected: ['/acceptedResourceRoles acceptedResourceRoles can only contain * and *'],
    },
    {
      name: 'gpus with Docker',
      input: { container: docker, gpus: 1 },
      expected: ['/gpus GPU resources only work with the Mesos containerizer'],
    },
    {
      name: 'limit below the request',
      input: { cmd: 'x', cpus: 2, resourceLimits: { cpus: 1 } },
      expected: ['/resourceLimits/cpus must be greater than or equal to 2'],
    },
    {
      name: 'bad URI',
      input: { cmd: 'x', fetch: [{ uri: 'a b' }] },
      expected: ['/fetch(0)/uri URI has invalid syntax.'],
    },
    { name: 'bad executor', input: { cmd: 'x', executor: '//x' }, expected: [/^\/executor must fully match/] },
  ])('$name', ({ input, expected }) => {
    const found = refused(input);
    expect(found).toHaveLength(expected.length);
    expected.forEach((wanted, at) => {
      if (typeof wanted === 'string') expect(found[at]).toBe(wanted);
      else expect(found[at]).toMatch(wanted);
    });
  });

  test.each([undefined, null, 5, 'app', [], {}])('%p is refused, not a crash', (input) => {
    expect(isRefused(completeApp(input, context))).toBe(true);
  });
});

describe('notActedUpon', () => {
  test('an app that uses only what works has no warnings', () => {
    const spec = appSpecSchema.parse({
      id: '/web',
      container: { docker: { image: 'x' }, volumes: [{ containerPath: '/a', hostPath: '/a', mode: 'RO' }] },
      healthChecks: [{}],
    });
    expect(notActedUpon(spec)).toEqual([]);
  });

  test('each field that does nothing yet is named', () => {
    const spec = appSpecSchema.parse({
      id: '/web',
      gpus: 1,
      secrets: { s: { source: 'x' } },
      fetch: [{ uri: 'http://x' }],
      executor: '/bin/x',
      check: {},
      tty: true,
      residency: {},
    });
    const fields = notActedUpon(spec).map((text) => text.slice(0, text.indexOf(':')));
    expect(fields).toEqual(['gpus', 'container', 'secrets', 'fetch', 'executor', 'check', 'tty', 'residency']);
  });
});
