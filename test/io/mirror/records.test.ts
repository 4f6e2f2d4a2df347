import {
  CompactedError,
  ConflictError,
  FencedError,
  InvalidError,
  StoreFullError,
  TooLargeError,
  UnavailableError,
} from '../../../src/core/errors';
import { LIMITS } from '../../../src/core/limits';
import { sleep } from '../../../src/core/ports/clock';
import type { RecordChange } from '../../../src/core/ports/records';
import type { ChangeBatch, Store } from '../../../src/core/ports/store';
import { MemoryStore, type StoreFaults } from '../../../src/io/memory/store';
import { MirrorRecords } from '../../../src/io/mirror/records';
import { FakeClock, RecordingLogger, recordingMetrics, settled } from '../../support/fakes';
import { agent, role, task } from './builders';

const ROLE = '/berth/v1/roles/';

interface World {
  readonly clock: FakeClock;
  readonly store: MemoryStore;
  readonly faults: { -readonly [K in keyof StoreFaults]: StoreFaults[K] };
  readonly records: MirrorRecords;
  readonly metrics: ReturnType<typeof recordingMetrics>;
  readonly log: RecordingLogger;
  /** Every change told, oldest first. */
  readonly told: RecordChange[];
}

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function open(
  options: { before?: (store: MemoryStore) => Promise<unknown>; history?: number } = {},
): Promise<World> {
  const faults: World['faults'] = {};
  const store = new MemoryStore({
    before: (call) => faults.before?.(call),
    after: (call) => faults.after?.(call),
    deliver: (batch) => faults.deliver?.(batch),
  });
  await options.before?.(store);
  const clock = new FakeClock();
  const [metrics, log] = [recordingMetrics(), new RecordingLogger()];
  const records = new MirrorRecords(store, clock, log, metrics, options);
  const told: RecordChange[] = [];
  records.onChange((changes) => told.push(...changes));
  const controller = new AbortController();
  await records.start(controller.signal);
  await settled();
  stops.push(async () => {
    controller.abort();
    delete faults.before;
    delete faults.after;
    delete faults.deliver;
    await clock.run(LIMITS.mirrorLagMs);
    await records.stopped();
  });
  return { clock, store, faults, records, metrics, log, told };
}

const text = (record: unknown) => JSON.stringify(record);
const putRole = (store: Store, name: string, weight = 1) =>
  store.commit([{ kind: 'put', key: ROLE + name, value: text(role(name, weight)) }]);
const write = (records: MirrorRecords, name: string, weight = 1, expect?: number) =>
  records.write([
    {
      op: 'put',
      kind: 'Role',
      path: name,
      record: role(name, weight),
      ...(expect === undefined ? {} : { expect }),
    },
  ]);
const roles = (records: MirrorRecords) =>
  Object.fromEntries([...records.collection('Role').list()].map(({ path, record }) => [path, record.spec.weight]));
const summary = (changes: readonly RecordChange[]) =>
  changes.map(({ path, revision, previous, current }) => [
    path,
    revision,
    previous?.revision ?? null,
    current?.revision ?? null,
  ]);

/** Holds back what the watch delivers until released. */
function holdWatch(world: World): { release(): void } {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  world.faults.deliver = () => released;
  return {
    release: () => {
      delete world.faults.deliver;
      release();
    },
  };
}

describe('reading', () => {
  it('shows what was there, then follows', async () => {
    const { records, store, told } = await open({ before: (store) => putRole(store, 'a') });
    expect(roles(records)).toEqual({ a: 1 });
    expect(records.isFresh()).toBe(true);
    expect(records.revision()).toBe(store.revision());

    const changed = await putRole(store, 'a', 2);
    const deleted = await store.commit([
      { kind: 'delete', key: `${ROLE}a` },
      { kind: 'put', key: `${ROLE}b/c`, value: text(role('b/c')) },
    ]);
    await settled();
    expect(roles(records)).toEqual({ 'b/c': 1 });
    expect(summary(told)).toEqual([
      ['a', changed - 1, null, changed - 1],
      ['a', changed, changed - 1, changed],
      ['a', deleted, changed, null],
      ['b/c', deleted, null, deleted],
    ]);
    expect(records.revision()).toBe(deleted);
  });

  it('ignores keys that are no records of ours', async () => {
    const { records, store } = await open({
      before: (store) =>
        store.commit([
          { kind: 'put', key: '/berth/v1/futures/x', value: 'from a newer version' },
          { kind: 'put', key: '/berth/v1/roles', value: 'no path' },
          { kind: 'put', key: '/other/v1/roles/a', value: 'not ours' },
        ]),
    });
    await store.commit([{ kind: 'put', key: '/berth/leader', value: '{}' }]);
    await settled();
    expect(roles(records)).toEqual({});
    expect(records.corrupt()).toEqual([]);
    expect(records.revision()).toBe(store.revision());
  });

  it('finds the records one segment below a parent', async () => {
    const { records } = await open();
    await records.write([
      { op: 'put', kind: 'Task', path: 'agent-1/t1', record: task('agent-1', 't1') },
      { op: 'put', kind: 'Task', path: 'agent-1/t2', record: task('agent-1', 't2') },
      { op: 'put', kind: 'Task', path: 'agent-2/t3', record: task('agent-2', 't3') },
      { op: 'put', kind: 'Agent', path: 'agent-1', record: agent('agent-1') },
    ]);
    const paths = (parent: string) =>
      records
        .collection('Task')
        .in(parent)
        .map(({ path }) => path);
    expect(paths('agent-1')).toEqual(['agent-1/t1', 'agent-1/t2']);
    expect(paths('agent-9')).toEqual([]);
    expect(records.collection('Agent').in('')).toHaveLength(1);
    await records.write([{ op: 'delete', kind: 'Task', path: 'agent-1/t1' }]);
    expect(paths('agent-1')).toEqual(['agent-1/t2']);
  });

  it('keeps an index while records come, change their value, and go', async () => {
    const { records, store } = await open({ before: (store) => putRole(store, 'old', 3) });
    const byWeight = records
      .collection('Role')
      .index('weight', (record) => (record.spec.weight === 0 ? undefined : String(record.spec.weight)));
    const paths = (weight: number) => byWeight.get(String(weight)).map(({ path }) => path);
    expect(paths(3)).toEqual(['old']);
    await Promise.all(Array.from({ length: 40 }, (_, i) => write(records, `r${i}`, 5)));
    expect(paths(5)).toHaveLength(40);
    const snapshot = byWeight.get('5');
    await write(records, 'r7', 6);
    await store.commit([{ kind: 'delete', key: `${ROLE}r8` }]);
    await settled();
    expect(paths(5)).toHaveLength(38);
    expect(paths(6)).toEqual(['r7']);
    expect(snapshot).toHaveLength(40); // what was handed out stays as it was
    expect(records.collection('Role').index('weight', () => 'another')).toBe(byWeight);
  });

  it('keeps fields it does not know, and fills in defaults', async () => {
    const { spec, ...rest } = agent('a1');
    const { attributes: _attributes, ...older } = spec;
    const { records } = await open({
      before: (store) =>
        store.commit([
          {
            kind: 'put',
            key: '/berth/v1/agents/a1',
            value: text({ ...rest, future: 1, spec: { ...older, new: { x: 1 } } }),
          },
        ]),
    });
    const record = records.collection('Agent').get('a1')?.record;
    expect(record).toMatchObject({ future: 1, spec: { new: { x: 1 }, attributes: [] } });
  });
});

describe('writing', () => {
  it('shows the write before the promise resolves, though the watch has not brought it', async () => {
    const world = await open({ before: (store) => putRole(store, 'a') });
    const { records, told } = world;
    const before = records.revision();
    const watch = holdWatch(world);
    const revision = await write(records, 'a', 7);
    expect(roles(records)).toEqual({ a: 7 });
    expect(records.collection('Role').get('a')?.revision).toBe(revision);
    expect(records.revision()).toBe(before); // complete only up to the watch
    expect(told).toHaveLength(1);

    watch.release();
    await settled();
    expect(records.revision()).toBe(revision);
    expect(summary(told.slice(1))).toEqual([['a', revision, before, revision]]);
  });

  it('does not parse what it has written itself', async () => {
    const { records } = await open();
    const mine = role('a', 4);
    await records.write([{ op: 'put', kind: 'Role', path: 'a', record: mine }]);
    await settled();
    expect(records.collection('Role').get('a')?.record).toBe(mine);
  });

  it('never goes back in time when the watch lags behind own writes', async () => {
    const world = await open();
    const { records, store, told } = world;
    const watch = holdWatch(world);
    const first = await putRole(store, 'a', 1); // another replica
    const other = await putRole(store, 'b', 1);
    const second = await write(records, 'a', 2, first);
    const third = await write(records, 'a', 3, second);
    await records.write([{ op: 'delete', kind: 'Role', path: 'b', expect: other }]);
    const seen = new Set<string>();
    records.onChange(() => seen.add(text(roles(records))));
    watch.release();
    await settled();
    expect([...seen]).toEqual([text({ a: 3 })]); // in every state that listeners could see
    expect(summary(told)).toEqual([
      ['a', first, null, first],
      ['b', other, null, other],
      ['a', second, first, second],
      ['a', third, second, third],
      ['b', third + 1, other, null],
    ]);
    expect(roles(records)).toEqual({ a: 3 });
  });

  it('lets a foreign write that came later win over an own one', async () => {
    const world = await open();
    const watch = holdWatch(world);
    await write(world.records, 'a', 1);
    await putRole(world.store, 'a', 9);
    await write(world.records, 'gone', 1);
    await world.store.commit([{ kind: 'delete', key: `${ROLE}gone` }]);
    expect(roles(world.records)).toEqual({ a: 1, gone: 1 });
    watch.release();
    await settled();
    expect(roles(world.records)).toEqual({ a: 9 });
  });

  it('forgets nothing about a deletion of what did not exist', async () => {
    const world = await open();
    const watch = holdWatch(world);
    await write(world.records, 'x', 1);
    await world.records.write([{ op: 'delete', kind: 'Role', path: 'never' }]);
    watch.release();
    await settled();
    await putRole(world.store, 'never', 2);
    await settled();
    expect(roles(world.records)).toEqual({ x: 1, never: 2 });
  });

  it('tells conflict, fence and size apart, and leaves the mirror as it was', async () => {
    const { records, store } = await open({ before: (store) => putRole(store, 'a') });
    const conflict = write(records, 'a', 2, 0);
    await expect(conflict).rejects.toBeInstanceOf(ConflictError);
    await expect(conflict).rejects.toMatchObject({ key: `${ROLE}a`, expectedRevision: 0 });
    const fence = { key: '/berth/leader', createRevision: 1 };
    const fenced = records.write([{ op: 'delete', kind: 'Role', path: 'a' }], fence);
    await expect(fenced).rejects.toBeInstanceOf(FencedError);
    const large = role('x'.repeat(LIMITS.recordBytes));
    await expect(records.write([{ op: 'put', kind: 'Role', path: 'big', record: large }])).rejects.toBeInstanceOf(
      TooLargeError,
    );
    await expect(records.write([{ op: 'check', kind: 'Role', path: 'a', expect: 1 }])).rejects.toBeInstanceOf(
      ConflictError,
    );
    await settled();
    expect(roles(records)).toEqual({ a: 1 });
    expect(store.peek(`${ROLE}big`)).toBeUndefined();
  });

  it('refuses what it could not read again', async () => {
    const { records, store } = await open();
    const invalid = records.write([
      { op: 'put', kind: 'Role', path: 'good', record: role('good') },
      { op: 'put', kind: 'Role', path: 'bad', record: role('bad', -1) },
    ]);
    await expect(invalid).rejects.toBeInstanceOf(InvalidError);
    await expect(invalid).rejects.toMatchObject({ violations: [{ path: '/spec/weight' }] });
    expect(store.peek(`${ROLE}good`)).toBeUndefined();
  });

  it('shows a write of unknown outcome when the watch brings it', async () => {
    const { records, faults } = await open();
    faults.after = (call) => {
      if (call.name === 'commit') throw new UnavailableError('store');
    };
    await expect(write(records, 'a', 2)).rejects.toBeInstanceOf(UnavailableError);
    await settled();
    expect(roles(records)).toEqual({ a: 2 });
  });

  it('survives answers in another order than the writes', async () => {
    const world = await open();
    const answers: (() => void)[] = [];
    holdWatch(world);
    world.faults.after = () => new Promise<void>((resolve) => answers.push(resolve));
    const writes = [write(world.records, 'a', 1), write(world.records, 'a', 2)];
    await settled();
    for (const answer of answers.toReversed()) {
      answer();
      await settled();
      expect(roles(world.records)).toEqual({ a: 2 });
    }
    delete world.faults.after;
    await Promise.all(writes);
  });
});

describe('corrupt records', () => {
  test.each<{ name: string; value: string; error: RegExp }>([
    { name: 'no JSON', value: '{"kind": "Ro', error: /^not JSON: / },
    { name: 'a missing field', value: text({ ...role('a'), spec: {} }), error: /^\/spec\/name: / },
    { name: 'a wrong type', value: text({ ...role('a'), metadata: 'x' }), error: /^\/metadata: / },
    { name: 'an empty value', value: '', error: /^not JSON: / },
  ])(
    'sets $name aside, names it, keeps the last good version, and takes the repaired one',
    async ({ value, error }) => {
      const { records, store, metrics, log, told } = await open({ before: (store) => putRole(store, 'a', 1) });
      await store.commit([{ kind: 'put', key: `${ROLE}a`, value }]);
      await settled();
      expect(roles(records)).toEqual({ a: 1 });
      expect(records.corrupt()).toEqual([{ key: `${ROLE}a`, error: expect.stringMatching(error) }]);
      expect(metrics.read('berth_corrupt_records')).toBe(1);
      expect(log.lines).toContainEqual(
        expect.objectContaining({ level: 'error', fields: expect.objectContaining({ key: `${ROLE}a` }) }),
      );
      expect(told).toHaveLength(1); // it has not changed, as far as we can tell
      await expect(write(records, 'a', 2, records.collection('Role').get('a')?.revision ?? 0)).rejects.toBeInstanceOf(
        ConflictError, // nobody overwrites by accident what only a newer version can read
      );

      await putRole(store, 'a', 5);
      await settled();
      expect(roles(records)).toEqual({ a: 5 });
      expect(records.corrupt()).toEqual([]);
    },
  );

  it('names one that was there at the start, and forgets it when it is deleted', async () => {
    const { records, store } = await open({
      before: (store) => store.commit([{ kind: 'put', key: `${ROLE}bad`, value: 'x' }]),
    });
    expect(records.corrupt()).toHaveLength(1);
    expect(roles(records)).toEqual({});
    await store.commit([{ kind: 'delete', key: `${ROLE}bad` }]);
    await settled();
    expect(records.corrupt()).toEqual([]);
  });
});

describe('when the watch ends', () => {
  it('lists again and tells the differences in order of revision', async () => {
    const { records, store, told, clock, faults } = await open({
      before: async (store) => {
        for (const name of ['kept', 'changed', 'deleted']) await putRole(store, name);
      },
    });
    told.length = 0;
    faults.before = (call) => {
      if (call.name !== 'commit') throw new UnavailableError('store');
    };
    store.failWatches(new UnavailableError('store'));
    await settled();
    expect(records.isFresh()).toBe(false);
    const added = await putRole(store, 'added');
    const changed = await putRole(store, 'changed', 2);
    await store.commit([{ kind: 'delete', key: `${ROLE}deleted` }]);
    await putRole(store, 'short-lived');
    const last = await store.commit([{ kind: 'delete', key: `${ROLE}short-lived` }]);
    expect(roles(records)).toEqual({ kept: 1, changed: 1, deleted: 1 }); // reads go on

    delete faults.before;
    await clock.runUntil(() => records.isFresh());
    expect(roles(records)).toEqual({ kept: 1, changed: 2, added: 1 });
    expect(told.map(({ path, revision }) => [path, revision])).toEqual([
      ['added', added],
      ['changed', changed],
      ['deleted', last],
    ]);
    expect(records.changesSince('Role', added)).toHaveLength(2);
  });

  it('lists again after a compaction', async () => {
    const { records, store, clock, metrics } = await open();
    store.failWatches(new CompactedError(3));
    await putRole(store, 'a', 2);
    await clock.runUntil(() => roles(records)['a'] === 2);
    expect(metrics.values.get('berth_mirror_lists_total')).toBe(2);
  });

  it('keeps own writes made meanwhile, even newer than the list', async () => {
    const world = await open({ before: (store) => putRole(store, 'a') });
    const { records, store, faults, clock } = world;
    let listed: () => void = () => undefined;
    const list = new Promise<void>((resolve) => (listed = resolve));
    faults.after = async (call) => {
      if (call.name === 'list') await list; // the list is read, its answer is on its way
    };
    store.failWatches(new UnavailableError('store'));
    await clock.run(LIMITS.retryFirstMs);
    delete faults.after;
    await write(records, 'a', 8);
    await write(records, 'b', 8);
    await records.write([{ op: 'delete', kind: 'Role', path: 'b' }]);
    listed();
    await clock.runUntil(() => records.isFresh());
    expect(roles(records)).toEqual({ a: 8 });
  });

  it('shows the deletion of an own write that another has deleted meanwhile', async () => {
    const world = await open();
    holdWatch(world);
    await write(world.records, 'a', 1);
    await world.store.commit([{ kind: 'delete', key: `${ROLE}a` }]);
    expect(roles(world.records)).toEqual({ a: 1 });
    world.store.failWatches(new UnavailableError('store'));
    delete world.faults.deliver;
    await world.clock.run(LIMITS.retryFirstMs + LIMITS.mirrorLagMs + LIMITS.mirrorProbeMs);
    expect(roles(world.records)).toEqual({});
  });

  it('notices a watch that is silently dead', async () => {
    const world = await open();
    const { records, store, clock, log } = world;
    holdWatch(world);
    await putRole(store, 'a', 3);
    await clock.run(LIMITS.mirrorProbeMs + LIMITS.mirrorLagMs + 200);
    expect(log.messages('warn')).toContain('the watch of the mirror is dead');
    expect(roles(records)).toEqual({ a: 3 }); // by a new list
  });

  it('is stale while the store does not answer, though the watch is quiet, and fresh again after', async () => {
    const { records, clock, faults } = await open();
    faults.before = () => {
      throw new UnavailableError('store');
    };
    await clock.run(LIMITS.mirrorProbeMs);
    expect(records.isFresh()).toBe(false);
    delete faults.before;
    await clock.run(LIMITS.mirrorProbeMs);
    expect(records.isFresh()).toBe(true);
  });

  it('waits for a store that is away at the start', async () => {
    const clock = new FakeClock();
    let away = true;
    const store = new MemoryStore({
      before: () => {
        if (away) throw new UnavailableError('store');
      },
    });
    const log = new RecordingLogger();
    const records = new MirrorRecords(store, clock, log, recordingMetrics());
    const controller = new AbortController();
    let ready = false;
    const started = records.start(controller.signal).then(() => (ready = true));
    await clock.run(60_000);
    expect([ready, records.isFresh(), records.changesSince('Role', 0)]).toEqual([false, false, 'expired']);
    expect(log.messages('warn').length).toBeLessThan(5); // and does not flood the log
    away = false;
    await clock.runUntil(() => records.isFresh());
    await started;
    controller.abort();
    await records.stopped();
  });
});

describe('a store that is full', () => {
  it('is read on, says so, and is asked whether it takes writes again', async () => {
    const { records, faults, clock, metrics } = await open({ before: (store) => putRole(store, 'a') });
    faults.before = ({ name }) => {
      if (name === 'commit') throw new StoreFullError('store', { detail: 'its database is full' });
    };
    await expect(write(records, 'b')).rejects.toThrow(/full/);
    await clock.run(3 * LIMITS.mirrorProbeMs);
    expect(records.isFresh()).toBe(true);
    expect(records.refusesWrites()).toMatch(/its database is full/);
    expect(metrics.read('berth_store_full')).toBe(1);
    delete faults.before;
    await clock.run(2 * LIMITS.mirrorProbeMs);
    expect(records.refusesWrites()).toBeUndefined();
    expect(metrics.read('berth_store_full')).toBe(0);
    await write(records, 'b');
    expect(roles(records)).toEqual({ a: 1, b: 1 });
  });
});

describe('sync', () => {
  it('is not alarmed by an answer that the watch has overtaken', async () => {
    const { records, store, clock, faults, log } = await open();
    faults.after = (call) => (call.name === 'list' ? sleep(clock, 10) : undefined);
    const sync = records.sync();
    await clock.run(5);
    await putRole(store, 'a'); // the watch brings it while the older answer is on its way
    await clock.run(20);
    await sync;
    expect(log.messages('error')).toEqual([]);
    expect(Object.keys(roles(records))).toEqual(['a']);
    await write(records, 'b');
  });

  it('resolves only when the mirror has what was committed before', async () => {
    const world = await open();
    const { records, store, clock } = world;
    const watch = holdWatch(world);
    await putRole(store, 'a', 2);
    let synced = false;
    const sync = records.sync().then(() => (synced = true));
    await clock.run(20);
    expect(synced).toBe(false);
    watch.release();
    await clock.run(1);
    await sync;
    expect(roles(records)).toEqual({ a: 2 });
  });

  it('costs no write when the mirror is up to date', async () => {
    const { records, store } = await open({ before: (store) => putRole(store, 'a') });
    const before = store.revision();
    await records.sync();
    expect(store.revision()).toBe(before);
  });

  it('proves by a write that nothing is missing when others use the same etcd', async () => {
    const { records, store, clock, faults } = await open();
    // etcd tells a watch nothing about keys outside its prefix.
    faults.deliver = (batch: ChangeBatch) => (batch.changes.length === 0 ? new Promise(() => undefined) : undefined);
    await store.commit([{ kind: 'put', key: '/others/x', value: '1' }]);
    await settled();
    const failing = records.sync();
    failing.catch(() => undefined);
    await clock.run(100);
    expect(store.peek('/berth/sync')).toBeDefined();
    await clock.run(LIMITS.mirrorLagMs); // this watch waits for ever on the foreign batch: the sync must not
    await expect(failing).rejects.toBeInstanceOf(UnavailableError);
  });

  it('shares one round among callers, but never one that began before the call', async () => {
    const { records, store, faults, clock } = await open();
    let lists = 0;
    faults.before = async (call) => {
      if (call.name !== 'list') return;
      lists += 1;
      await sleep(clock, 10);
    };
    const first = records.sync();
    await clock.run(5);
    const later = Array.from({ length: 50 }, () => records.sync());
    await putRole(store, 'a', 4);
    await clock.run(100);
    await Promise.all([first, ...later]);
    expect(lists).toBe(2);
    expect(roles(records)).toEqual({ a: 4 });
  });

  it('throws UnavailableError while the store is away', async () => {
    const { records, faults } = await open();
    faults.before = () => {
      throw new UnavailableError('store');
    };
    await expect(records.sync()).rejects.toBeInstanceOf(UnavailableError);
  });
});

describe('changesSince', () => {
  it('gives the changes of one kind after a revision, in order', async () => {
    const { records, store } = await open();
    const start = records.revision();
    const first = await putRole(store, 'a', 1);
    await store.commit([{ kind: 'put', key: '/berth/v1/agents/x', value: text(agent('x')) }]);
    const second = await putRole(store, 'a', 2);
    await settled();
    const since = (revision: number) => {
      const changes = records.changesSince('Role', revision);
      return changes === 'expired' ? changes : changes.map((change) => change.revision);
    };
    expect(since(start)).toEqual([first, second]);
    expect(since(first)).toEqual([second]);
    expect(since(second)).toEqual([]);
    expect(since(start - 1)).toBe('expired'); // before this mirror's memory
  });

  it('expires a kind only when its own changes were forgotten', async () => {
    const { records, store } = await open({ history: 4 });
    const start = records.revision();
    const first = await putRole(store, 'a', 1);
    for (let i = 0; i < 4; i++)
      await store.commit([{ kind: 'put', key: '/berth/v1/agents/x', value: text(agent('x', `h${i}`)) }]);
    await settled();
    expect(records.changesSince('Role', start)).toBe('expired');
    expect(records.changesSince('Role', first)).toEqual([]);
    expect(records.changesSince('Agent', start)).toHaveLength(4);
  });
});

describe('page', () => {
  it('pages one kind at one revision, in order of path', async () => {
    const { records, store } = await open({
      before: async (store) => {
        for (const name of ['c', 'a', 'b', 'x/1']) await putRole(store, name);
        await store.commit([{ kind: 'put', key: '/berth/v1/agents/x', value: text(agent('x')) }]);
      },
    });
    const first = await records.page('Role', { limit: 2 });
    expect(first.items.map(({ path }) => path)).toEqual(['a', 'b']);
    expect(first.more).toBe(true);
    await putRole(store, 'c', 9);
    const second = await records.page('Role', { limit: 2, after: 'b', revision: first.revision });
    expect(second.items.map(({ path, record }) => [path, record.spec.weight])).toEqual([
      ['c', 1],
      ['x/1', 1],
    ]);
    expect([second.more, second.revision]).toEqual([false, first.revision]);
    const below = await records.page('Role', { limit: 2, prefix: 'x/' });
    expect(below.items.map(({ path }) => path)).toEqual(['x/1']);
    store.compact(store.revision());
    await expect(records.page('Role', { limit: 1, revision: first.revision })).rejects.toBeInstanceOf(CompactedError);
  });
});

describe('listeners', () => {
  it('do not disturb each other, and hear nothing after they have left', async () => {
    const { records, store, log } = await open();
    const heard: string[] = [];
    records.onChange(() => {
      throw new Error('bug of one listener');
    });
    const leave = records.onChange((changes) => heard.push(...changes.map(({ path }) => path)));
    await putRole(store, 'a');
    await settled();
    leave();
    await putRole(store, 'b');
    await settled();
    expect(heard).toEqual(['a']);
    expect(log.messages('error')).toContain('a listener of the mirror failed');
    expect(roles(records)).toEqual({ a: 1, b: 1 });
  });
});
