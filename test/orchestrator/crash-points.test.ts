import { World } from './world';

describe('crash points of the orchestrator', () => {
  test('each lies on the way of an app: deployment, change, end of a run, hand-over', async () => {
    const world = new World();
    const orchestrator = await world.start([{ id: 'a1', cpus: 8, mem: 8_000 }]);
    await world.put({ id: '/web', instances: 2 });
    await world.run();
    await world.put({ id: '/web', instances: 2, cmd: 'sleep 2' });
    await world.until(() => world.rollouts().length === 0);
    expect(world.crashPoints.reached).not.toContain('orchestrator.hand-over');
    await orchestrator.stop();
    expect(world.crashPoints.missing('orchestrator')).toEqual([]);
    await world.end();
  });
});
