import type { Kind, RecordOf } from '../records/records';
import type { Fence } from './store';

/** A record as this replica's mirror holds it. Frozen by convention: never change `record` in place. */
export interface Stored<T> {
  /** Path under the plural, e.g. `prod/web` for apps. */
  readonly path: string;
  readonly record: T;
  /** etcd mod_revision; the resourceVersion. */
  readonly revision: number;
}

/** A secondary index, kept up to date with the mirror. */
export interface Index<T> {
  get(value: string): readonly Stored<T>[];
}

/** One kind of record in the mirror: all in memory, synchronous. */
export interface Collection<T> {
  get(path: string): Stored<T> | undefined;
  /** In no particular order. */
  list(): Iterable<Stored<T>>;
  /**
   * The records whose path is exactly one segment below `parent`: the instances of `prod/web`, the tasks of an agent, the
   * versions of an app, the events of a namespace. In no particular order.
   */
  in(parent: string): readonly Stored<T>[];
  readonly size: number;
  /** Adds an index (once per name; asking again returns the first). `keyOf` undefined: not indexed. */
  index(name: string, keyOf: (record: T, path: string) => string | undefined): Index<T>;
}

/** What a listener hears. `previous` absent: added; `current` absent: deleted. */
export interface RecordChange<K extends Kind = Kind> {
  readonly kind: K;
  readonly path: string;
  readonly revision: number;
  readonly previous?: Stored<RecordOf[K]>;
  readonly current?: Stored<RecordOf[K]>;
}

/** A typed write; see Write in ports/store for `expect`. */
export type RecordWrite =
  | {
      [K in Kind]: {
        readonly op: 'put';
        readonly kind: K;
        readonly path: string;
        readonly record: RecordOf[K];
        readonly expect?: number;
      };
    }[Kind]
  | { readonly op: 'delete'; readonly kind: Kind; readonly path: string; readonly expect?: number }
  | { readonly op: 'check'; readonly kind: Kind; readonly path: string; readonly expect: number };

/**
 * All records, mirrored in memory (list + watch), written through to the store. Reads are synchronous and as fresh as the
 * watch; after `write` resolves, this mirror shows the write. Every replica has one.
 */
export interface Records {
  collection<K extends Kind>(kind: K): Collection<RecordOf[K]>;
  /** Revision up to which the mirror is complete. */
  revision(): number;
  /** False until the first list, and while the store does not answer: what is read may be stale. */
  isFresh(): boolean;
  /**
   * All or nothing. Throws ConflictError (key), FencedError, UnavailableError (unknown outcome), TooLargeError,
   * InvalidError (a record that could not be read again).
   * Resolves with the revision, after the mirror has it.
   */
  write(writes: readonly RecordWrite[], fence?: Fence): Promise<number>;
  /**
   * A linearizable refresh: resolves when the mirror has everything that was committed before this call. For the start of a
   * term and for reads that must not be stale. Throws UnavailableError.
   */
  sync(): Promise<void>;
  /** Called with every batch of changes, in order, after the mirror shows them. Returns the unsubscribe function. */
  onChange(listener: (changes: readonly RecordChange[]) => void): () => void;
  /**
   * Changes of one kind after `revision`, oldest first, from a bounded memory (LIMITS.changeHistory); 'expired' if it does
   * not reach back so far. For watches that resume.
   */
  changesSince<K extends Kind>(kind: K, revision: number): readonly RecordChange<K>[] | 'expired';
  /** One page at one revision from the store (for `continue` tokens). Throws CompactedError. Sorted by path. */
  page<K extends Kind>(
    kind: K,
    options: { readonly prefix?: string; readonly limit: number; readonly after?: string; readonly revision?: number },
  ): Promise<{ readonly items: readonly Stored<RecordOf[K]>[]; readonly revision: number; readonly more: boolean }>;
  /** Records that could not be parsed: set aside, named, never dropped. Their keys. */
  corrupt(): readonly { readonly key: string; readonly error: string }[];
}
