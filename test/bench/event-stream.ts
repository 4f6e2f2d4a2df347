import { get, type IncomingMessage } from 'node:http';

export interface StreamedEvent {
  readonly atMs: number;
  readonly eventType: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A client of /v2/events that keeps the time of arrival of each event. */
export class EventStreamClient {
  private readonly events: StreamedEvent[] = [];
  private readonly waiting = new Set<() => void>();

  private constructor(private readonly response: IncomingMessage) {
    let rest = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      const frames = (rest + chunk).split('\r\n\r\n');
      rest = frames.pop() ?? '';
      for (const frame of frames) this.take(frame);
      for (const wake of this.waiting) wake();
    });
  }

  static async open(url: string): Promise<EventStreamClient> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(`${url}/v2/events`, { headers: { accept: 'text/event-stream' } }, resolve).once('error', reject);
    });
    return new EventStreamClient(response);
  }

  private take(frame: string): void {
    const line = frame.split('\r\n').find((candidate) => candidate.startsWith('data: '));
    if (line === undefined) return;
    const data = JSON.parse(line.slice(6)) as Record<string, unknown>;
    this.events.push({ atMs: performance.now(), eventType: String(data['eventType']), data });
  }

  /** Resolves once `count` events match; rejects after `timeoutMs`. */
  async until(
    count: number,
    matches: (event: StreamedEvent) => boolean,
    timeoutMs = 120_000,
  ): Promise<readonly StreamedEvent[]> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = this.events.filter(matches);
        if (found.length < count) return;
        done();
        resolve(found.slice(0, count));
      };
      const done = () => {
        clearTimeout(timer);
        this.waiting.delete(check);
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`waited ${timeoutMs} ms for ${count} events`));
      }, timeoutMs);
      this.waiting.add(check);
      check();
    });
  }

  /** Milliseconds from `startMs` until the last of `count` tasks of the app was reported in `state`. */
  async tasksIn(state: string, appId: string, count: number, startMs: number, timeoutMs?: number): Promise<number> {
    const found = await this.until(
      count,
      ({ atMs, eventType, data }) =>
        atMs >= startMs &&
        eventType === 'status_update_event' &&
        data['appId'] === appId &&
        data['taskStatus'] === state,
      timeoutMs,
    );
    return (found[found.length - 1]?.atMs ?? startMs) - startMs;
  }

  close(): void {
    this.response.destroy();
  }
}
