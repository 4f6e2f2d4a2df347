import type { Request, Response } from 'express';
import type { MarathonDependencies } from './dependencies';
import { EventHub } from './event-hub';
import { queryOf } from './query';

/** GET /v2/events: server-sent events, on every replica. */
export class EventsRoutes {
  private readonly hub: EventHub;

  constructor(private readonly deps: MarathonDependencies) {
    this.hub = new EventHub(deps.records, deps.clock, deps.log, () => ({
      frameworkId: deps.info.frameworkId(),
      master: deps.election.leader()?.mesosAddress,
    }));
  }

  /** Marathon answers 405 to a client that does not ask for an event stream by name. */
  open(request: Request, response: Response): void {
    if (!(request.headers.accept ?? '').includes('text/event-stream')) {
      response.status(405).json({ message: 'Send the header Accept: text/event-stream' });
      return;
    }
    if (request.method === 'HEAD') {
      response.type('text/event-stream').end();
      return;
    }
    const query = queryOf(request);
    const eventTypes = query.getAll('event_type').filter((type) => type !== '');
    const stream = this.deps.streams.start(request, response, {
      headers: { 'Content-Type': 'text/event-stream;charset=utf-8' },
      keepAlive: '\r\n',
    });
    this.hub.attach({
      stream,
      remoteAddress: request.socket.remoteAddress ?? '',
      eventTypes: eventTypes.length === 0 ? undefined : new Set(eventTypes),
      lightPlan: query.get('plan-format') === 'light',
    });
  }
}
