import { messageOf } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import { sleep, type Clock } from '../../core/ports/clock';
import type { LeaderInfo } from '../../core/ports/election';
import type { Logger } from '../../core/ports/logger';
import type { Entry, Store } from '../../core/ports/store';

/** Who holds the leader key, as far as the store has told this process. */
export class LeaderView {
  private entry: Entry | undefined;
  private info: LeaderInfo | undefined;
  private known = false;
  private readonly listeners = new Set<(leader: LeaderInfo | undefined) => void>();
  private readonly watchers = new Set<() => void>();

  constructor(
    private readonly store: Store,
    private readonly key: string,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  leader(): LeaderInfo | undefined {
    return this.info;
  }

  /** The leader key itself; undefined when there is none or the store has not told yet. */
  holder(): Entry | undefined {
    return this.entry;
  }

  /** True when the store has told that nobody leads. */
  isVacant(): boolean {
    return this.known && this.entry === undefined;
  }

  onChange(listener: (leader: LeaderInfo | undefined) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Resolves at the next news about the key, after `timeoutMs`, or when `signal` aborts. */
  async news(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const heard = new AbortController();
    const stop = () => heard.abort();
    this.watchers.add(stop);
    signal.addEventListener('abort', stop, { once: true });
    if (!signal.aborted) await sleep(this.clock, timeoutMs, heard.signal);
    signal.removeEventListener('abort', stop);
    this.watchers.delete(stop);
  }

  /** Follows the key until `signal` aborts; store trouble only delays it. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const revision = await this.read();
        for await (const batch of this.store.watch(this.key, revision, signal))
          for (const change of batch.changes) {
            if (change.kind === 'put' && change.entry.key === this.key) this.show(change.entry);
            // A watch that lags may tell the end of an earlier term after we have won a later one.
            const isNews = change.kind === 'delete' && change.revision > (this.entry?.revision ?? 0);
            if (isNews && change.key === this.key) this.show(undefined);
          }
      } catch (error) {
        this.log.warn('cannot watch the leader key', { key: this.key, error: messageOf(error) });
        await sleep(this.clock, LIMITS.campaignRetryMs, signal);
      }
    }
  }

  /** What this process has just learnt itself, before the watch brings it. */
  show(entry: Entry | undefined): void {
    if (entry !== undefined && this.entry !== undefined && entry.revision < this.entry.revision) return;
    this.replace(entry);
  }

  private replace(entry: Entry | undefined): void {
    const before = this.entry;
    this.entry = entry;
    this.known = true;
    if (before?.value !== entry?.value) {
      this.info = entry === undefined ? undefined : this.parse(entry);
      for (const listener of [...this.listeners]) listener(this.info);
    }
    for (const wake of [...this.watchers]) wake();
  }

  private async read(): Promise<number> {
    const before = this.entry;
    for await (const page of this.store.list(this.key, { pageSize: 1 })) {
      const entry = page.entries.find(({ key }) => key === this.key);
      // Nothing was learnt since we asked: the answer is the truth, also that of a store which went back in time.
      if (this.entry === before) this.replace(entry);
      // An answer from before we won says nothing about now.
      else if (entry !== undefined || page.revision >= (this.entry?.revision ?? 0)) this.show(entry);
      return page.revision;
    }
    return 0;
  }

  /** A leader key that cannot be read still means that somebody leads. */
  private parse(entry: Entry): LeaderInfo | undefined {
    try {
      const value: unknown = JSON.parse(entry.value);
      if (isLeaderInfo(value)) return value;
    } catch {
      // Said below: whether it is no JSON or the wrong JSON makes no difference.
    }
    this.log.error('the leader key cannot be read', { key: entry.key });
    return undefined;
  }
}

function isLeaderInfo(value: unknown): value is LeaderInfo {
  if (typeof value !== 'object' || value === null) return false;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  return ['id', 'hostname', 'marathonAddress', 'mesosAddress', 'version'].every(
    (name) => typeof fields[name] === 'string',
  );
}
