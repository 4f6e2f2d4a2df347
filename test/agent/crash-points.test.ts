import { shellTask } from './builders';
import { FakeWorld } from './fake-world';

describe('crash points of the agent', () => {
  test('each lies on the way of an app: launch, end, kill, restart of the agent', async () => {
    const world = await FakeWorld.started();
    world.master.launch(shellTask('ends', 'x'), shellTask('killed', 'x'), shellTask('stays', 'x'));
    await world.run();
    world.driver.exit('ends');
    world.master.kill('killed');
    await world.run();
    expect(world.crashPoints.reached).not.toContain('agent.task-recovering');
    await world.crash();
    expect(world.crashPoints.missing('agent')).toEqual([]);
  });

  test('those of one task come in the order of what happens to it', async () => {
    const world = await FakeWorld.started();
    world.master.launch(shellTask('t', 'x'));
    await world.run();
    world.master.kill('t');
    await world.run();
    const inOrder = world.crashPoints.reached.filter((point) => point !== 'agent.update-acknowledged');
    expect(inOrder).toEqual([
      'agent.id-given',
      'agent.task-written',
      'agent.task-created',
      'agent.task-started',
      'agent.running-written',
      'agent.kill-written',
      'agent.task-ended',
      'agent.container-removed',
      'agent.end-written',
    ]);
  });
});

describe('a kill', () => {
  test('is written down before the engine is asked', async () => {
    const world = await FakeWorld.started();
    world.master.launch(shellTask('t', 'x'));
    await world.run();
    const release = world.checkpoints.hold();
    world.master.kill('t');
    await world.run();
    expect(world.driver.calls.filter((call) => call.startsWith('stop'))).toEqual([]);
    release();
    await world.run();
    expect(world.master.last('t')?.state).toBe('TASK_KILLED');
  });

  test('is carried out even when the disk is full', async () => {
    const world = await FakeWorld.started();
    world.master.launch(shellTask('t', 'x'));
    await world.run();
    world.checkpoints.full = true;
    world.master.kill('t');
    await world.run();
    expect(world.driver.containers.size).toBe(0);
    expect(world.master.last('t')?.state).toBe('TASK_KILLED');
  });
});
