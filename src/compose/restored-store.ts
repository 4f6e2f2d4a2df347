import { messageOf } from '../core/errors';
import { LIMITS } from '../core/limits';
import { sleep, type Clock } from '../core/ports/clock';
import type { Logger } from '../core/ports/logger';
import type { Fence, Store } from '../core/ports/store';
import { RESTORED_KEY } from '../core/records/paths';
import type { MirrorRecords, Rewind } from '../io/mirror/records';

/**
 * Knows whether the records may be behind what really runs: a backup was put back, or the store went back under our eyes. Every
 * server that notices it leaves a note in the store, so that no later leader needs to have seen it.
 */
export class RestoredStore {
  /** Rewinds of which the store has no note yet. */
  private unnoted = 0;

  constructor(
    private readonly store: Store,
    private readonly records: Pick<MirrorRecords, 'rewinds' | 'onRewind'>,
    private readonly clock: Clock,
    private readonly log: Logger,
    /** Milliseconds after which every agent has come back since, or counts as lost. */
    private readonly settledMs: number,
  ) {}

  /** Until `signal` aborts. */
  watch(signal: AbortSignal): void {
    const unsubscribe = this.records.onRewind((rewind) => void this.note(rewind, signal));
    signal.addEventListener('abort', unsubscribe, { once: true });
  }

  /** False: only this process knows that the store went back; what tells the next one so must be kept. */
  get isNoted(): boolean {
    return this.unnoted === 0;
  }

  /** In words; undefined: the records are what was last written. For the start of a term. Throws UnavailableError. */
  async why(): Promise<string | undefined> {
    const marker = await this.store.get(RESTORED_KEY);
    if (marker !== undefined) return `a backup was restored ${marker.value}`;
    const last = this.records.rewinds().at(-1);
    if (last === undefined || this.clock.monotonicMs() - last.monotonicMs > this.settledMs) return undefined;
    return `the store went back from revision ${last.from} to ${last.to}`;
  }

  /** The agents have told what runs: the next term need not ask again. */
  async settled(fence: Fence): Promise<void> {
    try {
      await this.store.commit([{ kind: 'delete', key: RESTORED_KEY }], fence);
    } catch (error) {
      this.log.warn('the note of a restored backup could not be removed', { error: messageOf(error) });
    }
  }

  private async note({ from, to }: Rewind, signal: AbortSignal): Promise<void> {
    this.unnoted += 1;
    const value = `to the store, which went back from revision ${from} to ${to}`;
    while (!signal.aborted) {
      try {
        await this.store.commit([{ kind: 'put', key: RESTORED_KEY, value }]);
        this.unnoted -= 1;
        return;
      } catch (error) {
        this.log.warn('the store has no note yet that it went back', { error: messageOf(error) });
        await sleep(this.clock, LIMITS.retryLastMs, signal);
      }
    }
  }
}
