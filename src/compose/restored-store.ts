import { messageOf } from '../core/errors';
import type { Clock } from '../core/ports/clock';
import type { Logger } from '../core/ports/logger';
import type { Fence, Store } from '../core/ports/store';
import { RESTORED_KEY } from '../core/records/paths';
import type { MirrorRecords } from '../io/mirror/records';

/** Knows whether the records may be behind what really runs: a backup was put back, or the store went back under our eyes. */
export class RestoredStore {
  constructor(
    private readonly store: Store,
    private readonly records: Pick<MirrorRecords, 'rewinds'>,
    private readonly clock: Clock,
    private readonly log: Logger,
    /** Milliseconds after which every agent has come back since, or counts as lost. */
    private readonly settledMs: number,
  ) {}

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
}
