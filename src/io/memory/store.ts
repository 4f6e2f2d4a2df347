import { ConflictError, FencedError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { Change, ChangeBatch, Entry, Fence, ListPage, Store, Write } from '../../core/ports/store';
import { checkCommit } from './commit-check';
import { Timeline } from './timeline';

export interface StoreCall {
  readonly name: 'get' | 'list' | 'commit' | 'watch';
  /** Of a commit. */
  readonly writes?: readonly Write[];
}

/**
 * Faults of a simulation. Each hook may wait (the call takes that long) or throw (an UnavailableError: the call fails): in
 * `before` nothing has happened yet, in `after` the commit has taken effect all the same. `deliver` sees each batch of a
 * watch before the watcher does; throwing ends the watch.
 */
export interface StoreFaults {
  before?(call: StoreCall): Promise<void> | void;
  after?(call: StoreCall): Promise<void> | void;
  deliver?(batch: ChangeBatch): Promise<void> | void;
}

/** What a store held at some revision; see snapshot() and rewind(). */
export interface Past {
  readonly revision: number;
  readonly entries: readonly Entry[];
}

/** A new object for each call of failWatches(): a watch fails when it is no longer the one it started with. */
interface WatchFailure {
  readonly error: Error;
}

/** The store in memory: same contract as etcd, same revisions, nothing durable. Deterministic: promises, no timers. */
export class MemoryStore implements Store {
  private timeline = new Timeline();
  private readonly wakers = new Set<() => void>();
  private watchFailure: WatchFailure | undefined;

  constructor(
    private readonly faults: StoreFaults = {},
    private readonly keptRevisions: number = LIMITS.memoryRevisions,
  ) {}

  /** Revision of the newest change. */
  revision(): number {
    return this.timeline.revision;
  }

  async get(key: string): Promise<Entry | undefined> {
    const call: StoreCall = { name: 'get' };
    await this.faults.before?.(call);
    const entry = this.timeline.current(key);
    await this.faults.after?.(call);
    return entry;
  }

  async *list(
    prefix: string,
    options: { readonly revision?: number; readonly after?: string; readonly pageSize?: number } = {},
  ): AsyncIterable<ListPage> {
    const pageSize = options.pageSize ?? LIMITS.listPageEntries;
    const call: StoreCall = { name: 'list' };
    let revision = options.revision;
    let after = options.after ?? '';
    for (;;) {
      await this.faults.before?.(call);
      revision ??= this.timeline.revision;
      const entries = this.timeline.range(prefix, revision, after, pageSize + 1);
      await this.faults.after?.(call);
      const page = entries.slice(0, pageSize);
      yield { entries: page, revision };
      if (entries.length <= pageSize) return;
      after = page.at(-1)?.key ?? after;
    }
  }

  async commit(writes: readonly Write[], fence?: Fence): Promise<number> {
    checkCommit(writes);
    const call: StoreCall = { name: 'commit', writes };
    await this.faults.before?.(call);
    const revision = this.apply(writes, fence);
    await this.faults.after?.(call);
    return revision;
  }

  async *watch(
    prefix: string,
    afterRevision: number,
    signal: AbortSignal,
    onStart?: () => void,
  ): AsyncIterable<ChangeBatch> {
    const known = this.watchFailure;
    await this.faults.before?.({ name: 'watch' });
    this.timeline.next(afterRevision); // throws when history is gone
    onStart?.();
    let revision = afterRevision;
    while (!signal.aborted) {
      if (this.watchFailure !== known) throw this.watchFailure?.error;
      const batch = this.timeline.next(revision);
      if (batch === undefined) {
        await this.wake(signal);
        continue;
      }
      revision = batch.revision;
      const changes = batch.changes.filter((change) => keyOf(change).startsWith(prefix));
      const delivery = this.faults.deliver?.({ revision, changes });
      if (delivery !== undefined) await Promise.race([delivery, this.ended(signal, known)]);
      if (!signal.aborted && this.watchFailure === known) yield { revision, changes };
    }
  }

  /** Reads without faults, as the store itself sees it. */
  peek(key: string): Entry | undefined {
    return this.timeline.current(key);
  }

  /** A change the store makes by itself (a lease ran out): no client takes part, so no fault can stop it. */
  serverCommit(writes: readonly Write[]): number {
    return this.apply(writes, undefined);
  }

  /** Forgets history before `revision`: lists at, and watches from, older revisions get CompactedError. */
  compact(revision: number): void {
    this.timeline.compact(revision);
    this.wakeAll();
  }

  /** Everything as it is now, for a rewind(). */
  snapshot(): Past {
    const { revision } = this.timeline;
    return { revision, entries: this.timeline.range('', revision, '', Number.POSITIVE_INFINITY) };
  }

  /**
   * The store is as it was then, as when its members are restored from a snapshot; `{ revision: 1, entries: [] }` for a store that
   * was emptied. Open watches hear of it only once the store has grown past what they have seen: end them, as a restart would.
   */
  rewind(past: Past): void {
    this.timeline = Timeline.of(past);
  }

  /** Ends every open watch with this error. */
  failWatches(error: Error): void {
    this.watchFailure = { error };
    this.wakeAll();
  }

  private apply(writes: readonly Write[], fence: Fence | undefined): number {
    if (fence !== undefined && this.timeline.current(fence.key)?.createRevision !== fence.createRevision)
      throw new FencedError();
    for (const write of writes) {
      const found = this.timeline.current(write.key)?.revision ?? 0;
      if (write.expect !== undefined && write.expect !== found) throw new ConflictError(write.key, write.expect);
    }
    const revision = this.timeline.revision + 1;
    const changes = writes.flatMap((write) => this.changeOf(write, revision));
    if (changes.length === 0) return this.timeline.revision; // checks alone make no revision, as in etcd
    this.timeline.append({ revision, changes });
    if (this.timeline.length > 2 * this.keptRevisions) this.timeline.compact(revision - this.keptRevisions);
    this.wakeAll();
    return revision;
  }

  private changeOf(write: Write, revision: number): Change[] {
    const { key } = write;
    const before = this.timeline.current(key);
    if (write.kind === 'put')
      return [
        {
          kind: 'put',
          entry: { key, value: write.value, revision, createRevision: before?.createRevision ?? revision },
        },
      ];
    return write.kind === 'delete' && before !== undefined ? [{ kind: 'delete', key, revision }] : [];
  }

  private async ended(signal: AbortSignal, known: WatchFailure | undefined): Promise<void> {
    while (!signal.aborted && this.watchFailure === known) await this.wake(signal);
  }

  private wake(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.wakers.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.wakers.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  private wakeAll(): void {
    for (const wake of [...this.wakers]) wake();
  }
}

function keyOf(change: Change): string {
  return change.kind === 'put' ? change.entry.key : change.key;
}
