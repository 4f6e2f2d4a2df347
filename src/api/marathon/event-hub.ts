import { messageOf } from '../../core/errors';
import type { Clock } from '../../core/ports/clock';
import type { Logger } from '../../core/ports/logger';
import type { Records } from '../../core/ports/records';
import { timestamp } from '../../core/records/metadata';
import { sseFrame, type BoundedStream } from '../http/event-stream';
import { eventsOf, type EventContext, type MarathonEvent } from './events';

export interface Subscription {
  readonly stream: BoundedStream;
  readonly remoteAddress: string;
  /** undefined: all. */
  readonly eventTypes: ReadonlySet<string> | undefined;
  /** Without `plan.original` and `plan.target`. */
  readonly lightPlan: boolean;
}

/**
 * Turns changes of records into Marathon's events and gives each to the clients that want it. Listens to the records only
 * while somebody listens to it. Queues nothing: each client's stream has its own bound.
 */
export class EventHub {
  private readonly subscriptions = new Set<Subscription>();
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly records: Records,
    private readonly clock: Clock,
    private readonly log: Logger,
    private readonly context: () => Omit<EventContext, 'records'>,
  ) {}

  /** The first event each client sees is its own event_stream_attached. */
  attach(subscription: Subscription): void {
    this.subscriptions.add(subscription);
    this.unsubscribe ??= this.records.onChange((changes) => {
      for (const event of this.derive(changes)) this.publish(event);
    });
    subscription.stream.onClose(() => this.detach(subscription));
    this.publish(attachment('event_stream_attached', subscription));
  }

  get size(): number {
    return this.subscriptions.size;
  }

  private detach(subscription: Subscription): void {
    this.subscriptions.delete(subscription);
    if (this.subscriptions.size > 0) return this.publish(attachment('event_stream_detached', subscription));
    this.unsubscribe?.();
    this.unsubscribe = undefined;
  }

  /** One strange record must not take the mirror down that calls us. */
  private derive(changes: Parameters<Parameters<Records['onChange']>[0]>[0]): readonly MarathonEvent[] {
    try {
      return eventsOf(changes, { records: this.records, ...this.context() });
    } catch (error) {
      this.log.error('events of a change cannot be told', { error: messageOf(error) });
      return [];
    }
  }

  private publish(event: MarathonEvent): void {
    const frames = new Map<boolean, string>();
    const at = timestamp(this.clock.nowMs());
    for (const { stream, eventTypes, lightPlan } of this.subscriptions) {
      if (eventTypes !== undefined && !eventTypes.has(event.eventType)) continue;
      const frame = frames.get(lightPlan) ?? frameOf(event, lightPlan, at);
      frames.set(lightPlan, frame);
      stream.send(frame);
    }
  }
}

function frameOf(event: MarathonEvent, lightPlan: boolean, at: string): string {
  const { original: _original, target: _target, ...light } = event.plan ?? {};
  const plan = event.plan === undefined ? {} : { plan: lightPlan ? light : event.plan };
  return sseFrame(
    event.eventType,
    JSON.stringify({ ...event.fields, ...plan, eventType: event.eventType, timestamp: at }),
  );
}

function attachment(eventType: string, { remoteAddress }: Subscription): MarathonEvent {
  return { eventType, fields: { remoteAddress } };
}
