import { waitFor } from '../support/wait';
import { startWorld, webApp, type World } from './world';

let world: World;
beforeAll(async () => {
  world = await startWorld({ servers: 2, serverFlags: ['--leader-ttl=2secs'] });
}, 120_000);
afterAll(async () => world.stop(), 120_000);

/** Runs `crash` with a healthy app up; its containers must be the same ones afterwards and the cluster must work. */
async function survives(id: string, crash: () => Promise<void>): Promise<void> {
  await world.cluster.marathon.ok('POST', '/v2/apps', webApp(id, { instances: 2 }));
  await world.cluster.marathon.settled(id, 2);
  const before = await world.containers();

  await crash();

  await waitFor('the app to be healthy again', async () => (await world.cluster.marathon.app(id)).tasksHealthy === 2);
  expect(await world.containers()).toEqual(before);
  await world.cluster.marathon.ok('PUT', `/v2/apps${id}`, { instances: 3 });
  const after = await world.cluster.marathon.settled(id, 3);
  const running = await world.containers();
  expect([...before.keys()].every((taskId) => running.has(taskId))).toBe(true);
  expect(after.lastTaskFailure).toBeUndefined();
  await world.cluster.marathon.ok('DELETE', `/v2/apps${id}`);
  await world.cluster.marathon.gone(id);
}

test('kill -9 of the leader: the other takes over, containers are untouched, a new app starts', async () => {
  await survives('/leader', async () => {
    const leader = await world.cluster.leader();
    await leader.process.kill('SIGKILL');
    await world.cluster.marathon.ok('POST', '/v2/apps', webApp('/new'));
    await world.cluster.marathon.settled('/new', 1);
    await world.cluster.marathon.ok('DELETE', '/v2/apps/new');
    await world.cluster.marathon.gone('/new');
    await leader.restart();
  });
}, 180_000);

test('SIGTERM of the leader hands over', async () => {
  await survives('/handover', async () => {
    const leader = await world.cluster.leader();
    await leader.process.kill('SIGTERM');
    const next = await world.cluster.leader();
    expect(next.index).not.toBe(leader.index);
    await leader.restart();
  });
}, 180_000);

test('kill -9 of the agent and restart: the same containers', async () => {
  await survives('/agent', async () => {
    await world.cluster.agents[0]?.restart();
    await waitFor('the agent to be active', async () => (await world.cluster.activeAgents()) === 1);
  });
}, 180_000);

test('kill -9 of dockerd (live-restore on) and restart: the same containers', async () => {
  await survives('/dockerd', async () => {
    await world.engine.kill9();
    await world.engine.restart();
  });
}, 180_000);

test('kill -9 of etcd and restart: the same containers, nobody is declared lost', async () => {
  await survives('/etcd', async () => {
    await world.etcd.kill('SIGKILL');
    const refused = await world.cluster.marathon.call('PUT', '/v2/apps/etcd', { instances: 2 });
    expect(refused.status).toBe(503);
    await world.etcd.restart();
    await waitFor('writes to be taken again', async () => {
      const { status } = await world.cluster.marathon.call('PUT', '/v2/apps/etcd?force=true', { labels: {} });
      return status === 200;
    });
  });
}, 180_000);

test('a task that ends while the agent is away is told with its exit code afterwards', async () => {
  const { marathon } = world.cluster;
  await marathon.ok(
    'POST',
    '/v2/apps',
    webApp('/away', { healthChecks: [], cmd: 'while [ ! -e /tmp/end ]; do sleep 0.1; done; exit 7' }),
  );
  const task = (await marathon.settled('/away', 1)).tasks[0];
  const agent = world.cluster.agents[0];
  if (agent === undefined || task === undefined) throw new Error('nothing runs');
  await agent.process.kill('SIGKILL');
  const container = world.docker.getContainer((await world.containers()).get(task.id) ?? '');
  const exec = await container.exec({ Cmd: ['touch', '/tmp/end'] });
  await exec.start({ Detach: true });
  await container.wait();
  await agent.restart();
  const failure = await waitFor('the failure', async () => (await marathon.app('/away')).lastTaskFailure);
  expect(failure).toMatchObject({ taskId: task.id, state: 'TASK_FAILED' });
  expect(failure.message).toContain('7');
  await marathon.ok('DELETE', '/v2/apps/away');
  await marathon.gone('/away');
}, 120_000);
