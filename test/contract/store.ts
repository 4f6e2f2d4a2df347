import { CompactedError, ConflictError, FencedError, TooLargeError } from '../../src/core/errors';
import { LIMITS } from '../../src/core/limits';
import type { Change, ChangeBatch, Entry, ListPage, Store, Write } from '../../src/core/ports/store';

/** An implementation under test, empty, with the one thing the port does not offer: compaction. */
export interface StoreUnderTest {
  readonly store: Store;
  compact(revision: number): Promise<void>;
  close(): Promise<void>;
}

const put = (key: string, value: string, expect?: number): Write => ({
  kind: 'put',
  key,
  value,
  ...(expect === undefined ? {} : { expect }),
});
const drop = (key: string, expect?: number): Write => ({
  kind: 'delete',
  key,
  ...(expect === undefined ? {} : { expect }),
});
const check = (key: string, expect: number): Write => ({ kind: 'check', key, expect });

async function all(
  pages: AsyncIterable<ListPage>,
): Promise<{ entries: Entry[]; pages: number; revisions: Set<number> }> {
  const found = { entries: new Array<Entry>(), pages: 0, revisions: new Set<number>() };
  for await (const page of pages) {
    found.entries.push(...page.entries);
    found.pages += 1;
    found.revisions.add(page.revision);
  }
  return found;
}

function keyOf(change: Change): string {
  return change.kind === 'put' ? change.entry.key : change.key;
}

/** Follows a prefix in the background and lets a test wait for what it needs. */
class Follower {
  readonly batches: ChangeBatch[] = [];
  readonly ended: Promise<unknown>;
  private readonly controller = new AbortController();
  private wake: () => void = () => undefined;
  readonly started: Promise<void>;

  constructor(store: Store, prefix: string, afterRevision: number) {
    let confirm: () => void = () => undefined;
    this.started = new Promise((resolve) => (confirm = resolve));
    this.ended = this.follow(store.watch(prefix, afterRevision, this.controller.signal, () => confirm()));
  }

  private async follow(watch: AsyncIterable<ChangeBatch>): Promise<unknown> {
    try {
      for await (const batch of watch) {
        if (batch.changes.length > 0) this.batches.push(batch);
        this.wake();
      }
      return 'aborted';
    } catch (error) {
      return error;
    }
  }

  changes(): Change[] {
    return this.batches.flatMap((batch) => batch.changes);
  }

  /** Resolves when so many changes have come. */
  async has(count: number): Promise<Change[]> {
    while (this.changes().length < count) await new Promise<void>((resolve) => (this.wake = resolve));
    return this.changes();
  }

  async stop(): Promise<unknown> {
    this.controller.abort();
    return this.ended;
  }
}

/** The contract of the port Store, run on every implementation. */
export function describeStore(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`Store contract: ${name}`, () => {
    let subject: StoreUnderTest;
    let store: Store;
    beforeEach(async () => {
      subject = await open();
      store = subject.store;
    });
    afterEach(() => subject.close());

    describe('commit', () => {
      it('creates, changes and deletes by compare-and-swap', async () => {
        const created = await store.commit([put('/t/a', 'one', 0)]);
        expect(await store.get('/t/a')).toEqual({
          key: '/t/a',
          value: 'one',
          revision: created,
          createRevision: created,
        });
        const changed = await store.commit([put('/t/a', 'zwölf', created)]);
        expect(changed).toBeGreaterThan(created);
        expect(await store.get('/t/a')).toEqual({
          key: '/t/a',
          value: 'zwölf',
          revision: changed,
          createRevision: created,
        });
        await store.commit([drop('/t/a', changed)]);
        expect(await store.get('/t/a')).toBeUndefined();
      });

      it('gives a new create revision to a key that is created again', async () => {
        await store.commit([put('/t/a', '1')]);
        await store.commit([drop('/t/a')]);
        const again = await store.commit([put('/t/a', '2', 0)]);
        expect((await store.get('/t/a'))?.createRevision).toBe(again);
      });

      test.each<{ name: string; write: (revision: number) => Write & { readonly expect?: number } }>([
        { name: 'put of what exists', write: () => put('/t/a', 'x', 0) },
        { name: 'put at an old revision', write: (revision) => put('/t/a', 'x', revision - 1) },
        { name: 'delete at an old revision', write: (revision) => drop('/t/a', revision - 1) },
        { name: 'check at an old revision', write: (revision) => check('/t/a', revision - 1) },
        { name: 'check that it does not exist', write: () => check('/t/a', 0) },
      ])('refuses $name and writes nothing of the commit', async ({ write }) => {
        const revision = await store.commit([put('/t/a', 'one')]);
        const wrong = write(revision);
        const refused = store.commit([put('/t/other', 'x'), wrong]);
        await expect(refused).rejects.toBeInstanceOf(ConflictError);
        await expect(refused).rejects.toMatchObject({ key: '/t/a', expectedRevision: wrong.expect });
        expect(await store.get('/t/other')).toBeUndefined();
        expect((await store.get('/t/a'))?.value).toBe('one');
      });

      it('refuses a put, delete or check of what is gone', async () => {
        const revision = await store.commit([put('/t/a', 'one')]);
        await store.commit([drop('/t/a')]);
        for (const write of [put('/t/a', 'x', revision), drop('/t/a', revision), check('/t/a', revision)])
          await expect(store.commit([write])).rejects.toMatchObject({ key: '/t/a', expectedRevision: revision });
      });

      it('names the first of several conflicts', async () => {
        await store.commit([put('/t/a', '1'), put('/t/b', '1')]);
        await expect(store.commit([put('/t/b', '2', 0), put('/t/a', '2', 0)])).rejects.toMatchObject({ key: '/t/b' });
      });

      it('writes all keys of a commit at one revision', async () => {
        await store.commit([put('/t/b', 'old')]);
        const revision = await store.commit([put('/t/a', '1'), drop('/t/b'), put('/t/c', '3'), check('/t/d', 0)]);
        const { entries } = await all(store.list('/t/'));
        expect(entries.map((entry) => [entry.key, entry.revision])).toEqual([
          ['/t/a', revision],
          ['/t/c', revision],
        ]);
      });

      it('makes no revision when nothing changes', async () => {
        const revision = await store.commit([put('/t/a', '1')]);
        expect(await store.commit([check('/t/a', revision)])).toBe(revision);
        expect(await store.commit([drop('/t/none')])).toBe(revision);
        expect(await store.commit([drop('/t/none', 0)])).toBe(revision);
      });

      it('takes the most writes that are allowed, and refuses one more', async () => {
        const writes = Array.from({ length: LIMITS.commitWrites }, (_, i) => put(`/t/${i}`, 'x', 0));
        await store.commit(writes);
        expect((await all(store.list('/t/'))).entries).toHaveLength(LIMITS.commitWrites);
        await expect(store.commit([...writes, put('/t/more', 'x')])).rejects.toBeInstanceOf(TooLargeError);
        expect(await store.get('/t/more')).toBeUndefined();
      });

      it('takes a record of the largest size and refuses a commit that is too large', async () => {
        const large = 'x'.repeat(LIMITS.recordBytes);
        await store.commit([put('/t/a', large)]);
        expect((await store.get('/t/a'))?.value).toHaveLength(LIMITS.recordBytes);
        await expect(store.commit([put('/t/b', large), put('/t/c', large)])).rejects.toBeInstanceOf(TooLargeError);
        expect(await store.get('/t/b')).toBeUndefined();
      });

      it('treats a key named twice as a bug', async () => {
        await expect(store.commit([put('/t/a', '1'), drop('/t/a')])).rejects.toThrow('twice');
      });
    });

    describe('group commit', () => {
      it('keeps conflicts among many concurrent commits to themselves', async () => {
        await store.commit([put('/t/taken', 'x')]);
        const commits = Array.from({ length: 500 }, (_, i) =>
          store.commit(
            i % 5 === 0
              ? [put(`/t/n${i}`, 'x'), put('/t/taken', 'y', 0)]
              : [put(`/t/n${i}`, 'x', 0), check('/t/none', 0)],
          ),
        );
        const outcomes = await Promise.allSettled(commits);
        const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
        expect(failed).toHaveLength(100);
        for (const { reason } of failed) expect(reason).toMatchObject({ code: 'CONFLICT', key: '/t/taken' });
        expect((await all(store.list('/t/n'))).entries).toHaveLength(400);
      });

      it('lets exactly one of many writers of one key win each round', async () => {
        let revision = await store.commit([put('/t/counter', '0')]);
        for (let round = 1; round <= 5; round++) {
          const expected = revision;
          const outcomes = await Promise.allSettled(
            Array.from({ length: 40 }, (_, i) => store.commit([put('/t/counter', `${round}:${i}`, expected)])),
          );
          const won = outcomes.filter((outcome) => outcome.status === 'fulfilled');
          expect(won).toHaveLength(1);
          revision = won[0]?.value ?? 0;
        }
        expect((await store.get('/t/counter'))?.revision).toBe(revision);
      });

      it("keeps the order of one caller's commits on one key", async () => {
        const commits = Array.from({ length: 200 }, (_, i) =>
          store.commit([put('/t/a', String(i)), put(`/t/b${i}`, '')]),
        );
        const revisions = await Promise.all(commits);
        expect((await store.get('/t/a'))?.value).toBe('199');
        expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
      });

      it('takes commits of every size together', async () => {
        const sizes = [1, 100, 3, 119, 120, 1, 1, 64, 65, 2];
        await Promise.all(
          sizes.map((size, commit) =>
            store.commit(Array.from({ length: size }, (_, i) => put(`/t/${commit}/${i}`, 'x', 0))),
          ),
        );
        expect((await all(store.list('/t/'))).entries).toHaveLength(sizes.reduce((sum, size) => sum + size, 0));
      });

      it('takes many large records at once', async () => {
        const large = 'y'.repeat(200_000);
        await Promise.all(Array.from({ length: 40 }, (_, i) => store.commit([put(`/t/${i}`, large)])));
        expect((await all(store.list('/t/', { pageSize: 5 }))).entries).toHaveLength(40);
      });
    });

    describe('fencing', () => {
      it('writes while the fence holds, and never after the leader key is gone or of another term', async () => {
        const createRevision = await store.commit([put('/leader', 'a', 0)]);
        const fence = { key: '/leader', createRevision };
        await store.commit([put('/t/a', '1')], fence);
        await store.commit([put('/leader', 'a, changed')]);
        await store.commit([put('/t/a', '2')], fence); // the key lives on: still the same term

        await store.commit([drop('/leader')]);
        await expect(store.commit([put('/t/a', '3')], fence)).rejects.toBeInstanceOf(FencedError);
        await store.commit([put('/leader', 'a', 0)]);
        await expect(store.commit([put('/t/a', '3')], fence)).rejects.toBeInstanceOf(FencedError);
        expect((await store.get('/t/a'))?.value).toBe('2');
      });

      it('tells the lost term before the conflict', async () => {
        await store.commit([put('/t/a', '1')]);
        const commit = store.commit([put('/t/a', '2', 0)], { key: '/leader', createRevision: 1 });
        await expect(commit).rejects.toBeInstanceOf(FencedError);
      });

      it('fences only those who carry the fence', async () => {
        const fence = { key: '/leader', createRevision: 1 };
        const outcomes = await Promise.allSettled(
          Array.from({ length: 60 }, (_, i) =>
            i % 2 === 0 ? store.commit([put(`/t/${i}`, 'x')], fence) : store.commit([put(`/t/${i}`, 'x')]),
          ),
        );
        expect(outcomes.map((outcome) => outcome.status === 'fulfilled')).toEqual(outcomes.map((_, i) => i % 2 === 1));
      });
    });

    describe('list', () => {
      it('gives one empty page of an empty prefix', async () => {
        const { entries, pages } = await all(store.list('/none/'));
        expect([entries, pages]).toEqual([[], 1]);
      });

      it('pages in key order, at one revision, while others write', async () => {
        await store.commit(Array.from({ length: 25 }, (_, i) => put(`/t/${String(i).padStart(3, '0')}`, 'old')));
        const seen: Entry[] = [];
        const revisions = new Set<number>();
        for await (const page of store.list('/t/', { pageSize: 10 })) {
          seen.push(...page.entries);
          revisions.add(page.revision);
          await store.commit([put('/t/024', 'new'), put('/t/zzz', 'new'), drop('/t/023')]);
        }
        expect(seen.map((entry) => entry.key)).toEqual(
          Array.from({ length: 25 }, (_, i) => `/t/${String(i).padStart(3, '0')}`),
        );
        expect(seen.every((entry) => entry.value === 'old')).toBe(true);
        expect(revisions.size).toBe(1);
      });

      it('lists the past, and starts behind a key', async () => {
        const past = await store.commit([put('/t/a', '1'), put('/t/b', '1'), put('/t/c', '1')]);
        await store.commit([put('/t/b', '2'), drop('/t/c')]);
        const { entries } = await all(store.list('/t/', { revision: past, after: '/t/a', pageSize: 1 }));
        expect(entries.map((entry) => [entry.key, entry.value])).toEqual([
          ['/t/b', '1'],
          ['/t/c', '1'],
        ]);
      });

      it('keeps to the prefix', async () => {
        await store.commit([put('/t/a', ''), put('/t', ''), put('/t0', ''), put('/s/z', ''), put('/t/ä/x', '')]);
        const { entries } = await all(store.list('/t/'));
        expect(entries.map((entry) => entry.key)).toEqual(['/t/a', '/t/ä/x']);
      });

      it('pages more than 4 MB', async () => {
        const large = 'z'.repeat(100_000);
        for (let i = 0; i < 60; i++) await store.commit([put(`/t/${i}`, large)]);
        const { entries } = await all(store.list('/t/'));
        expect(entries).toHaveLength(60);
        expect(entries.every((entry) => entry.value.length === large.length)).toBe(true);
      });

      it('throws CompactedError for a revision that is no longer kept', async () => {
        const past = await store.commit([put('/t/a', '1')]);
        const later = await store.commit([put('/t/a', '2')]);
        await subject.compact(later);
        await expect(all(store.list('/t/', { revision: past }))).rejects.toBeInstanceOf(CompactedError);
        expect((await all(store.list('/t/', { revision: later }))).entries).toHaveLength(1);
      });
    });

    describe('watch', () => {
      it('brings every change under the prefix after the revision, in order, one batch per revision', async () => {
        const start = await store.commit([put('/t/before', 'x')]);
        const follower = new Follower(store, '/t/', start);
        await follower.started;
        const first = await store.commit([put('/t/a', '1'), put('/t/b', '1'), put('/s/no', '1')]);
        const second = await store.commit([drop('/t/a'), put('/t/b', '2')]);
        await follower.has(4);
        expect(follower.batches.map((batch) => batch.revision)).toEqual([first, second]);
        expect(follower.batches[1]?.changes).toEqual(
          expect.arrayContaining([
            { kind: 'delete', key: '/t/a', revision: second },
            { kind: 'put', entry: { key: '/t/b', value: '2', revision: second, createRevision: first } },
          ]),
        );
        expect(await follower.stop()).toBe('aborted');
      });

      it('resumes from a revision of the past without a gap', async () => {
        const revisions: number[] = [];
        for (let i = 0; i < 20; i++) revisions.push(await store.commit([put('/t/a', String(i))]));
        const follower = new Follower(store, '/t/', revisions[9] ?? 0);
        const changes = await follower.has(10);
        expect(changes.map((change) => (change.kind === 'put' ? change.entry.value : ''))).toEqual(
          Array.from({ length: 10 }, (_, i) => String(i + 10)),
        );
        await follower.stop();
      });

      it('loses nothing under concurrent commits, and never splits a revision', async () => {
        const start = await store.commit([put('/t/start', '')]);
        const follower = new Follower(store, '/t/', start);
        await Promise.all(
          Array.from({ length: 300 }, (_, i) => store.commit([put(`/t/${i}/a`, ''), put(`/t/${i}/b`, '')])),
        );
        const changes = await follower.has(600);
        expect(new Set(changes.map(keyOf)).size).toBe(600);
        const revisions = follower.batches.map((batch) => batch.revision);
        expect(revisions).toEqual([...new Set(revisions)].toSorted((a, b) => a - b));
        await follower.stop();
      });

      it('brings one revision whole, however large', async () => {
        const start = await store.commit([put('/t/start', '')]);
        const follower = new Follower(store, '/t/', start);
        const large = 'w'.repeat(11_000);
        const revision = await store.commit(Array.from({ length: 120 }, (_, i) => put(`/t/${i}`, large)));
        await follower.has(120);
        expect(follower.batches.map((batch) => [batch.revision, batch.changes.length])).toEqual([[revision, 120]]);
        await follower.stop();
      });

      it('throws CompactedError when history is gone, and only then', async () => {
        const first = await store.commit([put('/t/a', '1')]);
        await store.commit([put('/t/a', '2')]);
        const third = await store.commit([put('/t/a', '3')]);
        await store.commit([put('/t/a', '4')]);
        await subject.compact(third);
        const ended = await new Follower(store, '/t/', first).ended;
        expect(ended).toBeInstanceOf(CompactedError);
        expect(ended).toMatchObject({ compactRevision: third });

        const follower = new Follower(store, '/t/', third);
        expect(await follower.has(1)).toHaveLength(1);
        await follower.stop();
      });

      it('goes on when history behind it is compacted', async () => {
        const start = await store.commit([put('/t/a', '1')]);
        const follower = new Follower(store, '/t/', start);
        const next = await store.commit([put('/t/a', '2')]);
        await follower.has(1);
        await subject.compact(next);
        await store.commit([put('/t/a', '3')]);
        await follower.has(2);
        await follower.stop();
      });

      it('ends quietly when it is aborted before it starts', async () => {
        const aborted = AbortSignal.abort();
        for await (const _batch of store.watch('/t/', 1, aborted)) throw new Error('a batch after the abort');
      });
    });
  });
}
