import type { AgentEvent } from '../../src/core/ports/agent-link';
import type { AgentUpdate } from '../../src/core/ports/agent-link';
import { parseResources } from '../../src/core/records/resources';
import type { TaskInfo, TaskState } from '../../src/core/records/mesos';
import { StoredEventRecorder } from '../../src/core/records/event-recorder';
import { Master } from '../../src/master/master';
import { Orchestrator } from '../../src/orchestrator/orchestrator';
import { seededIds, seededRandom } from '../support/fakes';
import { LEADER_KEY, World } from './world';

/** An agent that starts and stops tasks at once and repeats what is not acknowledged only when told to. */
class QuickAgent {
  readonly running = new Map<string, TaskInfo>();
  readonly unacknowledged = new Map<string, AgentUpdate>();
  private counter = 0;
  private connection: ReturnType<Master['connectAgent']> | undefined;

  constructor(
    private readonly name: string,
    private readonly world: World,
  ) {}

  connect(master: Master): void {
    const agent = {
      id: this.name,
      hostname: this.name,
      port: 5051,
      resources: parseResources('cpus:8;mem:8192;disk:10000;ports:[31000-31999]'),
      attributes: [],
      containerizers: ['docker'],
      version: '0',
      runId: this.name,
    };
    const tasks = [...this.running.values()].map((info) => ({
      info,
      frameworkId: Orchestrator.frameworkId,
      state: 'TASK_RUNNING' as const,
    }));
    const sink = { send: (event: AgentEvent) => this.onEvent(event), close: () => undefined };
    this.connection = master.connectAgent({ agent, tasks }, sink);
  }

  update(info: TaskInfo, state: TaskState, message = ''): void {
    const uuid = Buffer.from(`${this.name}-${++this.counter}`.padEnd(16, ' ').slice(0, 16)).toString('base64');
    const status = {
      task_id: info.task_id,
      state,
      message,
      uuid,
      agent_id: { value: this.name },
      timestamp: this.world.clock.nowMs() / 1000,
    };
    const update = { frameworkId: Orchestrator.frameworkId, status, latestState: state };
    this.unacknowledged.set(uuid, update);
    this.connection?.receive({ type: 'UPDATE', agentId: this.name, update: { updates: [update] } });
  }

  private onEvent(event: AgentEvent): void {
    if (event.type === 'PING') this.connection?.receive({ type: 'PONG', agentId: this.name });
    if (event.type === 'LAUNCH') {
      for (const { info } of event.launch.tasks) {
        this.running.set(info.task_id.value, info);
        void Promise.resolve().then(() => this.update(info, 'TASK_RUNNING'));
      }
    }
    if (event.type === 'KILL') {
      const info = this.running.get(event.kill.taskId);
      this.running.delete(event.kill.taskId);
      if (info !== undefined) void Promise.resolve().then(() => this.update(info, 'TASK_KILLED'));
    }
    if (event.type === 'ACKNOWLEDGE')
      for (const { uuid } of event.acknowledge.updates) this.unacknowledged.delete(uuid);
  }
}

describe('orchestrator and master together', () => {
  let world: World;
  let master: Master;
  let agents: QuickAgent[];
  let terms = 0;

  /** Both roles of one term, as the composition root builds them. */
  const lead = async () => {
    world.term.abort();
    world.term = new AbortController();
    if (terms++ > 0) await world.store.commit([{ kind: 'delete', key: LEADER_KEY }]);
    const createRevision = await world.store.commit([{ kind: 'put', key: LEADER_KEY, value: '{}', expect: 0 }]);
    const fence = { key: LEADER_KEY, createRevision };
    const { records, clock, log, metrics } = world;
    const shared = { records, clock, log, metrics, random: seededRandom(terms), ids: seededIds(100 + terms) };
    const events = new StoredEventRecorder(records, clock, shared.ids, log, 'master');
    master = new Master({ ...shared, events, term: { fence, signal: world.term.signal } });
    master.start();
    const orchestrator = new Orchestrator({ ...shared, fence, signal: world.term.signal, driver: master });
    await orchestrator.start();
    for (const agent of agents) agent.connect(master);
    await world.run(100);
  };

  beforeEach(async () => {
    terms = 0;
    world = new World();
    await world.startRecords();
    agents = [new QuickAgent('a1', world), new QuickAgent('a2', world)];
    await lead();
  });
  afterEach(() => world.end());

  const running = () => agents.flatMap((agent) => [...agent.running.keys()]);

  test('deploy, scale, roll, delete', async () => {
    await world.put({ id: '/web', instances: 4 });
    await world.run(500);
    expect(running()).toHaveLength(4);
    expect(world.running('/web')).toHaveLength(4);
    await world.put({ id: '/web', instances: 7 });
    await world.run(500);
    expect(running()).toHaveLength(7);
    const before = running();
    await world.put({ id: '/web', instances: 3, labels: { v: '2' } });
    await world.run(2_000);
    expect(world.rollouts()).toEqual([]);
    expect(running()).toHaveLength(3);
    expect(running().filter((id) => before.includes(id))).toEqual([]);
    await world.groups.apply([{ kind: 'delete', id: '/web' }]);
    await world.run(2_000);
    expect(running()).toEqual([]);
    expect(world.app('/web')).toBeUndefined();
    expect(world.records.collection('Task').size).toBe(0);
    expect(agents.flatMap(({ unacknowledged }) => [...unacknowledged.values()])).toEqual([]);
  });

  test('a submitted app is launched within a few milliseconds', async () => {
    await world.put({ id: '/web' });
    const from = world.clock.monotonicMs();
    await world.until(() => running().length === 1, 1_000);
    expect(world.clock.monotonicMs() - from).toBeLessThanOrEqual(10);
  });

  test('a dead task is replaced, and its end acknowledged', async () => {
    await world.put({ id: '/web', backoffSeconds: 2 });
    await world.run(500);
    const [agent] = agents.filter(({ running: tasks }) => tasks.size > 0);
    const [info] = agent?.running.values() ?? [];
    if (agent === undefined || info === undefined) throw new Error('nothing runs');
    agent.running.delete(info.task_id.value);
    agent.update(info, 'TASK_FAILED', 'exit code 1');
    await world.run(1_000);
    expect(running()).toEqual([]);
    expect(agent.unacknowledged.size).toBe(0);
    await world.run(3_000);
    expect(running()).toEqual([info.task_id.value.replace('_app.1', '_app.2')]);
  });

  test('a new leader leaves running tasks alone and goes on', async () => {
    await world.put({ id: '/web', instances: 4 });
    await world.run(500);
    const before = running().sort();
    await lead();
    await world.run(120_000);
    expect(running().sort()).toEqual(before);
    await world.put({ id: '/other' });
    await world.run(500);
    expect(running()).toHaveLength(5);
  });

  test('many apps at once', async () => {
    await Promise.all(Array.from({ length: 40 }, (_, at) => world.put({ id: `/app${at}`, cpus: 0.1, mem: 16 })));
    await world.run(2_000);
    expect(running()).toHaveLength(40);
    expect(world.rollouts()).toEqual([]);
  });
});
