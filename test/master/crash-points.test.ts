import type { Master } from '../../src/master/master';
import type { Offer } from '../../src/core/records/mesos';
import { MasterWorld, ScriptedAgent, ScriptedFramework } from './world';

describe('crash points of the master', () => {
  test('each lies on the way of a task: launch, run, kill, end, silence of its agent', async () => {
    const world = new MasterWorld();
    await world.start();
    const master = await world.lead();
    const framework = await new ScriptedFramework().subscribe(master);
    const agents = ['host-1', 'host-2', 'host-3'].map((name) => new ScriptedAgent(name).connect(master));
    await world.clock.run(100);
    const [first] = agents;
    const offer = framework.offers.find(({ hostname }) => hostname === 'host-1');
    if (first === undefined || offer === undefined) throw new Error('nothing was offered');
    await framework.accept(offer, ['t']);
    first.update('f1', 't', 'TASK_RUNNING');
    await framework.call({ type: 'KILL', kill: { task_id: { value: 't' }, agent_id: offer.agent_id } });
    await world.clock.run(50);
    const uuid = first.update('f1', 't', 'TASK_KILLED');
    await world.clock.run(50);
    await framework.call({
      type: 'ACKNOWLEDGE',
      acknowledge: { task_id: { value: 't' }, agent_id: offer.agent_id, uuid },
    });
    first.answersPings = false;
    await world.clock.run(60_000);
    expect(world.crashPoints.missing('master')).toEqual([]);
    world.stop();
  });
});

describe('a task whose agent is away when a leader dies', () => {
  let world: MasterWorld;
  let master: Master;
  let agents: ScriptedAgent[];
  let lost: ScriptedAgent;

  beforeEach(async () => {
    world = new MasterWorld();
    await world.start();
    master = await world.lead();
    const framework = await new ScriptedFramework().subscribe(master);
    agents = ['a1', 'a2', 'a3'].map((id) => new ScriptedAgent(`host-${id}`, id).connect(master));
    await world.clock.run(100);
    const offer: Offer | undefined = framework.offers[0];
    const host = agents.find(({ agentId }) => agentId === offer?.agent_id.value);
    if (host === undefined || offer === undefined) throw new Error('nothing was offered');
    lost = host;
    await framework.accept(offer, ['t']);
    lost.update('f1', 't', 'TASK_RUNNING');
    await world.clock.run(50);
  });
  afterEach(() => world.stop());

  /** A new term, and all agents but the lost one. */
  async function nextTerm(waitMs: number): Promise<void> {
    const next = await world.lead();
    for (const agent of agents) if (agent !== lost) agent.connect(next);
    await world.clock.run(waitMs);
  }

  test('is unreachable in the next term when only its agent was put down as such', async () => {
    world.crashPoints.deadly = 'master.agent-lost';
    lost.answersPings = false;
    await world.clock.runUntil(() => world.crashPoints.reached.includes('master.agent-lost'), 60_000);
    world.crashPoints.deadly = undefined;
    master.stop();
    expect(world.task('t')?.status.state).toBe('TASK_RUNNING');
    await nextTerm(1_000);
    expect(world.task('t')?.status.state).toBe('TASK_UNREACHABLE');
  });

  test('is gone in the next term when its agent was marked gone while nobody led', async () => {
    master.stop();
    const stored = world.records.collection('Agent').get(lost.agentId);
    if (stored === undefined) throw new Error('no record');
    const record = { ...stored.record, status: { ...stored.record.status, state: 'gone' as const } };
    await world.records.write([{ op: 'put', kind: 'Agent', path: lost.agentId, record }]);
    await nextTerm(1_000);
    expect(world.task('t')?.status.state).toBe('TASK_GONE_BY_OPERATOR');
  });

  test('is unreachable after the usual wait when the record of its agent is lost too', async () => {
    master.stop();
    await world.records.write([{ op: 'delete', kind: 'Agent', path: lost.agentId }]);
    await nextTerm(1_000);
    expect(world.task('t')?.status.state).toBe('TASK_RUNNING');
    await world.clock.run(80_000);
    expect(world.task('t')?.status.state).toBe('TASK_UNREACHABLE');
    expect(world.records.collection('Agent').get(lost.agentId)).toBeUndefined();
  });
});
