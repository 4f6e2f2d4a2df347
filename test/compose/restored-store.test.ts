import { UnavailableError } from '../../src/core/errors';
import { LIMITS } from '../../src/core/limits';
import { RESTORED_KEY } from '../../src/core/records/paths';
import { RestoredStore } from '../../src/compose/restored-store';
import { MemoryStore } from '../../src/io/memory/store';
import { MirrorRecords } from '../../src/io/mirror/records';
import { FakeClock, noopMetrics, silentLogger } from '../support/fakes';

const SETTLED_MS = 60_000;

/** Two servers on one store that goes back. */
class World {
  readonly clock = new FakeClock();
  readonly stop = new AbortController();
  isAway = false;
  readonly store = new MemoryStore({
    before: ({ name }) => {
      if (name === 'commit' && this.isAway) throw new UnavailableError('store');
    },
  });

  async server(): Promise<{ readonly restored: RestoredStore; readonly records: MirrorRecords }> {
    const records = new MirrorRecords(this.store, this.clock, silentLogger(), noopMetrics());
    const restored = new RestoredStore(this.store, records, this.clock, silentLogger(), SETTLED_MS);
    restored.watch(this.stop.signal);
    await records.start(this.stop.signal);
    return { restored, records };
  }

  async goBack(): Promise<void> {
    this.store.rewind({ revision: 1, entries: [] });
    this.store.failWatches(new UnavailableError('store'));
    await this.clock.run(3 * LIMITS.retryFirstMs);
  }
}

describe('a store that went back', () => {
  let world: World;
  beforeEach(async () => {
    world = new World();
    for (const key of ['/a', '/b', '/c']) await world.store.commit([{ kind: 'put', key, value: '{}' }]);
  });
  afterEach(async () => {
    world.stop.abort();
    await world.clock.run(LIMITS.mirrorLagMs);
  });

  test('is known to a leader that starts only afterwards, until the agents have told', async () => {
    const { restored } = await world.server();
    expect(await restored.why()).toBeUndefined();
    await world.goBack();
    expect(restored.isNoted).toBe(true);
    const later = await world.server();
    expect(await later.restored.why()).toBe('a backup was restored to the store, which went back from revision 4 to 1');
    const createRevision = await world.store.commit([{ kind: 'put', key: '/berth/leader', value: '{}' }]);
    await later.restored.settled({ key: '/berth/leader', createRevision });
    expect(world.store.peek(RESTORED_KEY)).toBeUndefined();
    expect(await (await world.server()).restored.why()).toBeUndefined();
  });

  test('is remembered by the process until the store has a note', async () => {
    const { restored } = await world.server();
    world.isAway = true;
    await world.goBack();
    expect(restored.isNoted).toBe(false);
    expect(await restored.why()).toBe('the store went back from revision 4 to 1');
    world.isAway = false;
    await world.clock.run(LIMITS.retryLastMs);
    expect(restored.isNoted).toBe(true);
    expect(world.store.peek(RESTORED_KEY)?.value).toContain('from revision 4 to 1');
  });

  test('is no news when all agents have had the time to come', async () => {
    const { restored } = await world.server();
    world.isAway = true;
    await world.goBack();
    await world.clock.run(SETTLED_MS);
    expect(await restored.why()).toBeUndefined();
  });
});
