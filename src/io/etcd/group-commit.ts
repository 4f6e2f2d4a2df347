import { UnavailableError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { Fence, Write } from '../../core/ports/store';

/** A commit on its way. */
export interface Commit {
  readonly writes: readonly Write[];
  readonly fence: Fence | undefined;
  readonly bytes: number;
}

/** What became of one commit of a group: its revision, or why not. */
export type CommitOutcome = number | Error;

export interface GroupLimits {
  readonly commits: number;
  readonly writes: number;
  readonly bytes: number;
  readonly inFlight: number;
  readonly queued: number;
}

interface Queued extends Commit {
  readonly resolve: (revision: number) => void;
  readonly reject: (error: unknown) => void;
  /** Earlier commits on the same keys that have not finished. */
  waitsFor: number;
  /** Later ones that wait for this. */
  readonly followers: Queued[];
}

/** The unfinished commits on one key: the newest writer, and who has looked at the key since. */
interface KeyQueue {
  writer: Queued | undefined;
  readers: Set<Queued>;
}

const DEFAULT_LIMITS: GroupLimits = {
  commits: LIMITS.groupedCommits,
  writes: LIMITS.groupedWrites,
  bytes: LIMITS.commitBytes,
  inFlight: LIMITS.commitsInFlight,
  queued: LIMITS.queuedCommits,
};

/**
 * Gathers commits into groups: sent at once while fewer than `inFlight` groups are under way, else with the next group. A
 * commit waits until every earlier one on its keys has finished (checks of one key do not disturb each other), so no group
 * names a key twice, and commits on one key take effect in the order they were made.
 */
export class GroupCommit {
  private readonly ready: Queued[] = [];
  private readonly keys = new Map<string, KeyQueue>();
  private waiting = 0;
  private inFlight = 0;
  private flushing = false;

  /** @param send one outcome per commit, in the same order; rejects when the fate of the whole group is unknown */
  constructor(
    private readonly send: (group: readonly Commit[]) => Promise<readonly CommitOutcome[]>,
    private readonly limits: GroupLimits = DEFAULT_LIMITS,
  ) {}

  /** Commits that have not been sent. */
  get queued(): number {
    return this.waiting;
  }

  commit(commit: Commit): Promise<number> {
    if (this.waiting >= this.limits.queued)
      return Promise.reject(new UnavailableError('store', { detail: `${this.waiting} commits wait already` }));
    return new Promise((resolve, reject) => {
      const queued: Queued = { ...commit, resolve, reject, waitsFor: 0, followers: [] };
      this.waiting += 1;
      this.line(queued);
      if (queued.waitsFor === 0) this.ready.push(queued);
      this.flushSoon();
    });
  }

  /** Lines the commit up behind the earlier ones on its keys. */
  private line(commit: Queued): void {
    for (const { key, kind } of commit.writes) {
      const queue = this.keys.get(key) ?? { writer: undefined, readers: new Set() };
      this.keys.set(key, queue);
      if (queue.writer !== undefined) follow(commit, queue.writer);
      if (kind === 'check') queue.readers.add(commit);
      else {
        for (const reader of queue.readers) follow(commit, reader);
        queue.writer = commit;
        queue.readers = new Set();
      }
    }
  }

  /** What is committed in the same turn of the event loop goes together. */
  private flushSoon(): void {
    if (this.flushing) return;
    this.flushing = true;
    queueMicrotask(() => {
      this.flushing = false;
      while (this.ready.length > 0 && this.inFlight < this.limits.inFlight) void this.sendGroup(this.nextGroup());
    });
  }

  private nextGroup(): Queued[] {
    let [count, writes, bytes] = [0, 0, 0];
    for (const commit of this.ready) {
      writes += commit.writes.length;
      bytes += commit.bytes;
      const full = count === this.limits.commits || writes > this.limits.writes || bytes > this.limits.bytes;
      if (count > 0 && full) break;
      count += 1;
    }
    return this.ready.splice(0, count);
  }

  private async sendGroup(group: readonly Queued[]): Promise<void> {
    this.inFlight += 1;
    this.waiting -= group.length;
    try {
      const outcomes = await this.send(group);
      group.forEach((commit, i) => settle(commit, outcomes[i] ?? new Error('a commit got no outcome')));
    } catch (error) {
      for (const commit of group) commit.reject(error);
    }
    this.inFlight -= 1;
    for (const commit of group) this.finish(commit);
    this.flushSoon();
  }

  private finish(commit: Queued): void {
    for (const follower of commit.followers) {
      follower.waitsFor -= 1;
      if (follower.waitsFor === 0) this.ready.push(follower);
    }
    for (const { key } of commit.writes) {
      const queue = this.keys.get(key);
      if (queue === undefined) continue;
      if (queue.writer === commit) queue.writer = undefined;
      queue.readers.delete(commit);
      if (queue.writer === undefined && queue.readers.size === 0) this.keys.delete(key);
    }
  }
}

function follow(commit: Queued, earlier: Queued): void {
  commit.waitsFor += 1;
  earlier.followers.push(commit);
}

function settle(commit: Queued, outcome: CommitOutcome): void {
  if (typeof outcome === 'number') commit.resolve(outcome);
  else commit.reject(outcome);
}
