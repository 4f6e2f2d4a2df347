import { KEY_ROOT, taskIdOf } from '../../src/core/records/paths';
import { taskRecord } from './scripted-master';
import { World } from './world';

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('missing');
  return value;
}

describe('runs that end', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.end());

  const firstTask = (app = '/web') => must(world.taskIds(app)[0]);

  test('a failed run comes again in the same instance, after the back-off, with its reason on record', async () => {
    await world.start([{ id: 'a1' }]);
    await world.put({ id: '/web', backoffSeconds: 10, backoffFactor: 2 });
    await world.run();
    const before = firstTask();
    await world.master.update(before, 'TASK_FAILED', { message: 'exit code 3' });
    await world.run(1_000);
    const [view] = world.views('/web');
    expect(view?.condition).toBe('Scheduled');
    expect(view?.instance.record.spec.incarnation).toBe(2);
    expect(view?.instance.record.status?.lastFailure).toBe('TASK_FAILED: exit code 3');
    const status = world.app('/web')?.record.status;
    expect(status?.lastTaskFailure).toMatchObject({
      taskId: before,
      state: 'TASK_FAILED',
      message: 'exit code 3',
      host: 'a1',
    });
    expect(status?.launchQueue).toMatchObject({ count: 1, message: expect.stringContaining('exit code 3') });
    expect(status?.launchQueue?.delayUntilMs).toBeGreaterThan(world.clock.nowMs());
    expect(world.events('TaskFailed')).toEqual([expect.stringContaining('exit code 3')]);

    await world.run(8_000);
    expect(world.running('/web')).toHaveLength(0);
    await world.run(2_000);
    expect(world.taskIds('/web')).toEqual([taskIdOf(must(view).id, 2)]);
    expect(world.running('/web')).toHaveLength(1);

    await world.master.update(firstTask(), 'TASK_FAILED', {});
    await world.run(15_000);
    expect(world.running('/web')).toHaveLength(0);
    await world.run(6_000);
    expect(world.running('/web')).toHaveLength(1);
  });

  test('a run that was taken for gone and is not: it is killed when the next one serves, not before', async () => {
    await world.start([{ id: 'a1' }]);
    await world.put({ id: '/web' });
    await world.run();
    const before = firstTask();
    const stored = must(world.master.task(before));
    await world.master.update(before, 'TASK_GONE', { message: 'unknown to the agent' });
    world.master.onLaunch = 'staging';
    await world.run(10_000);
    const next = firstTask();
    expect(next).not.toBe(before);
    // The agent has it after all: the master has put it on record again.
    await world.records.write([{ op: 'put', kind: 'Task', path: stored.path, record: stored.record }]);
    await world.run(10_000);
    expect(world.master.callsOf('KILL')).toEqual([]);
    await world.master.update(next, 'TASK_RUNNING', {});
    await world.run(1_000);
    expect(world.master.callsOf('KILL').map(({ kill }) => kill.task_id.value)).toEqual([before]);
    expect(world.running('/web').map(({ task }) => task?.record.spec.taskId)).toEqual([next]);
  });

  test('a wall clock that is set back holds no launch longer', async () => {
    await world.start([{ id: 'a1' }]);
    await world.put({ id: '/web', backoffSeconds: 10 });
    await world.run();
    await world.master.update(firstTask(), 'TASK_FAILED', {});
    await world.run(1_000);
    world.clock.jumpWallClock(-3_600_000);
    await world.run(11_000);
    expect(world.running('/web')).toHaveLength(1);
  });

  test('a reset clears the back-off, and only once', async () => {
    await world.start([{ id: 'a1' }]);
    await world.put({ id: '/web', backoffSeconds: 100 });
    await world.run();
    await expect(world.groups.resetDelay('/web')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await world.master.update(firstTask(), 'TASK_FAILED', {});
    await world.run(1_000);
    await world.groups.resetDelay('/web');
    await world.run(0);
    expect(world.running('/web')).toHaveLength(1);
    await world.master.update(firstTask(), 'TASK_FAILED', {});
    await world.run(1_000);
    expect(world.running('/web')).toHaveLength(0);
  });

  test('a new leader keeps the back-off of the old one', async () => {
    await world.start([{ id: 'a1' }]);
    await world.put({ id: '/web', backoffSeconds: 30 });
    await world.run();
    await world.master.update(firstTask(), 'TASK_FAILED', {});
    await world.run(1_000);
    await world.lead();
    await world.run(20_000);
    expect(world.running('/web')).toHaveLength(0);
    await world.run(10_000);
    expect(world.running('/web')).toHaveLength(1);
  });

  test.each([
    { state: 'TASK_FINISHED' as const, waits: true },
    { state: 'TASK_LOST' as const, waits: true },
    { state: 'TASK_DROPPED' as const, waits: true },
    { state: 'TASK_KILLED' as const, waits: false },
    { state: 'TASK_GONE' as const, waits: false },
  ])('$state raises the back-off: $waits', async ({ state, waits }) => {
    await world.start([{ id: 'a1' }]);
    await world.put({ id: '/web', backoffSeconds: 60 });
    await world.run();
    await world.master.update(firstTask(), state, {});
    await world.run();
    expect(world.running('/web')).toHaveLength(waits ? 0 : 1);
  });

  test('an end is acknowledged only when the next run is on record', async () => {
    let fail = false;
    world = new World({
      faults: {
        before: (call) => {
          if (fail && call.writes?.some(({ key }) => key.includes('/instances/')) === true) throw new Error('no');
        },
      },
    });
    await world.start([{ id: 'a1' }]);
    await world.put({ id: '/web' });
    await world.run();
    fail = true;
    const taskId = firstTask();
    await world.master.update(taskId, 'TASK_FAILED', { uuid: 'end' });
    await world.run(500);
    expect(world.master.acknowledged).not.toContain('end');
    expect(world.master.task(taskId)).toBeDefined();
    fail = false;
    await world.until(() => world.master.acknowledged.includes('end'));
    expect(world.views('/web')[0]?.instance.record.spec.incarnation).toBe(2);
    expect(world.master.task(taskId)).toBeUndefined();
  });

  test('an end that a former leader did not deal with is dealt with by the next', async () => {
    await world.start([{ id: 'a1' }]);
    await world.put({ id: '/web' });
    await world.run();
    const taskId = firstTask();
    world.term.abort();
    await world.master.update(taskId, 'TASK_FAILED', { uuid: 'missed' });
    await world.run(1_000);
    expect(world.master.acknowledged).not.toContain('missed');
    await world.lead();
    await world.run(2_000);
    expect(world.master.acknowledged).toContain('missed');
    expect(world.running('/web')).toHaveLength(1);
  });

  test('a refused launch counts as a failure and is tried as the next run', async () => {
    await world.start([{ id: 'a1' }]);
    world.master.onLaunch = 'refused';
    await world.put({ id: '/web', backoffSeconds: 5 });
    await world.run(1_000);
    expect(world.views('/web')[0]?.instance.record.spec.incarnation).toBe(2);
    expect(world.app('/web')?.record.status?.lastTaskFailure).toMatchObject({
      state: 'TASK_ERROR',
      message: 'bad task',
    });
    world.master.onLaunch = 'running';
    await world.run(10_000);
    expect(world.running('/web')).toHaveLength(1);
  });

  test('a refusal of a task that runs is no end of it', async () => {
    await world.start([{ id: 'a1' }]);
    await world.put({ id: '/web' });
    await world.run();
    const taskId = firstTask();
    world.master.emit({
      type: 'UPDATE',
      update: { status: { task_id: { value: taskId }, state: 'TASK_ERROR', message: 'Task has duplicate ID' } },
    });
    await world.run(1_000);
    expect(world.running('/web')[0]?.instance.record.spec.incarnation).toBe(1);
  });

  test('updates of tasks nobody knows are acknowledged', async () => {
    await world.start([{ id: 'a1' }]);
    for (const taskId of ['alien', 'web.instance-1234._app.1']) {
      const status = {
        task_id: { value: taskId },
        state: 'TASK_FINISHED' as const,
        uuid: taskId,
        agent_id: { value: 'a1' },
      };
      world.master.emit({ type: 'UPDATE', update: { status } });
    }
    await world.run(100);
    expect(world.master.acknowledged.sort()).toEqual(['alien', 'web.instance-1234._app.1']);
  });
});

describe('kills', () => {
  let world: World;
  beforeEach(async () => {
    world = new World();
    await world.start([{ id: 'a1' }, { id: 'a2' }]);
  });
  afterEach(() => world.end());

  const kills = () => world.master.callsOf('KILL').map(({ kill }) => kill.task_id.value);
  const start = async (instances: number, more: object = {}) => {
    await world.put({ id: '/web', instances, ...more });
    await world.run();
    return world.taskIds('/web');
  };

  test('a user kills one run; the instance goes on', async () => {
    const [taskId = ''] = await start(2);
    const { killed } = await world.groups.killTasks([taskId, 'unknown', 'web.instance-x._app.1'], {
      scale: false,
      wipe: false,
      force: false,
    });
    expect(killed).toEqual([{ appId: '/web', instanceId: expect.any(String), taskId }]);
    await world.run();
    expect(kills()).toEqual([taskId]);
    expect(world.running('/web')).toHaveLength(2);
    expect(world.taskIds('/web')).toContain(taskId.replace('_app.1', '_app.2'));
  });

  test('wipe: the instance is replaced by a new one', async () => {
    const [taskId = ''] = await start(1);
    const before = world.views('/web')[0]?.id;
    await world.groups.killTasks([taskId], { scale: false, wipe: true, force: false });
    await world.run();
    expect(world.running('/web').map(({ id }) => id)).not.toContain(before);
    expect(world.running('/web')).toHaveLength(1);
  });

  test('scale: exactly the named ones go', async () => {
    const [first = '', , third = ''] = await start(4);
    await world.groups.killTasks([first, third], { scale: true, wipe: false, force: false });
    await world.run();
    expect(world.app('/web')?.record.spec.instances).toBe(2);
    expect(kills().sort()).toEqual([first, third].sort());
    expect(world.running('/web')).toHaveLength(2);
    expect(world.rollouts()).toEqual([]);
  });

  test('a kill without an answer is repeated every 30 s until it is answered', async () => {
    const [taskId = ''] = await start(1);
    world.master.kills = false;
    await world.groups.killTasks([taskId], { scale: false, wipe: true, force: false });
    await world.run(65_000);
    expect(kills()).toEqual([taskId, taskId, taskId]);
    expect(world.views('/web').some(({ condition }) => condition === 'Killing')).toBe(true);
    await world.master.update(taskId, 'TASK_KILLED');
    await world.run(60_000);
    expect(kills()).toHaveLength(3);
  });

  test('unhealthy beyond maxConsecutiveFailures: killed and replaced, and said so', async () => {
    const [taskId = ''] = await start(1, {
      healthChecks: [{ protocol: 'TCP', portIndex: 0, maxConsecutiveFailures: 2 }],
    });
    const health = (consecutiveFailures: number) => [
      { alive: false, consecutiveFailures, lastFailureCause: 'connection refused' },
    ];
    await world.master.update(taskId, 'TASK_RUNNING', { health: health(1) });
    await world.run();
    expect(kills()).toEqual([]);
    await world.master.update(taskId, 'TASK_RUNNING', { health: health(2) });
    await world.run();
    expect(kills()).toEqual([taskId]);
    expect(world.events('UnhealthyInstanceKilled')).toEqual([expect.stringContaining('connection refused')]);
    // Marathon: the app shows it as its last failure.
    await world.run(1_000);
    expect(world.app('/web')?.record.status?.lastTaskFailure).toMatchObject({
      taskId,
      state: 'TASK_KILLED',
      message: 'Task was killed since health check failed. Reason: connection refused',
    });
    expect(world.running('/web')).toHaveLength(1);
  });

  test('maxConsecutiveFailures 0: never killed', async () => {
    const [taskId = ''] = await start(1, {
      healthChecks: [{ protocol: 'TCP', portIndex: 0, maxConsecutiveFailures: 0 }],
    });
    await world.master.update(taskId, 'TASK_RUNNING', { health: [{ alive: false, consecutiveFailures: 99 }] });
    await world.run(1_000);
    expect(kills()).toEqual([]);
  });

  test('a task that does not start in time is killed and started anew; a pull gets its own time on top', async () => {
    world.master.onLaunch = 'staging';
    const [taskId = ''] = await start(1);
    await world.run(299_000);
    expect(kills()).toEqual([]);
    await world.run(2_000);
    expect(kills()).toEqual([taskId]);
    const [second = ''] = world.taskIds('/web');
    expect(second).not.toBe(taskId);
    await world.master.update(second, 'TASK_STAGING', { phase: 'pulling image', message: 'pulling image' });
    await world.run(400_000);
    expect(kills()).toEqual([taskId]);
    await world.run(900_000);
    expect(kills()).toEqual([taskId, second]);
    expect(world.app('/web')?.record.status?.lastTaskFailure).toMatchObject({
      taskId: second,
      message: 'Task was killed since it did not start in time. Reason: pulling image',
    });
  });

  test('a pull that was longer than a launch may take leaves the start its full time', async () => {
    world.master.onLaunch = 'staging';
    const [taskId = ''] = await start(1);
    await world.master.update(taskId, 'TASK_STAGING', { phase: 'pulling image', message: 'pulling image' });
    await world.run(400_000);
    await world.master.update(taskId, 'TASK_STARTING');
    await world.run(299_000);
    expect(kills()).toEqual([]);
    await world.run(2_000);
    expect(kills()).toEqual([taskId]);
  });

  test.each([3_600_000, -3_600_000])('a wall clock that jumps by %i ms kills nothing that starts', async (byMs) => {
    world.master.onLaunch = 'staging';
    const [taskId = ''] = await start(1);
    world.clock.jumpWallClock(byMs);
    await world.put({ id: '/other' });
    await world.run(299_000);
    expect(kills()).toEqual([]);
    await world.run(2_000);
    expect(kills()).toContain(taskId);
  });

  test('a new leader gives a task that starts its full time', async () => {
    world.master.onLaunch = 'staging';
    const [taskId = ''] = await start(1);
    await world.run(200_000);
    await world.lead();
    await world.run(299_000);
    expect(kills()).toEqual([]);
    await world.run(2_000);
    expect(kills()).toEqual([taskId]);
  });
});

describe('agents that are silent', () => {
  let world: World;
  beforeEach(async () => {
    world = new World();
    await world.start([{ id: 'a1' }, { id: 'a2' }]);
  });
  afterEach(() => world.end());

  const lose = async (taskId: string) => {
    const unreachableSinceMs = world.clock.nowMs();
    await world.master.update(taskId, 'TASK_UNREACHABLE', { unreachableSinceMs });
  };

  test('0/0: replaced at once; what comes back is killed', async () => {
    await world.put({ id: '/web', instances: 2 });
    await world.run();
    const [lost = ''] = world.taskIds('/web');
    await lose(lost);
    await world.run(500);
    expect(world.running('/web')).toHaveLength(2);
    expect(world.master.task(lost)?.record.status.killRequested).toBeDefined();
    await world.master.update(lost, 'TASK_RUNNING');
    await world.run(31_000);
    await world.master.update(lost, 'TASK_KILLED');
    await world.run(500);
    expect(world.running('/web')).toHaveLength(2);
    expect(world.views('/web')).toHaveLength(2);
  });

  test('disabled: waited for', async () => {
    await world.put({ id: '/web', unreachableStrategy: 'disabled' });
    await world.run();
    const [lost = ''] = world.taskIds('/web');
    await lose(lost);
    await world.run(3_600_000);
    expect(world.views('/web').map(({ condition }) => condition)).toEqual(['Unreachable']);
    await world.master.update(lost, 'TASK_RUNNING');
    await world.run();
    expect(world.running('/web')).toHaveLength(1);
    expect(world.master.callsOf('KILL')).toEqual([]);
  });

  test('replaced after inactiveAfterSeconds; when it comes back before expungeAfterSeconds one of the two goes', async () => {
    await world.put({ id: '/web', unreachableStrategy: { inactiveAfterSeconds: 60, expungeAfterSeconds: 600 } });
    await world.run();
    const [lost = ''] = world.taskIds('/web');
    await lose(lost);
    await world.run(59_000);
    expect(world.views('/web')).toHaveLength(1);
    await world.run(2_000);
    expect(world.running('/web')).toHaveLength(1);
    expect(world.views('/web')).toHaveLength(2);
    await world.master.update(lost, 'TASK_RUNNING');
    await world.run(1_000);
    expect(world.running('/web')).toHaveLength(1);
    expect(world.views('/web')).toHaveLength(1);
    expect(world.events('KillBrakeEngaged')).toEqual([]);
  });

  const slow = { inactiveAfterSeconds: 60, expungeAfterSeconds: 600 };

  test.each([3_600_000, -3_600_000])('a wall clock that jumps by %i ms does not end the patience', async (byMs) => {
    await world.put({ id: '/web', unreachableStrategy: slow });
    await world.run();
    const [lost = ''] = world.taskIds('/web');
    await lose(lost);
    await world.run(10_000);
    world.clock.jumpWallClock(byMs);
    await world.run(49_000);
    expect(world.views('/web')).toHaveLength(1);
    await world.run(2_000);
    expect(world.views('/web')).toHaveLength(2);
    await world.run(530_000);
    expect(world.views('/web')).toHaveLength(2);
    await world.run(10_000);
    expect(world.running('/web')).toHaveLength(1);
    expect(world.views('/web')).toHaveLength(1);
  });

  test('a new leader counts the silence anew, and what was replaced stays so', async () => {
    await world.put({ id: '/web', unreachableStrategy: slow });
    await world.run();
    const [lost = ''] = world.taskIds('/web');
    await lose(lost);
    await world.run(50_000);
    await world.lead();
    await world.run(59_000);
    expect(world.views('/web')).toHaveLength(1);
    await world.run(2_000);
    const after = world.taskIds('/web').sort();
    expect(after).toHaveLength(2);
    await world.lead();
    await world.run(590_000);
    expect(world.taskIds('/web').sort()).toEqual(after);
    await world.run(11_000);
    expect(world.taskIds('/web')).toEqual(after.filter((taskId) => taskId !== lost));
    expect(world.master.callsOf('KILL').map(({ kill }) => kill.task_id.value)).toContain(lost);
  });

  test('another silence is waited for again', async () => {
    await world.put({ id: '/web', unreachableStrategy: slow });
    await world.run();
    const [lost = ''] = world.taskIds('/web');
    await lose(lost);
    await world.run(61_000);
    await world.master.update(lost, 'TASK_RUNNING');
    await world.run(1_000);
    const [kept = ''] = world.taskIds('/web');
    await lose(kept);
    await world.run(59_000);
    expect(world.views('/web')).toHaveLength(1);
    await world.run(2_000);
    expect(world.views('/web')).toHaveLength(2);
  });
});

describe('nothing is killed that nobody asked to kill', () => {
  let world: World;
  beforeEach(async () => {
    world = new World();
    await world.start([{ id: 'a1', cpus: 100, mem: 100_000 }]);
  });
  afterEach(() => world.end());

  const kills = () => world.master.callsOf('KILL').length;

  test('tasks whose app has no record are left alone and told of', async () => {
    await world.put({ id: '/web', instances: 5 });
    await world.run();
    await world.store.commit([{ kind: 'delete', key: `${KEY_ROOT}apps/web` }]);
    await world.run(120_000);
    expect(kills()).toBe(0);
    expect(world.running('/web')).toHaveLength(5);
    expect(world.events('AppRecordMissing')).toHaveLength(1);
  });

  test('instances of no app: those that run are left alone, what never ran goes', async () => {
    await world.put({ id: '/web', instances: 2 });
    await world.run();
    const before = world.taskIds('/web').toSorted();
    const [view] = world.views('/web');
    if (view === undefined) throw new Error('nothing runs');
    await world.store.commit([{ kind: 'delete', key: `${KEY_ROOT}apps/web` }]);
    const name = 'web.instance-33333333-3333-4333-8333-333333333333';
    const { record } = view.instance;
    const late = { ...record, metadata: { ...record.metadata, name } };
    await world.records.write([{ op: 'put', kind: 'Instance', path: `web/${name}`, record: late }]);
    await world.run(5_000);
    expect(world.views('/web').map(({ id }) => id)).not.toContain(name);
    expect(world.taskIds('/web').toSorted()).toEqual(before);
    expect(kills()).toBe(0);
  });

  test('an instance of an app whose record cannot be read is kept', async () => {
    await world.put({ id: '/other' });
    await world.run();
    const [view] = world.views('/other');
    if (view === undefined) throw new Error('nothing runs');
    await world.store.commit([{ kind: 'put', key: `${KEY_ROOT}apps/web`, value: '{"broken' }]);
    const name = 'web.instance-33333333-3333-4333-8333-333333333333';
    const { record } = view.instance;
    const waiting = { ...record, metadata: { ...record.metadata, name }, spec: { ...record.spec, appId: '/web' } };
    await world.records.write([{ op: 'put', kind: 'Instance', path: `web/${name}`, record: waiting }]);
    await world.run(5_000);
    expect(world.views('/web').map(({ id }) => id)).toEqual([name]);
  });

  test('an emptied store: a new leader kills nothing', async () => {
    await world.put({ id: '/web', instances: 5 });
    await world.run();
    const keys = ['apps', 'instances', 'appversions'].flatMap((plural) =>
      [...world.records.collection('App').list(), ...world.records.collection('Instance').list()].map(
        ({ path }) => `${KEY_ROOT}${plural}/${path}`,
      ),
    );
    for (const key of keys) await world.store.commit([{ kind: 'delete', key }]);
    await world.lead();
    await world.run(120_000);
    expect(kills()).toBe(0);
  });

  test('an instance record that was lost is made anew from its task', async () => {
    await world.put({ id: '/web', instances: 2 });
    await world.run();
    const before = world.taskIds('/web').sort();
    const [lost] = world.views('/web');
    await world.store.commit([{ kind: 'delete', key: `${KEY_ROOT}instances/${lost?.instance.path}` }]);
    await world.run(70_000);
    expect(world.taskIds('/web').sort()).toEqual(before);
    expect(kills()).toBe(0);
  });

  test('a launch that was written late, for an instance that is gone, brings nothing back and is ended', async () => {
    await world.put({ id: '/web', instances: 1 });
    await world.run();
    const [view] = world.views('/web');
    if (view?.task === undefined) throw new Error('nothing runs');
    const taskId = 'web.instance-gone._app.1';
    const { record, path } = view.task;
    const status = { state: 'TASK_STAGING' as const, stagedAtMs: 0, history: [] };
    const late = { ...record, spec: { ...record.spec, taskId }, status };
    await world.records.write([{ op: 'put', kind: 'Task', path: `${path.split('/')[0]}/${taskId}`, record: late }]);
    await world.run(5_000);
    expect(world.views('/web').map(({ id }) => id)).toEqual([view.id]);
    expect(world.master.callsOf('KILL').map(({ kill }) => kill.task_id.value)).toEqual([taskId]);
  });

  test('an old store that wants fewer: the brake holds, says so, and lets go when released', async () => {
    await world.put({ id: '/web', instances: 20 });
    await world.run();
    const app = world.app('/web');
    if (app === undefined) throw new Error('no app');
    const old = { ...app.record, spec: { ...app.record.spec, instances: 5 } };
    await world.store.commit([{ kind: 'put', key: `${KEY_ROOT}apps/web`, value: JSON.stringify(old) }]);
    await world.lead();
    await world.run(600_000);
    expect(kills()).toBe(0);
    expect(world.events('KillBrakeEngaged')).toEqual([expect.stringContaining('15 instances')]);
    expect(world.metrics.read('berth_kill_brake_engaged')).toBe(15);

    const stored = world.app('/web');
    if (stored === undefined) throw new Error('no app');
    const annotations = { 'berth.dev/release-kill-brake': 'yes' };
    const released = { ...stored.record, metadata: { ...stored.record.metadata, annotations } };
    await world.records.write([{ op: 'put', kind: 'App', path: 'web', record: released }]);
    await world.run(1_000);
    expect(world.running('/web')).toHaveLength(5);
    await world.run(1_000);
    expect(world.app('/web')?.record.metadata.annotations).toEqual({});
    expect(world.metrics.read('berth_kill_brake_engaged')).toBe(0);
  });

  test('a few surplus ones go without being asked', async () => {
    await world.put({ id: '/web', instances: 2 });
    await world.run();
    const [view] = world.views('/web');
    const info = view?.task?.record.spec.info;
    if (info === undefined) throw new Error('no task');
    const taskId = 'web.instance-11111111-1111-4111-8111-111111111111._app.1';
    const stray = { ...taskRecord({ ...info, task_id: { value: taskId } }, world.clock.nowMs(), 'TASK_RUNNING') };
    await world.records.write([{ op: 'put', kind: 'Task', path: `a1/${taskId}`, record: stray }]);
    await world.run(1_000);
    expect(kills()).toBe(1);
    expect(world.running('/web')).toHaveLength(2);
  });

  test('a corrupt app record kills nothing', async () => {
    await world.put({ id: '/web', instances: 3 });
    await world.run();
    await world.store.commit([{ kind: 'put', key: `${KEY_ROOT}apps/web`, value: '{"kind":"App","spec":' }]);
    await world.run(1_000);
    await world.lead();
    await world.run(120_000);
    expect(kills()).toBe(0);
    expect(world.running('/web')).toHaveLength(3);
  });

  test('a corrupt instance record is neither killed nor replaced', async () => {
    await world.put({ id: '/web', instances: 3 });
    await world.run();
    const [view] = world.views('/web');
    await world.store.commit([{ kind: 'put', key: `${KEY_ROOT}instances/${view?.instance.path}`, value: 'garbage' }]);
    await world.run(120_000);
    expect(kills()).toBe(0);
    expect(world.master.launched()).toHaveLength(3);
  });
});
