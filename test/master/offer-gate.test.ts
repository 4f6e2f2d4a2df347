import { LIMITS } from '../../src/core/limits';
import type { MasterOptions } from '../../src/master/context';
import { MasterWorld, ScriptedAgent, ScriptedFramework } from './world';

describe('a master whose records may be older than what runs', () => {
  let world: MasterWorld;
  beforeEach(async () => {
    world = new MasterWorld();
    await world.start();
  });
  afterEach(() => world.stop());

  const options: Partial<MasterOptions> = { awaitAgents: true, reregisterTimeoutMs: 60_000 };

  /** Two agents on record, a new term. */
  async function begin() {
    const first = await world.lead();
    const agents = [1, 2].map((n) => new ScriptedAgent(`host-${n}`).connect(first));
    await world.clock.run(100);
    first.stop();
    const master = await world.lead(options);
    const framework = await new ScriptedFramework().subscribe(master);
    const back = (n: number) => new ScriptedAgent(`host-${n}`, agents[n - 1]?.agentId, 'again').connect(master);
    return { framework, back, master };
  }

  test('offers nothing until the last agent is back', async () => {
    const { framework, back, master } = await begin();
    back(1);
    await world.clock.run(LIMITS.restoredSettleMs + 5_000);
    expect(framework.offers).toEqual([]);
    expect(master.agentsAreBack()).toBe(false);
    back(2);
    await world.clock.run(2_000);
    expect(master.agentsAreBack()).toBe(true);
    expect(framework.offers.map(({ hostname }) => hostname).toSorted()).toEqual(['host-1', 'host-2']);
    expect(world.settled).toBe(1);
  });

  test('gives agents that are on no record the time to come', async () => {
    const { framework, back } = await begin();
    back(1);
    back(2);
    await world.clock.run(LIMITS.restoredSettleMs - 1_000);
    expect(framework.offers).toEqual([]);
    await world.clock.run(3_000);
    expect(framework.offers).toHaveLength(2);
  });

  test('waits no longer than agents have to come back', async () => {
    const { framework, back } = await begin();
    back(1);
    await world.clock.run(58_000);
    expect(framework.offers).toEqual([]);
    await world.clock.run(4_000);
    expect(framework.offers).toHaveLength(1);
    expect(world.settled).toBe(1);
  });
});

test('in any term agents are back when each of them has come, or counts as lost', async () => {
  const world = new MasterWorld();
  await world.start();
  const first = await world.lead();
  const agents = [1, 2].map((n) => new ScriptedAgent(`host-${n}`).connect(first));
  await world.clock.run(100);
  expect(first.agentsAreBack()).toBe(true);
  first.stop();
  const second = await world.lead({ reregisterTimeoutMs: 60_000, silentAgentsBrake: 1 });
  expect(second.agentsAreBack()).toBe(false);
  new ScriptedAgent('host-1', agents[0]?.agentId, 'again').connect(second);
  await world.clock.run(50_000);
  expect(second.agentsAreBack()).toBe(false);
  await world.clock.run(20_000);
  expect(second.agentsAreBack()).toBe(true);
  world.stop();
});
