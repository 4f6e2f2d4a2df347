import type { LeaderInfo } from '../../../src/core/ports/election';
import type { Store } from '../../../src/core/ports/store';
import { UnavailableError } from '../../../src/core/errors';
import { LIMITS } from '../../../src/core/limits';
import { LeaderView } from '../../../src/io/election/leader-view';
import { MemoryStore } from '../../../src/io/memory/store';
import { FakeClock, RecordingLogger } from '../../support/fakes';

const KEY = '/berth/leader';

const info = (id: string): LeaderInfo => ({
  id,
  hostname: id,
  marathonAddress: `${id}:8080`,
  mesosAddress: `${id}:5050`,
  version: '1',
});

describe('LeaderView on a store that went back in time', () => {
  test.each([
    { name: 'emptied: nobody leads', leader: undefined, others: 0 },
    { name: 'restored: who led then', leader: 'old', others: 0 },
    { name: 'restored and grown past what was known', leader: 'new', others: 9 },
  ])('$name', async ({ leader, others }) => {
    const clock = new FakeClock();
    const current = { store: new MemoryStore() };
    const port: Store = {
      get: (key) => current.store.get(key),
      list: (prefix, options) => current.store.list(prefix, options),
      commit: (writes, fence) => current.store.commit(writes, fence),
      watch: (prefix, after, signal, onStart) => current.store.watch(prefix, after, signal, onStart),
    };
    const lead = (id: string) => port.commit([{ kind: 'put', key: KEY, value: JSON.stringify(info(id)) }]);
    for (let i = 0; i < 5; i++) await port.commit([{ kind: 'put', key: '/other', value: '' }]);
    await lead('first');
    const view = new LeaderView(port, KEY, clock, new RecordingLogger());
    const stop = new AbortController();
    const following = view.follow(stop.signal);
    await clock.run(1);
    expect(view.leader()).toEqual(info('first'));

    const before = current.store;
    current.store = new MemoryStore();
    if (leader !== undefined) await lead(leader);
    for (let i = 0; i < others; i++) await port.commit([{ kind: 'put', key: '/other', value: '' }]);
    before.failWatches(new UnavailableError('store'));
    await clock.run(LIMITS.campaignRetryMs * 2);
    expect(view.leader()).toEqual(leader === undefined ? undefined : info(leader));
    expect(view.isVacant()).toBe(leader === undefined);
    await lead('next');
    await clock.run(1);
    expect(view.leader()).toEqual(info('next'));
    stop.abort();
    await following;
  });
});
