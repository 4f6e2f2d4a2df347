import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LaunchQueueItem } from '../../../src/core/records/app';
import { advanced, agent, instance, task } from './builders';
import { openWorld, type World } from './world';

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());

interface AppBody {
  readonly id: string;
  readonly version: string;
  readonly instances: number;
  readonly [field: string]: unknown;
}
const ask: World['ask'] = (...args) => world.ask(...args);
const appOf = async (id: string, query = '') =>
  ((await ask('GET', `/v2/apps${id}${query}`)).body as { readonly app: AppBody }).app;
const sleepApp = (id: string, more: object = {}) => ({ id, cmd: 'sleep 1000', cpus: 0.1, mem: 16, ...more });

/** Ends every rollout, as the orchestrator would. */
async function finishRollouts() {
  for (const { record } of [...world.records.collection('Rollout').list()]) {
    const status = { currentStep: record.spec.steps.length, state: 'Succeeded' as const };
    await world.records.write([advanced(record, status)]);
  }
}

async function create(app: object) {
  const answer = await ask('POST', '/v2/apps', app);
  expect([answer.status, answer.text]).toEqual([201, answer.text]);
  await finishRollouts();
  return answer.body as AppBody;
}

const EXAMPLES = join(__dirname, 'examples');

describe('the example definitions', () => {
  test.each(readdirSync(EXAMPLES))('%s is taken as it stands', async (file) => {
    const text = readFileSync(join(EXAMPLES, file), 'utf8');
    const answer = await ask('POST', '/v2/apps', text);
    expect([answer.status, answer.text]).toEqual([201, answer.text]);
    const sent = JSON.parse(text) as { id: string; cpus?: number; container?: { docker: { image: string } } };
    const shown = await appOf(`/${sent.id}`);
    expect(shown.id).toBe(`/${sent.id}`);
    expect(shown['cpus']).toBe(sent.cpus ?? 1);
    expect((shown['container'] as typeof sent.container)?.docker.image).toBe(sent.container?.docker.image);
  });

  test.each([
    {
      file: 'nginx-fixed-port.json',
      expected: {
        networks: [{ mode: 'container/bridge' }],
        constraints: [['hostname', 'UNIQUE']],
        container: { portMappings: [{ containerPort: 80, hostPort: 31030, servicePort: 33180, protocol: 'tcp' }] },
        ports: [33180],
      },
    },
    {
      file: 'nginx-volume-nulls.json',
      expected: {
        container: {
          type: 'DOCKER',
          volumes: [{ containerPath: '/usr/share/nginx/html', hostPath: '/opt/web/www', mode: 'RW' }],
          portMappings: [{ containerPort: 80, hostPort: 0, protocol: 'tcp' }],
        },
      },
    },
    {
      file: 'bridged-webapp.json',
      expected: {
        cmd: 'python3 -m http.server 8080',
        instances: 2,
        ports: [9000, 9000],
        healthChecks: [{ protocol: 'HTTP', portIndex: 0, path: '/', gracePeriodSeconds: 5, intervalSeconds: 20 }],
      },
    },
    { file: 'nodejs-registry.json', expected: { container: { type: 'DOCKER' }, ports: [8000] } },
    {
      file: 'host-volumes.json',
      expected: { networks: [{ mode: 'host' }], container: { volumes: [{}, { mode: 'RW' }] } },
    },
    { file: 'inky-args.json', expected: { args: ['hello'] } },
    { file: 'force-pull.json', expected: { container: { docker: { forcePullImage: true } } } },
    {
      file: 'privileged-job.json',
      expected: {
        container: { docker: { privileged: true, parameters: [{ key: 'hostname', value: 'a.corp.org' }, {}, {}] } },
      },
    },
  ])('$file means what it meant', async ({ file, expected }) => {
    const answer = await ask('POST', '/v2/apps', readFileSync(join(EXAMPLES, file), 'utf8'));
    expect(answer.body).toMatchObject(expected);
    const container = (answer.body as { container: { docker: object } }).container;
    expect(container.docker).not.toHaveProperty('network');
    expect(container.docker).not.toHaveProperty('portMappings');
  });
});

describe('POST /v2/apps', () => {
  test('answers the app, its deployment and where it is', async () => {
    const { status, headers, body } = await ask('POST', '/v2/apps', sleepApp('/prod/web'));
    expect(status).toBe(201);
    expect(headers.get('location')).toBe('/v2/apps/prod/web');
    expect(body).toMatchObject({
      id: '/prod/web',
      instances: 1,
      labels: {},
      env: {},
      constraints: [],
      healthChecks: [],
      fetch: [],
      dependencies: [],
      tasksStaged: 0,
      tasksRunning: 0,
      tasksHealthy: 0,
      tasksUnhealthy: 0,
      deployments: [{ id: headers.get('marathon-deployment-id') }],
      upgradeStrategy: { minimumHealthCapacity: 1, maximumOverCapacity: 1 },
    });
    expect(body).toHaveProperty('version', expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/));
    for (const absent of ['args', 'uris', 'ipAddress', 'tasks', 'user']) expect(body).not.toHaveProperty(absent);
  });

  test('names what it does not know and what nothing acts upon, and takes the rest', async () => {
    const app = sleepApp('/web', {
      colour: 'red',
      container: { docker: { image: 'x', weight: 3 }, size: 1 },
      cmd: 'a',
    });
    const { status, headers, body } = await ask('POST', '/v2/apps', app);
    expect(status).toBe(201);
    const warnings = headers.get('warning') ?? '';
    for (const path of ['/colour', '/container/docker/weight', '/container/size'])
      expect(warnings).toContain(`299 berth "unknown field ${path} was ignored"`);
    expect(JSON.stringify(body)).not.toMatch(/colour|weight|size/);
  });

  test('a client may send back what it was sent', async () => {
    const created = await create(sleepApp('/web', { labels: { a: 'b' } }));
    const answer = await ask('PUT', '/v2/apps/web?partialUpdate=false', await appOf('/web'));
    expect([answer.status, answer.headers.get('warning') ?? '']).toEqual([200, expect.not.stringContaining('unknown')]);
    expect(answer.body).toMatchObject({ version: created.version });
  });

  test('an app of that name is a conflict', async () => {
    await create(sleepApp('/web'));
    const { status, body } = await ask('POST', '/v2/apps', sleepApp('web'));
    expect([status, body]).toEqual([409, { message: 'An app with id [/web] already exists.' }]);
  });

  test.each([
    {
      name: 'broken JSON',
      body: '{"id": ',
      status: 400,
      expected: { message: 'Invalid JSON', details: expect.any(String) },
    },
    { name: 'nothing', body: '', status: 400, expected: { message: 'Please specify data in JSON format' } },
    { name: 'a list', body: '[]', status: 400, expected: { message: 'Please specify data in JSON format' } },
    { name: 'text', body: '"web"', status: 400, expected: { message: 'Please specify data in JSON format' } },
    {
      name: 'deep nesting',
      body: '['.repeat(10_000) + ']'.repeat(10_000),
      status: 400,
      expected: { message: 'Invalid JSON' },
    },
  ])('$name is $status', async ({ body, status, expected }) => {
    const answer = await ask('POST', '/v2/apps', body);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject(expected);
  });

  test('a body over the limit is 413', async () => {
    const answer = await ask('POST', '/v2/apps', sleepApp('/web', { labels: { big: 'x'.repeat(6 * 1024 * 1024) } }));
    expect(answer.status).toBe(413);
  });

  test.each<{ name: string; fields: object; details: object }>([
    { name: 'no id', fields: { id: null }, details: { '/id': ['error.path.missing'] } },
    { name: 'a number as text', fields: { cpus: '0.1' }, details: { '/cpus': ['error.expected.jsnumber'] } },
    { name: 'text as a number', fields: { cmd: 5 }, details: { '/cmd': ['error.expected.jsstring'] } },
    {
      name: 'a fraction of an instance',
      fields: { instances: 1.5 },
      details: { '/instances': ['error.expected.int'] },
    },
    { name: 'less than no instance', fields: { instances: -1 }, details: { '/instances': ['error.min'] } },
    { name: 'an empty command', fields: { cmd: '' }, details: { '/cmd': ['error.minLength'] } },
    { name: 'a list for an object', fields: { env: [] }, details: { '/env': ['error.expected.jsobject'] } },
    { name: 'an object for a list', fields: { args: {} }, details: { '/args': ['error.expected.jsarray'] } },
    { name: 'no boolean', fields: { requirePorts: 'yes' }, details: { '/requirePorts': ['error.expected.jsboolean'] } },
    { name: 'a bad id', fields: { id: '/Web_1' }, details: { '/id': ['error.pattern'] } },
    { name: 'an empty id', fields: { id: '' }, details: { '/id': ['error.minLength'] } },
    { name: 'a long bad id, at once', fields: { id: `${'a'.repeat(5000)}!` }, details: { '/id': ['error.pattern'] } },
    { name: 'labels of numbers', fields: { labels: { a: 1 } }, details: { '/labels/a': ['error.expected.jsstring'] } },
    { name: 'a null in a list', fields: { args: ['a', null] }, details: { '/args(1)': ['error.expected.jsstring'] } },
    {
      name: 'an unknown protocol',
      fields: { healthChecks: [{ protocol: 'ICMP' }] },
      details: { '/healthChecks(0)/protocol': ['error.unknown.enum.literal'] },
    },
    {
      name: 'several things at once',
      fields: { cpus: '1', container: { docker: {}, portMappings: [{}, { containerPort: 65536, name: 'A_B' }] } },
      details: {
        '/cpus': ['error.expected.jsnumber'],
        '/container/docker/image': ['error.path.missing'],
        '/container/portMappings(1)/containerPort': ['error.max'],
        '/container/portMappings(1)/name': ['error.pattern'],
      },
    },
    {
      name: 'capacity over 1',
      fields: { upgradeStrategy: { minimumHealthCapacity: 1.1 } },
      details: { '/upgradeStrategy/minimumHealthCapacity': ['error.max'] },
    },
    {
      name: 'a strange limit',
      fields: { resourceLimits: { cpus: 'lots' } },
      details: { '/resourceLimits/cpus': ['error.expected.jsnumber'] },
    },
  ])('$name: 422 with codes', async ({ fields, details }) => {
    const { status, body } = await ask('POST', '/v2/apps', sleepApp('/web', fields));
    expect(status).toBe(422);
    expect(body).toMatchObject({ message: 'Invalid JSON' });
    const shown = (body as { details: { path: string; errors: string[] }[] }).details;
    expect(Object.fromEntries(shown.map(({ path, errors }) => [path, errors]))).toEqual(details);
  });

  test.each<{ name: string; fields: object; path: string; message: string | RegExp }>([
    {
      name: 'the root as an id',
      fields: { id: '/' },
      path: '/id',
      message: 'Path must contain at least one path element',
    },
    { name: 'a reserved id', fields: { id: '/web/tasks' }, path: '/id', message: /reserved keywords/ },
    { name: 'cmd with args', fields: { args: ['a'] }, path: '/', message: /one of 'cmd' or 'args'/ },
    {
      name: 'a constraint of one',
      fields: { constraints: [['hostname']] },
      path: '/constraints(0)',
      message: /2 or 3 fields/,
    },
    {
      name: 'an unknown operator',
      fields: { constraints: [['hostname', 'NEAR']] },
      path: '/constraints(0)',
      message: /^operator must be one of/,
    },
    {
      name: 'old and new networks',
      fields: { container: { docker: { image: 'x', network: 'HOST' } }, networks: [{ mode: 'host' }] },
      path: '/',
      message: 'must not specify both container.docker.network and networks',
    },
    {
      name: 'networks and ipAddress',
      fields: { ipAddress: { networkName: 'n' }, networks: [{ mode: 'host' }] },
      path: '/',
      message: 'must not specify both networks and ipAddress',
    },
    {
      name: 'ipAddress and ports',
      fields: { ipAddress: { networkName: 'n' }, ports: [80] },
      path: '/',
      message: 'cannot specify both an IP address and port',
    },
    {
      name: 'ports that differ',
      fields: { ports: [1, 2], portDefinitions: [{ port: 1 }] },
      path: '/',
      message: 'cannot specify both ports and port definitions',
    },
    { name: 'ports twice', fields: { ports: [80, 80] }, path: '/ports', message: 'ports must be unique' },
    {
      name: 'old and new mappings',
      fields: {
        container: {
          docker: { image: 'x', network: 'BRIDGE', portMappings: [{}] },
          portMappings: [{ containerPort: 1 }],
        },
      },
      path: '/container',
      message: /must not specify both/,
    },
    {
      name: 'uris that differ from fetch',
      fields: { uris: ['http://a/b'], fetch: [{ uri: 'http://a/c' }] },
      path: '/uris',
      message: 'may not be set in conjunction with fetch',
    },
    {
      name: 'an old credential',
      fields: { container: { docker: { image: 'x', credential: { principal: 'me' } } } },
      path: '/container/docker/credential',
      message: 'must be empty',
    },
    {
      name: 'a Docker container without an image',
      fields: { container: { volumes: [] } },
      path: '/container/docker',
      message: 'not defined',
    },
    {
      name: 'a volume of nothing',
      fields: { container: { docker: { image: 'x' }, volumes: [{ containerPath: '/a', mode: 'RO' }] } },
      path: '/container/volumes(0)/hostPath',
      message: /undefined/,
    },
  ])('$name: 422 with words', async ({ fields, path, message }) => {
    const { status, body } = await ask('POST', '/v2/apps', sleepApp('/web', fields));
    expect([status, body]).toEqual([
      422,
      {
        message: 'Object is not valid',
        details: expect.arrayContaining([
          { path, errors: expect.arrayContaining([expect.stringMatching(message)]) },
        ]) as unknown,
      },
    ]);
  });
});

describe('GET /v2/apps', () => {
  test.each([
    { query: '', ids: ['/db', '/prod/api', '/prod/web'] },
    { query: '?cmd=PYTHON', ids: ['/prod/api'] },
    { query: '?id=prod', ids: ['/prod/api', '/prod/web'] },
    { query: '?id=prod&cmd=sleep', ids: ['/prod/web'] },
    { query: '?label=tier==front', ids: ['/prod/web'] },
    { query: '?label=tier%20notin%20(front)', ids: ['/db'] },
    { query: '?label=nobody', ids: [] },
  ])('$query', async ({ query, ids }) => {
    await create(sleepApp('/prod/web', { labels: { tier: 'front' } }));
    await create(sleepApp('/prod/api', { cmd: 'python3 serve' }));
    await create(sleepApp('/db', { labels: { tier: 'back' } }));
    const { body } = await ask('GET', `/v2/apps${query}`);
    expect((body as { apps: AppBody[] }).apps.map(({ id }) => id)).toEqual(ids);
  });

  test('a bad selector is 422 with words', async () => {
    const { status, body } = await ask('GET', '/v2/apps?label=a%20in%20b');
    expect([status, Object.keys(body as object)]).toEqual([422, ['message']]);
  });

  test('a list longer than a piece is one JSON text', async () => {
    const writes = Array.from({ length: 5 }, (_, i) =>
      Array.from({ length: 50 }, (_app, k) => sleepApp(`/many/app-${i}-${k}`)),
    );
    for (const batch of writes) expect((await ask('PUT', '/v2/apps', batch)).status).toBe(200);
    const { body } = await ask('GET', '/v2/apps');
    expect((body as { apps: AppBody[] }).apps).toHaveLength(250);
  });

  test('below a group', async () => {
    await create(sleepApp('/prod/eu/web'));
    await create(sleepApp('/other'));
    const { body } = await ask('GET', '/v2/apps/prod/*');
    expect((body as { '*': AppBody[] })['*'].map(({ id }) => id)).toEqual(['/prod/eu/web']);
    const missing = await ask('GET', '/v2/apps/nothing/*');
    expect([missing.status, missing.body]).toEqual([404, { message: "Group '/nothing' does not exist" }]);
  });
});

describe('paths', () => {
  test.each([
    '/v2/apps/prod/web',
    '/v2/apps//prod/web',
    '/v2/apps/%2Fprod%2Fweb',
    '/v2/apps/prod/web/',
    '/v2/apps/./prod//web',
  ])('%s is one app', async (path) => {
    await create(sleepApp('/prod/web'));
    expect((await ask('GET', path)).body).toMatchObject({ app: { id: '/prod/web' } });
  });

  test.each([
    ['GET', '/v2/apps/x', "App '/x' does not exist"],
    ['PATCH', '/v2/apps/x', "App '/x' does not exist"],
    ['DELETE', '/v2/apps/x', "App '/x' does not exist"],
    ['POST', '/v2/apps/x/restart', "App '/x' does not exist"],
    ['GET', '/v2/apps/x/tasks', "App '/x' does not exist"],
    ['DELETE', '/v2/apps/x/tasks', "App '/x' does not exist"],
    ['DELETE', '/v2/apps/x/tasks/t', "App '/x' does not exist"],
    ['GET', '/v2/apps/x/versions', "App '/x' does not exist"],
    ['GET', '/v2/apps/x/versions/2020-01-01T00:00:00.000Z', "App '/x' does not exist"],
    ['GET', '/v2/nonsense', 'URI not found'],
    ['DELETE', '/v2/deployments/x', 'DeploymentPlan x does not exist'],
    ['DELETE', '/v2/queue/x/delay', 'Application /x not found in tasks queue.'],
  ])('%s %s is 404', async (method, path, message) => {
    const { status, body } = await ask(method, path, method === 'PATCH' ? { instances: 1 } : undefined);
    expect([status, body]).toEqual([404, { message }]);
  });

  test('a method that is not there is 405 and says which are', async () => {
    const { status, headers } = await ask('PUT', '/v2/apps/x/restart', {});
    expect([status, headers.get('allow')]).toEqual([405, 'POST']);
  });

  test('a path that cannot be decoded is 400', async () => {
    expect((await ask('GET', '/v2/apps/%zz')).status).toBe(400);
  });

  test('HEAD answers like GET without a body', async () => {
    await create(sleepApp('/web'));
    const { status, text } = await ask('HEAD', '/v2/apps/web');
    expect([status, text]).toEqual([200, '']);
  });
});

describe('PUT and PATCH /v2/apps/{id}', () => {
  test('keeps what was not sent, and replaces whole fields', async () => {
    await create(sleepApp('/web', { env: { A: '1', B: '2' }, labels: { x: 'y' } }));
    const { status, body, headers } = await ask('PUT', '/v2/apps/web', { instances: 5, env: { C: '3' }, cmd: null });
    expect([status, body]).toEqual([
      200,
      { version: expect.any(String) as string, deploymentId: headers.get('marathon-deployment-id') },
    ]);
    expect(await appOf('/web')).toMatchObject({ instances: 5, env: { C: '3' }, cmd: 'sleep 1000', labels: { x: 'y' } });
    expect((await appOf('/web'))['env']).toEqual({ C: '3' });
  });

  test('creates what is missing: 201', async () => {
    const { status, headers } = await ask('PUT', '/v2/apps/new', { cmd: 'sleep 1' });
    expect([status, headers.get('location')]).toEqual([201, '/v2/apps/new']);
    expect(await appOf('/new')).toMatchObject({ cmd: 'sleep 1', instances: 1 });
  });

  test('partialUpdate=false: absent fields get their defaults', async () => {
    await create(sleepApp('/web', { instances: 3, env: { A: '1' } }));
    expect((await ask('PUT', '/v2/apps/web?partialUpdate=false', { cmd: 'sleep 2' })).status).toBe(200);
    expect(await appOf('/web')).toMatchObject({ cmd: 'sleep 2', instances: 1, env: {}, cpus: 1 });
  });

  test('an old network form in an update', async () => {
    await create(sleepApp('/web', { portDefinitions: [{ port: 15_000 }] }));
    const container = { docker: { image: 'nginx', network: 'BRIDGE', portMappings: [{ containerPort: 80 }] } };
    expect((await ask('PUT', '/v2/apps/web', { container })).status).toBe(200);
    const shown = await appOf('/web');
    expect(shown).toMatchObject({
      networks: [{ mode: 'container/bridge' }],
      container: { type: 'DOCKER', portMappings: [{ containerPort: 80, hostPort: 0 }] },
    });
    expect(shown).not.toHaveProperty('portDefinitions');
  });

  test('an update that leaves the network alone keeps it', async () => {
    await create(
      sleepApp('/web', {
        container: { docker: { image: 'a', network: 'BRIDGE', portMappings: [{ containerPort: 80 }] } },
      }),
    );
    expect((await ask('PUT', '/v2/apps/web', { cpus: 0.5 })).status).toBe(200);
    expect(await appOf('/web')).toMatchObject({ networks: [{ mode: 'container/bridge' }], cpus: 0.5 });
  });

  test('the id of the path counts, and the other is named', async () => {
    await create(sleepApp('/web'));
    const { status, headers } = await ask('PUT', '/v2/apps/web', { id: '/other', instances: 2 });
    expect(status).toBe(200);
    expect(headers.get('warning')).toContain("the id '/other' in the body was ignored");
    expect((await ask('GET', '/v2/apps/other')).status).toBe(404);
  });

  test('PATCH does not create', async () => {
    expect((await ask('PATCH', '/v2/apps', [{ id: '/x', instances: 1 }])).status).toBe(404);
  });

  test('many at once are one deployment', async () => {
    await create(sleepApp('/a'));
    const { status, body } = await ask('PUT', '/v2/apps', [{ id: '/a', instances: 2 }, sleepApp('/b')]);
    expect(status).toBe(200);
    const { deploymentId } = body as { deploymentId: string };
    expect((await ask('GET', '/v2/deployments')).body).toMatchObject([
      { id: deploymentId, affectedApps: ['/a', '/b'] },
    ]);
  });

  test.each([
    { name: 'without an id', list: [{ instances: 1 }], path: '(0)/id', message: 'error.path.missing' },
    {
      name: 'with a wrong type',
      list: [sleepApp('/a'), { id: '/b', cpus: 'x' }],
      path: '(1)/cpus',
      message: 'error.expected.jsnumber',
    },
    {
      name: 'with an app twice',
      list: [sleepApp('/a'), sleepApp('a')],
      path: '(1)/id',
      message: "'/a' is in the list more than once",
    },
  ])('a list $name changes nothing', async ({ list, path, message }) => {
    const { status, body } = await ask('PUT', '/v2/apps', list);
    expect([status, body]).toMatchObject([422, { details: [{ path, errors: [message] }] }]);
    expect((await ask('GET', '/v2/apps')).body).toEqual({ apps: [] });
  });

  test('concurrent updates of different fields all last', async () => {
    await create(sleepApp('/web'));
    const updates = Array.from({ length: 5 }, (_, i) => ({ [`F${i}`]: String(i) }));
    const bodies = [{ instances: 7 }, { cpus: 0.7 }, { mem: 77 }, { disk: 7 }, { labels: updates[0] }];
    const answers = await Promise.all(bodies.map((body) => ask('PUT', '/v2/apps/web?force=true', body)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(await appOf('/web')).toMatchObject({ instances: 7, cpus: 0.7, mem: 77, disk: 7, labels: { F0: '0' } });
  });

  test('an app in a deployment is locked, unless forced', async () => {
    const created = await ask('POST', '/v2/apps', sleepApp('/web'));
    const { status, body } = await ask('PUT', '/v2/apps/web', { instances: 2 });
    expect([status, body]).toEqual([
      409,
      {
        message:
          "App is locked by one or more deployments. Override with the option '?force=true'. View details at '/v2/deployments/<DEPLOYMENT_ID>'.",
        deployments: [{ id: created.headers.get('marathon-deployment-id') }],
      },
    ]);
    expect((await ask('PUT', '/v2/apps/web?force=true', { instances: 2 })).status).toBe(200);
  });

  test('a change that changes nothing keeps the version', async () => {
    const { version } = await create(sleepApp('/web'));
    expect((await ask('PUT', '/v2/apps/web', { instances: 1 })).body).toMatchObject({ version });
  });
});

describe('versions', () => {
  test('are listed newest first, shown bare, and restored', async () => {
    const first = await create(sleepApp('/web', { cmd: 'sleep 1' }));
    await ask('PUT', '/v2/apps/web', { cmd: 'sleep 2', instances: 3 });
    await finishRollouts();
    const { versions } = (await ask('GET', '/v2/apps/web/versions')).body as { versions: string[] };
    expect(versions).toHaveLength(2);
    expect(versions[1]).toBe(first.version);
    expect((await ask('GET', `/v2/apps/web/versions/${first.version}`)).body).toMatchObject({
      id: '/web',
      cmd: 'sleep 1',
    });
    expect((await ask('PUT', '/v2/apps/web', { version: first.version })).status).toBe(200);
    expect(await appOf('/web')).toMatchObject({ cmd: 'sleep 1', instances: 1 });
  });

  test('that are not there', async () => {
    await create(sleepApp('/web'));
    const version = '2001-01-01T00:00:00.000Z';
    const message = `App '/web' does not exist in version ${version}`;
    const read = await ask('GET', `/v2/apps/web/versions/${version}`);
    const restore = await ask('PUT', '/v2/apps/web', { version });
    expect([read.status, read.body, restore.status, restore.body]).toEqual([404, { message }, 404, { message }]);
    expect((await ask('GET', '/v2/apps/web/versions/yesterday')).status).toBe(422);
  });

  test('stand alone in an update', async () => {
    const { version } = await create(sleepApp('/web'));
    const { status, body } = await ask('PUT', '/v2/apps/web', { version, instances: 2 });
    expect([status, body]).toMatchObject([
      422,
      { details: [{ path: '/', errors: ["The 'version' field may only be combined with the 'id' field."] }] },
    ]);
  });
});

describe('DELETE and restart', () => {
  test('a deleted app is gone at once, even while it was deploying', async () => {
    await ask('POST', '/v2/apps', sleepApp('/web'));
    const { status, body } = await ask('DELETE', '/v2/apps/web');
    expect([status, body]).toMatchObject([
      200,
      { version: expect.any(String) as string, deploymentId: expect.any(String) as string },
    ]);
    expect((await ask('GET', '/v2/apps/web')).status).toBe(404);
    expect((await ask('GET', '/v2/apps')).body).toEqual({ apps: [] });
    expect((await ask('DELETE', '/v2/apps/web')).status).toBe(404);
  });

  test('force=false respects the lock', async () => {
    await ask('POST', '/v2/apps', sleepApp('/web'));
    expect((await ask('DELETE', '/v2/apps/web?force=false')).status).toBe(409);
  });

  test('a restart is a new version of the same definition', async () => {
    const { version } = await create(sleepApp('/web'));
    const { status, body } = await ask('POST', '/v2/apps/web/restart');
    expect(status).toBe(200);
    expect((body as { version: string }).version > version).toBe(true);
    expect(await appOf('/web')).toMatchObject({ cmd: 'sleep 1000', version: (body as { version: string }).version });
  });
});

describe('what runs, waits and failed', () => {
  const ID = 'web.instance-11111111-1111-4111-8111-111111111111';
  const TASK = `${ID}._app.1`;

  async function running() {
    const app = await create(
      sleepApp('/web', { portDefinitions: [{ port: 15_000 }], healthChecks: [{ protocol: 'TCP' }] }),
    );
    const alive = { alive: true, consecutiveFailures: 0, firstSuccess: '2026-01-02T00:00:03.000Z' };
    await world.records.write([
      agent('a1', 'node-1'),
      instance(ID, app.version),
      task(ID, { checks: 1, health: [alive] }),
    ]);
    return app;
  }

  test('an app shows its counts and tasks', async () => {
    const { version } = await running();
    expect(await appOf('/web')).toMatchObject({
      tasksStaged: 0,
      tasksRunning: 1,
      tasksHealthy: 1,
      tasksUnhealthy: 0,
      tasks: [
        {
          id: TASK,
          appId: '/web',
          host: 'node-1',
          slaveId: 'a1',
          state: 'TASK_RUNNING',
          ports: [31000],
          servicePorts: [15_000],
          stagedAt: '2026-01-02T00:00:01.000Z',
          startedAt: '2026-01-02T00:00:02.000Z',
          version,
          ipAddresses: [{ ipAddress: '172.17.0.2', protocol: 'IPv4' }],
          healthCheckResults: [{ alive: true, instanceId: ID }],
          localVolumes: [],
          region: 'r1',
          zone: 'z1',
          role: '*',
        },
      ],
    });
  });

  test('embeds are added, and lists have no tasks unless asked', async () => {
    await running();
    const stats = {
      stats: { counts: { staged: 0, running: 1, healthy: 1, unhealthy: 0 }, lifeTime: expect.any(Object) as object },
    };
    expect(await appOf('/web', '?embed=app.taskStats')).toMatchObject({
      taskStats: { withLatestConfig: stats, totalSummary: stats },
    });
    const plain = (await ask('GET', '/v2/apps')).body as { apps: AppBody[] };
    expect(plain.apps[0]).toMatchObject({ tasksRunning: 1, deployments: [] });
    expect(plain.apps[0]).not.toHaveProperty('tasks');
    const full = (await ask('GET', '/v2/apps?embed=apps.tasks')).body as { apps: AppBody[] };
    expect(full.apps[0]).toMatchObject({ tasks: [{ id: TASK }] });
  });

  test.each([
    { path: '/v2/tasks', count: 1 },
    { path: '/v2/tasks?status=running', count: 1 },
    { path: '/v2/tasks?status=staging', count: 0 },
    { path: '/v2/tasks?status[]=staging&status[]=running', count: 1 },
    { path: '/v2/tasks?status=nonsense', count: 1 },
    { path: '/v2/apps/web/tasks', count: 1 },
    { path: '/v2/apps/*/tasks', count: 1 },
  ])('$path: $count', async ({ path, count }) => {
    await running();
    expect(((await ask('GET', path)).body as { tasks: unknown[] }).tasks).toHaveLength(count);
  });

  test('tasks as text', async () => {
    await running();
    const { headers, text } = await ask('GET', '/v2/tasks', undefined, { accept: 'text/plain' });
    expect([headers.get('content-type'), text]).toEqual(['text/plain; charset=utf-8', 'web\t15000\tnode-1:31000\t\n']);
  });

  test('what has ended shows neither start nor ports', async () => {
    const { version } = await create(sleepApp('/web'));
    await world.records.write([agent('a1', 'node-1'), instance(ID, version), task(ID, { state: 'TASK_FAILED' })]);
    const [shown] = (await appOf('/web'))['tasks'] as object[];
    expect(shown).toMatchObject({ state: 'TASK_FAILED', ports: [] });
    expect(shown).not.toHaveProperty('startedAt');
    expect(shown).not.toHaveProperty('version');
  });

  test('a kill answers the task as it was', async () => {
    await running();
    const { status, body } = await ask('DELETE', `/v2/apps/web/tasks/${TASK}`);
    expect([status, body]).toMatchObject([200, { task: { id: TASK, state: 'TASK_RUNNING' } }]);
    const stored = world.records.collection('Instance').get(`web/${ID}`)?.record.metadata.annotations;
    expect(stored).toMatchObject({ 'berth.dev/kill-incarnation': '1' });
  });

  test('a kill with scale is a deployment', async () => {
    await running();
    const { status, body } = await ask('DELETE', '/v2/apps/web/tasks?scale=true');
    expect([status, body]).toMatchObject([200, { deploymentId: expect.any(String) as string }]);
    expect((await appOf('/web')).instances).toBe(0);
  });

  test.each([
    { host: 'node-1', killed: 1 },
    { host: '*', killed: 1 },
    { host: 'node-2', killed: 0 },
  ])('a kill on host $host takes $killed', async ({ host, killed }) => {
    await running();
    const { body } = await ask('DELETE', `/v2/apps/web/tasks?host=${host}`);
    expect((body as { tasks: unknown[] }).tasks).toHaveLength(killed);
  });

  test.each([
    {
      name: 'scale with wipe',
      method: 'DELETE',
      path: '/v2/apps/web/tasks?scale=true&wipe=true',
      body: undefined,
      status: 400,
      message: 'You cannot use scale and wipe at the same time.',
    },
    {
      name: 'an unknown task',
      method: 'DELETE',
      path: '/v2/apps/web/tasks/x',
      body: undefined,
      status: 404,
      message: "Task 'x' does not exist",
    },
    {
      name: 'no task id',
      method: 'POST',
      path: '/v2/tasks/delete',
      body: { ids: ['x'] },
      status: 400,
      message: "Invalid task id 'x'. [",
    },
    { name: 'no ids', method: 'POST', path: '/v2/tasks/delete', body: {}, status: 422, message: 'Invalid JSON' },
  ])('$name is $status', async ({ method, path, body, status, message }) => {
    await running();
    const answer = await ask(method, path, body);
    expect([answer.status, (answer.body as { message: string }).message]).toEqual([
      status,
      expect.stringContaining(message),
    ]);
  });

  test('kills by id skip what is not there', async () => {
    await running();
    const ids = [TASK, 'web.instance-22222222-1111-4111-8111-111111111111._app.1', 'gone.instance-1._app.1'];
    const { body } = await ask('POST', '/v2/tasks/delete', { ids });
    expect(body).toMatchObject({ tasks: [{ id: TASK }] });
    expect((body as { tasks: unknown[] }).tasks).toHaveLength(1);
  });

  test('the queue says why, and its delay can be reset', async () => {
    await create(sleepApp('/web'));
    expect((await ask('GET', '/v2/queue')).body).toEqual({ queue: [] });
    const found = world.records.collection('App').get('web');
    if (found === undefined) throw new Error('no app');
    const reasons = [{ reason: 'InsufficientCpus', declined: 2, processed: 2 }];
    const launchQueue: LaunchQueueItem = {
      count: 1,
      role: '*',
      since: '2026-01-02T00:00:00.000Z',
      delayUntilMs: Date.now() + 60_000,
      processedOffersCount: 2,
      unusedOffersCount: 2,
      rejectSummaryLastOffers: reasons,
      rejectSummaryLaunchAttempt: reasons,
      lastUnusedOffers: [{ offer: { hostname: 'node-1' }, reason: ['InsufficientCpus'], timestamp: 't' }],
      message: '2 agents have too few cpus',
    };
    const failure = {
      appId: '/web',
      host: 'node-1',
      message: 'exit 1',
      state: 'TASK_FAILED',
      taskId: TASK,
      timestamp: 't',
      version: 'v',
    };
    const status = { launchQueue, lastTaskFailure: failure };
    await world.records.write([{ op: 'put', kind: 'App', path: 'web', record: { ...found.record, status } }]);
    const { queue } = (await ask('GET', '/v2/queue')).body as { queue: object[] };
    expect(queue).toMatchObject([
      {
        count: 1,
        role: '*',
        delay: { overdue: false },
        processedOffersSummary: { rejectSummaryLastOffers: reasons, rejectSummaryLaunchAttempt: reasons },
        message: '2 agents have too few cpus',
        app: { id: '/web' },
      },
    ]);
    expect(queue[0]).not.toHaveProperty('lastUnusedOffers');
    expect((await ask('GET', '/v2/queue?embed=lastUnusedOffers')).body).toMatchObject({
      queue: [{ lastUnusedOffers: [{ reason: ['InsufficientCpus'] }] }],
    });
    expect(await appOf('/web')).toMatchObject({ lastTaskFailure: failure });
    expect((await ask('DELETE', '/v2/queue//web/delay')).status).toBe(404); // nothing waits yet
    await world.records.write([instance(ID, found.record.spec.version)]);
    const reset = await ask('DELETE', '/v2/queue//web/delay');
    expect([reset.status, reset.text]).toEqual([204, '']);
  });
});

describe('/v2/deployments', () => {
  test('shows steps and where it is', async () => {
    const { headers } = await ask('POST', '/v2/apps', sleepApp('/web'));
    const id = headers.get('marathon-deployment-id') ?? '';
    const before = (await ask('GET', '/v2/deployments')).body;
    expect(before).toMatchObject([
      {
        id,
        affectedApps: ['/web'],
        affectedPods: [],
        currentStep: 0,
        currentActions: [],
        totalSteps: 2,
        steps: [
          { actions: [{ action: 'StartApplication', app: '/web' }] },
          { actions: [{ action: 'ScaleApplication', app: '/web' }] },
        ],
      },
    ]);
    const rollout = world.records.collection('Rollout').get(id)?.record;
    if (rollout === undefined) throw new Error('no rollout');
    await world.records.write([
      advanced(rollout, { currentStep: 2, state: 'Running', reason: '1 of 1 instances waits' }),
    ]);
    expect((await ask('GET', '/v2/deployments')).body).toMatchObject([
      {
        currentStep: 2,
        reason: '1 of 1 instances waits',
        currentActions: [{ action: 'ScaleApplication', app: '/web', readinessCheckResults: [] }],
      },
    ]);
    expect(await appOf('/web')).toMatchObject({ deployments: [{ id }] });
  });

  test('a cancelled one is undone by another', async () => {
    const { headers } = await ask('POST', '/v2/apps', sleepApp('/web'));
    const id = headers.get('marathon-deployment-id');
    const { status, body } = await ask('DELETE', `/v2/deployments/${id}`);
    expect([status, body]).toMatchObject([200, { deploymentId: expect.not.stringMatching(id ?? '') as string }]);
    expect((await ask('GET', '/v2/apps/web')).status).toBe(404);
  });

  test('force stops it and leaves all as it is', async () => {
    const { headers } = await ask('POST', '/v2/apps', sleepApp('/web'));
    const { status, text } = await ask('DELETE', `/v2/deployments/${headers.get('marathon-deployment-id')}?force=true`);
    expect([status, text]).toEqual([202, '']);
    expect((await ask('GET', '/v2/apps/web')).status).toBe(200);
    expect((await ask('GET', '/v2/deployments')).body).toEqual([]);
  });
});
