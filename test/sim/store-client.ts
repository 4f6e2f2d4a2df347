import type { Committed } from '../checker/fence-rules';
import { UnavailableError } from '../../src/core/errors';
import { LIMITS } from '../../src/core/limits';
import { sleep } from '../../src/core/ports/clock';
import type { ChangeBatch, Entry, Fence, ListPage, Store, Write } from '../../src/core/ports/store';
import type { LeaseFaults } from '../../src/io/memory/leases';
import type { MemoryStore } from '../../src/io/memory/store';
import type { FakeClock } from '../support/fakes';
import type { Dice } from './dice';
import type { SimProcess } from './process';

/** How bad the network between a server and the store is. Changed by the world while it runs. */
export interface StoreTrouble {
  /** Nothing gets through: calls end without an answer, watches are silent. */
  away: boolean;
  /** Share of calls that take long, fail before their effect, fail after it; of watch batches that end the watch. */
  slow: number;
  failBefore: number;
  failAfter: number;
  /** Share of commits that are given up by the caller and take effect later all the same. */
  late: number;
  endWatch: number;
  /** Every write takes 1 to 5 s. */
  slowWrites: boolean;
  /** The database is full: what only deletes is done, nothing else is written, no lease is granted. */
  noSpace: boolean;
  /** Watches are open and say nothing; they are given up after a while. */
  mute: boolean;
}

export function noTrouble(): StoreTrouble {
  return {
    away: false,
    slow: 0,
    failBefore: 0,
    failAfter: 0,
    late: 0,
    endWatch: 0,
    slowWrites: false,
    noSpace: false,
    mute: false,
  };
}

/** The way of one server process to the shared store: same contract, with the faults of its network. */
export class StoreClient implements Store {
  private readonly order = new Map<string, Promise<unknown>>();
  private readonly watches = new Set<AbortController>();

  constructor(
    private readonly store: MemoryStore,
    private readonly process: SimProcess,
    private readonly clock: FakeClock,
    private readonly dice: Dice,
    private readonly trouble: StoreTrouble,
    private readonly onCommit: (committed: Committed) => void,
  ) {}

  get(key: string): Promise<Entry | undefined> {
    return this.process.call(() => this.troubled(() => this.store.get(key)));
  }

  async *list(
    prefix: string,
    options: { readonly revision?: number; readonly after?: string; readonly pageSize?: number } = {},
  ): AsyncIterable<ListPage> {
    await this.process.call(() => this.troubled(() => Promise.resolve()));
    for await (const page of this.store.list(prefix, options)) {
      await this.process.call(() => this.troubled(() => Promise.resolve()));
      yield page;
    }
  }

  /** Commits with a key in common keep their order, as in io/etcd; others overtake each other. */
  commit(writes: readonly Write[], fence?: Fence): Promise<number> {
    return this.process.call(async () => {
      const before = writes.map(({ key }) => this.order.get(key) ?? Promise.resolve());
      const done = Promise.allSettled(before).then(() =>
        this.troubled(async () => {
          await this.disk(writes.some(({ kind }) => kind === 'put'));
          if (!this.dice.hit(this.trouble.late)) return this.effect(writes, fence);
          void sleep(this.clock, this.dice.between(1, 3_000)).then(() => this.effect(writes, fence).catch(() => 0));
          throw new UnavailableError('store', { detail: 'no answer in time' });
        }),
      );
      const settled = done.then(
        () => undefined,
        () => undefined,
      );
      for (const { key } of writes) this.order.set(key, settled);
      return done;
    });
  }

  async *watch(
    prefix: string,
    afterRevision: number,
    signal: AbortSignal,
    onStart?: () => void,
  ): AsyncIterable<ChangeBatch> {
    await this.process.call(() => this.troubled(() => Promise.resolve()));
    const broken = new AbortController();
    this.watches.add(broken);
    const ends = AbortSignal.any([signal, this.process.killed, broken.signal]);
    try {
      for await (const batch of this.store.watch(prefix, afterRevision, ends, onStart)) {
        await this.delivery(ends);
        if (signal.aborted) return;
        if (broken.signal.aborted || this.dice.hit(this.trouble.endWatch)) break;
        yield batch;
      }
    } finally {
      this.watches.delete(broken);
    }
    if (signal.aborted) return;
    await this.process.call(() => Promise.resolve());
    throw new UnavailableError('store', { detail: 'the watch broke' });
  }

  /** Every open watch ends, as when the members restart. */
  breakWatches(): void {
    for (const watch of this.watches) watch.abort();
  }

  /** The way of a batch to the watcher. */
  private async delivery(ends: AbortSignal): Promise<void> {
    if (this.dice.hit(this.trouble.slow)) await sleep(this.clock, this.dice.between(1, 500));
    while (this.trouble.away && !ends.aborted) await sleep(this.clock, 100, ends);
    if (this.trouble.mute) {
      await sleep(this.clock, LIMITS.watchProbeMs + LIMITS.watchSilenceMs, ends);
      throw new UnavailableError('store', { detail: 'the watch is silent' });
    }
    await this.process.call(() => Promise.resolve());
  }

  /** The same network for the calls that keep the leader's lease. */
  leaseFaults(): LeaseFaults {
    return {
      before: (call) =>
        this.process.call(async () => {
          await this.obstacle(call === 'acquire' ? 0 : undefined);
          if (call === 'acquire' || call === 'grant') await this.disk(true);
        }),
      after: () => this.process.call(() => this.lost()),
    };
  }

  private async effect(writes: readonly Write[], fence: Fence | undefined): Promise<number> {
    const revision = await this.store.commit(writes, fence);
    this.onCommit({ revision, writes, fence });
    return revision;
  }

  private async troubled<T>(effect: () => Promise<T>): Promise<T> {
    await this.obstacle();
    const answer = await effect();
    await this.lost();
    return answer;
  }

  private async disk(puts: boolean): Promise<void> {
    if (this.trouble.slowWrites) await sleep(this.clock, this.dice.between(1_000, LIMITS.storeCallMs - 1));
    if (this.trouble.noSpace && puts) throw new UnavailableError('store', { detail: 'its database is full' });
  }

  private async obstacle(failures = this.trouble.failBefore): Promise<void> {
    if (this.trouble.away) {
      await sleep(this.clock, this.dice.one(5, 200, LIMITS.storeCallMs));
      throw new UnavailableError('store', { detail: 'no answer' });
    }
    if (this.dice.hit(this.trouble.slow)) await sleep(this.clock, this.dice.one(1, 3, 20, 300));
    if (this.dice.hit(failures)) throw new UnavailableError('store', { detail: 'the call did not get there' });
  }

  private async lost(): Promise<void> {
    if (this.dice.hit(this.trouble.slow)) await sleep(this.clock, this.dice.one(1, 3, 20));
    if (this.trouble.away || this.dice.hit(this.trouble.failAfter))
      throw new UnavailableError('store', { detail: 'the answer was lost' });
  }
}
