import { placeOf } from '../../src/io/mirror/codec';
import type { History } from './history';
import type { Fence, Write } from '../../src/core/ports/store';

/** A commit that the store took. */
export interface Committed {
  readonly revision: number;
  readonly writes: readonly Write[];
  readonly fence?: Fence | undefined;
}

/** Kinds that only a leader may write. Instances and rollouts are written by users' calls too. */
const LEADER_KINDS = ['Task', 'Agent', 'Framework'];

/** Never two leaders' writes interleaved: in order of revision, the terms of fenced writes never go back. */
export class FenceRules {
  private waiting: Committed[] = [];
  private newestTerm = 0;

  constructor(private readonly history: History) {}

  committed(committed: Committed): void {
    this.waiting.push(committed);
  }

  check(): void {
    const batch = this.waiting.toSorted((a, b) => a.revision - b.revision);
    this.waiting = [];
    for (const { fence, revision, writes } of batch) {
      if (fence === undefined)
        this.unfenced(
          writes.map(({ key }) => key),
          revision,
        );
      else if (fence.createRevision < this.newestTerm)
        this.history.violate(
          'never two leaders at once',
          `term ${fence.createRevision} wrote ${writes.map(({ key }) => key).join(', ')} after term ${this.newestTerm}`,
        );
      else this.newestTerm = fence.createRevision;
    }
  }

  private unfenced(keys: readonly string[], revision: number): void {
    const key = keys.find((candidate) => LEADER_KINDS.includes(placeOf(candidate)?.kind ?? ''));
    if (key !== undefined)
      this.history.violate('never two leaders at once', `${key} was written without a fence at ${revision}`);
  }
}
