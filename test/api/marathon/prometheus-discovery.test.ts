import type { TaskInfo } from '../../../src/core/records/mesos';
import { agentSchema, taskSchema, type Agent, type Task } from '../../../src/core/records/records';
import { parseResources } from '../../../src/core/records/resources';
import { openWorld, type World } from './world';

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());

const metadata = (name: string) => ({ name, uid: name, creationTimestamp: '2024-01-01T00:00:00Z', generation: 1 });

async function addAgent(id: string, hostname: string, state: Agent['status']['state'] = 'active'): Promise<void> {
  const attributes = [{ name: 'rack-id', type: 'TEXT', text: { value: 'r1' } }];
  const spec = { hostname, port: 5051, resources: [], attributes };
  const status = { state, registeredAt: '2024-01-01T00:00:00Z' };
  const record = agentSchema.parse({ kind: 'Agent', metadata: metadata(id), spec, status });
  await world.records.write([{ op: 'put', kind: 'Agent', path: id, record }]);
}

async function addTask(
  taskId: string,
  info: Partial<TaskInfo>,
  { state = 'TASK_RUNNING', agentId = 'a1' }: { state?: Task['status']['state']; agentId?: string } = {},
): Promise<void> {
  const spec = {
    taskId,
    agentId,
    frameworkId: 'F',
    role: '*',
    info: {
      name: 'web.prod',
      task_id: { value: taskId },
      agent_id: { value: agentId },
      resources: parseResources('cpus:1;ports:[31000-31001]'),
      ...info,
    },
  };
  const latest = {
    task_id: { value: taskId },
    state,
    container_status: { network_infos: [{ ip_addresses: [{ ip_address: '10.0.0.9' }] }] },
  };
  const record = taskSchema.parse({
    kind: 'Task',
    metadata: metadata(taskId),
    spec,
    status: { state, latest, stagedAtMs: 1 },
  });
  await world.records.write([{ op: 'put', kind: 'Task', path: `${agentId}/${taskId}`, record }]);
}

const targets = async (query = '') => {
  const { status, headers, body } = await world.ask('GET', `/v1/sd/prometheus${query}`);
  expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
  return body as { targets: string[]; labels: Record<string, string> }[];
};

test('servers and agents, without those that are gone', async () => {
  await addAgent('a1', 'node1');
  await addAgent('a2', '2001:db8::2', 'unreachable');
  await addAgent('a3', 'node3', 'gone');
  expect(await targets()).toEqual([
    {
      targets: [world.url.replace('http://', '')],
      labels: { __scheme__: 'http', __meta_berth_kind: 'server', __meta_berth_hostname: expect.any(String) as string },
    },
    {
      targets: ['node1:5051'],
      labels: {
        __meta_berth_kind: 'agent',
        __meta_berth_hostname: 'node1',
        __meta_berth_agent_id: 'a1',
        __meta_berth_agent_state: 'active',
        __meta_berth_agent_attribute_rack_id: 'r1',
      },
    },
    expect.objectContaining({ targets: ['[2001:db8::2]:5051'] }),
  ]);
});

test('ports of running tasks, by name and index, with the labels of the app', async () => {
  await addAgent('a1', 'node1');
  const variables = [{ name: 'MARATHON_APP_ID', value: '/prod/web' }];
  await addTask('t1', {
    command: { environment: { variables } },
    labels: { labels: [{ key: 'prometheus.io/scrape', value: 'true' }, { key: 'bare' }] },
    discovery: {
      ports: {
        ports: [
          { number: 31_001, name: 'http', protocol: 'tcp' },
          { number: 31_000, name: 'dns', protocol: 'udp' },
          { number: 9_000, name: 'admin' },
        ],
      },
    },
  });
  const labels = {
    app: '/prod/web',
    task_id: 't1',
    agent: 'node1',
    __meta_berth_kind: 'app',
    __meta_berth_framework_id: 'F',
    __meta_berth_image: '',
    __meta_berth_app_label_prometheus_io_scrape: 'true',
    __meta_berth_app_label_bare: '',
  };
  expect(await targets('?kind=app')).toEqual([
    {
      targets: ['node1:31001'],
      labels: {
        ...labels,
        __meta_berth_port_index: '0',
        __meta_berth_port_name: 'http',
        __meta_berth_port_chosen: 'true',
      },
    },
    // Not a port of the agent: it is one of the task's own network.
    {
      targets: ['10.0.0.9:9000'],
      labels: {
        ...labels,
        __meta_berth_port_index: '2',
        __meta_berth_port_name: 'admin',
        __meta_berth_port_chosen: 'false',
      },
    },
  ]);
});

test.each([
  [undefined, ['true', 'false']],
  ['0', ['true', 'false']],
  ['1', ['false', 'true']],
  ['admin', ['false', 'true']],
  ['nobody', ['false', 'false']],
])('the app asks for port %s', async (wish, chosen) => {
  await addAgent('a1', 'node1');
  const labels = wish === undefined ? [] : [{ key: 'prometheus.io/port', value: wish }];
  const ports = [
    { number: 31_000, name: 'http' },
    { number: 31_001, name: 'admin' },
  ];
  await addTask('t1', { labels: { labels }, discovery: { ports: { ports } } });
  const found = await targets('?kind=app');
  expect(found.map((group) => group.labels['__meta_berth_port_chosen'])).toEqual(chosen);
});

test('a task of another framework is known by its name and the ports it was given', async () => {
  await addAgent('a1', 'node1');
  await addTask('t1', {});
  const found = await targets('?kind=app');
  expect(found.map((group) => group.targets)).toEqual([['node1:31000'], ['node1:31001']]);
  expect(found[0]?.labels['app']).toBe('web.prod');
});

test('tasks that do not run, and those of unknown agents, are no targets', async () => {
  await addAgent('a1', 'node1');
  await addTask('t1', {}, { state: 'TASK_STAGING' });
  await addTask('t2', {}, { state: 'TASK_FAILED' });
  await addTask('t3', {}, { agentId: 'a9' });
  expect(await targets('?kind=app')).toEqual([]);
});

test.each([
  ['?kind=server', ['server']],
  ['?kind=server,agent', ['server', 'agent']],
  ['?kind=agent&kind=server', ['server', 'agent']],
  ['?kind=', ['server', 'agent', 'app', 'app']],
])('%s', async (query, kinds) => {
  await addAgent('a1', 'node1');
  await addTask('t1', {});
  expect((await targets(query)).map(({ labels }) => labels['__meta_berth_kind'])).toEqual(kinds);
});

test('a kind that does not exist is refused', async () => {
  const { status, body } = await world.ask('GET', '/v1/sd/prometheus?kind=pod');
  expect(status).toBe(400);
  expect(body).toEqual({ message: "kind is one of server, agent, app, not 'pod'" });
});
