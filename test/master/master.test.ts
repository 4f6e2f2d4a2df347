import { parseResources } from '../../src/core/records/resources';
import type { Master } from '../../src/master/master';
import { MasterWorld, ScriptedAgent, ScriptedFramework, taskInfo } from './world';

let world: MasterWorld;
let master: Master;
let framework: ScriptedFramework;
let agent: ScriptedAgent;

beforeEach(async () => {
  world = new MasterWorld();
  await world.start();
  master = await world.lead();
  framework = await new ScriptedFramework().subscribe(master);
  agent = new ScriptedAgent('host-1').connect(master);
  await world.clock.run(100);
});
afterEach(() => world.stop());

function offer() {
  const found = framework.offers.at(-1);
  if (found === undefined) throw new Error('no offer');
  return found;
}

async function launch(...ids: string[]): Promise<void> {
  await framework.accept(offer(), ids);
  await world.clock.run(50);
}

/** What an agent has told about a running task. */
function toldStatus(taskId: string, agentId: string) {
  return {
    task_id: { value: taskId },
    agent_id: { value: agentId },
    state: 'TASK_RUNNING' as const,
    container_status: { container_id: { value: 'c1' }, network_infos: [] },
    uuid: 'dG9sZA==',
  };
}

describe('agents', () => {
  test('a new one is put on record, told its id, and offered', () => {
    expect(agent.heard[0]).toMatchObject({ type: 'SUBSCRIBED', subscribed: { agentId: agent.agentId } });
    expect(world.records.collection('Agent').get(agent.agentId)?.record).toMatchObject({
      spec: { hostname: 'host-1' },
      status: { state: 'active' },
    });
    expect(offer()).toMatchObject({
      agent_id: { value: agent.agentId },
      hostname: 'host-1',
      allocation_info: { role: '*' },
    });
  });

  test('the id of one that answers is refused to another host', async () => {
    const thief = new ScriptedAgent('host-2', agent.agentId).connect(master);
    await world.clock.run(100);
    expect(thief.heard).toMatchObject([{ type: 'SHUTDOWN' }]);
    expect(agent.closedFor).toBeUndefined();
  });

  test('one that restarted replaces itself and keeps its id and tasks', async () => {
    await launch('t1');
    agent.update('f1', 't1', 'TASK_RUNNING');
    await world.clock.run(50);
    const known = { info: taskInfo('t1', agent.agentId), frameworkId: 'f1', state: 'TASK_RUNNING' as const };
    const again = new ScriptedAgent('host-1', agent.agentId, 'second run').connect(master, [known]);
    await world.clock.run(100);
    expect(again.agentId).toBe(agent.agentId);
    expect(world.task('t1')?.status.state).toBe('TASK_RUNNING');
    expect(again.launched).toEqual([]);
  });

  test('a new one that asks again because it has not heard its id is the same one', async () => {
    const first = new ScriptedAgent('host-2').connect(master, [], 1);
    const again = new ScriptedAgent('host-2').connect(master, [], 2);
    await world.clock.run(100);
    expect(again.agentId).toBe(first.agentId);
    expect(first.closedFor).toContain('a newer stream');
    expect(world.records.collection('Agent').size).toBe(2);
    const third = new ScriptedAgent('host-2', again.agentId).connect(master, [], 3);
    await world.clock.run(100);
    expect(third.closedFor).toBeUndefined();
  });

  test('a stream that was asked for before the present one, and arrives after it, is void', async () => {
    await launch('t1');
    agent.update('f1', 't1', 'TASK_RUNNING');
    await world.clock.run(50);
    const late = new ScriptedAgent('host-1', agent.agentId).connect(master, [], 0);
    await world.clock.run(100);
    expect(late.closedFor).toContain('a newer stream');
    expect(late.heard).toEqual([]);
    expect(agent.closedFor).toBeUndefined();
    expect(world.task('t1')?.status.state).toBe('TASK_RUNNING');
  });

  test('a task that was on record but never arrived is launched again', async () => {
    await launch('t1');
    const again = new ScriptedAgent('host-1', agent.agentId, 'second run').connect(master);
    await world.clock.run(100);
    expect(again.launched).toEqual(['t1']);
  });

  test('tasks nobody knows are adopted, not killed', async () => {
    const stranger = { info: taskInfo('old', 'a9'), frameworkId: 'f1', state: 'TASK_RUNNING' as const };
    const late = new ScriptedAgent('host-9', 'a9').connect(master, [stranger]);
    await world.clock.run(200);
    expect(world.task('old')?.status.state).toBe('TASK_RUNNING');
    expect(late.heard.filter(({ type }) => type === 'KILL')).toEqual([]);
  });

  test('one that is adopted is as its agent last told: health, address', async () => {
    const latest = { ...toldStatus('old', 'a9'), health: [{ alive: true, consecutiveFailures: 0 }], healthy: true };
    const stranger = { info: taskInfo('old', 'a9'), frameworkId: 'f1', state: 'TASK_RUNNING' as const, latest };
    new ScriptedAgent('host-9', 'a9').connect(master, [stranger]);
    await world.clock.run(200);
    const { health, healthy, container_status, uuid } = world.task('old')?.status.latest ?? {};
    expect({ health, healthy, container_status }).toEqual({
      health: latest.health,
      healthy: true,
      container_status: latest.container_status,
    });
    expect(uuid).toBeUndefined();
  });

  test.each([
    { name: 'is brought up to date', latest: toldStatus('t1', 'any'), expected: 'TASK_RUNNING' },
    { name: 'waits for the updates that follow', latest: undefined, expected: 'TASK_STARTING' },
  ])('a record that is behind what its agent has told $name', async ({ latest, expected }) => {
    await launch('t1');
    agent.update('f1', 't1', 'TASK_STARTING');
    await world.clock.run(50);
    const known = { info: taskInfo('t1', agent.agentId), frameworkId: 'f1', state: 'TASK_RUNNING' as const };
    const task = latest === undefined ? known : { ...known, latest };
    new ScriptedAgent('host-1', agent.agentId, 'again').connect(master, [task]);
    await world.clock.run(200);
    expect(world.task('t1')?.status.state).toBe(expected);
  });

  test('a record that has what its agent has told is left alone', async () => {
    await launch('t1');
    agent.update('f1', 't1', 'TASK_RUNNING');
    await world.clock.run(50);
    const before = world.task('t1');
    const { uuid: _, ...latest } = before?.status.latest ?? toldStatus('t1', agent.agentId);
    const known = { info: taskInfo('t1', agent.agentId), frameworkId: 'f1', state: 'TASK_RUNNING' as const, latest };
    new ScriptedAgent('host-1', agent.agentId, 'again').connect(master, [known]);
    await world.clock.run(200);
    expect(world.task('t1')).toEqual(before);
  });

  test('cordoned ones get no offers', async () => {
    const stored = world.records.collection('Agent').get(agent.agentId);
    if (stored === undefined) throw new Error('no agent');
    const record = { ...stored.record, spec: { ...stored.record.spec, unschedulable: true } };
    await world.records.write([{ op: 'put', kind: 'Agent', path: stored.path, record }]);
    await world.clock.run(5_000);
    expect(framework.offers).toEqual([]);
  });
});

describe('silence', () => {
  test('after five missed pings the record comes first, then the tasks, then the framework', async () => {
    const others = [2, 3].map((n) => new ScriptedAgent(`host-${n}`).connect(master));
    await world.clock.run(100);
    const mine = framework.offers.find(({ hostname }) => hostname === 'host-1');
    if (mine === undefined) throw new Error('no offer');
    await framework.accept(mine, ['t1']);
    agent.update('f1', 't1', 'TASK_RUNNING');
    agent.answersPings = false;
    await world.clock.run(25_000);
    expect(world.records.collection('Agent').get(agent.agentId)?.record.status.state).toBe('unreachable');
    expect(framework.statuses('t1').at(-1)).toMatchObject({
      state: 'TASK_UNREACHABLE',
      reason: 'REASON_AGENT_REMOVED',
    });
    expect(others.every(({ closedFor }) => closedFor === undefined)).toBe(true);

    const known = { info: taskInfo('t1', agent.agentId), frameworkId: 'f1', state: 'TASK_RUNNING' as const };
    new ScriptedAgent('host-1', agent.agentId).connect(master, [known]);
    await world.clock.run(500);
    expect(framework.statuses('t1').at(-1)).toMatchObject({
      state: 'TASK_RUNNING',
      reason: 'REASON_AGENT_REREGISTERED',
    });
    expect(world.task('t1')?.status.state).toBe('TASK_RUNNING');
  });

  test('whose record an operator deletes will not come back: its tasks are gone and stay gone', async () => {
    for (const n of [2, 3]) new ScriptedAgent(`host-${n}`).connect(master);
    await launch('t1');
    agent.update('f1', 't1', 'TASK_RUNNING');
    agent.answersPings = false;
    await world.clock.run(25_000);
    expect(framework.statuses('t1').at(-1)?.state).toBe('TASK_UNREACHABLE');
    await world.records.write([{ op: 'delete', kind: 'Agent', path: agent.agentId }]);
    await world.clock.run(25_000);
    expect(framework.statuses('t1').at(-1)?.state).toBe('TASK_GONE_BY_OPERATOR');
    expect(world.records.collection('Agent').get(agent.agentId)).toBeUndefined();
    expect(master.summary().agents.known).toBe(2);
  });

  test('that the brake keeps from being declared: an operator can delete its record, but not of one that answers', async () => {
    const silent = new ScriptedAgent('host-2').connect(master);
    const answering = new ScriptedAgent('host-3').connect(master);
    await launch('t1');
    agent.update('f1', 't1', 'TASK_RUNNING');
    for (const one of [agent, silent]) one.answersPings = false;
    await world.clock.run(60_000);
    expect(world.task('t1')?.status.state).toBe('TASK_RUNNING');
    const paths = [agent, answering].map(({ agentId }) => agentId);
    await world.records.write(paths.map((path) => ({ op: 'delete', kind: 'Agent', path }) as const));
    await world.clock.run(2_000);
    expect(framework.statuses('t1').at(-1)?.state).toBe('TASK_GONE_BY_OPERATOR');
    const left = [...world.records.collection('Agent').list()].map(({ record }) => record.spec.hostname);
    expect(left.toSorted()).toEqual(['host-2', 'host-3']);
  });

  test('of more than 55 % brakes: nobody is declared unreachable, and it says so', async () => {
    await launch('t1');
    agent.update('f1', 't1', 'TASK_RUNNING');
    agent.answersPings = false; // the only one: 100 %
    await world.clock.run(120_000);
    expect(world.task('t1')?.status.state).toBe('TASK_RUNNING');
    expect(world.events.map(({ reason }) => reason)).toContain('TooManyAgentsSilent');
  });

  test('when enough are back the others get their time again, and are declared unreachable after it', async () => {
    const others = [2, 3, 4, 5].map((n) => new ScriptedAgent(`host-${n}`).connect(master));
    await world.clock.run(100);
    const [second, third] = others;
    if (second === undefined || third === undefined) throw new Error('no agents');
    const stateOf = ({ agentId }: ScriptedAgent) => world.records.collection('Agent').get(agentId)?.record.status.state;
    const reasons = () => world.events.map(({ reason }) => reason);
    for (const silent of [agent, second, third]) silent.answersPings = false;
    await world.clock.run(60_000);
    expect(reasons()).toContain('TooManyAgentsSilent');

    third.answersPings = true;
    await world.clock.run(10_000);
    expect(reasons()).toContain('AgentsAnswerAgain');
    second.answersPings = true;
    await world.clock.run(20_000);
    expect([agent, ...others].map(stateOf)).toEqual(['unreachable', 'active', 'active', 'active', 'active']);
  });
});

describe('launching', () => {
  test('the task is durable before the agent hears of it', async () => {
    const seen: (string | undefined)[] = [];
    const connect = agent.heard.push.bind(agent.heard);
    agent.heard.push = (...events) => {
      for (const event of events)
        if (event.type === 'LAUNCH') seen.push(world.store.peek(`/berth/v1/tasks/${agent.agentId}/t1`)?.key);
      return connect(...events);
    };
    await launch('t1');
    expect(agent.launched).toEqual(['t1']);
    expect(seen).toEqual([`/berth/v1/tasks/${agent.agentId}/t1`]);
  });

  test.each<{ name: string; run: () => Promise<void>; taskId: string; expected: object }>([
    {
      name: 'an offer that is no longer valid',
      run: async () => {
        const stale = offer();
        await framework.accept(stale, ['t1']);
        await framework.accept(stale, ['t2']);
      },
      taskId: 't2',
      expected: { state: 'TASK_DROPPED', reason: 'REASON_INVALID_OFFERS' },
    },
    {
      name: 'more than was offered',
      run: () => framework.accept(offer(), ['t1'], { resources: parseResources('cpus:400;mem:1') }),
      taskId: 't1',
      expected: { state: 'TASK_ERROR', reason: 'REASON_TASK_INVALID' },
    },
    {
      name: 'the same id twice',
      run: () => framework.accept(offer(), ['t1', 't1']),
      taskId: 't1',
      expected: { state: 'TASK_ERROR', message: expect.stringContaining('duplicate ID') as unknown },
    },
    {
      name: 'no resources',
      run: () => framework.accept(offer(), ['t1'], { resources: [] }),
      taskId: 't1',
      expected: { state: 'TASK_ERROR', reason: 'REASON_TASK_INVALID' },
    },
    {
      name: 'a task for another agent',
      run: () => framework.accept(offer(), ['t1'], { agent_id: { value: 'elsewhere' } }),
      taskId: 't1',
      expected: { state: 'TASK_ERROR', message: expect.stringContaining('invalid agent') as unknown },
    },
  ])('$name is answered with an update that needs no acknowledgement', async ({ run, taskId, expected }) => {
    await run();
    await world.clock.run(50);
    const answer = framework.statuses(taskId)[0];
    expect(answer).toMatchObject({ source: 'SOURCE_MASTER', ...expected });
    expect(answer?.uuid).toBeUndefined();
  });

  test('what is left over is offered again, and never more than there is', async () => {
    await framework.call({
      type: 'ACCEPT',
      accept: {
        offer_ids: [offer().id],
        operations: [{ type: 'LAUNCH', launch: { task_infos: [taskInfo('t1', agent.agentId)] } }],
        filters: { refuse_seconds: 0 },
      },
    });
    await world.clock.run(3_000);
    const cpus = offer().resources.find(({ name }) => name === 'cpus');
    expect(cpus?.scalar?.value).toBe(3);
  });
});

describe('declining', () => {
  test('a filter hides the agent for its time; REVIVE lifts it', async () => {
    await framework.call({ type: 'DECLINE', decline: { offer_ids: [offer().id], filters: { refuse_seconds: 60 } } });
    const before = framework.offers.length;
    await world.clock.run(20_000);
    expect(framework.offers).toHaveLength(before);
    await framework.call({ type: 'REVIVE' });
    await world.clock.run(100);
    expect(framework.offers).toHaveLength(before + 1);
  });

  test('SUPPRESS ends offers until REVIVE', async () => {
    await framework.call({ type: 'SUPPRESS' });
    await framework.call({ type: 'DECLINE', decline: { offer_ids: [offer().id], filters: { refuse_seconds: 0 } } });
    const before = framework.offers.length;
    await world.clock.run(10_000);
    expect(framework.offers).toHaveLength(before);
  });

  test('an offer nobody answers is taken back', async () => {
    const first = offer();
    await world.clock.run(40_000);
    expect(framework.events).toContainEqual({ type: 'RESCIND', rescind: { offer_id: first.id } });
  });
});

describe('status updates', () => {
  test('are durable before the framework hears of them, and duplicates are dropped', async () => {
    await launch('t1');
    const uuid = agent.update('f1', 't1', 'TASK_RUNNING');
    await world.clock.run(50);
    expect(world.task('t1')?.status.state).toBe('TASK_RUNNING');
    expect(framework.statuses('t1').map(({ state }) => state)).toEqual(['TASK_RUNNING']);
    await framework.call({
      type: 'ACKNOWLEDGE',
      acknowledge: { agent_id: { value: agent.agentId }, task_id: { value: 't1' }, uuid },
    });
    agent.update('f1', 't1', 'TASK_RUNNING', uuid);
    await world.clock.run(50);
    expect(framework.statuses('t1')).toHaveLength(1);
    expect(agent.heard).toContainEqual({ type: 'ACKNOWLEDGE', acknowledge: { updates: [{ taskId: 't1', uuid }] } });
  });

  test('a final one frees resources, and the record goes with its acknowledgement', async () => {
    await launch('t1');
    const uuid = agent.update('f1', 't1', 'TASK_FAILED');
    await world.clock.run(50);
    expect(world.task('t1')?.status.state).toBe('TASK_FAILED');
    await framework.call({
      type: 'ACKNOWLEDGE',
      acknowledge: { agent_id: { value: agent.agentId }, task_id: { value: 't1' }, uuid },
    });
    await world.clock.run(10_000);
    expect(world.task('t1')).toBeUndefined();
    expect(offer().resources.find(({ name }) => name === 'cpus')?.scalar?.value).toBe(4);
  });

  test('a state that has ended stays ended', async () => {
    await launch('t1');
    agent.update('f1', 't1', 'TASK_FINISHED');
    await world.clock.run(50);
    agent.update('f1', 't1', 'TASK_RUNNING');
    await world.clock.run(50);
    expect(world.task('t1')?.status.state).toBe('TASK_FINISHED');
  });
});

describe('killing', () => {
  test('is on record, sent to the agent, and repeated until it has happened', async () => {
    await launch('t1');
    agent.update('f1', 't1', 'TASK_RUNNING');
    await framework.call({
      type: 'KILL',
      kill: { task_id: { value: 't1' }, kill_policy: { grace_period: { nanoseconds: 2e9 } } },
    });
    await world.clock.run(50);
    expect(world.task('t1')?.status.killRequested).toMatchObject({ graceMs: 2_000 });
    const kills = () => agent.heard.filter(({ type }) => type === 'KILL').length;
    expect(kills()).toBe(1);
    await world.clock.run(65_000);
    expect(kills()).toBe(3);
    agent.update('f1', 't1', 'TASK_KILLED');
    await world.clock.run(65_000);
    expect(kills()).toBe(3);
  });

  test('of a task nobody knows is answered as a reconciliation', async () => {
    await framework.call({ type: 'KILL', kill: { task_id: { value: 'nobody' }, agent_id: { value: agent.agentId } } });
    await world.clock.run(50);
    expect(framework.statuses('nobody')).toMatchObject([{ state: 'TASK_GONE', reason: 'REASON_RECONCILIATION' }]);
  });
});

describe('terms', () => {
  test('a deposed master writes nothing and ends its sessions', async () => {
    const taken = offer();
    await world.lead();
    await framework.accept(taken, ['t1']).catch(() => undefined);
    await world.clock.run(500);
    expect(world.task('t1')).toBeUndefined();
    expect(agent.launched).toEqual([]);
    expect(framework.closedFor).toBeDefined();
    expect(agent.closedFor).toBeDefined();
  });

  test('the next one knows all tasks before agents are back, and gives them time', async () => {
    await launch('t1');
    agent.update('f1', 't1', 'TASK_RUNNING');
    await world.clock.run(50);
    const next = await world.lead();
    const other = await new ScriptedFramework().subscribe(next);
    await other.call({ type: 'RECONCILE', reconcile: { tasks: [] } });
    await world.clock.run(20_000);
    expect(other.statuses('t1').at(-1)).toMatchObject({ state: 'TASK_RUNNING' });
    expect(world.records.collection('Agent').get(agent.agentId)?.record.status.state).toBe('active');
  });
});
