import type { Clock } from '../ports/clock';
import type { IdSource } from '../ports/ids';
import type { Logger } from '../ports/logger';
import type { Records, RecordWrite, Stored } from '../ports/records';
import { messageOf } from '../errors';
import { LIMITS } from '../limits';
import type { BerthEvent } from './records';
import { timestamp } from './metadata';

/** What happened to what. `reason` is UpperCamelCase and comes from a closed list of its source. */
export interface EventDraft {
  readonly involvedObject: BerthEvent['involvedObject'];
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  /** One sentence for people; never a secret. The newest replaces the older one. */
  readonly message: string;
}

/** Where the roles tell people what happened. Never throws, never waits: an event that cannot be kept is only logged. */
export interface EventRecorder {
  record(event: EventDraft): void;
}

/** Events of one object for one reason share a record. Path under `events/`: `<namespace>/<name>`. */
export function eventPath(event: Pick<EventDraft, 'involvedObject' | 'reason'>): string {
  const { kind, name, namespace } = event.involvedObject;
  const label = `${kind}.${name}.${event.reason}`.replace(/^\/+/, '').replaceAll('/', '.');
  return `${namespace ?? 'default'}/${label.toLowerCase()}`;
}

/** The write that adds `count` occurrences to what is known: a new record, or a higher count and a newer message. */
export function eventWrite(
  draft: EventDraft,
  known: Stored<BerthEvent> | undefined,
  occurrence: { readonly nowMs: number; readonly count: number; readonly source: string; readonly uid: string },
): RecordWrite {
  const now = timestamp(occurrence.nowMs);
  const path = eventPath(draft);
  const cut = path.indexOf('/');
  const record: BerthEvent = {
    kind: 'Event',
    metadata: known?.record.metadata ?? {
      name: path.slice(cut + 1),
      namespace: path.slice(0, cut),
      uid: occurrence.uid,
      generation: 1,
      creationTimestamp: now,
    },
    involvedObject: draft.involvedObject,
    type: draft.type,
    reason: draft.reason,
    message: draft.message,
    count: (known?.record.count ?? 0) + occurrence.count,
    firstTimestamp: known?.record.firstTimestamp ?? now,
    lastTimestamp: now,
    source: occurrence.source,
  };
  return { op: 'put', kind: 'Event', path, record };
}

/** Deletes of what is too old or too many (the oldest first), at most one commit's worth. The leader runs it now and then. */
export function expiredEvents(
  events: Iterable<Stored<BerthEvent>>,
  nowMs: number,
  bounds: { readonly count: number; readonly ageMs: number } = { count: LIMITS.events, ageMs: LIMITS.eventAgeMs },
): RecordWrite[] {
  const byAge = [...events].sort((a, b) => (a.record.lastTimestamp < b.record.lastTimestamp ? -1 : 1));
  const oldest = timestamp(nowMs - bounds.ageMs);
  const surplus = byAge.length - bounds.count;
  return byAge
    .filter((event, index) => index < surplus || event.record.lastTimestamp < oldest)
    .slice(0, LIMITS.commitWrites)
    .map((event) => ({ op: 'delete', kind: 'Event', path: event.path }));
}

/**
 * Keeps events as records. What comes while a write is under way is gathered, one entry per record, and written next: a storm
 * of equal events costs one write at a time. Above LIMITS.pendingEvents different ones the rest is only logged. Close it at the
 * end of a term: what is pending is dropped.
 */
export class StoredEventRecorder implements EventRecorder {
  private pending = new Map<string, { draft: EventDraft; count: number }>();
  private writing = false;
  private closed = false;

  constructor(
    private readonly records: Records,
    private readonly clock: Clock,
    private readonly ids: IdSource,
    private readonly log: Logger,
    /** Component that speaks: `master`, `orchestrator`. */
    private readonly source: string,
  ) {}

  record(draft: EventDraft): void {
    if (this.closed) return;
    const path = eventPath(draft);
    const present = this.pending.get(path);
    if (present === undefined && this.pending.size >= LIMITS.pendingEvents) {
      this.log.warn('event dropped, too many are waiting', { reason: draft.reason, event: draft.message });
      return;
    }
    this.pending.set(path, { draft, count: (present?.count ?? 0) + 1 });
    if (!this.writing) void this.drain();
  }

  close(): void {
    this.closed = true;
    this.pending.clear();
  }

  private async drain(): Promise<void> {
    this.writing = true;
    // Whoever is recording now goes on first, so that one write holds all that is recorded in one go.
    await Promise.resolve();
    while (this.pending.size > 0 && !this.closed) {
      const writes = this.takeWrites();
      try {
        await this.records.write(writes);
      } catch (error) {
        this.log.warn('events could not be kept', { count: writes.length, error: messageOf(error) });
      }
    }
    this.writing = false;
  }

  private takeWrites(): RecordWrite[] {
    const events = this.records.collection('Event');
    const writes: RecordWrite[] = [];
    for (const [path, { draft, count }] of this.pending) {
      if (writes.length === LIMITS.commitWrites) break;
      this.pending.delete(path);
      const nowMs = this.clock.nowMs();
      const occurrence = { nowMs, count, source: this.source, uid: this.ids.uuid() };
      writes.push(eventWrite(draft, events.get(path), occurrence));
    }
    return writes;
  }
}
