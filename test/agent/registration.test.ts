import { LIMITS } from '../../src/core/limits';
import { shellTask } from './builders';
import { FakeWorld } from './fake-world';

test('registers without an id, keeps the one it is given and comes back with it', async () => {
  const world = await FakeWorld.started({ resources: [], hostname: 'node7' });
  expect(world.master.subscriptions[0]?.agent).toMatchObject({ hostname: 'node7', containerizers: ['docker'] });
  expect(world.master.subscriptions[0]?.agent.id).toBeUndefined();
  expect(world.checkpoints.documents.get('agent')).toContain('S1');
  world.master.hangUp();
  await world.run(LIMITS.retryFirstMs);
  expect(world.master.subscriptions[1]?.agent.id).toBe('S1');
  expect(world.master.subscriptions[1]?.agent.runId).toBe(world.master.subscriptions[0]?.agent.runId);
});

test('backs off while nobody leads and says why', async () => {
  const world = new FakeWorld();
  world.master.away = true;
  await world.start();
  expect(world.agent.status()).toMatchObject({ state: 'connecting', reason: expect.stringContaining('nobody leads') });
  await world.run(60_000);
  world.master.away = false;
  await world.run(LIMITS.retryLastMs);
  expect(world.agent.status().state).toBe('registered');
});

test('answers pings; without them it looks for the leader anew', async () => {
  const world = new FakeWorld();
  world.master.pingTimeoutMs = 5_000;
  await world.start();
  world.master.tell({ type: 'PING' });
  await world.run(4_000);
  expect(world.master.pongs).toEqual(['S1']);
  world.master.tell({ type: 'PING' });
  await world.run(4_000);
  expect(world.master.subscriptions).toHaveLength(1);
  await world.run(1_000 + LIMITS.retryFirstMs);
  expect(world.master.subscriptions).toHaveLength(2);
});

test('silent for a third of its time, and another server leads: it goes there at once', async () => {
  const world = new FakeWorld();
  world.master.pingTimeoutMs = 9_000;
  await world.start();
  world.master.otherLeads = true;
  await world.run(2_900);
  world.master.tell({ type: 'PING' });
  await world.run(2_900);
  expect(world.master.subscriptions).toHaveLength(1);
  await world.run(200 + LIMITS.retryFirstMs);
  expect(world.master.subscriptions.length).toBeGreaterThan(1);
});

test('silent for a third of its time, and nobody else leads yet: it is waited for', async () => {
  const world = new FakeWorld();
  world.master.pingTimeoutMs = 9_000;
  await world.start();
  await world.run(4_000);
  expect(world.master.subscriptions).toHaveLength(1);
  world.master.otherLeads = true;
  await world.run(400);
  expect(world.master.subscriptions).toHaveLength(1);
  await world.run(200 + LIMITS.retryFirstMs);
  expect(world.master.subscriptions.length).toBeGreaterThan(1);
});

test('an attempt that nobody answers is ended before the next one, which has a higher number', async () => {
  const world = new FakeWorld();
  world.master.silent = true;
  await world.start();
  await world.run(15_000 + LIMITS.retryFirstMs);
  expect(world.master.subscriptions.map(({ attempt }) => attempt)).toEqual([1, 2]);
  expect(world.master.abandoned).toBe(1);
});

test('names its tasks: live ones and ended ones that nobody has acknowledged', async () => {
  const world = await FakeWorld.started();
  world.master.launch(shellTask('live', 'x'), shellTask('known', 'x'), shellTask('untold', 'x'));
  await world.run();
  world.driver.exit('known');
  await world.run();
  world.master.acknowledges = false;
  world.driver.exit('untold', { exitCode: 3 });
  await world.run();
  world.master.hangUp();
  await world.run(LIMITS.retryFirstMs);
  const tasks = world.master.subscriptions.at(-1)?.tasks.map((task) => [task.info.task_id.value, task.state]);
  expect(tasks).toEqual([
    ['live', 'TASK_RUNNING'],
    ['untold', 'TASK_FAILED'],
  ]);
  // What was acknowledged goes along, for a master that has lost it; what was not is told anyway.
  const latest = world.master.subscriptions.at(-1)?.tasks.map((task) => task.latest?.state);
  expect(latest).toEqual(['TASK_RUNNING', undefined]);
});

test('tasks go on while the master is away and updates arrive afterwards, in order', async () => {
  const world = await FakeWorld.started();
  world.master.launch(shellTask('t', 'x'));
  await world.run();
  world.master.away = true;
  world.master.hangUp();
  world.driver.exit('t', { exitCode: 1 });
  await world.run(30_000);
  expect(world.master.states('t')).toEqual(['TASK_STARTING', 'TASK_RUNNING']);
  world.master.away = false;
  await world.run(LIMITS.retryLastMs);
  expect(world.master.states('t')).toEqual(['TASK_STARTING', 'TASK_RUNNING', 'TASK_FAILED']);
});

test('sent away by the master it ends its session and leaves the tasks alone', async () => {
  const world = await FakeWorld.started();
  world.master.launch(shellTask('t', 'x'));
  await world.run();
  world.master.tell({ type: 'SHUTDOWN', shutdown: { message: 'this agent was marked gone' } });
  await world.run(60_000);
  expect(world.agent.status()).toMatchObject({ state: 'shutdown', reason: 'this agent was marked gone' });
  expect(world.master.subscriptions).toHaveLength(1);
  expect(world.driver.containers.get('t')?.phase).toBe('running');
});

test('metrics count live tasks and forget ended ones', async () => {
  const world = await FakeWorld.started();
  world.master.launch(shellTask('t', 'x'));
  await world.run();
  await world.agent.usage();
  const series = { app: 't', task_id: 't', framework_id: 'F1' };
  expect(world.metrics.read('berth_task_cpu_seconds_total', series)).toBe(1.5);
  expect(world.metrics.read('berth_task_cpu_seconds_total', series)).toBe(1.5); // not added up
  expect(world.metrics.read('berth_task_memory_working_set_bytes', series)).toBe(1_000);
  expect(world.metrics.read('berth_task_network_receive_bytes_total', series)).toBeUndefined();
  expect(world.metrics.read('berth_agent_tasks', { state: 'TASK_RUNNING' })).toBe(1);
  expect(world.metrics.read('berth_agent_registered')).toBe(1);
  world.driver.exit('t');
  await world.run();
  world.metrics.read('berth_agent_registered');
  expect([...world.metrics.values.keys()].filter((name) => name.includes('task_id'))).toEqual([]);
  expect(world.metrics.read('berth_agent_tasks', { state: 'TASK_RUNNING' })).toBe(0);
});

test('metrics name the app of a task, and what the agent has and has given', async () => {
  const resources = [
    { name: 'cpus', type: 'SCALAR' as const, scalar: { value: 4 } },
    { name: 'mem', type: 'SCALAR' as const, scalar: { value: 1_024 } },
  ];
  const world = await FakeWorld.started({ resources });
  const info = shellTask('t', 'x');
  const variables = [{ name: 'MARATHON_APP_ID', value: '/prod/web' }];
  world.master.launch({ ...info, command: { ...info.command, environment: { variables } } });
  await world.run();
  const series = { app: '/prod/web', task_id: 't', framework_id: 'F1' };
  expect(world.metrics.read('berth_task_cpus_requested', series)).toBe(0.1);
  expect(world.metrics.read('berth_agent_resources_allocated', { resource: 'cpus' })).toBe(0.1);
  expect(world.metrics.read('berth_agent_resources_capacity', { resource: 'cpus' })).toBe(4);
  expect(world.metrics.read('berth_agent_resources_allocated', { resource: 'mem' })).toBe(32 * 1024 * 1024);
  expect(world.metrics.read('berth_agent_resources_capacity', { resource: 'mem' })).toBe(1024 ** 3);
  const { agentId = '' } = world.agent.status();
  const identity = { agent_id: agentId, hostname: world.agent.info.hostname };
  expect(world.metrics.read('berth_agent_info', identity)).toBe(1);
});

test('an agent that cannot read its own disk registers nowhere and says that it gave up', async () => {
  const world = new FakeWorld();
  world.checkpoints.unreadable = true;
  await world.start();
  await world.run(60_000);
  expect(world.gaveUp).toEqual(['EIO: i/o error']);
  expect(world.agent.status()).toMatchObject({ state: 'stopped', reason: 'EIO: i/o error' });
  expect(world.master.subscriptions).toEqual([]);
});

test('an agent that is stopped has not given up', async () => {
  const world = await FakeWorld.started();
  await world.agent.stop();
  await world.run(60_000);
  expect(world.gaveUp).toEqual([]);
});
