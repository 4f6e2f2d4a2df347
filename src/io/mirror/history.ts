import type { RecordChange } from '../../core/ports/records';
import type { Kind } from '../../core/records/records';

/** The last changes of all kinds in order of revision: a ring of fixed size. */
export class ChangeHistory {
  private readonly ring: (RecordChange | undefined)[];
  private written = 0;
  /** Per kind, the revision up to which changes have been forgotten; before that, the start of memory. */
  private readonly forgotten = new Map<Kind, number>();
  private startRevision: number | undefined;

  constructor(private readonly capacity: number) {
    this.ring = Array.from({ length: capacity }, () => undefined);
  }

  /** Nothing before `revision` is known. */
  begin(revision: number): void {
    this.startRevision ??= revision;
  }

  /** Another history begins: nothing of this one can be followed up. */
  restart(): void {
    this.ring.fill(undefined);
    this.written = 0;
    this.forgotten.clear();
    this.startRevision = undefined;
  }

  add(change: RecordChange): void {
    const slot = this.written % this.capacity;
    const dropped = this.ring[slot];
    if (dropped !== undefined) this.forgotten.set(dropped.kind, dropped.revision);
    this.ring[slot] = change;
    this.written += 1;
  }

  /** Changes of `kind` after `revision`, oldest first. */
  since<K extends Kind>(kind: K, revision: number): readonly RecordChange<K>[] | 'expired' {
    if (this.startRevision === undefined) return 'expired';
    if (revision < (this.forgotten.get(kind) ?? this.startRevision)) return 'expired';
    const found: RecordChange<K>[] = [];
    for (let i = this.firstAfter(revision); i < this.written; i++) {
      const change = this.ring[i % this.capacity];
      if (change !== undefined && isOf(change, kind)) found.push(change);
    }
    return found;
  }

  /** Number of the first change with a higher revision (binary search: revisions never fall). */
  private firstAfter(revision: number): number {
    let [low, high] = [Math.max(0, this.written - this.capacity), this.written];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.ring[middle % this.capacity]?.revision ?? 0) > revision) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function isOf<K extends Kind>(change: RecordChange, kind: K): change is RecordChange<K> {
  return change.kind === kind;
}
