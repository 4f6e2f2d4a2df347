/** One key of the store. Values are JSON text; nobody below the records layer looks inside. */
export interface Entry {
  readonly key: string;
  readonly value: string;
  /** etcd mod_revision of this key: the token for compare-and-swap. */
  readonly revision: number;
  /** etcd create_revision: tells a key from its re-created namesake. */
  readonly createRevision: number;
}

/**
 * One operation of an atomic commit. `expect` is the revision the key must be at: 0 = must not exist, absent = anything
 * goes. `check` writes nothing. A key may occur once per commit.
 */
export type Write =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly expect?: number }
  | { readonly kind: 'delete'; readonly key: string; readonly expect?: number }
  | { readonly kind: 'check'; readonly key: string; readonly expect: number };

/** Proof of leadership: the leader key as it was created in this term. A commit that carries it is void after the term. */
export interface Fence {
  readonly key: string;
  readonly createRevision: number;
}

export type Change =
  | { readonly kind: 'put'; readonly entry: Entry }
  | { readonly kind: 'delete'; readonly key: string; readonly revision: number };

/** Changes in order of revision; all changes of one revision are in one batch. Without changes: progress only. */
export interface ChangeBatch {
  readonly revision: number;
  readonly changes: readonly Change[];
}

export interface ListPage {
  readonly entries: readonly Entry[];
  /** The one revision at which the whole list was read. Watch after it and nothing is missed. */
  readonly revision: number;
}

/** The store of records. Two implementations, one contract suite (test/contract/store.ts): etcd and memory. */
export interface Store {
  /** Linearizable read. */
  get(key: string): Promise<Entry | undefined>;
  /**
   * All entries with the prefix in key order, page by page, every page at one revision (the newest unless `revision` is
   * given). `after`: start behind this key. Throws CompactedError when `revision` is no longer kept.
   */
  list(
    prefix: string,
    options?: { readonly revision?: number; readonly after?: string; readonly pageSize?: number },
  ): AsyncIterable<ListPage>;
  /**
   * All or nothing; resolves with the revision of the commit once it is durable. At most LIMITS.commitWrites writes.
   * ConflictError: an `expect` did not hold (its `key` says which). FencedError: `fence` did not hold. UnavailableError:
   * **unknown** whether it took effect. Commits of one caller may be grouped with others' into one etcd transaction.
   */
  commit(writes: readonly Write[], fence?: Fence): Promise<number>;
  /**
   * Every change after `afterRevision` under the prefix, in order. Ends by throwing: CompactedError (list again),
   * UnavailableError (list again after a pause); ends without error when `signal` aborts. Calls `onStart`, if given,
   * once the store has confirmed that it watches.
   */
  watch(prefix: string, afterRevision: number, signal: AbortSignal, onStart?: () => void): AsyncIterable<ChangeBatch>;
}
