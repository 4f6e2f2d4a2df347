import { CompactedError } from '../../core/errors';
import type { Change, ChangeBatch, Entry } from '../../core/ports/store';

/** What a key was from `revision` on; without entry: deleted. */
interface Version {
  readonly revision: number;
  readonly entry: Entry | undefined;
}

/** The past of a memory store: every version of every key and every batch of changes since the last compaction. */
export class Timeline {
  private readonly versions = new Map<string, Version[]>();
  private sortedKeys: string[] = [];
  private keysChanged = false;
  private batches: ChangeBatch[] = [];
  private compacted = 0;
  private newest = 1;

  /** One that begins with these entries; nothing is known of what was before. */
  static of({ revision, entries }: { readonly revision: number; readonly entries: readonly Entry[] }): Timeline {
    const timeline = new Timeline();
    for (const entry of entries) timeline.addVersion({ kind: 'put', entry });
    timeline.newest = revision;
    timeline.compacted = revision;
    return timeline;
  }

  /** Revision of the newest change. Starts at 1, as in etcd. */
  get revision(): number {
    return this.newest;
  }

  get length(): number {
    return this.batches.length;
  }

  current(key: string): Entry | undefined {
    return this.versions.get(key)?.at(-1)?.entry;
  }

  /** Adds one revision; every change must carry it. */
  append(batch: ChangeBatch): void {
    this.newest = batch.revision;
    this.batches.push(batch);
    for (const change of batch.changes) this.addVersion(change);
  }

  /** Entries with the prefix as they were at `revision`, behind `after`, in key order, at most `limit`. */
  range(prefix: string, revision: number, after: string, limit: number): Entry[] {
    this.assertKept(revision);
    const keys = this.keys();
    const found: Entry[] = [];
    for (let i = firstAtLeast(keys, after >= prefix ? after : prefix); i < keys.length && found.length < limit; i++) {
      const key = keys[i] ?? '';
      if (!key.startsWith(prefix)) break;
      const entry = key > after ? this.at(key, revision) : undefined;
      if (entry !== undefined) found.push(entry);
    }
    return found;
  }

  /** The first batch after `revision`, if it has happened. Throws CompactedError when history is gone. */
  next(revision: number): ChangeBatch | undefined {
    if (revision < this.compacted) throw new CompactedError(this.compacted);
    let [low, high] = [0, this.batches.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.batches[middle]?.revision ?? 0) > revision) high = middle;
      else low = middle + 1;
    }
    return this.batches[low];
  }

  /** Forgets what was before `revision`. */
  compact(revision: number): void {
    this.compacted = Math.max(this.compacted, Math.min(revision, this.newest));
    this.batches = this.batches.filter((batch) => batch.revision > this.compacted);
    for (const [key, versions] of this.versions) this.trim(key, versions);
  }

  private trim(key: string, versions: Version[]): void {
    const kept = versions.findLastIndex((version) => version.revision <= this.compacted);
    if (kept > 0) versions.splice(0, kept);
    if (versions.length === 1 && versions[0]?.entry === undefined) {
      this.versions.delete(key);
      this.keysChanged = true;
    }
  }

  private assertKept(revision: number): void {
    if (revision < this.compacted || revision > this.newest) throw new CompactedError(this.compacted);
  }

  private at(key: string, revision: number): Entry | undefined {
    return this.versions.get(key)?.findLast((version) => version.revision <= revision)?.entry;
  }

  private addVersion(change: Change): void {
    const [key, revision] =
      change.kind === 'put' ? [change.entry.key, change.entry.revision] : [change.key, change.revision];
    const version = { revision, entry: change.kind === 'put' ? change.entry : undefined };
    const versions = this.versions.get(key);
    if (versions !== undefined) return void versions.push(version);
    this.versions.set(key, [version]);
    this.keysChanged = true;
  }

  private keys(): readonly string[] {
    if (this.keysChanged) this.sortedKeys = [...this.versions.keys()].sort();
    this.keysChanged = false;
    return this.sortedKeys;
  }
}

function firstAtLeast(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? '') >= key) high = middle;
    else low = middle + 1;
  }
  return low;
}
