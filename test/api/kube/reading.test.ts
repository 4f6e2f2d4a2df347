import { AGGREGATED } from '../../../src/api/kube/discovery';
import { API_VERSION } from '../../../src/core/records/metadata';
import { agent, APPS, appObject, type Body, instance, KubeWorld, rollout, task } from './world';

const GROUP = '/apis/apps.berth.dev/v1';
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
let world: KubeWorld;

beforeEach(async () => {
  world = await KubeWorld.start();
});
afterEach(() => world.close());

const get = (path: string, headers: Record<string, string> = {}) => world.call('GET', path, undefined, headers);
const names = (body: Body) => body.items.map(({ metadata }) => metadata.name);
async function create(
  name: string,
  spec: Record<string, unknown> = {},
  meta: { namespace?: string; labels?: Record<string, string> } = {},
) {
  const { namespace = 'default' } = meta;
  const { status, text } = await world.call(
    'POST',
    `${GROUP}/namespaces/${namespace}/apps`,
    appObject(name, spec, meta),
  );
  if (status !== 201) throw new Error(text);
}

describe('the way in', () => {
  test('needs the token, and says so as a Status', async () => {
    for (const headers of [{ Authorization: 'Bearer wrong' }, { Authorization: '' }]) {
      const { status, body } = await get(APPS, headers);
      expect(status).toBe(401);
      expect(body).toMatchObject({ kind: 'Status', reason: 'Unauthorized', code: 401 });
    }
  });

  test.each(['/version', '/healthz', '/livez', '/readyz'])('%s needs none', async (path) => {
    expect((await get(path, { Authorization: '' })).status).toBe(200);
  });

  test.each([
    ['GET', '/nothing', 404],
    ['GET', '/apis/other.dev', 404],
    ['GET', '/apis/other.dev/v1', 404],
    ['GET', '/apis/apps.berth.dev/v2/apps', 404],
    ['GET', `${GROUP}/ships`, 404],
    ['GET', `${GROUP}/apps/web`, 404],
    ['GET', `${GROUP}/namespaces/default/agents`, 404],
    ['GET', `${APPS}/web/log`, 404],
    ['GET', `${APPS}/web/scale/more`, 404],
    ['GET', `${APPS}/%zz`, 404],
    ['GET', '/openapi/v2', 404],
    ['GET', '/openapi/v3/apis/other/v1', 404],
    ['POST', '/version', 405],
    ['POST', '/apis', 405],
    ['OPTIONS', APPS, 405],
  ])('%s %s is a Status of %d', async (method, path, code) => {
    const { status, body } = await world.call(method, path);
    expect(status).toBe(code);
    expect(body).toMatchObject({ kind: 'Status', status: 'Failure', code });
  });

  test('a media type we do not have is 406', async () => {
    expect((await get(APPS, { Accept: 'application/xml' })).status).toBe(406);
  });
});

describe('discovery', () => {
  const accept = { Accept: `${AGGREGATED},application/json` };

  test('aggregated, with the content type untouched', async () => {
    const core = await get('/api', accept);
    expect(core.headers.get('content-type')).toBe(AGGREGATED);
    expect(core.text).toContain('"resource":"namespaces"');
    const { body } = await get('/apis', accept);
    expect(body.kind).toBe('APIGroupDiscoveryList');
    expect(body.items.map(({ metadata }) => metadata.name)).toEqual([
      'apps.berth.dev',
      'authorization.k8s.io',
      'authentication.k8s.io',
    ]);
  });

  test('both forms name the same resources, verbs and short names', async () => {
    type Listed = { name: string; verbs: string[]; kind: string; namespaced: boolean };
    type Aggregated = { resource: string; verbs: string[]; responseKind: { kind: string }; scope: string };
    const legacy = JSON.parse((await get(GROUP)).text) as { resources: Listed[] };
    const whole = JSON.parse((await get('/apis', accept)).text) as {
      items: { versions: { resources: Aggregated[] }[] }[];
    };
    const listed = legacy.resources
      .filter(({ name }) => !name.includes('/'))
      .map(({ name, verbs, kind, namespaced }) => [name, kind, namespaced, verbs.join()]);
    const aggregated = whole.items[0]?.versions[0]?.resources.map(({ resource, verbs, responseKind, scope }) => [
      resource,
      responseKind.kind,
      scope === 'Namespaced',
      verbs.join(),
    ]);
    expect(aggregated).toEqual(listed);
    expect(listed).toHaveLength(10);
  });

  test('every verb that is named is served, and no other is', async () => {
    const { text } = await get(GROUP);
    const { resources } = JSON.parse(text) as { resources: { name: string; verbs: string[]; namespaced: boolean }[] };
    for (const { name, verbs, namespaced } of resources.filter((resource) => !resource.name.includes('/'))) {
      const collection = `${GROUP}/${namespaced ? 'namespaces/default/' : ''}${name}`;
      const answers = {
        list: (await get(collection)).status,
        create: (await world.call('POST', collection, {})).status,
        update: (await world.call('PUT', `${collection}/x`, {})).status,
        patch: (await world.call('PATCH', `${collection}/x`, {}, { 'Content-Type': 'application/merge-patch+json' }))
          .status,
        delete: (await world.call('DELETE', `${collection}/x`)).status,
      };
      for (const [verb, status] of Object.entries(answers))
        expect([name, verb, status === 405]).toEqual([name, verb, !verbs.includes(verb)]);
    }
  });
});

describe('lists', () => {
  test('over one namespace, over all, and of what is in none', async () => {
    await create('web');
    await create('web', {}, { namespace: 'prod_eu' });
    await create('api', {}, { namespace: 'prod' });
    expect(names((await get(APPS)).body)).toEqual(['web']);
    expect(names((await get(`${GROUP}/namespaces/prod_eu/apps`)).body)).toEqual(['web']);
    expect((await get(`${GROUP}/apps`)).body.items.map(({ metadata }) => metadata['namespace'])).toEqual([
      'prod',
      'prod_eu',
      'default',
    ]);
    expect((await get(`${GROUP}/namespaces/nowhere/apps`)).body.items).toEqual([]);
    expect(names((await get('/api/v1/namespaces')).body)).toEqual(['default', 'prod', 'prod_eu']);
    expect((await get('/api/v1/namespaces/prod')).body).toMatchObject({
      kind: 'Namespace',
      status: { phase: 'Active' },
    });
    expect((await get('/api/v1/namespaces/nowhere')).status).toBe(404);
  });

  test('have type, version and objects with theirs', async () => {
    await create('web');
    const { body } = await get(APPS);
    expect(body).toMatchObject({ apiVersion: API_VERSION, kind: 'AppList' });
    expect(Number(body.metadata.resourceVersion)).toBeGreaterThan(0);
    expect(body.items[0]).toMatchObject({
      apiVersion: API_VERSION,
      kind: 'App',
      metadata: { name: 'web', namespace: 'default', generation: 1 },
      spec: { id: '/web', instances: 1 },
    });
  });

  test('by labels and fields', async () => {
    await create('web', {}, { labels: { tier: 'front' } });
    await create('db', {}, { labels: { tier: 'back' } });
    expect(names((await get(`${APPS}?labelSelector=tier%3Dfront`)).body)).toEqual(['web']);
    expect(names((await get(`${APPS}?fieldSelector=metadata.name!%3Dweb`)).body)).toEqual(['db']);
    expect((await get(`${APPS}?labelSelector=(`)).body).toMatchObject({ reason: 'BadRequest' });
    expect((await get(`${APPS}?fieldSelector=spec.foo%3D1`)).body.message).toContain('field label not supported');
  });

  test('page by page at one revision, whatever is written in between', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      await create(name, {}, { labels: { odd: String('ace'.includes(name)) } });
    const first = (await get(`${APPS}?limit=2`)).body;
    expect(names(first)).toEqual(['a', 'b']);
    await create('bb');
    const second = (await get(`${APPS}?limit=2&continue=${String(first.metadata['continue'])}`)).body;
    expect(names(second)).toEqual(['c', 'd']);
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    const third = (await get(`${APPS}?limit=2&continue=${String(second.metadata['continue'])}`)).body;
    expect(names(third)).toEqual(['e']);
    expect(third.metadata).not.toHaveProperty('continue');
    const odd = (await get(`${APPS}?limit=2&labelSelector=odd%3Dtrue`)).body;
    expect(names(odd)).toEqual(['a', 'c']);
    expect(
      names((await get(`${APPS}?limit=2&labelSelector=odd%3Dtrue&continue=${String(odd.metadata['continue'])}`)).body),
    ).toEqual(['e']);
    expect((await get(`${APPS}?limit=3&labelSelector=odd%3Dtrue`)).body.metadata).not.toHaveProperty('continue');
  });

  test('a page whose revision is gone is 410 Expired', async () => {
    for (const name of ['a', 'b', 'c']) await create(name);
    const { body } = await get(`${APPS}?limit=1`);
    await create('d');
    world.store.compact(world.records.revision());
    const next = await get(`${APPS}?limit=1&continue=${String(body.metadata['continue'])}`);
    expect(next.status).toBe(410);
    expect(next.body).toMatchObject({ kind: 'Status', reason: 'Expired', code: 410 });
  });

  test.each([
    ['limit=x', 400],
    ['limit=-1', 400],
    ['continue=nonsense', 400],
    ['resourceVersion=x', 400],
    ['resourceVersion=0', 200],
    ['resourceVersion=999999', 504],
    ['resourceVersionMatch=Exact', 400],
  ])('?%s is %d', async (query, code) => {
    expect((await get(`${APPS}?${query}`)).status).toBe(code);
  });

  test('an exact revision', async () => {
    await create('a');
    const { resourceVersion } = (await get(APPS)).body.metadata;
    await create('b');
    const { body } = await get(`${APPS}?resourceVersionMatch=Exact&resourceVersion=${resourceVersion}`);
    expect(names(body)).toEqual(['a']);
    expect(body.metadata.resourceVersion).toBe(resourceVersion);
  });
});

describe('tables', () => {
  async function table(path: string, extra = '') {
    const { body } = await get(`${GROUP}/${path}${extra}`, { Accept: TABLE });
    expect(body.kind).toBe('Table');
    const columns = body.columnDefinitions.map(({ name }) => name);
    return body.rows.map(({ cells }) => Object.fromEntries(columns.map((name, index) => [name, cells[index]])));
  }

  beforeEach(async () => {
    await create('web', { instances: 2, healthChecks: [{ protocol: 'COMMAND', command: { value: 'true' } }] });
    await world.write(
      agent('a1'),
      agent('a2', { unschedulable: true }),
      instance('web', 'one'),
      instance('web', 'two'),
      task('a1', 'web', 'one', 'TASK_RUNNING'),
      rollout('r1', '/other', 'Running'),
    );
  });

  test('apps, counted from tasks as long as there is no status', async () => {
    expect(await table('apps')).toMatchObject([
      { Name: 'web', Instances: 2, Running: 1, Healthy: 0, Image: 'nginx:1', Id: '/web', Waiting: '<none>' },
    ]);
    await world.setStatus('web', { tasksRunning: 7, tasksHealthy: 6 });
    expect(await table('apps')).toMatchObject([{ Running: 7, Healthy: 6 }]);
  });

  test('instances show where their task is', async () => {
    expect(await table('instances')).toMatchObject([
      { Name: 'web.instance-one', Condition: 'Running', Host: 'a1.example', Ports: '31000,31001', Message: 'as told' },
      { Name: 'web.instance-two', Condition: 'Scheduled', Host: '<none>', Ports: '<none>' },
    ]);
  });

  test('the others', async () => {
    expect(await table('agents')).toMatchObject([
      { Name: 'a1', State: 'active', Cpus: 4, Mem: 8192, Tasks: 1 },
      { Name: 'a2', State: 'active,SchedulingDisabled', Tasks: 0 },
    ]);
    expect(await table('tasks')).toMatchObject([{ State: 'TASK_RUNNING', Agent: 'a1.example', Cpus: 0.5 }]);
    expect(await table('rollouts', '?fieldSelector=metadata.name%3Dr1')).toMatchObject([
      { State: 'Running', Step: '1/1', Apps: '/other' },
    ]);
    expect(await table('appversions')).toMatchObject([{ App: '/web', Instances: 2 }]);
    for (const plural of ['groups', 'frameworks', 'roles', 'events']) expect(await table(plural)).toEqual([]);
  });

  test.each([
    ['', 'PartialObjectMetadata'],
    ['?includeObject=Object', 'App'],
    ['?includeObject=None', undefined],
  ])('rows with %s carry %s', async (query, kind) => {
    const { body } = await get(`${APPS}${query}`, { Accept: TABLE });
    expect(body.rows[0]?.object?.kind).toBe(kind);
  });

  test('one object is a table of one row; metadata alone can be had too', async () => {
    expect((await get(`${APPS}/web`, { Accept: TABLE })).body.rows).toHaveLength(1);
    const accept = (kind: string) => ({ Accept: `application/json;as=${kind};v=v1;g=meta.k8s.io` });
    expect((await get(`${APPS}/web`, accept('PartialObjectMetadata'))).body).not.toHaveProperty('spec');
    expect((await get(APPS, accept('PartialObjectMetadataList'))).body.kind).toBe('PartialObjectMetadataList');
  });
});

describe('events', () => {
  const path = '/api/v1/namespaces/default/events';

  test('are made and read in the core form, with the uid that describe asks for', async () => {
    await create('web');
    const { uid } = (await get(`${APPS}/web`)).body.metadata;
    const made = await world.call('POST', path, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { generateName: 'web-' },
      involvedObject: { kind: 'App', namespace: 'default', name: 'web' },
      reason: 'Tested',
      message: 'it was tested',
      source: { component: 'a-test' },
    });
    expect(made.status).toBe(201);
    expect(made.body.metadata.name).toMatch(/^web-[0-9a-f]{5}$/);
    const selector = `involvedObject.name=web,involvedObject.uid=${String(uid)},source=a-test`;
    const { body } = await get(`${path}?fieldSelector=${encodeURIComponent(selector)}`);
    expect(body.items).toMatchObject([
      {
        kind: 'Event',
        apiVersion: 'v1',
        type: 'Normal',
        count: 1,
        source: { component: 'a-test' },
        involvedObject: { uid },
      },
    ]);
    expect((await get(`${GROUP}/events`)).body.items).toMatchObject([{ source: 'a-test' }]);
  });

  test('that make no sense are refused', async () => {
    const { status, body } = await world.call('POST', path, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'x' },
      type: 'Loud',
    });
    expect(status).toBe(422);
    expect(body.details.causes?.map(({ field }) => field)).toEqual(['event.involvedObject', 'event.type']);
  });
});

describe('OpenAPI', () => {
  test('is named with its hash and never changes under it', async () => {
    const index = JSON.parse((await get('/openapi/v3')).text) as {
      paths: Record<string, { serverRelativeURL: string }>;
    };
    expect(Object.keys(index.paths)).toEqual(['apis/apps.berth.dev/v1', 'api/v1']);
    const url = index.paths['apis/apps.berth.dev/v1']?.serverRelativeURL ?? '';
    const answer = await get(url);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toContain('immutable');
  });

  test('describes every field of an app, and asks for none that the server fills in', async () => {
    const document = JSON.parse((await get('/openapi/v3/apis/apps.berth.dev/v1')).text) as {
      components: { schemas: Record<string, { properties: Record<string, Schema> }> };
    };
    type Schema = { description?: string; properties?: Record<string, Schema>; required?: string[]; items?: Schema };
    const spec = document.components.schemas['dev.berth.apps.v1.App']?.properties['spec'];
    const missing: string[] = [];
    const visit = (schema: Schema | undefined, path: string) => {
      for (const [name, child] of Object.entries(schema?.properties ?? {})) {
        if (child.description === undefined) missing.push(`${path}.${name}`);
        if (!['persistent', 'external', 'versionInfo'].includes(name)) visit(child.items ?? child, `${path}.${name}`);
      }
    };
    visit(spec, 'spec');
    expect(missing).toEqual([]);
    expect(spec).not.toHaveProperty('required');
    expect(JSON.stringify(document)).not.toMatch(/"exclusiveMinimum":\d|"const":|"\$schema"|9007199254740991/);
  });
});

describe('reviews', () => {
  test.each(['selfsubjectaccessreviews', 'selfsubjectrulesreviews'])('%s', async (plural) => {
    const { status, text } = await world.call('POST', `/apis/authorization.k8s.io/v1/${plural}`, {
      spec: { resourceAttributes: { verb: 'delete', resource: 'apps' } },
    });
    expect(status).toBe(201);
    expect(text).toMatch(/"allowed":true|"verbs":\["\*"\]/);
  });

  test('others do not exist', async () => {
    expect((await world.call('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {})).status).toBe(404);
    expect((await world.call('GET', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews')).status).toBe(405);
  });
});
