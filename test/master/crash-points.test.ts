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
