import { agent, APPS, appObject, instance, KubeWorld, rollout, task } from './world';

const GROUP = '/apis/apps.berth.dev/v1';
let world: KubeWorld;

beforeEach(async () => {
  world = await KubeWorld.start();
  await world.call('POST', APPS, appObject('web', { instances: 2 }, { labels: { tier: 'front' } }));
  await world.endRollouts();
  await world.write(
    agent('a1'),
    instance('web', 'one'),
    task('a1', 'web', 'one', 'TASK_RUNNING'),
    instance('web', 'two'),
  );
});
afterEach(async () => {
  expect(world.log.messages('error')).toEqual([]);
  await world.close();
});

const remove = (path: string, options?: unknown) => world.call('DELETE', path, options);
const app = () => world.records.collection('App').get('web')?.record;

describe('apps', () => {
  test('stay, marked, until their containers are gone', async () => {
    const { status, body } = await remove(`${APPS}/web`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ kind: 'App', metadata: { deletionTimestamp: expect.any(String) } });
    expect((await remove(`${APPS}/web`)).body.kind).toBe('App');
    expect(world.records.collection('Rollout').size).toBe(1);
    await world.finishDeletion('web');
    expect((await remove(`${APPS}/web`)).status).toBe(404);
  });

  test('that a rollout holds are refused with the way out, and go with it', async () => {
    await world.write(rollout('r1', '/web', 'Running'));
    const refused = await remove(`${APPS}/web`);
    expect(refused.body).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(refused.body.message).toContain('--force --grace-period=0');
    expect((await remove(`${APPS}/web`, { gracePeriodSeconds: 0 })).status).toBe(200);
    expect(app()?.metadata.deletionTimestamp).toEqual(expect.any(String));
  });

  test.each<{ name: string; options: unknown; code: number }>([
    { name: 'another uid', options: { preconditions: { uid: 'x' } }, code: 409 },
    { name: 'another version', options: { preconditions: { resourceVersion: '1' } }, code: 409 },
    { name: 'a broken body', options: '{', code: 400 },
    { name: 'no options', options: [1], code: 400 },
    { name: 'a grace period that is none', options: { gracePeriodSeconds: 'x' }, code: 400 },
    { name: 'a strange dry run', options: { dryRun: ['Some'] }, code: 400 },
  ])('$name is refused', async ({ options, code }) => {
    expect((await remove(`${APPS}/web`, options)).body.code).toBe(code);
    expect(app()?.metadata.deletionTimestamp).toBeUndefined();
  });

  test("a user's finalizer holds the app after ours is gone", async () => {
    const type = { 'Content-Type': 'application/merge-patch+json' };
    const finalizers = ['berth.dev/tasks-stopped', 'test.dev/hold'];
    await world.call('PATCH', `${APPS}/web`, { metadata: { finalizers } }, type);
    await remove(`${APPS}/web`);
    await world.finishDeletion('web');
    expect(app()?.metadata.finalizers).toEqual(['test.dev/hold']);
    await world.call('PATCH', `${APPS}/web`, { metadata: { finalizers: null } }, type);
    expect(app()).toBeUndefined();
  });

  test('by label', async () => {
    await world.call('POST', APPS, appObject('db', {}, { labels: { tier: 'back' } }));
    await world.endRollouts();
    const { body } = await remove(`${APPS}?labelSelector=tier%3Dback`);
    expect(body.items.map(({ metadata }) => metadata.name)).toEqual(['db']);
    expect(app()?.metadata.deletionTimestamp).toBeUndefined();
  });
});

describe('instances and tasks', () => {
  const one = 'web.instance-one';
  const stored = () => world.records.collection('Instance').get(`web/${one}`)?.record;

  test('an instance is forgotten and replaced', async () => {
    expect((await remove(`${GROUP}/namespaces/default/instances/${one}`)).status).toBe(200);
    expect(stored()?.spec.goal).toBe('Decommissioned');
  });

  test('a task is killed, its instance goes on', async () => {
    expect((await remove(`${GROUP}/tasks/${one}._app.1`)).status).toBe(200);
    expect(stored()).toMatchObject({
      spec: { goal: 'Running' },
      metadata: { annotations: { 'berth.dev/kill-incarnation': '1' } },
    });
  });

  test('an instance without a task says so', async () => {
    const { body } = await remove(`${GROUP}/namespaces/default/instances/web.instance-two`);
    expect(body).toMatchObject({ code: 409 });
    expect(body.message).toContain('no task to kill');
  });

  test("another framework's task is its own", async () => {
    const write = task('a1', 'other', 'x', 'TASK_RUNNING');
    await world.write(write);
    const { body } = await remove(`${GROUP}/tasks/other.instance-x._app.1`);
    expect(body).toMatchObject({ code: 403, reason: 'Forbidden' });
  });

  test('a dry run kills nothing; a name in another namespace is not there', async () => {
    expect((await remove(`${GROUP}/namespaces/default/instances/${one}?dryRun=All`)).status).toBe(200);
    expect((await remove(`${GROUP}/namespaces/prod/instances/${one}`)).status).toBe(404);
    expect(stored()?.spec.goal).toBe('Running');
  });
});

describe('rollouts', () => {
  const scaled = async () => {
    const type = { 'Content-Type': 'application/merge-patch+json' };
    await world.call('PATCH', `${APPS}/web`, { spec: { instances: 5 } }, type);
    const id = [...world.records.collection('Rollout').list()][0]?.path ?? '';
    return `${GROUP}/rollouts/${id}`;
  };
  const states = () => [...world.records.collection('Rollout').list()].map(({ record }) => record.status.state).sort();

  test('are rolled back', async () => {
    expect((await remove(await scaled())).status).toBe(200);
    expect(app()?.spec.instances).toBe(2);
    expect(states()).toEqual(['Failed', 'Waiting']);
  });

  test.each([{ propagationPolicy: 'Orphan' }, { gracePeriodSeconds: 0 }])(
    'with %j are only stopped',
    async (options) => {
      const path = await scaled();
      expect((await remove(path, options)).status).toBe(200);
      expect(app()?.spec.instances).toBe(5);
      expect(states()).toEqual(['Failed']);
      // It has ended and goes by itself: asking again is no mistake.
      expect((await remove(path)).status).toBe(200);
    },
  );
});

describe('agents', () => {
  const path = `${GROUP}/agents/a1`;
  const become = async (state: 'unreachable' | 'gone' | 'draining') => {
    const stored = world.records.collection('Agent').get('a1')?.record;
    if (stored === undefined) throw new Error('no agent');
    await world.write({
      op: 'put',
      kind: 'Agent',
      path: 'a1',
      record: { ...stored, status: { ...stored.status, state } },
    });
  };
  const exists = () => world.records.collection('Agent').get('a1') !== undefined;

  test('that answer are refused with the way out', async () => {
    const { status, body } = await remove(path);
    expect([status, body.reason]).toEqual([403, 'Forbidden']);
    expect(body.message).toMatch(/it is active; stop it .*--force --grace-period=0/);
    await become('draining');
    expect((await remove(path)).status).toBe(403);
    expect(exists()).toBe(true);
  });

  test.each(['unreachable', 'gone'] as const)('that are %s go, and not in a dry run', async (state) => {
    await become(state);
    expect((await remove(`${path}?dryRun=All`)).status).toBe(200);
    expect(exists()).toBe(true);
    expect((await remove(path)).body).toMatchObject({ kind: 'Status', status: 'Success' });
    expect(exists()).toBe(false);
    expect((await remove(path)).status).toBe(404);
  });

  test('that look well go by force: the master writes the record again if they answer', async () => {
    expect((await remove(path, { gracePeriodSeconds: 0 })).status).toBe(200);
    expect(exists()).toBe(false);
  });

  test('cannot be deleted all at once', async () => {
    await become('unreachable');
    expect((await remove(`${GROUP}/agents`)).status).toBe(405);
    expect(exists()).toBe(true);
  });
});

test.each([
  ['agents/nope', 404],
  ['frameworks/x', 405],
  ['namespaces/default/appversions/x', 405],
  ['rollouts/nope', 404],
  ['tasks/nope', 404],
])('DELETE %s is %d', async (path, code) => {
  expect((await remove(`${GROUP}/${path}`)).status).toBe(code);
});
