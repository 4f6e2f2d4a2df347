import type { AgentEvent } from '../../src/core/ports/agent-link';
import { shellTask } from './builders';
import { FakeWorld } from './fake-world';

/** Servers are upgraded before agents: an agent must live with a master that is ahead of it (deploy/UPGRADE.md). */
describe('a master of a newer version', () => {
  test('says something that this agent does not know: it is passed over, and the session goes on', async () => {
    const world = await FakeWorld.started();
    world.master.tell({ type: 'REBALANCE', rebalance: { share: 0.5 } } as unknown as AgentEvent);
    world.master.launch(shellTask('later', 'x'));
    await world.run();
    expect(world.driver.containers.get('later')?.phase).toBe('running');
    expect(world.master.subscriptions).toHaveLength(1);
  });

  test('puts more into a task than this agent knows: the task runs, and is named with all of it', async () => {
    const world = await FakeWorld.started();
    const task = { ...shellTask('more', 'x'), future: { field: 1 } };
    world.master.launch(task);
    await world.run();
    world.master.hangUp();
    await world.run(60_000);
    const known = world.master.subscriptions.at(-1)?.tasks.map(({ info }) => info);
    expect(known).toEqual([expect.objectContaining({ future: { field: 1 } })]);
  });
});
