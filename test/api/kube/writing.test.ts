import { LIMITS } from '../../../src/core/limits';
import { APP_FINALIZER } from '../../../src/core/records/app';
import { agent, APPS, appObject, KubeWorld } from './world';

const GROUP = '/apis/apps.berth.dev/v1';
const MERGE = 'application/merge-patch+json';
const JSON_PATCH = 'application/json-patch+json';
const APPLY = 'application/apply-patch+yaml';
let world: KubeWorld;

beforeEach(async () => {
  world = await KubeWorld.start();
});
afterEach(async () => {
  expect(world.log.messages('error')).toEqual([]);
  await world.close();
});

const patch = (path: string, body: unknown, type = MERGE) => world.call('PATCH', path, body, { 'Content-Type': type });
const apply = (manager: string, body: unknown, query = '') =>
  patch(`${APPS}/web?fieldManager=${manager}${query}`, body, APPLY);
const app = () => world.records.collection('App').get('web')?.record;
const rollouts = () => world.records.collection('Rollout').size;
const fields = (causes?: readonly { readonly field: string }[]) => causes?.map(({ field }) => field);
async function created(spec: Record<string, unknown> = {}, meta: Record<string, unknown> = {}) {
  const answer = await world.call('POST', APPS, appObject('web', spec, meta));
  expect(answer.text).toContain('"kind":"App"');
  await world.endRollouts();
  return answer.body;
}

describe('POST', () => {
  test('makes an app with its rollout', async () => {
    const { status, body } = await world.call('POST', APPS, appObject('web', { instances: 3 }, { labels: { a: 'b' } }));
    expect(status).toBe(201);
    expect(body).toMatchObject({
      metadata: { name: 'web', namespace: 'default', generation: 1, labels: { a: 'b' }, finalizers: [APP_FINALIZER] },
      spec: { id: '/web', instances: 3, backoffFactor: 1.15 },
    });
    expect(app()?.spec.container?.docker?.image).toBe('nginx:1');
    expect(rollouts()).toBe(1);
  });

  test('what is left out is left to the app service: bridge networking follows from port mappings or not', async () => {
    const viaKubectl = appObject('web', {
      container: { docker: { image: 'x' }, portMappings: [{ containerPort: 80 }] },
    });
    await world.call('POST', APPS, viaKubectl);
    const docker = { image: 'x' };
    const spec = { id: '/direct', cpus: 0.5, mem: 64, container: { docker, portMappings: [{ containerPort: 80 }] } };
    await world.apps.apply([{ kind: 'put', mode: 'create', spec }]);
    const direct = world.records.collection('App').get('direct')?.record.spec;
    expect(app()?.spec.networks).toEqual(direct?.networks);
    expect(app()?.spec.portDefinitions).toEqual(direct?.portDefinitions === undefined ? undefined : expect.any(Array));
  });

  test('a second one is AlreadyExists, also while the first is being deleted', async () => {
    await created();
    expect((await world.call('POST', APPS, appObject('web'))).body).toMatchObject({
      code: 409,
      reason: 'AlreadyExists',
    });
    await world.call('DELETE', `${APPS}/web`);
    const { body } = await world.call('POST', APPS, appObject('web'));
    expect(body).toMatchObject({ code: 409, reason: 'AlreadyExists' });
    expect(body.message).toContain('object is being deleted');
  });

  test('generateName', async () => {
    const { metadata, ...rest } = appObject('web');
    expect(metadata.name).toBe('web');
    const { body } = await world.call('POST', APPS, { ...rest, metadata: { generateName: 'web-' } });
    expect(body.metadata.name).toMatch(/^web-[0-9a-f]{5}$/);
  });

  test.each<{ name: string; body: unknown; code: number; message: string }>([
    { name: 'no object', body: [1], code: 400, message: 'needs a body' },
    { name: 'broken JSON', body: '{', code: 400, message: "couldn't parse the body as JSON" },
    { name: 'no type', body: { metadata: { name: 'web' } }, code: 400, message: "'apiVersion' is missing" },
    {
      name: 'another kind',
      body: { ...appObject('web'), kind: 'Role' },
      code: 400,
      message: 'cannot be handled as a App',
    },
    {
      name: 'another namespace',
      body: appObject('web', {}, { namespace: 'prod' }),
      code: 400,
      message: 'does not match the namespace',
    },
    { name: 'no name', body: { ...appObject('web'), metadata: {} }, code: 422, message: 'name or generateName' },
    { name: 'a name no app can have', body: appObject('Web'), code: 422, message: 'lower case' },
    {
      name: 'a version',
      body: appObject('web', {}, { resourceVersion: '7' }),
      code: 400,
      message: 'resourceVersion should not be set',
    },
    {
      name: 'another id',
      body: appObject('web', { id: '/other' }),
      code: 422,
      message: 'namespace and name make it /web',
    },
    {
      name: 'a bad label',
      body: appObject('web', {}, { labels: { 'a b': 'c' } }),
      code: 422,
      message: 'metadata.labels',
    },
    {
      name: 'a bad label value',
      body: appObject('web', {}, { labels: { a: 'b c' } }),
      code: 422,
      message: 'not a valid label value',
    },
    { name: 'labels that are no map', body: appObject('web', {}, { labels: [] }), code: 422, message: 'map of texts' },
    {
      name: 'a bad finalizer',
      body: appObject('web', {}, { finalizers: ['a b'] }),
      code: 422,
      message: 'not qualified',
    },
    { name: 'too deep', body: `${'{"a":'.repeat(70)}1${'}'.repeat(70)}`, code: 400, message: 'deeper than 64' },
    {
      name: 'annotations over the limit',
      body: appObject('web', {}, { annotations: { a: 'x'.repeat(300_000) } }),
      code: 422,
      message: 'Too long',
    },
  ])('refuses $name', async ({ body, code, message }) => {
    const answer = await world.call('POST', APPS, body);
    expect(answer.body).toMatchObject({ kind: 'Status', status: 'Failure', code });
    expect(answer.body.message).toContain(message);
    expect(app()).toBeUndefined();
  });

  test('names every wrong field, in the words of the schema and of the rules', async () => {
    const wrong = {
      instances: 'three',
      healthChecks: [{ portIndex: -1 }],
      env: { A: { secret: 5 } },
      unreachableStrategy: { inactiveAfterSeconds: 'x' },
    };
    const { body } = await world.call('POST', APPS, appObject('web', wrong));
    expect(body).toMatchObject({ code: 422, reason: 'Invalid' });
    expect(fields(body.details.causes)).toEqual([
      'spec.instances',
      'spec.env.A.secret',
      'spec.healthChecks[0].portIndex',
      'spec.unreachableStrategy.inactiveAfterSeconds',
    ]);
    const rule = await world.call('POST', APPS, appObject('web', { cmd: 'a', args: ['b'] }));
    expect(rule.body).toMatchObject({ code: 422, reason: 'Invalid' });
    expect(rule.body.details.causes?.[0]?.field).toMatch(/^spec/);
  });

  test('a body over the limit is 413', async () => {
    const { status, body } = await world.call('POST', APPS, `"${'x'.repeat(LIMITS.requestBytes)}"`);
    expect(status).toBe(413);
    expect(body.reason).toBe('RequestEntityTooLarge');
  });

  test('other body types are 415; YAML is as good as JSON', async () => {
    expect((await world.call('POST', APPS, 'x', { 'Content-Type': 'text/plain' })).status).toBe(415);
    const yaml = 'apiVersion: apps.berth.dev/v1\nkind: App\nmetadata: {name: web}\nspec:\n  cmd: sleep 1\n';
    expect((await world.call('POST', APPS, yaml, { 'Content-Type': 'application/yaml' })).status).toBe(201);
    expect((await world.call('POST', APPS, 'a: [', { 'Content-Type': 'application/yaml' })).status).toBe(400);
  });

  test('fields that are accepted but not acted upon give a warning', async () => {
    const { headers } = await world.call('POST', APPS, appObject('web', { fetch: [{ uri: 'http://x/y' }] }));
    expect(headers.get('warning')).toMatch(/^299 - ".*fetch/);
  });
});

describe('unknown fields', () => {
  const odd = appObject('web', {
    instancez: 1,
    container: { docker: { image: 'x', imagez: 1 }, portMappings: [{ prot: 1 }] },
  });
  const texts = ['spec.instancez', 'spec.container.docker.imagez', 'spec.container.portMappings[0].prot'];

  test('Strict refuses and names all', async () => {
    const { body } = await world.call('POST', `${APPS}?fieldValidation=Strict`, odd);
    expect(body).toMatchObject({ code: 400, reason: 'BadRequest' });
    for (const text of texts) expect(body.message).toContain(`unknown field "${text}"`);
  });

  test('Warn drops them and warns; Ignore only drops them', async () => {
    const warned = await world.call('POST', `${APPS}?fieldValidation=Warn`, odd);
    expect(warned.status).toBe(201);
    for (const text of texts) expect(warned.headers.get('warning')).toContain(text.replaceAll('"', '\\"'));
    expect(warned.text).not.toContain('instancez');
    const ignored = await world.call('PUT', `${APPS}/web?fieldValidation=Ignore`, odd);
    expect(ignored.status).toBe(200);
    expect(ignored.headers.get('warning')).toBeNull();
  });

  test('what a newer version has stored is not the fault of who edits', async () => {
    await created();
    const stored = world.records.collection('App').get('web');
    if (stored === undefined) throw new Error('no app');
    const record = { ...stored.record, spec: { ...stored.record.spec, fromTheFuture: { a: 1 } } };
    await world.write({ op: 'put', kind: 'App', path: 'web', record });
    const { status } = await patch(`${APPS}/web?fieldValidation=Strict`, { metadata: { labels: { a: 'b' } } });
    expect(status).toBe(200);
    expect(app()?.spec).toHaveProperty('fromTheFuture.a', 1);
  });

  test('other values are refused', async () => {
    expect((await world.call('POST', `${APPS}?fieldValidation=Loose`, odd)).status).toBe(400);
    expect((await world.call('POST', `${APPS}?dryRun=Some`, odd)).status).toBe(400);
  });
});

describe('PUT', () => {
  test('replaces; a stale version is a conflict', async () => {
    const { metadata } = await created({ instances: 2 });
    const { resourceVersion } =
      world.records.collection('App').get('web') === undefined
        ? metadata
        : (await world.call('GET', `${APPS}/web`)).body.metadata;
    const first = await world.call('PUT', `${APPS}/web`, appObject('web', { instances: 3 }, { resourceVersion }));
    expect(first.body.metadata).toMatchObject({ generation: 2 });
    await world.endRollouts();
    const second = await world.call('PUT', `${APPS}/web`, appObject('web', { instances: 4 }, { resourceVersion }));
    expect(second.body).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(app()?.spec.instances).toBe(3);
  });

  test('the same again changes nothing: no rollout, the same version', async () => {
    const before = await created({ portDefinitions: [{ port: 0, name: 'http' }] });
    const { body } = await world.call(
      'PUT',
      `${APPS}/web`,
      appObject('web', { portDefinitions: [{ port: 0, name: 'http' }] }),
    );
    expect(body.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    expect(rollouts()).toBe(0);
  });

  test.each<{ name: string; path: string; body: unknown; code: number }>([
    { name: 'what is not there', path: `${APPS}/nope`, body: appObject('nope'), code: 404 },
    { name: 'another name', path: `${APPS}/web`, body: appObject('other'), code: 400 },
    { name: 'another uid', path: `${APPS}/web`, body: appObject('web', {}, { uid: 'other' }), code: 409 },
    { name: 'a status', path: `${APPS}/web/status`, body: appObject('web'), code: 405 },
  ])('refuses $name', async ({ path, body, code }) => {
    await created();
    expect((await world.call('PUT', path, body)).body.code).toBe(code);
  });

  test('status and server-managed fields are ignored', async () => {
    const before = await created();
    const body = {
      ...appObject('web', { version: 'x' }, { creationTimestamp: null, generation: 9 }),
      status: { tasksRunning: 9 },
    };
    const after = (await world.call('PUT', `${APPS}/web`, body)).body;
    expect(after.metadata).toEqual(before.metadata);
    expect(app()?.status).toBeUndefined();
  });
});

describe('PATCH', () => {
  test('of metadata alone starts no rollout and needs none to be over', async () => {
    await world.call('POST', APPS, appObject('web'));
    const { body } = await patch(`${APPS}/web`, { metadata: { labels: { a: 'b' }, annotations: { c: 'd' } } });
    expect(body.metadata).toMatchObject({ labels: { a: 'b' }, annotations: { c: 'd' }, generation: 1 });
    expect(rollouts()).toBe(1);
    await patch(`${APPS}/web`, { metadata: { labels: { a: null } } });
    expect(app()?.metadata.labels).toBeUndefined();
  });

  test('of the spec is a rollout', async () => {
    await created();
    const { body } = await patch(`${APPS}/web`, { spec: { instances: 4 } });
    expect(body).toMatchObject({ metadata: { generation: 2 }, spec: { instances: 4, mem: 64 } });
    expect(rollouts()).toBe(1);
  });

  test('while a rollout runs is a conflict that says what to do; force replaces it', async () => {
    await world.call('POST', APPS, appObject('web'));
    const refused = await patch(`${APPS}/web`, { spec: { instances: 4 } });
    expect(refused.body).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(refused.body.message).toContain('berth.dev/force="true"');
    expect(refused.headers.get('warning')).toContain('is being changed by rollout');
    const force = { metadata: { annotations: { 'berth.dev/force': 'true' } }, spec: { instances: 4 } };
    const { status, body } = await patch(`${APPS}/web`, force);
    expect(status).toBe(200);
    expect(body.metadata).not.toHaveProperty('annotations');
    const states = [...world.records.collection('Rollout').list()].map(({ record }) => record.status.state).sort();
    expect(states).toEqual(['Failed', 'Waiting']);
  });

  test('wins although the status is written all the time', async () => {
    await created({}, { labels: { n: '0' } });
    let writing = true;
    const noise = (async () => {
      for (let i = 0; writing; i++) {
        await world.setStatus('web', { tasksRunning: i }).catch(() => undefined);
        // The memory store uses promises alone: without this the requests would never be read.
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, i) => patch(`${APPS}/web`, { metadata: { labels: { [`l${i}`]: 'x' } } })),
    );
    writing = false;
    await noise;
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(Object.keys(app()?.metadata.labels ?? {}).sort()).toEqual(['l0', 'l1', 'l2', 'l3', 'l4', 'n']);
  });

  test.each<{ name: string; body: unknown; type: string; code: number }>([
    { name: 'strategic merge', body: {}, type: 'application/strategic-merge-patch+json', code: 415 },
    { name: 'no type', body: {}, type: 'application/json', code: 415 },
    { name: 'a merge patch that is no object', body: [], type: MERGE, code: 400 },
    { name: 'a JSON patch that is none', body: {}, type: JSON_PATCH, code: 400 },
    {
      name: 'a JSON patch that does not fit',
      body: [{ op: 'remove', path: '/spec/nope/x' }],
      type: JSON_PATCH,
      code: 422,
    },
    {
      name: 'a stale version',
      body: { metadata: { resourceVersion: '1' }, spec: { instances: 9 } },
      type: MERGE,
      code: 409,
    },
    { name: 'another name', body: { metadata: { name: 'other' } }, type: MERGE, code: 400 },
    { name: 'a wrong value', body: { spec: { cpus: -1 } }, type: MERGE, code: 422 },
    { name: 'server-side apply without a manager', body: appObject('web'), type: APPLY, code: 400 },
  ])('refuses $name', async ({ body, type, code }) => {
    await created();
    expect((await patch(`${APPS}/web`, body, type)).body).toMatchObject({ kind: 'Status', code });
    expect(app()?.metadata.generation).toBe(1);
  });

  test('JSON patch', async () => {
    await created();
    const { body } = await patch(`${APPS}/web`, [{ op: 'replace', path: '/spec/instances', value: 5 }], JSON_PATCH);
    expect(body.spec['instances']).toBe(5);
  });

  test('our finalizer stays, whoever takes it away', async () => {
    await created();
    const { body } = await patch(`${APPS}/web`, { metadata: { finalizers: null } });
    expect(body.metadata['finalizers']).toEqual([APP_FINALIZER]);
  });

  test('of an app that is being deleted may change metadata, not spec', async () => {
    await created();
    await world.call('DELETE', `${APPS}/web`);
    await world.endRollouts();
    expect((await patch(`${APPS}/web`, { metadata: { labels: { a: 'b' } } })).status).toBe(200);
    const { body } = await patch(`${APPS}/web`, { spec: { instances: 9 } });
    expect(body).toMatchObject({ code: 409 });
    expect(body.message).toContain('being deleted');
  });
});

describe('dry run', () => {
  test('answers what would be, stores nothing', async () => {
    const fresh = await world.call('POST', `${APPS}?dryRun=All`, appObject('web'));
    expect(fresh.status).toBe(201);
    expect(fresh.body).toMatchObject({
      metadata: { generation: 1, uid: expect.any(String) },
      spec: { id: '/web', backoffFactor: 1.15 },
    });
    expect(app()).toBeUndefined();
    await created();
    const { body } = await patch(`${APPS}/web?dryRun=All`, { spec: { instances: 7 } });
    expect(body).toMatchObject({ metadata: { generation: 2 }, spec: { instances: 7 } });
    expect((await patch(`${APPS}/web?dryRun=All`, { spec: { instances: -7 } })).status).toBe(422);
    expect((await world.call('DELETE', `${APPS}/web?dryRun=All`)).status).toBe(200);
    expect(app()).toMatchObject({ spec: { instances: 1 } });
    expect(app()?.metadata.deletionTimestamp).toBeUndefined();
    expect(rollouts()).toBe(0);
  });
});

describe('server-side apply', () => {
  const small = (spec: Record<string, unknown>, meta = {}) => appObject('web', spec, meta);

  test('creates, then is quiet when repeated', async () => {
    const first = await apply('me', small({ instances: 2 }));
    expect(first.status).toBe(201);
    await world.endRollouts();
    const second = await apply('me', small({ instances: 2 }));
    expect(second.status).toBe(200);
    expect(second.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
    expect(rollouts()).toBe(0);
  });

  test("another's change is a conflict; force takes it", async () => {
    await apply('me', small({ instances: 2 }));
    await world.endRollouts();
    await patch(`${APPS}/web?fieldManager=other`, { spec: { instances: 5 } });
    await world.endRollouts();
    const refused = await apply('me', small({ instances: 2 }));
    expect(refused.body).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(refused.body.details.causes).toEqual([
      {
        reason: 'FieldManagerConflict',
        message: 'conflict with "other" using apps.berth.dev/v1',
        field: '.spec.instances',
      },
    ]);
    expect((await apply('me', small({ instances: 2 }), '&force=true')).body.spec['instances']).toBe(2);
  });

  test('what is left out falls back to its default', async () => {
    await apply('me', small({ instances: 2, env: { A: 'b' } }, { labels: { a: 'b' } }));
    await world.endRollouts();
    const { body } = await apply('me', small({}));
    expect(body.spec).toMatchObject({ instances: 1, env: {} });
    expect(body.metadata).not.toHaveProperty('labels');
  });

  test('takes no managedFields, and checks what it is given', async () => {
    expect((await apply('me', small({}, { managedFields: [] }))).status).toBe(400);
    expect((await apply('me', small({ cpus: 'x' }))).status).toBe(422);
    expect((await apply('me', { ...small({}), kind: 'Role' })).status).toBe(400);
    expect((await apply('me', small({ oops: 1 }), '&fieldValidation=Strict')).status).toBe(400);
    expect((await apply('m'.repeat(200), small({}))).status).toBe(400);
    expect(app()).toBeUndefined();
  });

  test('the owner of a scale is its own', async () => {
    await apply('me', small({ instances: 2 }));
    await world.endRollouts();
    await patch(`${APPS}/web/scale?fieldManager=me`, { spec: { replicas: 3 } });
    const entries = app()?.metadata.managedFields;
    expect(entries).toMatchObject([
      { manager: 'me', operation: 'Apply' },
      { manager: 'me', operation: 'Update', subresource: 'scale', fieldsV1: { 'f:spec': { 'f:instances': {} } } },
    ]);
  });
});

describe('scale', () => {
  test('is read and written', async () => {
    await created({ instances: 2 });
    const { body } = await world.call('GET', `${APPS}/web/scale`);
    expect(body).toMatchObject({
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      spec: { replicas: 2 },
      status: { replicas: 0 },
    });
    const put = await world.call('PUT', `${APPS}/web/scale`, { ...body, spec: { replicas: 0 } });
    expect(put.body.spec).toEqual({ replicas: 0 });
    expect(app()?.spec.instances).toBe(0);
    await world.endRollouts();
    const stale = await world.call('PUT', `${APPS}/web/scale`, { ...body, spec: { replicas: 4 } });
    expect(stale.body).toMatchObject({ code: 409, reason: 'Conflict' });
  });

  test.each([
    ['PATCH', '/web/scale', { spec: { replicas: -1 } }, 422],
    ['PATCH', '/web/scale', { spec: { replicas: 1.5 } }, 422],
    ['PATCH', '/nope/scale', { spec: { replicas: 1 } }, 404],
    ['PUT', '/web/scale', { kind: 'App', spec: { replicas: 1 } }, 400],
    ['DELETE', '/web/scale', undefined, 405],
  ])('%s %s with %j is %d', async (method, path, body, code) => {
    await created();
    const type = method === 'PATCH' ? { 'Content-Type': MERGE } : {};
    expect((await world.call(method, APPS + path, body, type)).status).toBe(code);
  });
});

describe('roles and groups', () => {
  const role = (name: string, spec: Record<string, unknown> = {}) => ({
    apiVersion: 'apps.berth.dev/v1',
    kind: 'Role',
    metadata: { name },
    spec,
  });

  test('a role lives from create to delete', async () => {
    const made = await world.call('POST', `${GROUP}/roles`, role('team:dev', { weight: 2 }));
    expect(made.status).toBe(201);
    expect(world.records.collection('Role').get('team/dev')?.record.spec).toEqual({ name: 'team/dev', weight: 2 });
    const changed = await patch(`${GROUP}/roles/team:dev`, { spec: { quota: { guarantees: { cpus: 4 } } } });
    expect(changed.body).toMatchObject({
      metadata: { generation: 2 },
      spec: { weight: 2, quota: { guarantees: { cpus: 4 }, limits: {} } },
    });
    expect((await patch(`${GROUP}/roles/team:dev`, { spec: { weight: 0 } })).status).toBe(422);
    expect((await world.call('DELETE', `${GROUP}/roles/team:dev`)).body).toMatchObject({ status: 'Success' });
    expect((await world.call('GET', `${GROUP}/roles/team:dev`)).status).toBe(404);
  });

  test('finalizers hold it until the last is gone', async () => {
    const held = { ...role('x'), metadata: { name: 'x', finalizers: ['test.dev/hold'] } };
    await world.call('POST', `${GROUP}/roles`, held);
    const { body } = await world.call('DELETE', `${GROUP}/roles/x`);
    expect(body.metadata['deletionTimestamp']).toEqual(expect.any(String));
    const added = await patch(`${GROUP}/roles/x`, { metadata: { finalizers: ['test.dev/hold', 'a.dev/b'] } });
    expect(added.body).toMatchObject({ code: 422, details: { causes: [{ field: 'metadata.finalizers' }] } });
    expect((await patch(`${GROUP}/roles/x`, { metadata: { finalizers: null } })).status).toBe(200);
    expect((await world.call('GET', `${GROUP}/roles/x`)).status).toBe(404);
  });

  test('a group', async () => {
    const group = {
      apiVersion: 'apps.berth.dev/v1',
      kind: 'Group',
      metadata: { name: 'prod_eu' },
      spec: { dependencies: ['/db'] },
    };
    expect((await world.call('POST', `${GROUP}/groups`, group)).status).toBe(201);
    expect(world.records.collection('Group').get('prod/eu')?.record.spec).toMatchObject({
      id: '/prod/eu',
      dependencies: ['/db'],
    });
    const wrong = { ...group, metadata: { name: 'x' }, spec: { id: '/y' } };
    expect((await world.call('POST', `${GROUP}/groups`, wrong)).body.details.causes?.[0]?.field).toBe('spec.id');
    expect((await world.call('DELETE', `${GROUP}/groups/prod_eu`)).status).toBe(200);
  });
});

describe('agents', () => {
  beforeEach(() => world.write(agent('a1')));
  const path = `${GROUP}/agents/a1`;
  const stored = () => world.records.collection('Agent').get('a1')?.record;

  test('can be cordoned and labelled', async () => {
    expect((await patch(path, { spec: { unschedulable: true }, metadata: { labels: { rack: '1' } } })).status).toBe(
      200,
    );
    expect(stored()).toMatchObject({
      metadata: { labels: { rack: '1' } },
      spec: { unschedulable: true, hostname: 'a1.example' },
    });
    await patch(path, { spec: { unschedulable: null } });
    expect(stored()?.spec).not.toHaveProperty('unschedulable');
  });

  test.each([
    [{ spec: { hostname: 'x' } }, 403],
    [{ spec: null }, 403],
    [{ spec: { unschedulable: 'yes' } }, 422],
  ])('%j is refused', async (body, code) => {
    expect((await patch(path, body)).body.code).toBe(code);
    expect(stored()?.spec.hostname).toBe('a1.example');
  });
});
