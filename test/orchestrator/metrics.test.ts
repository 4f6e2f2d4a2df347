import { World } from './world';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.end());

const read = (name: string, labels = {}) => world.metrics.read(`berth_${name}`, { app: '/web', ...labels });
const ofApps = () => [...world.metrics.values.keys()].filter((name) => /berth_(app|launch_queue)_/.test(name));

test('an app is told of from its start to its end', async () => {
  await world.start([{ id: 'a1' }]);
  await world.put({ id: '/web', instances: 2, container: { docker: { image: 'web:1' } } });
  await world.run();
  expect(read('app_info', { role: '*', image: 'web:1' })).toBe(1);
  expect(read('app_instances_desired')).toBe(2);
  await world.run(1_000);
  expect(read('app_instances_running')).toBe(2);
  expect(read('app_instances_staged')).toBe(0);
  expect(read('app_instances_unhealthy')).toBe(0);
  expect(read('launch_queue_length')).toBe(0);
  expect(read('app_task_failures_total')).toBe(0);
  expect(read('app_rollout_age_seconds')).toBeUndefined();

  await world.groups.apply([{ kind: 'delete', id: '/web' }], {});
  await world.run(10_000);
  expect(world.app('/web')).toBeUndefined();
  read('app_info');
  expect(ofApps()).toEqual([]);
});

test.each(['TASK_FAILED', 'TASK_FINISHED'] as const)('%s counts as a run that should have gone on', async (state) => {
  await world.start([{ id: 'a1' }]);
  await world.put({ id: '/web', backoffSeconds: 60 });
  await world.run();
  await world.master.update(world.taskIds('/web')[0] ?? '', state, {});
  await world.run(1_000);
  expect(read('app_task_failures_total')).toBe(1);
  expect(read('app_task_failures_total')).toBe(1); // a scrape adds nothing
  expect(read('app_delay_seconds')).toBeGreaterThan(50);
  expect(read('launch_queue_length')).toBe(1);
});

test('a kill that was asked for is no failure', async () => {
  await world.start([{ id: 'a1' }]);
  await world.put({ id: '/web', instances: 2 });
  await world.run();
  await world.put({ id: '/web', instances: 1 });
  await world.run(10_000);
  expect(world.running('/web')).toHaveLength(1);
  expect(read('app_task_failures_total')).toBe(0);
});

test('an app that waits says for how many agents which reason holds, and how old its rollout is', async () => {
  await world.start([{ id: 'a1' }, { id: 'a2' }]);
  await world.put({ id: '/web', cpus: 1_000 });
  await world.run(30_000);
  expect(read('launch_queue_refusals', { reason: 'InsufficientCpus' })).toBe(2);
  const ageSeconds = read('app_rollout_age_seconds') ?? 0;
  expect(ageSeconds).toBeGreaterThanOrEqual(29);
  await world.put({ id: '/web', cpus: 0.1 }, true);
  await world.run(10_000);
  expect(read('launch_queue_refusals', { reason: 'InsufficientCpus' })).toBeUndefined();
  expect(read('app_rollout_age_seconds')).toBeUndefined();
});

test('a former leader shows nothing of the cluster', async () => {
  await world.start([{ id: 'a1' }]);
  await world.put({ id: '/web' });
  await world.run(1_000);
  expect(read('app_instances_running')).toBe(1);
  world.term.abort();
  await world.run(1_000);
  read('app_info');
  expect(ofApps()).toEqual([]);
  for (const name of ['rollouts_active', 'orphaned_tasks', 'kill_brake_engaged'])
    expect(world.metrics.read(`berth_${name}`)).toBeUndefined();
});
