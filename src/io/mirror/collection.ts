import type { Collection, Index, Stored } from '../../core/ports/records';
import { parentOf } from '../../core/records/paths';
import { Buckets } from './buckets';

class LiveIndex<T> implements Index<T> {
  private readonly buckets = new Buckets<T>();

  constructor(private readonly keyOf: (record: T, path: string) => string | undefined) {}

  get(value: string): readonly Stored<T>[] {
    return this.buckets.get(value);
  }

  replace(before: Stored<T> | undefined, after: Stored<T> | undefined): void {
    const from = before === undefined ? undefined : this.keyOf(before.record, before.path);
    const to = after === undefined ? undefined : this.keyOf(after.record, after.path);
    if (before !== undefined && from !== undefined && from !== to) this.buckets.delete(from, before.path);
    if (after !== undefined && to !== undefined) this.buckets.set(to, after);
  }
}

/** The records of one kind in memory, with their indexes. Written by the mirror alone. */
export class MirrorCollection<T> implements Collection<T> {
  private readonly byPath = new Map<string, Stored<T>>();
  private readonly children = new Buckets<T>();
  private readonly indexes = new Map<string, LiveIndex<T>>();

  get size(): number {
    return this.byPath.size;
  }

  get(path: string): Stored<T> | undefined {
    return this.byPath.get(path);
  }

  list(): Iterable<Stored<T>> {
    return this.byPath.values();
  }

  in(parent: string): readonly Stored<T>[] {
    return this.children.get(parent);
  }

  index(name: string, keyOf: (record: T, path: string) => string | undefined): Index<T> {
    const known = this.indexes.get(name);
    if (known !== undefined) return known;
    const index = new LiveIndex(keyOf);
    for (const stored of this.byPath.values()) index.replace(undefined, stored);
    this.indexes.set(name, index);
    return index;
  }

  set(stored: Stored<T>): void {
    const before = this.byPath.get(stored.path);
    this.byPath.set(stored.path, stored);
    this.children.set(parentOf(stored.path), stored);
    for (const index of this.indexes.values()) index.replace(before, stored);
  }

  delete(path: string): void {
    const before = this.byPath.get(path);
    if (before === undefined) return;
    this.byPath.delete(path);
    this.children.delete(parentOf(path), path);
    for (const index of this.indexes.values()) index.replace(before, undefined);
  }
}
