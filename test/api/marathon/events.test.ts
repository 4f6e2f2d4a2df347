import { waitFor } from '../../support/wait';
import { advanced, agent, instance, task } from './builders';
import { EventClient } from './event-client';
import { openWorld, type World } from './world';

const ID = 'web.instance-11111111-1111-4111-8111-111111111111';
const TASK = `${ID}._app.1`;

let world: World;
const clients: EventClient[] = [];
beforeEach(async () => {
  world = await openWorld();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await world.close();
});

async function listenTo(url = world.url, query = ''): Promise<EventClient> {
  const client = await EventClient.open(url, query);
  clients.push(client);
  return client;
}

async function createWeb(more: object = {}) {
  const { body, headers } = await world.ask('POST', '/v2/apps', { id: '/web', cmd: 'sleep 1000', ...more });
  const rollout = world.records.collection('Rollout').get(headers.get('marathon-deployment-id') ?? '')?.record;
  if (rollout === undefined) throw new Error('no rollout');
  return { version: (body as { version: string }).version, rollout };
}

describe('/v2/events', () => {
  test.each([
    [undefined, 405],
    ['*/*', 405],
    ['application/json', 405],
    ['text/event-stream', 200],
    ['text/html, text/event-stream;q=0.9', 200],
  ])('Accept: %s is %i', async (accept, status) => {
    const abort = new AbortController();
    const answer = await fetch(`${world.url}/v2/events`, {
      headers: accept === undefined ? {} : { accept },
      signal: abort.signal,
    });
    expect(answer.status).toBe(status);
    if (status === 200) expect(answer.headers.get('content-type')).toBe('text/event-stream;charset=utf-8');
    abort.abort();
  });

  test('HEAD opens no stream', async () => {
    const { status } = await world.ask('HEAD', '/v2/events', undefined, { accept: 'text/event-stream' });
    expect([status, world.streams.size]).toEqual([200, 0]);
  });

  test('the first event is the attachment itself; others hear of it and of its end', async () => {
    const first = await listenTo();
    await first.seen('event_stream_attached');
    const second = await listenTo();
    await second.seen('event_stream_attached');
    await first.seen('event_stream_attached', 2);
    second.close();
    await first.seen('event_stream_detached');
    expect(second.types).toEqual(['event_stream_attached']);
    expect(first.types).toEqual(['event_stream_attached', 'event_stream_attached', 'event_stream_detached']);
    expect(first.events[0]).toEqual({
      eventType: 'event_stream_attached',
      remoteAddress: '127.0.0.1',
      timestamp: expect.stringMatching(/Z$/) as string,
    });
  });

  test('the story of a deployment, in order', async () => {
    const client = await listenTo();
    const { version, rollout } = await createWeb({ healthChecks: [{ protocol: 'TCP' }] });
    await client.seen('group_change_success');
    await world.records.write([advanced(rollout, { currentStep: 1, state: 'Running' })]);
    await world.records.write([advanced(rollout, { currentStep: 2, state: 'Running' })]);
    await world.records.write([agent('a1', 'node-1'), instance(ID, version)]);
    await world.records.write([task(ID, { state: 'TASK_STAGING', message: 'on its way' })]);
    await world.records.write([task(ID)]);
    await world.records.write([advanced(rollout, { currentStep: 2, state: 'Succeeded' })]);
    await client.seen('deployment_success');
    expect(client.types).toEqual([
      'event_stream_attached',
      'api_post_event',
      'add_health_check_event',
      'group_change_success',
      'deployment_info',
      'deployment_step_success',
      'deployment_info',
      'instance_changed_event',
      'status_update_event',
      'instance_changed_event',
      'status_update_event',
      'instance_changed_event',
      'deployment_step_success',
      'deployment_success',
    ]);
    const [, posted, , changed, info] = client.events;
    expect(posted).toMatchObject({ uri: '/v2/apps/web', appDefinition: { id: '/web', cmd: 'sleep 1000', version } });
    expect(changed).toMatchObject({ groupId: '/', version });
    expect(info).toMatchObject({
      currentStep: { actions: [{ action: 'StartApplication', app: '/web' }] },
      plan: {
        id: rollout.metadata.name,
        version,
        original: { id: '/', apps: [] },
        target: { id: '/', apps: [{ id: '/web' }] },
      },
    });
    const status = client.events.filter(({ eventType }) => eventType === 'status_update_event');
    expect(status).toMatchObject([
      { taskStatus: 'TASK_STAGING', message: 'on its way' },
      {
        taskStatus: 'TASK_RUNNING',
        slaveId: 'a1',
        taskId: TASK,
        appId: '/web',
        host: 'node-1',
        ports: [31000],
        ipAddresses: [{ ipAddress: '172.17.0.2', protocol: 'IPv4' }],
        version,
      },
    ]);
    const conditions = client.events.filter(({ eventType }) => eventType === 'instance_changed_event');
    expect(conditions.map(({ condition }) => condition)).toEqual(['Scheduled', 'Staging', 'Running']);
    expect(conditions[2]).toMatchObject({ instanceId: ID, runSpecId: '/web', runSpecVersion: version, agentId: 'a1' });
  });

  test('steps that a watch did not see one by one are told one by one', async () => {
    const { rollout } = await createWeb();
    const client = await listenTo();
    await world.records.write([advanced(rollout, { currentStep: 2, state: 'Succeeded' })]);
    await client.seen('deployment_success');
    expect(client.types.slice(1)).toEqual([
      'deployment_info',
      'deployment_step_success',
      'deployment_info',
      'deployment_step_success',
      'deployment_success',
    ]);
  });

  test('a change that changes nothing is a deployment that ends at once', async () => {
    const { rollout } = await createWeb();
    await world.records.write([advanced(rollout, { currentStep: 2, state: 'Succeeded' })]);
    const client = await listenTo();
    await world.ask('PUT', '/v2/apps/web', { instances: 1 });
    await client.seen('deployment_success');
    expect(client.types.slice(1)).toEqual(['group_change_success', 'deployment_success']);
  });

  test('a forced change fails the deployment before it', async () => {
    const { rollout } = await createWeb();
    const client = await listenTo();
    await world.ask('PUT', '/v2/apps/web?force=true', { instances: 2 });
    expect(await client.seen('deployment_failed')).toMatchObject({
      id: rollout.metadata.name,
      reason: expect.stringContaining('replaced by rollout') as string,
    });
  });

  test('the end of an app', async () => {
    const client = await listenTo();
    await createWeb();
    await world.records.write([{ op: 'delete', kind: 'App', path: 'web' }]);
    expect(await client.seen('app_terminated_event')).toMatchObject({ appId: '/web' });
  });

  test('health that changes, and the kill it leads to', async () => {
    const { version } = await createWeb({ healthChecks: [{ protocol: 'TCP' }] });
    await world.records.write([agent('a1', 'node-1'), instance(ID, version), task(ID, { checks: 1 })]);
    const client = await listenTo();
    const sick = { alive: false, consecutiveFailures: 3, lastFailureCause: 'connection refused' };
    await world.records.write([task(ID, { checks: 1, health: [{ alive: true, consecutiveFailures: 0 }] })]);
    await world.records.write([task(ID, { checks: 1, health: [sick] })]);
    await world.records.write([task(ID, { checks: 1, health: [sick], killRequested: true })]);
    await client.seen('unhealthy_instance_kill_event');
    await client.seen('instance_changed_event');
    expect(client.events.slice(1).map(({ eventType, alive, healthy }) => [eventType, alive ?? healthy])).toEqual([
      ['health_status_changed_event', true],
      ['instance_health_changed_event', true],
      ['failed_health_check_event', undefined],
      ['health_status_changed_event', false],
      ['instance_health_changed_event', false],
      ['unhealthy_instance_kill_event', undefined],
      ['instance_changed_event', undefined],
    ]);
    expect(await client.seen('failed_health_check_event')).toMatchObject({
      taskId: ID,
      healthCheck: { protocol: 'TCP' },
    });
    expect(await client.seen('unhealthy_instance_kill_event')).toMatchObject({
      taskId: TASK,
      reason: 'connection refused',
      host: 'node-1',
    });
  });

  test('a kill that a user wanted is not told as an unhealthy one', async () => {
    const { version } = await createWeb();
    const sick = [{ alive: false, consecutiveFailures: 3 }];
    await world.records.write([agent('a1', 'node-1'), instance(ID, version), task(ID, { checks: 1, health: sick })]);
    const client = await listenTo();
    await world.ask('DELETE', `/v2/apps/web/tasks/${TASK}`);
    await world.records.write([task(ID, { checks: 1, health: sick, killRequested: true })]);
    await client.seen('instance_changed_event');
    expect(client.types).toEqual(['event_stream_attached', 'instance_changed_event']);
  });

  test('only the types asked for', async () => {
    const client = await listenTo(world.url, '?event_type=api_post_event&event_type=app_terminated_event');
    const all = await listenTo();
    await createWeb();
    await world.records.write([{ op: 'delete', kind: 'App', path: 'web' }]);
    await all.seen('app_terminated_event');
    await client.seen('app_terminated_event');
    expect(client.types).toEqual(['api_post_event', 'app_terminated_event']);
  });

  test('plan-format=light leaves the groups out', async () => {
    const { rollout } = await createWeb();
    const client = await listenTo(world.url, '?plan-format=light');
    await world.records.write([advanced(rollout, { currentStep: 1, state: 'Running' })]);
    const { plan } = await client.seen('deployment_info');
    expect(Object.keys(plan as object).sort()).toEqual(['id', 'steps', 'version']);
  });

  test('every replica tells the same', async () => {
    const other = await world.replica();
    const [here, there] = [await listenTo(), await listenTo(other.url)];
    const { rollout } = await createWeb();
    await world.records.write([advanced(rollout, { currentStep: 2, state: 'Succeeded' })]);
    await here.seen('deployment_success');
    await there.seen('deployment_success');
    expect(there.types).toEqual(here.types);
  });

  test('tasks of other frameworks are none of its business', async () => {
    const client = await listenTo();
    const write = task(ID);
    if (write.op !== 'put' || write.kind !== 'Task') throw new Error('no task');
    const record = { ...write.record, spec: { ...write.record.spec, taskId: 'spark-1' } };
    await world.records.write([{ op: 'put', kind: 'Task', path: 'a1/spark-1', record }]);
    await createWeb();
    await client.seen('group_change_success');
    expect(client.types).not.toContain('status_update_event');
  });

  test('streams end when the server closes them', async () => {
    const client = await listenTo();
    await client.seen('event_stream_attached');
    world.streams.closeAll();
    await waitFor('no stream to be open', () => world.streams.size === 0);
  });
});
