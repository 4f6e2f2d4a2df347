import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LIMITS } from '../../core/limits';
import type { Clock, Timer } from '../../core/ports/clock';
import type { Random } from '../../core/ports/random';
import type { RecordChange, Records } from '../../core/ports/records';
import type { BoundedStream, StreamRegistry } from '../http/event-stream';
import type { JsonObject } from './json';
import { type Filter, flagOf, numberOf } from './query';
import { representOne, tableOf, type Representation } from './represent';
import { apiVersionOf } from './wire';
import { refresh } from './list';
import type { Item, ItemChange, Source } from './source';
import { badRequest, expired } from './status';

export interface WatchParts {
  readonly records: Records;
  readonly streams: StreamRegistry;
  readonly clock: Clock;
  readonly random: Random;
}

/** Bytes of events written at once while the first state is sent. */
const CHUNK_BYTES = 64 * 1024;
/** Marks the bookmark behind the first state (Kubernetes: watch-list). */
const INITIAL_END = 'k8s.io/initial-events-end';

/**
 * Streams the changes of one resource until the client goes, `timeoutSeconds` are over, or the client is slower than
 * the limits of its stream. With a resourceVersion: what changed after it; without, or `0`: everything as ADDED first. A
 * resourceVersion older than the memory of changes gets an ERROR event with a 410 Status, after which clients list again.
 */
export class Watch {
  private readonly waiting: ItemChange[] = [];
  private draining = false;
  private columnsSent = false;
  private bookmarkAt: number;
  /** Nothing up to this revision is told: the client has it. */
  private floor = 0;
  private timers: Timer[] = [];
  private stream: BoundedStream | undefined;

  constructor(
    private readonly parts: WatchParts,
    private readonly source: Source,
    private readonly filter: Filter,
    private readonly form: Representation,
    private readonly query: URLSearchParams,
    private readonly response: ServerResponse,
  ) {
    this.bookmarkAt = parts.records.revision();
  }

  /** Resolves when the stream is set up. Throws before the first byte: a bad query, or too many streams. */
  async start(request: IncomingMessage, namespace: string | undefined): Promise<void> {
    const { records, clock, streams } = this.parts;
    const asked = this.query.get('resourceVersion') ?? '';
    const timeoutMs = this.timeoutMs();
    const sendsInitial = flagOf(this.query, 'sendInitialEvents');
    if (sendsInitial && this.query.get('resourceVersionMatch') !== 'NotOlderThan')
      throw badRequest('sendInitialEvents needs resourceVersionMatch=NotOlderThan');
    const wholeState = asked === '' || asked === '0' || sendsInitial;
    if (wholeState) await refresh(records, asked);
    else if (!/^\d+$/.test(asked)) throw badRequest(`invalid resource version "${asked}": it must be a number`);

    const stream = streams.start(request, this.response, { headers: { 'Content-Type': 'application/json' } });
    this.stream = stream;
    const unsubscribe = records.onChange((changes) => this.heard(changes));
    stream.onClose(() => {
      unsubscribe();
      for (const timer of this.timers) timer.cancel();
    });
    this.timers.push(clock.after(timeoutMs, () => stream.end()));
    // From here to the first await nothing can change unheard: the mirror tells listeners in the same turn.
    this.bookmarkAt = records.revision();
    if (wholeState) await this.sendState(this.source.list(namespace).filter(this.filter), sendsInitial);
    else this.resume(Number(asked));
    this.scheduleBookmark();
  }

  private timeoutMs(): number {
    const seconds = numberOf(this.query, 'timeoutSeconds') ?? 0;
    if (seconds > 0) return Math.min(seconds * 1000, LIMITS.watchTimeoutMs * 2);
    // Kubernetes: between one and two times the minimum, so that clients do not all come back at once.
    return LIMITS.watchTimeoutMs * (1 + this.parts.random.next());
  }

  private resume(revision: number): void {
    this.floor = revision;
    const missed = this.source.changesSince(revision);
    if (missed === 'expired') {
      const error = expired(`too old resource version: ${revision} (${this.parts.records.revision()})`);
      this.stream?.send(line('ERROR', { ...error.status() }));
      this.stream?.end();
      return;
    }
    for (const change of missed) this.deliver(change);
  }

  /** Sends what is there now, waiting for a slow reader; what changes meanwhile is kept, within the limit. */
  private async sendState(items: readonly Item[], mark: boolean): Promise<void> {
    this.draining = true;
    const revision = this.bookmarkAt;
    let chunk = '';
    for (const item of items) {
      chunk += line('ADDED', this.represent(item));
      if (chunk.length < CHUNK_BYTES) continue;
      if (!(await this.sendAndDrain(chunk))) return;
      chunk = '';
    }
    if (chunk !== '') this.stream?.send(chunk);
    if (mark) this.bookmark(revision, { [INITIAL_END]: 'true' });
    this.draining = false;
    for (const change of this.waiting.splice(0)) this.deliver(change);
  }

  private async sendAndDrain(chunk: string): Promise<boolean> {
    const { stream, response } = this;
    if (stream?.send(chunk) !== true) return false;
    if (!response.writableNeedDrain) return true;
    const stop = new AbortController();
    const timer = this.parts.clock.after(LIMITS.watchDrainMs, () => stop.abort());
    stream.onClose(() => stop.abort());
    try {
      await once(response, 'drain', { signal: stop.signal });
      return stream.isOpen;
    } catch {
      // Too slow or gone; either way nobody reads on.
      response.destroy();
      return false;
    } finally {
      timer.cancel();
    }
  }

  private heard(changes: readonly RecordChange[]): void {
    const last = changes[changes.length - 1];
    for (const change of this.source.changesOf(changes)) {
      if (!this.draining) this.deliver(change);
      else if (this.waiting.push(change) > LIMITS.streamOutstandingEvents) this.response.destroy();
    }
    if (last !== undefined) this.bookmarkAt = Math.max(this.bookmarkAt, last.revision);
  }

  /** One change as this watcher must see it: what begins to match is ADDED, what ceases to match is DELETED. */
  private deliver({ revision, previous, current }: ItemChange): void {
    if (revision <= this.floor) return;
    const before = previous !== undefined && this.filter(previous);
    const now = current !== undefined && this.filter(current);
    if (current !== undefined && now) this.send(before ? 'MODIFIED' : 'ADDED', current);
    else if (previous !== undefined && before) this.send('DELETED', at(previous, revision));
  }

  private send(type: string, item: Item): void {
    this.stream?.send(line(type, this.represent(item)));
  }

  private represent(item: Item): JsonObject {
    const context = { records: this.parts.records, nowMs: this.parts.clock.nowMs() };
    const { kind } = this.source.resource;
    if (this.form.as !== 'table') return representOne(item, this.form, kind, context);
    const metadata = { resourceVersion: String(item.revision) };
    const table = tableOf(kind, [item], metadata, this.form.include, context, !this.columnsSent);
    this.columnsSent = true;
    return table;
  }

  private scheduleBookmark(): void {
    if (!flagOf(this.query, 'allowWatchBookmarks') || this.stream?.isOpen !== true) return;
    const timer = this.parts.clock.after(LIMITS.watchBookmarkMs, () => {
      this.timers = this.timers.filter((other) => other !== timer);
      if (!this.draining) this.bookmark(this.bookmarkAt);
      this.scheduleBookmark();
    });
    this.timers.push(timer);
  }

  private bookmark(revision: number, annotations?: Readonly<Record<string, string>>): void {
    const { group, kind } = this.source.resource;
    const metadata = { resourceVersion: String(revision), ...(annotations === undefined ? {} : { annotations }) };
    const object =
      this.form.as === 'table'
        ? tableOf(kind, [], metadata, 'None', { records: this.parts.records, nowMs: 0 }, false)
        : { apiVersion: apiVersionOf(group), kind, metadata };
    this.stream?.send(line('BOOKMARK', object));
  }
}

function line(type: string, object: JsonObject): string {
  return `${JSON.stringify({ type, object })}\n`;
}

/** The object as it was last, at the revision of its end. */
function at(item: Item, revision: number): Item {
  const metadata = { ...item.object.metadata, resourceVersion: String(revision) };
  return { ...item, revision, object: { ...item.object, metadata } };
}
