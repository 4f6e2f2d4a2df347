import { UnavailableError } from '../../../src/core/errors';
import type { Change, Store } from '../../../src/core/ports/store';
import { startEtcd, until, type RealEtcd } from '../../support/etcd';
import { Proxy } from '../../support/proxy';
import { Closing } from './world';

jest.setTimeout(60_000);

const closing = new Closing();
let etcd: RealEtcd;
beforeEach(async () => {
  etcd = await startEtcd();
  closing.add(() => etcd.stop());
});
afterEach(() => closing.all());

const put = (store: Store, key: string, value = 'x') => store.commit([{ kind: 'put', key, value }]);

/** The outcome of a watch that runs in the background. */
function follow(store: Store, afterRevision: number) {
  const controller = new AbortController();
  closing.add(() => controller.abort());
  const seen: Change[] = [];
  const state = { started: false, seen, error: undefined as unknown, ended: false };
  void (async () => {
    try {
      for await (const batch of store.watch('/t/', afterRevision, controller.signal, () => (state.started = true)))
        seen.push(...batch.changes);
    } catch (error) {
      state.error = error;
    }
    state.ended = true;
  })();
  return state;
}

describe('etcd is killed -9 and started again', () => {
  it('keeps what was acknowledged; calls fail meanwhile and work again by themselves', async () => {
    const { store } = closing.store([etcd.endpoint]);
    const revisions = await Promise.all(Array.from({ length: 50 }, (_, i) => put(store, `/t/${i}`)));
    const start = Math.max(...revisions);
    const watch = follow(store, start);
    await until(() => watch.started, 'the watch has started');
    await etcd.kill('SIGKILL');
    await expect(store.get('/t/1')).rejects.toBeInstanceOf(UnavailableError);
    await expect(put(store, '/t/lost')).rejects.toBeInstanceOf(UnavailableError);
    await until(() => watch.ended, 'the watch has ended');
    expect(watch.error).toBeInstanceOf(UnavailableError);

    await etcd.restart();
    await until(async () => (await store.get('/t/1').catch(() => undefined))?.value === 'x', 'reads work again');
    let count = 0;
    for await (const page of store.list('/t/')) count += page.entries.length;
    expect(count).toBe(50);
    const resumed = follow(store, start);
    await put(store, '/t/after');
    await until(() => resumed.seen.length > 0, 'the watch resumes');
    expect(resumed.seen).toHaveLength(1);
  });

  it('ends many writes under way one way or the other, and each that was acknowledged is there', async () => {
    const { store } = closing.store([etcd.endpoint]);
    const acknowledged: string[] = [];
    const writes = Array.from({ length: 2_000 }, (_, i) =>
      put(store, `/t/${i}`).then(
        () => void acknowledged.push(`/t/${i}`),
        (error: unknown) => expect(error).toBeInstanceOf(UnavailableError),
      ),
    );
    await until(() => acknowledged.length > 100, 'some are written');
    await etcd.kill('SIGKILL');
    await Promise.all(writes);
    await etcd.restart();
    const found = new Set<string>();
    await until(async () => {
      try {
        for await (const page of store.list('/t/')) for (const { key } of page.entries) found.add(key);
        return true;
      } catch {
        return false;
      }
    }, 'etcd answers again');
    expect(acknowledged.filter((key) => !found.has(key))).toEqual([]);
  });
});

describe('etcd hangs (SIGSTOP)', () => {
  it('ends calls by their deadline and the watch by its silence, and works again after', async () => {
    const { store } = closing.store([etcd.endpoint], { callMs: 1_000 });
    const start = await put(store, '/t/a');
    const watch = follow(store, start);
    await until(() => watch.started, 'the watch has started');
    await etcd.kill('SIGSTOP');
    await expect(store.get('/t/a')).rejects.toThrow(/did not answer in time/);
    await expect(put(store, '/t/b')).rejects.toBeInstanceOf(UnavailableError);
    await until(() => watch.ended, 'the watch is given up', 10_000);
    expect(watch.error).toBeInstanceOf(UnavailableError);
    await etcd.kill('SIGCONT');
    await until(async () => (await put(store, '/t/c').catch(() => 0)) > 0, 'writes work again');
    expect((await store.get('/t/a'))?.value).toBe('x');
  });
});

describe('the network', () => {
  it('goes half open: the watch notices, and new calls get a new connection', async () => {
    const proxy = await Proxy.start(etcd.endpoint);
    closing.add(() => proxy.close());
    const { store } = closing.store([proxy.endpoint], { callMs: 1_000 });
    const watch = follow(store, await put(store, '/t/a'));
    await until(() => watch.started, 'the watch has started');
    proxy.freeze();
    await until(() => watch.ended, 'the watch is given up', 10_000);
    expect(watch.error).toBeInstanceOf(UnavailableError);
    await expect(store.get('/t/a')).rejects.toBeInstanceOf(UnavailableError);
    proxy.heal();
    await until(async () => (await store.get('/t/a').catch(() => undefined)) !== undefined, 'reads work again');
  });

  it('loses one of two members: reads do not notice, writes and watches move on', async () => {
    const [one, two] = [await Proxy.start(etcd.endpoint), await Proxy.start(etcd.endpoint)];
    closing.add(() => Promise.all([one.close(), two.close()]));
    const { store } = closing.store([one.endpoint, two.endpoint], { callMs: 2_000 });
    await put(store, '/t/a');
    for (const proxy of [one, two]) {
      proxy.cut();
      for (let i = 0; i < 20; i++) expect((await store.get('/t/a'))?.value).toBe('x');
      await until(async () => (await put(store, '/t/b').catch(() => 0)) > 0, 'writes work');
      const watch = follow(store, await put(store, '/t/a'));
      await put(store, '/t/c');
      await until(() => watch.seen.length > 0, 'the watch works');
      proxy.heal();
    }
  });

  it('never repeats a write by itself', async () => {
    const proxy = await Proxy.start(etcd.endpoint);
    closing.add(() => proxy.close());
    const { store } = closing.store([proxy.endpoint], { callMs: 2_000 });
    const outcomes: Promise<unknown>[] = [];
    for (let i = 0; i < 300; i++) {
      outcomes.push(store.commit([{ kind: 'put', key: `/t/${i}`, value: 'x', expect: 0 }]));
      if (i % 100 === 50) proxy.cut();
      if (i % 100 === 60) proxy.heal();
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const failed = (await Promise.allSettled(outcomes)).flatMap((one) =>
      one.status === 'rejected' ? [one.reason] : [],
    );
    expect(failed.length).toBeGreaterThan(0);
    // A repeat would meet its own first try and call it a conflict.
    expect(failed.filter((reason) => !(reason instanceof UnavailableError))).toEqual([]);
  });
});

describe('a full etcd', () => {
  it('says what to do', async () => {
    const small = await startEtcd({ args: ['--quota-backend-bytes', '200000'] });
    closing.add(() => small.stop());
    const { store } = closing.store([small.endpoint]);
    let failure: unknown;
    await until(async () => {
      failure = await put(store, '/t/a', 'x'.repeat(100_000)).then(
        () => undefined,
        (error: unknown) => error,
      );
      return failure !== undefined;
    }, 'it is full');
    expect(failure).toBeInstanceOf(UnavailableError);
    expect(String(failure)).toMatch(/database is full.*defragment/);
    expect((await store.get('/t/a'))?.value).toHaveLength(100_000); // reads go on
  });
});
