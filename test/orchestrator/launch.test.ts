import { World } from './world';

describe('from app record to task', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.end());

  test('a new app runs without any time passing, and its rollout is gone', async () => {
    await world.start([{ id: 'a1' }, { id: 'a2' }]);
    await world.put({ id: '/web', instances: 3 });
    await world.run(0);
    expect(world.running('/web')).toHaveLength(3);
    expect(world.rollouts()).toEqual([]);
    await world.run(1_000);
    expect(world.app('/web')?.record.status).toMatchObject({ tasksRunning: 3, tasksStaged: 0, instances: 3 });
    expect(world.app('/web')?.record.status?.launchQueue).toBeUndefined();
    expect(world.events('RolloutSucceeded')).toHaveLength(1);
  });
});
