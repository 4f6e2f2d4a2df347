import { isServing } from '../../src/core/lifecycle/views';
import { World } from './world';

describe('rollouts', () => {
  let world: World;
  beforeEach(async () => {
    world = new World();
    await world.start([
      { id: 'a1', cpus: 50, mem: 50_000 },
      { id: 'a2', cpus: 50, mem: 50_000 },
    ]);
  });
  afterEach(() => world.end());

  const images = (app = '/web') =>
    world.running(app).map(({ task }) => task?.record.spec.info.container?.docker?.image);
  const put = (image: string, more: object = {}) =>
    world.put({ id: '/web', instances: 4, container: { docker: { image } }, ...more });

  test('a new version replaces the old one within the bounds at every instant', async () => {
    const strategy = { upgradeStrategy: { minimumHealthCapacity: 0.75, maximumOverCapacity: 0.25 } };
    await put('v1', strategy);
    await world.run();
    const seen: { serving: number; total: number }[] = [];
    const stop = world.records.onChange(() => {
      const views = world.views('/web');
      const serving = views.filter((view) => view.instance.record.spec.goal === 'Running' && isServing(view)).length;
      seen.push({ serving, total: views.filter(({ task }) => task !== undefined).length });
    });
    const { rolloutId } = await put('v2', strategy);
    expect(world.rollouts()).toEqual([rolloutId]);
    await world.until(() => world.rollouts().length === 0);
    stop();
    expect(images()).toEqual(['v2', 'v2', 'v2', 'v2']);
    expect(world.views('/web')).toHaveLength(4);
    expect(Math.min(...seen.map(({ serving }) => serving))).toBe(3);
    expect(Math.max(...seen.map(({ total }) => total))).toBeLessThanOrEqual(5);
  });

  test('a version that does not come up leaves the old one serving and says what it waits for', async () => {
    await put('v1');
    await world.run();
    world.master.onLaunch = 'staging';
    const { rolloutId } = await put('v2');
    await world.run(1_000);
    expect(images()).toEqual(['v1', 'v1', 'v1', 'v1']);
    expect(world.views('/web')).toHaveLength(8);
    const rollout = world.records.collection('Rollout').get(rolloutId)?.record;
    expect(rollout?.status).toMatchObject({
      state: 'Running',
      currentStep: 1,
      reason: '0 of 4 instances of /web serve',
    });
    await expect(put('v3')).rejects.toMatchObject({ code: 'LOCKED', rolloutIds: [rolloutId] });
  });

  test('cancelling brings the former definition back; force only stops', async () => {
    await put('v1');
    await world.run();
    world.master.onLaunch = 'staging';
    const { rolloutId } = await put('v2');
    await world.run(1_000);
    world.master.onLaunch = 'running';
    const back = await world.groups.cancelRollout(rolloutId, false);
    expect(back?.apps[0]?.spec.container?.docker?.image).toBe('v1');
    await world.run(1_000);
    expect(world.rollouts()).toEqual([]);
    expect(images()).toEqual(['v1', 'v1', 'v1', 'v1']);
    expect(world.views('/web')).toHaveLength(4);
    await expect(world.groups.cancelRollout(rolloutId, false)).rejects.toMatchObject({ code: 'NOT_FOUND' });

    world.master.onLaunch = 'staging';
    const second = await put('v3', { upgradeStrategy: { minimumHealthCapacity: 1, maximumOverCapacity: 0.25 } });
    await world.run(1_000);
    expect(await world.groups.cancelRollout(second.rolloutId, true)).toBeUndefined();
    await world.run(1_000);
    expect(world.rollouts()).toEqual([]);
    expect(world.app('/web')?.record.spec.container?.docker?.image).toBe('v3');
  });

  test('what a replacement has started beyond the wanted number goes when it is stopped by force', async () => {
    await put('v1');
    await world.run();
    world.master.onLaunch = 'staging';
    const upgradeStrategy = { minimumHealthCapacity: 1, maximumOverCapacity: 1 };
    const { rolloutId } = await put('v2', { upgradeStrategy });
    await world.run(1_000);
    expect(world.views('/web')).toHaveLength(8);
    await world.groups.cancelRollout(rolloutId, true);
    await world.run(60_000);
    expect(world.views('/web')).toHaveLength(4);
    expect(world.events('KillBrakeEngaged')).toEqual([]);
    expect(world.app('/web')?.record.metadata.annotations).toEqual({});
  });

  test('cancelling the rollout of a new app removes it', async () => {
    world.master.onLaunch = 'staging';
    const { rolloutId } = await put('v1');
    await world.run();
    await world.groups.cancelRollout(rolloutId, false);
    await world.run(1_000);
    expect(world.app('/web')).toBeUndefined();
    expect(world.rollouts()).toEqual([]);
  });

  test('an app starts when what it depends on serves', async () => {
    world.master.onLaunch = 'staging';
    await world.groups.apply([
      {
        kind: 'put',
        mode: 'create',
        spec: { id: '/app', cpus: 0.1, mem: 32, container: { docker: { image: 'x' } }, dependencies: ['/db'] },
      },
      { kind: 'put', mode: 'create', spec: { id: '/db', cpus: 0.1, mem: 32, container: { docker: { image: 'x' } } } },
    ]);
    await world.run(1_000);
    expect(world.views('/app')).toHaveLength(0);
    const [db = ''] = world.taskIds('/db');
    await world.master.update(db, 'TASK_RUNNING');
    await world.run(1_000);
    expect(world.taskIds('/app')).toHaveLength(1);
    expect(world.rollouts()).toHaveLength(1);
    await world.master.update(world.taskIds('/app')[0] ?? '', 'TASK_RUNNING');
    await world.run(1_000);
    expect(world.rollouts()).toEqual([]);
  });

  test('readiness holds a rollout back', async () => {
    const readinessChecks = [{ portName: 'default' }];
    await put('v1', { instances: 1, readinessChecks });
    await world.run(1_000);
    expect(world.rollouts()).toHaveLength(1);
    const readiness = [{ name: 'readinessCheck', ready: true }];
    await world.master.update(world.taskIds('/web')[0] ?? '', 'TASK_RUNNING', { readiness });
    await world.run(1_000);
    expect(world.rollouts()).toEqual([]);
  });

  test('scaling keeps running instances and their version', async () => {
    await put('v1');
    await world.run();
    const before = world.taskIds('/web').sort();
    await put('v1', { instances: 6 });
    await world.run(1_000);
    expect(world.taskIds('/web')).toEqual(expect.arrayContaining(before));
    expect(world.taskIds('/web')).toHaveLength(6);
    await put('v1', { instances: 0 });
    await world.run(1_000);
    expect(world.views('/web')).toEqual([]);
    expect(world.rollouts()).toEqual([]);
  });

  test('restart replaces every instance', async () => {
    await put('v1');
    await world.run();
    const before = world.taskIds('/web');
    await world.groups.apply([{ kind: 'restart', id: '/web' }]);
    await world.run(1_000);
    expect(world.running('/web')).toHaveLength(4);
    expect(world.taskIds('/web').filter((id) => before.includes(id))).toEqual([]);
  });

  test('a rollout goes on under the next leader', async () => {
    await put('v1');
    await world.run();
    world.master.onLaunch = 'staging';
    await put('v2');
    await world.run(1_000);
    await world.lead();
    world.master.onLaunch = 'running';
    for (const { task } of world.views('/web')) {
      if (task?.record.status.state === 'TASK_STAGING')
        await world.master.update(task.record.spec.taskId, 'TASK_RUNNING');
    }
    await world.run(1_000);
    expect(images()).toEqual(['v2', 'v2', 'v2', 'v2']);
    expect(world.rollouts()).toEqual([]);
  });
});

describe('deleting', () => {
  let world: World;
  beforeEach(async () => {
    world = new World();
    await world.start([{ id: 'a1', cpus: 50, mem: 50_000 }]);
  });
  afterEach(() => world.end());

  test('the record goes when the last container is gone, not before', async () => {
    await world.put({ id: '/web', instances: 3 });
    await world.run();
    world.master.kills = false;
    const tasks = world.taskIds('/web');
    await world.groups.apply([{ kind: 'delete', id: '/web' }]);
    await world.run(1_000);
    expect(world.app('/web')?.record.metadata.deletionTimestamp).toBeDefined();
    expect(world.rollouts()).toHaveLength(1);
    for (const taskId of tasks.slice(1)) await world.master.update(taskId, 'TASK_KILLED');
    await world.run(1_000);
    expect(world.app('/web')).toBeDefined();
    await world.master.update(tasks[0] ?? '', 'TASK_KILLED');
    await world.run(1_000);
    expect(world.app('/web')).toBeUndefined();
    expect(world.records.collection('AppVersion').size).toBe(0);
    expect(world.records.collection('Task').size).toBe(0);
    expect(world.rollouts()).toEqual([]);
  });

  test("another's finalizer keeps the record", async () => {
    await world.groups.apply([
      {
        kind: 'put',
        mode: 'create',
        spec: { id: '/web', container: { docker: { image: 'x' } } },
        metadata: { finalizers: ['example.com/mine'] },
      },
    ]);
    await world.run();
    await world.groups.apply([{ kind: 'delete', id: '/web' }]);
    await world.run(1_000);
    const app = world.app('/web');
    expect(app?.record.metadata.finalizers).toEqual(['example.com/mine']);
    if (app === undefined) return;
    const freed = { ...app.record, metadata: { ...app.record.metadata, finalizers: [] } };
    await world.records.write([{ op: 'put', kind: 'App', path: 'web', record: freed }]);
    await world.run(1_000);
    expect(world.app('/web')).toBeUndefined();
  });

  test('an app that is put again while it goes comes back', async () => {
    await world.put({ id: '/web', instances: 2 });
    await world.run();
    world.master.kills = false;
    const before = world.taskIds('/web');
    await world.groups.apply([{ kind: 'delete', id: '/web' }]);
    await world.run(1_000);
    await expect(world.put({ id: '/web' })).rejects.toMatchObject({ code: 'LOCKED' });
    world.master.kills = true;
    const again = await world.put({ id: '/web', instances: 2 }, true);
    expect(again.apps[0]?.created).toBe(true);
    for (const taskId of before) await world.master.update(taskId, 'TASK_KILLED');
    await world.run(2_000);
    expect(world.running('/web')).toHaveLength(2);
    expect(world.app('/web')?.record.metadata.deletionTimestamp).toBeUndefined();
    expect(world.rollouts()).toEqual([]);
  });

  test('an unreachable instance does not hold the deletion once its kill is on record', async () => {
    await world.put({ id: '/web' });
    await world.run();
    const [taskId = ''] = world.taskIds('/web');
    await world.groups.apply([{ kind: 'delete', id: '/web' }]);
    world.master.onLaunch = 'staging';
    await world.run(1_000);
    expect(world.app('/web')).toBeUndefined();
    expect(world.master.callsOf('KILL').map(({ kill }) => kill.task_id.value)).toEqual([taskId]);
  });

  test('at most 50 versions are kept', async () => {
    for (let i = 0; i < 55; i++) {
      await world.put({ id: '/web', instances: 0, labels: { i: String(i) } });
      await world.run(300);
    }
    await world.run(1_000);
    const versions = world.records.collection('AppVersion').in('web');
    expect(versions).toHaveLength(50);
    expect(versions.map(({ record }) => record.spec.labels['i'])).toContain('54');
    expect(versions.map(({ record }) => record.spec.labels['i'])).not.toContain('0');
  });
});
