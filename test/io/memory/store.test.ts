import { CompactedError, UnavailableError } from '../../../src/core/errors';
import type { ChangeBatch } from '../../../src/core/ports/store';
import { MemoryLeases } from '../../../src/io/memory/leases';
import { MemoryStore, type StoreCall } from '../../../src/io/memory/store';
import { FakeClock, settled } from '../../support/fakes';

const put = (key: string, value = 'x') => [{ kind: 'put' as const, key, value }];
const fail = () => {
  throw new UnavailableError('store');
};

describe('faults of the memory store', () => {
  it('fail before the effect, or after it', async () => {
    const faults: { before?: () => void; after?: () => void } = { before: fail };
    const store = new MemoryStore({ before: () => faults.before?.(), after: () => faults.after?.() });
    await expect(store.commit(put('/a'))).rejects.toBeInstanceOf(UnavailableError);
    await expect(store.get('/a')).rejects.toBeInstanceOf(UnavailableError);
    expect(store.peek('/a')).toBeUndefined();
    delete faults.before;
    faults.after = fail;
    await expect(store.commit(put('/a'))).rejects.toBeInstanceOf(UnavailableError);
    expect(store.peek('/a')?.value).toBe('x');
  });

  it('know what they are asked about', async () => {
    const calls: StoreCall[] = [];
    const store = new MemoryStore({ before: (call) => void calls.push(call) });
    await store.commit(put('/a'));
    await store.get('/a');
    for await (const _page of store.list('/')) break;
    expect(calls).toEqual([{ name: 'commit', writes: put('/a') }, { name: 'get' }, { name: 'list' }]);
  });

  it('delay what a watch delivers, and end it', async () => {
    let deliver: () => void = () => undefined;
    const store = new MemoryStore({ deliver: () => new Promise((resolve) => (deliver = resolve)) });
    const seen: ChangeBatch[] = [];
    let ended: unknown;
    void (async () => {
      try {
        for await (const batch of store.watch('/', 1, new AbortController().signal)) seen.push(batch);
      } catch (error) {
        ended = error;
      }
    })();
    await store.commit(put('/a'));
    await settled();
    expect(seen).toHaveLength(0);
    deliver();
    await settled();
    expect(seen).toHaveLength(1);
    await store.commit(put('/b'));
    await settled();
    store.failWatches(new UnavailableError('store')); // even while a delivery hangs
    await settled();
    expect(ended).toBeInstanceOf(UnavailableError);
    expect(seen).toHaveLength(1);
  });
});

describe('history of the memory store', () => {
  it('is bounded', async () => {
    const store = new MemoryStore({}, 10);
    for (let i = 0; i < 50; i++) await store.commit(put(`/k${i % 3}`, String(i)));
    const past = store.list('/', { revision: 5 })[Symbol.asyncIterator]();
    await expect(past.next()).rejects.toBeInstanceOf(CompactedError);
    const recent = await store
      .list('/', { revision: store.revision() - 9 })
      [Symbol.asyncIterator]()
      .next();
    expect(recent.value).toMatchObject({ entries: [{ value: '39' }, { value: '40' }, { value: '38' }] });
  });

  it('forgets deleted keys altogether when they are compacted', async () => {
    const store = new MemoryStore();
    await store.commit(put('/a'));
    const revision = await store.commit([{ kind: 'delete', key: '/a' }]);
    store.compact(revision);
    const again = await store.commit(put('/a'));
    expect(store.peek('/a')).toMatchObject({ revision: again, createRevision: again });
  });
});

describe('MemoryLeases', () => {
  const open = () => {
    const [store, clock] = [new MemoryStore(), new FakeClock()];
    return { store, clock, leases: new MemoryLeases(store, clock) };
  };

  it('delete their keys when they are not renewed, and only then', async () => {
    const { store, clock, leases } = open();
    const client = leases.client();
    const lease = await client.grant(1_000, 1);
    await client.acquire('/leader', 'a', lease.id, 1);
    clock.advance(900);
    expect(await client.renew(lease.id, 1)).toBe(1_000);
    clock.advance(900);
    expect(store.peek('/leader')).toBeDefined();
    clock.advance(100);
    expect(store.peek('/leader')).toBeUndefined();
    expect(await client.renew(lease.id, 1)).toBe(0);
  });

  it('do not delete a key that somebody else has created since', async () => {
    const { store, clock, leases } = open();
    const client = leases.client();
    const [one, two] = [await client.grant(1_000, 1), await client.grant(5_000, 1)];
    await client.acquire('/leader', 'a', one.id, 1);
    store.serverCommit([{ kind: 'delete', key: '/leader' }]);
    expect((await client.acquire('/leader', 'b', two.id, 1)).won).toBe(true);
    clock.advance(2_000);
    expect(store.peek('/leader')?.value).toBe('b');
    expect(await client.acquire('/leader', 'c', two.id, 1)).toMatchObject({ won: false, holder: { value: 'b' } });
  });

  it('take effect although the answer is lost', async () => {
    const { store, leases } = open();
    const client = leases.client({ after: (call) => (call === 'acquire' ? fail() : undefined) });
    const lease = await client.grant(1_000, 1);
    await expect(client.acquire('/leader', 'a', lease.id, 1)).rejects.toBeInstanceOf(UnavailableError);
    expect(store.peek('/leader')).toBeDefined();
    await client.revoke(lease.id, 1);
    expect(store.peek('/leader')).toBeUndefined();
  });
});

describe('a store that goes back in time', () => {
  it('is as it was, in revision too, and knows nothing of what came after', async () => {
    const store = new MemoryStore();
    await store.commit(put('/a', 'old'));
    const past = store.snapshot();
    await store.commit(put('/a', 'new'));
    await store.commit(put('/b'));
    store.rewind(past);
    expect(store.revision()).toBe(past.revision);
    expect(store.peek('/a')).toEqual(past.entries[0]);
    expect(store.peek('/b')).toBeUndefined();
    expect(await store.commit(put('/c'))).toBe(past.revision + 1);
  });

  it('does not remember changes before the snapshot', async () => {
    const store = new MemoryStore();
    await store.commit(put('/a'));
    await store.commit(put('/b'));
    store.rewind(store.snapshot());
    const watch = store.watch('/', 2, new AbortController().signal)[Symbol.asyncIterator]();
    await expect(watch.next()).rejects.toBeInstanceOf(CompactedError);
  });

  it('may be empty', async () => {
    const store = new MemoryStore();
    await store.commit(put('/a'));
    store.rewind({ revision: 1, entries: [] });
    expect(store.snapshot()).toEqual({ revision: 1, entries: [] });
  });
});

describe('leases that are taken away', () => {
  const grant = async (clock: FakeClock, store: MemoryStore) => {
    const leases = new MemoryLeases(store, clock);
    const client = leases.client();
    const { id } = await client.grant(3_000, 1_000);
    await client.acquire('/leader', 'me', id, 1_000);
    return { leases, client, id };
  };

  it('by hand: the key goes with it', async () => {
    const store = new MemoryStore();
    const { leases, client, id } = await grant(new FakeClock(), store);
    leases.revokeHolder('/other');
    expect(await client.renew(id, 1_000)).toBe(3_000);
    leases.revokeHolder('/leader');
    expect(store.peek('/leader')).toBeUndefined();
    expect(await client.renew(id, 1_000)).toBe(0);
  });

  it('with the store: nothing is left, and no timer', async () => {
    const clock = new FakeClock();
    const { leases, client, id } = await grant(clock, new MemoryStore());
    leases.forgetAll();
    expect(clock.timers).toBe(0);
    expect(await client.renew(id, 1_000)).toBe(0);
  });
});
