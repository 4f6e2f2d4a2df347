import type { AppChange } from '../../src/core/ports/app-service';
import { APP_FINALIZER, type AppSpecInput } from '../../src/core/records/app';
import { World } from './world';

const spec = (id: string, more: Partial<AppSpecInput> = {}): AppSpecInput => ({
  id,
  cpus: 0.1,
  mem: 32,
  container: { docker: { image: 'x' } },
  ...more,
});
const put = (id: string, more: Partial<AppSpecInput> = {}): AppChange => ({
  kind: 'put',
  mode: 'any',
  spec: spec(id, more),
});

describe('GroupManager without a leader', () => {
  let world: World;
  beforeEach(async () => {
    world = new World({ groups: { maxRunningRollouts: 3 } });
    await world.startRecords();
  });
  afterEach(() => world.end());

  const stored = (id: string) => {
    const app = world.app(id);
    if (app === undefined) throw new Error(`no ${id}`);
    return app;
  };
  /** What the leader does when a rollout has reached its goal. */
  const finish = async () => {
    for (const { path } of world.records.collection('Rollout').list()) {
      await world.records.write([{ op: 'delete', kind: 'Rollout', path }]);
    }
  };

  test('a new app: definition, version and rollout in one commit', async () => {
    const before = world.store.revision();
    const started = await world.groups.apply([put('/prod/web', { instances: 2 })]);
    expect(world.store.revision()).toBe(before + 1);
    const app = stored('/prod/web');
    expect(app.revision).toBe(started.apps[0]?.revision);
    expect(app.record.metadata).toMatchObject({
      name: 'web',
      namespace: 'prod',
      generation: 1,
      finalizers: [APP_FINALIZER],
    });
    expect(app.record.spec).toMatchObject({
      version: started.version,
      versionInfo: { lastScalingAt: started.version, lastConfigChangeAt: started.version },
    });
    expect(started.apps[0]).toMatchObject({ created: true, spec: app.record.spec });
    expect(world.records.collection('AppVersion').get(`prod/web/${started.version}`)?.record.spec).toEqual(
      app.record.spec,
    );
    expect(world.records.collection('Rollout').get(started.rolloutId)?.record).toMatchObject({
      spec: {
        version: started.version,
        apps: [{ id: '/prod/web', toVersion: started.version }],
        steps: [
          { actions: [{ action: 'StartApplication', app: '/prod/web' }] },
          { actions: [{ action: 'ScaleApplication', app: '/prod/web' }] },
        ],
      },
      status: { currentStep: 0, state: 'Waiting' },
    });
  });

  test('versions rise although the clock stands still or goes back', async () => {
    const versions: string[] = [];
    for (const instances of [1, 2, 3]) {
      versions.push((await world.groups.apply([put('/web', { instances })])).version);
      await finish();
      world.clock.jumpWallClock(-3_600_000);
    }
    expect(new Set(versions).size).toBe(3);
    expect([...versions].sort()).toEqual(versions);
  });

  test('scaling and restarting move one of the two times, a change both', async () => {
    const first = (await world.groups.apply([put('/web')])).version;
    await finish();
    const second = (await world.groups.apply([put('/web', { instances: 5 })])).version;
    expect(stored('/web').record.spec.versionInfo).toEqual({ lastScalingAt: second, lastConfigChangeAt: first });
    await finish();
    const third = (await world.groups.apply([{ kind: 'restart', id: '/web' }])).version;
    expect(stored('/web').record.spec.versionInfo).toEqual({ lastScalingAt: second, lastConfigChangeAt: third });
    await finish();
    const fourth = (await world.groups.apply([put('/web', { instances: 5, labels: { a: 'b' } })])).version;
    expect(stored('/web').record.spec.versionInfo).toEqual({ lastScalingAt: fourth, lastConfigChangeAt: fourth });
  });

  test('no change: a rollout that is over, the same version, no lock needed', async () => {
    const first = await world.groups.apply([put('/web')]);
    const { revision } = stored('/web');
    const again = await world.groups.apply([put('/web')]);
    expect(again.version).toBe(first.version);
    expect(stored('/web').revision).toBe(revision);
    expect(world.records.collection('Rollout').get(again.rolloutId)?.record).toMatchObject({
      spec: { apps: [], steps: [] },
      status: { state: 'Succeeded' },
    });
  });

  test('labels and annotations of the record are no change of the app', async () => {
    await world.groups.apply([put('/web')]);
    const change: AppChange = {
      kind: 'put',
      mode: 'update',
      spec: spec('/web'),
      metadata: { labels: { team: 'a' }, annotations: { note: 'b' }, finalizers: [] },
    };
    const result = await world.groups.apply([change]);
    expect(stored('/web').record.metadata).toMatchObject({
      labels: { team: 'a' },
      annotations: { note: 'b' },
      generation: 1,
      finalizers: [APP_FINALIZER],
    });
    expect(result.apps[0]?.revision).toBe(stored('/web').revision);
  });

  test.each<{ name: string; change: AppChange; code: string }>([
    { name: 'create what exists', change: { kind: 'put', mode: 'create', spec: spec('/web') }, code: 'ALREADY_EXISTS' },
    {
      name: 'update what does not exist',
      change: { kind: 'put', mode: 'update', spec: spec('/x') },
      code: 'NOT_FOUND',
    },
    { name: 'delete what does not exist', change: { kind: 'delete', id: '/x' }, code: 'NOT_FOUND' },
    { name: 'restart what does not exist', change: { kind: 'restart', id: '/x' }, code: 'NOT_FOUND' },
    { name: 'an old revision', change: { kind: 'put', mode: 'any', spec: spec('/web'), expect: 1 }, code: 'CONFLICT' },
    {
      name: 'a revision of what does not exist',
      change: { kind: 'put', mode: 'any', spec: spec('/x'), expect: 7 },
      code: 'CONFLICT',
    },
    { name: 'delete of a namesake', change: { kind: 'delete', id: '/web', uid: 'other' }, code: 'CONFLICT' },
    { name: 'an invalid definition', change: put('/x', { constraints: [['a', 'NEAR']] }), code: 'INVALID' },
    { name: 'an app inside an app', change: put('/web/sub'), code: 'INVALID' },
    { name: 'an app that is a group', change: put('/group'), code: 'INVALID' },
    { name: 'a cycle', change: put('/x', { dependencies: ['/x'] }), code: 'INVALID' },
    { name: 'a locked app', change: put('/web', { instances: 9 }), code: 'LOCKED' },
  ])('$name: $code, and nothing is written', async ({ change, code }) => {
    await world.groups.apply([put('/web'), put('/group/app')]);
    const before = world.store.revision();
    await expect(world.groups.apply([change])).rejects.toMatchObject({ code });
    await expect(world.groups.apply([put('/innocent'), change])).rejects.toMatchObject({ code });
    expect(world.store.revision()).toBe(before);
  });

  test('force ends the running rollout and says by what', async () => {
    const first = await world.groups.apply([put('/web')]);
    const second = await world.groups.apply([put('/web', { instances: 9 })], { force: true });
    expect(world.records.collection('Rollout').get(first.rolloutId)?.record.status).toMatchObject({
      state: 'Failed',
      reason: `replaced by rollout ${second.rolloutId}`,
    });
  });

  test('a change that takes the place of an unfinished replacement finishes it', async () => {
    await world.groups.apply([put('/web', { instances: 2 })]);
    await finish();
    await world.groups.apply([put('/web', { instances: 2, cmd: 'new' })]);
    await world.groups.apply([put('/web', { instances: 3, cmd: 'new' })], { force: true });
    const last = await world.groups.apply([put('/web', { instances: 4, cmd: 'new' })], { force: true });
    const rollout = world.records.collection('Rollout').get(last.rolloutId)?.record;
    expect(rollout?.spec.steps).toEqual([{ actions: [{ action: 'RestartApplication', app: '/web' }] }]);
  });

  test('and so does one in the place of a scaling to nothing that took the place of it', async () => {
    await world.groups.apply([put('/web', { instances: 2 })]);
    await finish();
    await world.groups.apply([put('/web', { instances: 2, cmd: 'new' })]);
    const none = await world.groups.apply([put('/web', { instances: 0, cmd: 'new' })], { force: true });
    const steps = (id: string) => world.records.collection('Rollout').get(id)?.record.spec.steps;
    expect(steps(none.rolloutId)).toEqual([{ actions: [{ action: 'ScaleApplication', app: '/web' }] }]);
    const last = await world.groups.apply([put('/web', { instances: 1, cmd: 'new' })], { force: true });
    expect(steps(last.rolloutId)).toEqual([{ actions: [{ action: 'RestartApplication', app: '/web' }] }]);
  });

  test('changes of other apps run side by side, up to the limit', async () => {
    await world.groups.apply([put('/a')]);
    await world.groups.apply([put('/b')]);
    await world.groups.apply([put('/c')]);
    await expect(world.groups.apply([put('/d')])).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await world.groups.apply([put('/a', { instances: 4 })], { force: true });
  });

  test('dry run: checked and planned, nothing written', async () => {
    const before = world.store.revision();
    const result = await world.groups.apply([put('/web')], { dryRun: true });
    expect(result.apps[0]?.spec.id).toBe('/web');
    expect(world.store.revision()).toBe(before);
    await expect(world.groups.apply([put('/web', { gpus: 1 })], { dryRun: true })).rejects.toMatchObject({
      code: 'INVALID',
    });
  });

  test('many writers of one app: all take effect, one after the other', async () => {
    await world.groups.apply([put('/web')]);
    await finish();
    const results = await Promise.allSettled(
      [2, 3, 4, 5].map((instances) => world.groups.apply([put('/web', { instances })], { force: true })),
    );
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled']);
    expect(world.records.collection('AppVersion').in('web')).toHaveLength(5);
    expect(stored('/web').record.metadata.generation).toBe(5);
    const running = [...world.records.collection('Rollout').list()].filter(
      ({ record }) => record.status.state === 'Waiting',
    );
    expect(running).toHaveLength(1);
  });

  test('apps that are created at the same moment get different service ports', async () => {
    world = new World({ groups: { servicePorts: { min: 10_000, max: 10_002 } } });
    await world.startRecords();
    const results = await Promise.all(['/a', '/b', '/c'].map((id) => world.groups.apply([put(id)])));
    const ports = results.flatMap(({ apps }) => apps[0]?.spec.portDefinitions?.map(({ port }) => port) ?? []);
    expect([...ports].sort((a, b) => a - b)).toEqual([10_000, 10_001, 10_002]);
    await expect(world.groups.apply([put('/d')])).rejects.toMatchObject({ code: 'INVALID' });
  });

  test('too many apps, or one twice', async () => {
    const many = Array.from({ length: 51 }, (_, at) => put(`/a${at}`));
    await expect(world.groups.apply(many)).rejects.toMatchObject({ code: 'INVALID' });
    await expect(world.groups.apply([put('/a'), put('/a')])).rejects.toMatchObject({ code: 'INVALID' });
  });

  test('50 new apps in one change', async () => {
    const result = await world.groups.apply(Array.from({ length: 50 }, (_, at) => put(`/a${at}`)));
    expect(result.apps).toHaveLength(50);
    expect(world.records.collection('App').size).toBe(50);
  });

  test('dependencies of a group hold for what is in it', async () => {
    const metadata = { name: 'g', uid: 'g', generation: 1, creationTimestamp: '2026-01-01T00:00:00.000Z' };
    const group = { kind: 'Group' as const, metadata, spec: { id: '/g', dependencies: ['/db'], enforceRole: false } };
    await world.records.write([{ op: 'put', kind: 'Group', path: 'g', record: group }]);
    const { rolloutId } = await world.groups.apply([put('/g/app'), put('/db')]);
    const steps = world.records.collection('Rollout').get(rolloutId)?.record.spec.steps ?? [];
    expect(steps.slice(1).map(({ actions }) => actions.map(({ app }) => app))).toEqual([['/db'], ['/g/app']]);
  });

  test('warnings name what is not acted upon', async () => {
    const { warnings } = await world.groups.apply([put('/web', { fetch: [{ uri: 'http://x' }] })]);
    expect(warnings).toEqual(['fetch: artifacts are not fetched yet']);
  });

  test('a store that is away: the caller hears of it', async () => {
    world = new World({
      faults: {
        before: ({ name }) => {
          if (name === 'commit' && away) throw new Error('away');
        },
      },
    });
    let away = false;
    await world.startRecords();
    away = true;
    await expect(world.groups.apply([put('/web')])).rejects.toThrow('away');
  });
});
