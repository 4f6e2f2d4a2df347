import { type Rewind, runRewound } from './rewind';
import { perform } from './decisions';
import { World } from './world';

const SEEDS = Array.from({ length: 10 }, (_, index) => index + 1);
/** With SIM_SEED only that seed runs. */
const describeRewind = process.env['SIM_SEED'] === undefined ? describe : describe.skip;

describeRewind.each<Rewind>(['an old snapshot', 'emptied'])('a store that goes back: %s', (kind) => {
  test.each(SEEDS)('seed %i: what runs goes on', async (seed) => {
    const world = await runRewound(seed, kind);
    expect(world.untouchable.size).toBeGreaterThan(0);
  });
});

describeRewind('what is broken on purpose is found', () => {
  test('a container that is stopped because the store went back', async () => {
    const world = new World(1);
    await world.start();
    const how = { replica: 0, app: '/web', act: 'config', chance: 1 };
    perform(world, { waitMs: 0, what: 'user', how });
    await world.converge();
    await world.rewind(world.store.snapshot());
    await world.pass(10_000);
    const [host] = world.agents.map((agent) => agent.host).filter((one) => one.running().length > 0);
    const [container] = host?.running() ?? [];
    if (container === undefined) throw new Error('nothing runs');
    void host?.stop(container, 1_000);
    expect(() => world.history.check()).toThrow('what ran when the store went back goes on');
  });
});
