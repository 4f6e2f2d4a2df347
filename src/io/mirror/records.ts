import { messageOf, StoreFullError, UnavailableError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import { sleep, type Clock } from '../../core/ports/clock';
import type { Logger } from '../../core/ports/logger';
import type { Counter, Metrics } from '../../core/ports/metrics';
import type { Collection, RecordChange, Records, RecordWrite, Stored } from '../../core/ports/records';
import type { Fence, Store, Write } from '../../core/ports/store';
import { KEY_ROOT } from '../../core/records/paths';
import { ALL_KINDS, type Kind, type RecordOf } from '../../core/records/records';
import { RepeatLimitedLogger } from '../log/repeat-limit';
import { keyOf, parseRecord, placeOf, serialize } from './codec';
import { ChangeHistory } from './history';
import { Progress } from './progress';
import { MirrorState, type OwnWrite, type Staged } from './state';

/** Watched as a whole, so that every revision Berth makes moves the mirror on; records are below KEY_ROOT. */
const WATCH_ROOT = '/berth/';
/** Written when only a write can prove that the watch is alive; never read. */
const SYNC_KEY = '/berth/sync';
/** Milliseconds to wait for the watch before that: it is rarely more than one round trip behind. */
const USUAL_LAG_MS = 50;

/** The store no longer tells the history that this mirror has followed: it was restored from a backup, or emptied. */
export interface Rewind {
  /** When it was noticed: wall clock, and the process's own. Milliseconds. */
  readonly atMs: number;
  readonly monotonicMs: number;
  /** The revision that the mirror had, and the one that the store told. */
  readonly from: number;
  readonly to: number;
}

interface Prepared {
  readonly writes: readonly Write[];
  readonly own: readonly OwnWrite[];
}

/**
 * The mirror: Records over any Store. Lists everything, then watches; when the watch ends for any reason it lists again and
 * tells the differences. While the store is away it serves what it has (isFresh() is false) and writes throw.
 *
 * A store that went back in time is taken in as it is now, but first `onRewind` is told: whoever acts on what he has read before
 * must stop. Until all records have been read anew, writes and `sync` throw and what is read is stale.
 */
export class MirrorRecords implements Records {
  private readonly state: MirrorState;
  private readonly history: ChangeHistory;
  private readonly progress: Progress;
  private readonly listeners = new Set<(changes: readonly RecordChange[]) => void>();
  private readonly log: Logger;
  private seenRevision: number;
  private fresh = false;
  /** Why the store takes no writes, as it last said. */
  private full: string | undefined;
  /** The store went back in time: nothing is written until everything has been read anew. */
  private refusal: UnavailableError | undefined;
  private readonly rewound: Rewind[] = [];
  private readonly rewindListeners = new Set<(rewind: Rewind) => void>();
  private readonly rewindCount: Counter;
  /** Ends the watch that runs. */
  private watching: AbortController | undefined;
  private syncing: { readonly running: Promise<void>; next: Promise<void> | undefined } | undefined;
  private loop: Promise<void> = Promise.resolve();
  private probes: Promise<void> = Promise.resolve();

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    log: Logger,
    private readonly metrics: Metrics,
    options: {
      readonly history?: number;
      /** What an earlier process of this server saw: a store that has not got so far went back in time. */
      readonly seenRevision?: number;
    } = {},
  ) {
    this.seenRevision = options.seenRevision ?? 0;
    this.log = new RepeatLimitedLogger(log, clock);
    this.state = new MirrorState((key, error) =>
      log.error('a record cannot be parsed and is set aside; nothing is done to what it stands for', { key, error }),
    );
    this.history = new ChangeHistory(options.history ?? LIMITS.changeHistory);
    const lag = metrics.histogram({
      name: 'berth_mirror_lag_seconds',
      help: 'Time until the watch had brought what etcd had confirmed; asked every two seconds.',
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    });
    this.progress = new Progress(
      clock,
      () => (this.refusal === undefined ? this.state.revision : 0),
      (ms) => lag.observe(ms / 1000),
    );
    this.rewindCount = metrics.counter({
      name: 'berth_store_rewinds_total',
      help: 'How often the store was found to have gone back in time (restored from a backup, or emptied).',
    });
    this.rewindCount.inc({}, 0);
    this.report();
  }

  /** Starts mirroring until `signal` aborts. Resolves when the first list is in memory (or `signal` aborted). Never rejects. */
  start(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      this.loop = this.mirror(signal, resolve);
    });
  }

  /** Resolves when, after the signal has aborted, nothing runs any more. */
  async stopped(): Promise<void> {
    await this.loop;
    await this.probes;
  }

  collection<K extends Kind>(kind: K): Collection<RecordOf[K]> {
    return this.state.collection(kind);
  }

  revision(): number {
    return this.state.revision;
  }

  isFresh(): boolean {
    return this.fresh;
  }

  /** Why the store takes no writes although it answers; undefined: it does, as far as this replica knows. */
  refusesWrites(): string | undefined {
    return this.full;
  }

  corrupt(): readonly { readonly key: string; readonly error: string }[] {
    return [...this.state.corrupt].map(([key, error]) => ({ key, error }));
  }

  onChange(listener: (changes: readonly RecordChange[]) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  changesSince<K extends Kind>(kind: K, revision: number): readonly RecordChange<K>[] | 'expired' {
    // After a rewind a revision that has not come yet is one of the other history.
    if (this.rewound.length > 0 && revision > this.state.revision) return 'expired';
    return this.history.since(kind, revision);
  }

  /** Called before anything of the other history is shown. Returns the unsubscribe function. */
  onRewind(listener: (rewind: Rewind) => void): () => void {
    this.rewindListeners.add(listener);
    return () => void this.rewindListeners.delete(listener);
  }

  /** What was noticed since this process has started, oldest first; the last LIMITS.storeRewinds. */
  rewinds(): readonly Rewind[] {
    return this.rewound;
  }

  async write(writes: readonly RecordWrite[], fence?: Fence): Promise<number> {
    if (this.refusal !== undefined) throw this.refusal;
    const prepared = prepare(writes);
    for (const own of prepared.own) this.state.expectOwn(own);
    try {
      const revision = await this.commit(prepared.writes, fence);
      for (const own of prepared.own) this.state.applyOwn(own, revision);
      return revision;
    } catch (error) {
      for (const own of prepared.own) this.state.forgetOwn(own);
      throw error;
    }
  }

  /** Calls that come while one runs share the next: a call must see what was committed before it. */
  sync(): Promise<void> {
    const running = this.syncing;
    if (running !== undefined) return (running.next ??= running.running.then(noop, noop).then(() => this.startSync()));
    return this.startSync();
  }

  async page<K extends Kind>(
    kind: K,
    options: { readonly prefix?: string; readonly limit: number; readonly after?: string; readonly revision?: number },
  ): Promise<{ readonly items: readonly Stored<RecordOf[K]>[]; readonly revision: number; readonly more: boolean }> {
    const pages = this.store.list(keyOf(kind, options.prefix ?? ''), {
      pageSize: options.limit + 1,
      ...(options.after === undefined ? {} : { after: keyOf(kind, options.after) }),
      ...(options.revision === undefined ? {} : { revision: options.revision }),
    });
    for await (const { entries, revision } of pages) {
      const items = entries.slice(0, options.limit).flatMap((entry) => {
        const parsed = parseRecord(kind, entry.value);
        const path = placeOf(entry.key)?.path;
        return parsed.ok && path !== undefined ? [{ path, record: parsed.record, revision: entry.revision }] : [];
      });
      return { items, revision, more: entries.length > options.limit };
    }
    throw new Error('a list has at least one page');
  }

  private async mirror(signal: AbortSignal, onReady: () => void): Promise<void> {
    let pauseMs: number = LIMITS.retryFirstMs;
    while (!signal.aborted) {
      try {
        await this.load(signal);
        if (signal.aborted) return;
        onReady();
        pauseMs = LIMITS.retryFirstMs;
        await this.follow(signal);
      } catch (error) {
        this.log.warn('the mirror lost the store', { error: messageOf(error), revision: this.state.revision });
      }
      this.fresh = false;
      await sleep(this.clock, pauseMs, signal);
      pauseMs = Math.min(2 * pauseMs, LIMITS.retryLastMs);
    }
  }

  private async load(signal: AbortSignal): Promise<void> {
    this.metrics.counter({ name: 'berth_mirror_lists_total', help: 'Complete lists of all records.' }).inc();
    const staged: Staged[] = [];
    const known = this.state.revision;
    let revision = 0;
    for await (const page of this.store.list(KEY_ROOT)) {
      if (signal.aborted) return;
      revision = page.revision;
      if (this.refusal === undefined) this.refuseThePast(Math.max(known, this.seenRevision), revision);
      for (const entry of page.entries) {
        if (this.state.contradicts(entry)) this.rewind(known, revision);
        const taken = this.state.stage(entry);
        if (taken !== undefined) staged.push(taken);
      }
    }
    const keep = known > 0 && this.refusal === undefined;
    if (this.refusal !== undefined) this.history.restart();
    const changes = this.state.replace(staged, revision);
    this.history.begin(revision);
    this.refusal = undefined;
    this.tell(changes, keep);
    this.log.info('the mirror has listed all records', { revision, records: staged.length, changes: changes.length });
  }

  /** @param known what the mirror had before it asked: while the answer is on its way the watch may bring more */
  private refuseThePast(known: number, revision: number): void {
    if (this.refusal !== undefined) throw this.refusal;
    if (revision < known) this.rewind(known, revision);
  }

  /**
   * Nothing may ever be undone because the store came back empty or old: whoever acts on the records stops, and begins again
   * from what the store has now. Throws; the loop then reads everything anew.
   */
  private rewind(from: number, to: number): never {
    this.fresh = false;
    this.seenRevision = 0;
    const detail = `it went back in time, from revision ${from} to ${to} (emptied, or restored from a backup); its records are being read anew`;
    this.refusal = new UnavailableError('store', { detail });
    this.state.mistrust();
    const rewind = { atMs: this.clock.nowMs(), monotonicMs: this.clock.monotonicMs(), from, to };
    this.rewound.push(rewind);
    if (this.rewound.length > LIMITS.storeRewinds) this.rewound.shift();
    this.rewindCount.inc();
    this.log.error('the store went back in time', { was: from, is: to });
    for (const listener of [...this.rewindListeners]) listener(rewind);
    this.watching?.abort();
    throw this.refusal;
  }

  private async follow(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    this.watching = stop;
    const abort = () => stop.abort();
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    const watching = { started: false };
    const onStart = () => {
      watching.started = true;
      this.fresh = this.refusal === undefined;
    };
    this.probes = Promise.all([this.probes, this.probe(stop, watching)]).then(noop);
    try {
      for await (const batch of this.store.watch(WATCH_ROOT, this.state.revision, stop.signal, onStart))
        this.tell(this.state.apply(batch), true);
    } finally {
      abort();
      signal.removeEventListener('abort', abort);
    }
  }

  /** Ends the watch when it no longer brings what the store has confirmed, whatever its connection looks like. */
  private async probe(stop: AbortController, watching: { readonly started: boolean }): Promise<void> {
    for (;;) {
      await sleep(this.clock, LIMITS.mirrorProbeMs, stop.signal);
      if (stop.signal.aborted) return;
      const target = await this.confirmed();
      if (stop.signal.aborted) return;
      this.fresh = target !== undefined && watching.started;
      if (target === undefined || (await this.progress.reached(target, LIMITS.mirrorLagMs))) continue;
      this.log.warn('the watch of the mirror is dead', { revision: this.state.revision, confirmed: target });
      return stop.abort();
    }
  }

  private async commit(writes: readonly Write[], fence?: Fence): Promise<number> {
    try {
      const revision = await this.store.commit(writes, fence);
      this.full = undefined;
      return revision;
    } catch (error) {
      if (error instanceof StoreFullError) this.full = error.message;
      throw error;
    }
  }

  /** A revision the watch must reach, confirmed by the store; undefined when the store does not answer. */
  private async confirmed(): Promise<number | undefined> {
    try {
      return await this.target();
    } catch (error) {
      // It answers; that the watch is alive can be proven again when it takes writes.
      if (error instanceof StoreFullError) return this.state.revision;
      this.log.warn('the store does not answer the mirror', { error: messageOf(error) });
      return undefined;
    }
  }

  /** Something below WATCH_ROOT that is at least as new as everything committed before this call. */
  private async target(): Promise<number> {
    const known = this.state.revision;
    const head = await this.headRevision();
    this.refuseThePast(known, head);
    // A store that was full is asked with a write whether it still is.
    if (this.full === undefined && (await this.progress.reached(head, USUAL_LAG_MS))) return head;
    // Either the watch is slow, or others use this etcd too and the newest revision is theirs: only a write of ours can tell.
    return this.commit([{ kind: 'put', key: SYNC_KEY, value: '' }]);
  }

  private async headRevision(): Promise<number> {
    for await (const page of this.store.list(SYNC_KEY, { pageSize: 1 })) return page.revision;
    throw new Error('a list has at least one page');
  }

  private startSync(): Promise<void> {
    const running = this.catchUp().finally(() => {
      if (this.syncing?.running === running) this.syncing = undefined;
    });
    this.syncing = { running, next: undefined };
    return running;
  }

  private async catchUp(): Promise<void> {
    if (this.refusal !== undefined && !(await this.progress.reached(1, LIMITS.mirrorLagMs))) throw this.refusal;
    const target = await this.target();
    if (!(await this.progress.reached(target, LIMITS.mirrorLagMs)))
      throw new UnavailableError('mirror', {
        detail: `it is at revision ${this.state.revision}, not yet at ${target}`,
      });
  }

  private tell(changes: readonly RecordChange[], keep: boolean): void {
    if (keep) for (const change of changes) this.history.add(change);
    if (changes.length > 0) for (const listener of [...this.listeners]) this.tellOne(listener, changes);
    this.progress.moved();
  }

  /** One listener's bug must not stop the mirror of all others. */
  private tellOne(listener: (changes: readonly RecordChange[]) => void, changes: readonly RecordChange[]): void {
    try {
      listener(changes);
    } catch (error) {
      this.log.error('a listener of the mirror failed', {
        error: error instanceof Error ? error.stack : String(error),
      });
    }
  }

  private report(): void {
    const records = this.metrics.gauge({ name: 'berth_records', help: 'Records in the mirror.', labels: ['kind'] });
    const fresh = this.metrics.gauge({ name: 'berth_mirror_fresh', help: '1 while the store answers and is watched.' });
    const full = this.metrics.gauge({
      name: 'berth_store_full',
      help: '1 while the store refuses writes because its database is full.',
    });
    const corrupt = this.metrics.gauge({
      name: 'berth_corrupt_records',
      help: 'Records in the store that cannot be parsed and were set aside.',
    });
    this.metrics.onCollect(() => {
      for (const kind of ALL_KINDS) records.set(this.state.collection(kind).size, { kind });
      fresh.set(this.fresh ? 1 : 0);
      full.set(this.full === undefined ? 0 : 1);
      corrupt.set(this.state.corrupt.size);
    });
  }
}

function noop(): void {}

function prepare(writes: readonly RecordWrite[]): Prepared {
  const prepared: Write[] = [];
  const own: OwnWrite[] = [];
  for (const write of writes) {
    const { kind, path } = write;
    const key = keyOf(kind, path);
    const expect = write.expect === undefined ? {} : { expect: write.expect };
    if (write.op === 'check') prepared.push({ kind: 'check', key, expect: write.expect });
    else if (write.op === 'delete') {
      prepared.push({ kind: 'delete', key, ...expect });
      own.push({ key, kind, path });
    } else {
      const text = serialize(kind, path, write.record);
      prepared.push({ kind: 'put', key, value: text, ...expect });
      own.push({ key, kind, path, put: { text, record: write.record } });
    }
  }
  return { writes: prepared, own };
}
