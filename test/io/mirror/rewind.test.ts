import { UnavailableError } from '../../../src/core/errors';
import { LIMITS } from '../../../src/core/limits';
import type { RecordChange } from '../../../src/core/ports/records';
import type { Store } from '../../../src/core/ports/store';
import { MemoryStore } from '../../../src/io/memory/store';
import { MirrorRecords, type Rewind } from '../../../src/io/mirror/records';
import { FakeClock, RecordingLogger, recordingMetrics } from '../../support/fakes';
import { role } from './builders';

const ROLE = '/berth/v1/roles/';

const put = (store: Store, name: string, weight = 1) =>
  store.commit([{ kind: 'put', key: ROLE + name, value: JSON.stringify(role(name, weight)) }]);

/** A mirror on a store that can be exchanged for another, as by an operator who restores a backup. */
class World {
  readonly clock = new FakeClock();
  readonly log = new RecordingLogger();
  readonly metrics = recordingMetrics();
  readonly told: (RecordChange | Rewind)[] = [];
  readonly records: MirrorRecords;
  private readonly stop = new AbortController();
  /** Lists wait for this. */
  gate: Promise<void> = Promise.resolve();

  constructor(
    private store: MemoryStore,
    seenRevision = 0,
  ) {
    const world = () => this.store;
    const list = (...args: Parameters<Store['list']>) => this.lateList(...args);
    const port: Store = {
      get: (key) => world().get(key),
      list,
      commit: (writes, fence) => world().commit(writes, fence),
      watch: (prefix, after, signal, onStart) => world().watch(prefix, after, signal, onStart),
    };
    this.records = new MirrorRecords(port, this.clock, this.log, this.metrics, { seenRevision });
    this.records.onChange((changes) => this.told.push(...changes));
    this.records.onRewind((rewind) => this.told.push(rewind));
  }

  private async *lateList(...args: Parameters<Store['list']>): ReturnType<Store['list']> {
    await this.gate;
    yield* this.store.list(...args);
  }

  async start(): Promise<void> {
    await this.records.start(this.stop.signal);
    await this.clock.run(1);
    this.told.length = 0;
  }

  exchange(store: MemoryStore, how: 'watches fail' | 'quietly' = 'watches fail'): void {
    const old = this.store;
    this.store = store;
    if (how === 'watches fail') old.failWatches(new UnavailableError('store'));
  }

  async end(): Promise<void> {
    this.stop.abort();
    await this.clock.run(LIMITS.mirrorLagMs);
    await this.records.stopped();
  }

  roles(): Record<string, number> {
    const all = [...this.records.collection('Role').list()];
    return Object.fromEntries(all.map(({ path, record }) => [path, record.spec.weight]));
  }
}

async function storeWith(...names: readonly string[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const name of names) await put(store, name);
  return store;
}

describe('a store that went back in time', () => {
  let world: World;
  afterEach(() => world.end());

  const open = async (...names: readonly string[]) => {
    world = new World(await storeWith(...names));
    await world.start();
  };

  it('is taken in as it is, after those who act on it have been told', async () => {
    await open('a', 'b', 'c');
    world.exchange(await storeWith('a'));
    await world.clock.run(LIMITS.retryFirstMs * 3);
    expect(world.told[0]).toEqual({ atMs: expect.any(Number), monotonicMs: expect.any(Number), from: 4, to: 2 });
    expect(world.records.rewinds()).toEqual([world.told[0]]);
    expect(world.told.slice(1)).toMatchObject([
      { path: 'a', current: { revision: 2 } },
      { path: 'b', previous: { path: 'b' } },
      { path: 'c', previous: { path: 'c' } },
    ]);
    expect(world.roles()).toEqual({ a: 1 });
    expect(world.records.revision()).toBe(2);
    expect(world.records.isFresh()).toBe(true);
    expect(world.log.messages('error')).toEqual(['the store went back in time']);
    expect(world.metrics.read('berth_store_rewinds_total')).toBe(1);
  });

  it.each([
    { name: 'a server that starts has seen more than there is', seen: 5, rewinds: [{ from: 5, to: 4 }] },
    { name: 'a server that starts has seen all there is', seen: 4, rewinds: [] },
    { name: 'a server that starts has seen less', seen: 3, rewinds: [] },
  ])('$name', async ({ seen, rewinds }) => {
    world = new World(await storeWith('a', 'b', 'c'), seen);
    const starting = world.start();
    await world.clock.run(LIMITS.retryFirstMs * 3);
    await starting;
    expect(world.records.rewinds()).toMatchObject(rewinds);
    expect(world.roles()).toEqual({ a: 1, b: 1, c: 1 });
    expect(world.records.isFresh()).toBe(true);
    world.exchange(await storeWith('a'));
    await world.clock.run(LIMITS.retryFirstMs * 3);
    expect(world.records.rewinds()).toHaveLength(rewinds.length + 1);
  });

  it('shows what it had and refuses writes until everything has been read anew', async () => {
    await open('a', 'b');
    world.exchange(await storeWith());
    await world.clock.run(LIMITS.retryFirstMs);
    let release: () => void = () => undefined;
    world.gate = new Promise((resolve) => (release = resolve));
    await world.clock.run(LIMITS.retryFirstMs * 3);
    expect(world.records.rewinds()).toHaveLength(1);
    expect(world.roles()).toEqual({ a: 1, b: 1 });
    expect(world.records.isFresh()).toBe(false);
    const write = world.records.write([{ op: 'put', kind: 'Role', path: 'x', record: role('x') }]);
    await expect(write).rejects.toThrow(/went back in time, from revision 3 to 1 .*being read anew/);
    let synced = false;
    const sync = world.records.sync().then(() => (synced = true));
    await world.clock.run(LIMITS.retryFirstMs);
    expect(synced).toBe(false);
    release();
    await world.clock.run(LIMITS.retryFirstMs * 3);
    await sync;
    expect(world.roles()).toEqual({});
    await world.records.write([{ op: 'put', kind: 'Role', path: 'x', record: role('x') }]);
    expect(world.roles()).toEqual({ x: 1 });
  });

  it('is noticed by sync too, while its watch still looks alive', async () => {
    await open('a', 'b', 'c');
    const older = await storeWith('a');
    world.exchange(older, 'quietly');
    const sync = world.records.sync();
    await Promise.all([expect(sync).rejects.toThrow(/went back in time/), world.clock.run(10)]);
    await world.clock.run(LIMITS.retryFirstMs * 3);
    expect(world.roles()).toEqual({ a: 1 });
    await put(older, 'z');
    await world.clock.run(1);
    expect(world.roles()).toEqual({ a: 1, z: 1 });
  });

  it('is noticed although it has grown past our revision meanwhile', async () => {
    await open('a', 'b', 'c'); // at revisions 2, 3, 4
    world.exchange(await storeWith('c', 'b', 'a', 'd', 'e'));
    await world.clock.run(LIMITS.retryFirstMs * 3);
    expect(world.records.rewinds()).toMatchObject([{ from: 4, to: 6 }]);
    expect(Object.keys(world.roles()).toSorted()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('is read anew: an equal revision does not mean equal content', async () => {
    await open('a', 'b', 'c');
    const other = new MemoryStore();
    await put(other, 'a', 7); // at the revision that the mirror has for it
    await put(other, 'other');
    world.exchange(other);
    await world.clock.run(LIMITS.retryFirstMs * 3);
    expect(world.roles()).toEqual({ a: 7, other: 1 });
  });

  it('leaves nothing of the other history to whoever wants to resume', async () => {
    await open('a', 'b', 'c');
    world.exchange(await storeWith('a'));
    await world.clock.run(LIMITS.retryFirstMs * 3);
    expect(world.records.changesSince('Role', 4)).toBe('expired');
    expect(world.records.changesSince('Role', 1)).toBe('expired');
    await world.records.write([{ op: 'put', kind: 'Role', path: 'x', record: role('x') }]);
    await world.clock.run(1);
    expect(world.records.changesSince('Role', 2)).toMatchObject([{ path: 'x', revision: 3 }]);
  });

  it('is not seen in a broken watch, in own writes, nor in a record that cannot be read', async () => {
    const store = await storeWith('a', 'b');
    world = new World(store);
    await world.start();
    await store.commit([{ kind: 'put', key: `${ROLE}a`, value: 'no JSON' }]);
    await world.clock.run(1);
    store.failWatches(new UnavailableError('store'));
    await world.records.write([{ op: 'put', kind: 'Role', path: 'own', record: role('own') }]);
    await put(store, 'c');
    await world.clock.run(LIMITS.retryFirstMs * 3);
    expect(world.records.rewinds()).toEqual([]);
    expect(world.roles()).toEqual({ a: 1, b: 1, c: 1, own: 1 });
  });
});
