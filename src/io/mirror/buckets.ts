import type { Stored } from '../../core/ports/records';

/** Above this many members a bucket becomes a map: copying the array on every change would cost too much. */
const SMALL = 16;

interface LargeBucket<T> {
  readonly byPath: Map<string, Stored<T>>;
  /** What get() last returned, until the next change. */
  list: readonly Stored<T>[] | undefined;
}

/**
 * Records grouped by a string. Most buckets are tiny (the task of an id) and some are huge (all tasks of a framework): small
 * ones are arrays that are replaced on change, large ones maps. What get() returned never changes afterwards.
 */
export class Buckets<T> {
  private readonly buckets = new Map<string, readonly Stored<T>[] | LargeBucket<T>>();

  get(value: string): readonly Stored<T>[] {
    const bucket = this.buckets.get(value);
    if (bucket === undefined) return [];
    if (isSmall(bucket)) return bucket;
    return (bucket.list ??= [...bucket.byPath.values()]);
  }

  /** Adds the record, or replaces the one with the same path. */
  set(value: string, stored: Stored<T>): void {
    const bucket = this.buckets.get(value);
    if (bucket === undefined) this.buckets.set(value, [stored]);
    else if (!isSmall(bucket)) {
      bucket.byPath.set(stored.path, stored);
      bucket.list = undefined;
    } else this.buckets.set(value, grown([...without(bucket, stored.path), stored]));
  }

  delete(value: string, path: string): void {
    const bucket = this.buckets.get(value);
    if (bucket === undefined) return;
    if (isSmall(bucket)) {
      const rest = without(bucket, path);
      if (rest.length === 0) this.buckets.delete(value);
      else this.buckets.set(value, rest);
      return;
    }
    bucket.byPath.delete(path);
    bucket.list = undefined;
    if (bucket.byPath.size === 0) this.buckets.delete(value);
  }
}

function isSmall<T>(bucket: readonly Stored<T>[] | LargeBucket<T>): bucket is readonly Stored<T>[] {
  return Array.isArray(bucket);
}

function without<T>(bucket: readonly Stored<T>[], path: string): readonly Stored<T>[] {
  return bucket.filter((member) => member.path !== path);
}

function grown<T>(members: readonly Stored<T>[]): readonly Stored<T>[] | LargeBucket<T> {
  if (members.length <= SMALL) return members;
  return { byPath: new Map(members.map((member) => [member.path, member])), list: undefined };
}
