import { openWorld, type World } from './world';
import { advanced } from './builders';

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());

async function create(id: string, cmd = 'sleep 1') {
  const { status, body } = await world.ask('PUT', `/v2/apps${id}`, { cmd });
  expect(status).toBeLessThan(300);
  for (const { record } of [...world.records.collection('Rollout').list()])
    await world.records.write([advanced(record, { currentStep: 9, state: 'Succeeded' })]);
  return (body as { version: string }).version;
}

describe('GET /v2/groups', () => {
  test('an empty root', async () => {
    const { status, body } = await world.ask('GET', '/v2/groups');
    expect([status, body]).toMatchObject([
      200,
      { id: '/', apps: [], groups: [], pods: [], dependencies: [], enforceRole: false },
    ]);
  });

  test('the tree, with versions of what is below', async () => {
    await create('/web');
    const version = await create('/prod/eu/api');
    const { body } = await world.ask('GET', '/v2/groups');
    expect(body).toMatchObject({
      id: '/',
      version,
      apps: [{ id: '/web' }],
      groups: [
        { id: '/prod', version, apps: [], groups: [{ id: '/prod/eu', apps: [{ id: '/prod/eu/api' }], groups: [] }] },
      ],
    });
    expect(JSON.stringify(body)).not.toContain('tasksRunning');
    expect((await world.ask('GET', '/v2/groups/prod/eu')).body).toMatchObject({
      id: '/prod/eu',
      apps: [{ id: '/prod/eu/api' }],
    });
  });

  test('groups with records are there without apps', async () => {
    const metadata = { name: 'empty', uid: 'u', generation: 1, creationTimestamp: '2026-01-01T00:00:00.000Z' };
    const spec = { id: '/a/empty', dependencies: ['/b'], enforceRole: false };
    await world.records.write([
      { op: 'put', kind: 'Group', path: 'a/empty', record: { kind: 'Group', metadata, spec } },
    ]);
    expect((await world.ask('GET', '/v2/groups/a')).body).toMatchObject({
      groups: [{ id: '/a/empty', dependencies: ['/b'] }],
    });
  });

  test.each([
    { query: '?embed=group.groups', has: ['groups'], hasNot: ['apps', 'pods'] },
    { query: '?embed=group.apps&embed=group.apps.counts', has: ['apps'], hasNot: ['groups', 'pods'] },
    { query: '?embed=group.nonsense', has: [], hasNot: ['apps', 'groups', 'pods'] },
  ])('$query', async ({ query, has, hasNot }) => {
    await create('/web');
    const body = (await world.ask('GET', `/v2/groups${query}`)).body as Record<string, unknown>;
    for (const field of has) expect(body).toHaveProperty(field);
    for (const field of hasNot) expect(body).not.toHaveProperty(field);
  });

  test('what the old user interface asks for', async () => {
    await create('/web');
    const query =
      'embed=group.groups&embed=group.apps&embed=group.apps.deployments&embed=group.apps.counts&embed=group.apps.readiness';
    expect((await world.ask('GET', `/v2/groups?${query}`)).body).toMatchObject({
      apps: [{ id: '/web', tasksRunning: 0, deployments: [], readinessCheckResults: [] }],
    });
  });

  test('the apps of a group as a list', async () => {
    await create('/prod/web');
    expect((await world.ask('GET', '/v2/groups/prod/apps')).body).toMatchObject([{ id: '/prod/web', tasksRunning: 0 }]);
  });

  test('a group that is not there', async () => {
    const { status, body } = await world.ask('GET', '/v2/groups/nothing');
    expect([status, body]).toEqual([404, { message: "Group '/nothing' does not exist" }]);
  });

  test('versions, and the group as it was', async () => {
    const first = await create('/prod/web', 'sleep 1');
    const second = await create('/prod/api', 'sleep 2');
    const third = await create('/prod/web', 'sleep 3');
    expect((await world.ask('GET', '/v2/groups/prod/versions')).body).toEqual([third, second, first]);
    expect((await world.ask('GET', `/v2/groups/prod/versions/${second}`)).body).toMatchObject({
      id: '/prod',
      version: second,
      apps: [{ id: '/prod/api' }, { id: '/prod/web', cmd: 'sleep 1' }],
    });
    expect((await world.ask('GET', '/v2/groups/prod/versions/2001-01-01T00:00:00.000Z')).status).toBe(404);
    expect((await world.ask('GET', '/v2/groups/prod/versions/never')).status).toBe(422);
  });

  test('changes say that they are not there yet', async () => {
    const { status, headers } = await world.ask('PUT', '/v2/groups/prod', { apps: [] });
    expect([status, headers.get('allow')]).toEqual([405, 'GET']);
  });
});
