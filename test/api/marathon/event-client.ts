import { waitFor } from '../../support/wait';

export interface SeenEvent {
  readonly eventType: string;
  readonly [field: string]: unknown;
}

/** A client of /v2/events that splits the text as old pollers do. */
export class EventClient {
  readonly events: SeenEvent[] = [];
  private readonly abort = new AbortController();
  private text = '';

  static async open(url: string, query = ''): Promise<EventClient> {
    const client = new EventClient();
    const response = await fetch(`${url}/v2/events${query}`, {
      headers: { accept: 'text/event-stream' },
      signal: client.abort.signal,
    });
    if (response.body === null) throw new Error('no body');
    void client.read(response.body.getReader());
    return client;
  }

  /** Waits until an event of the type has come. */
  async seen(eventType: string, count = 1): Promise<SeenEvent> {
    return waitFor(
      `${count} ${eventType}, have ${this.types.join(' ')}`,
      () => this.events.filter((event) => event.eventType === eventType)[count - 1],
      5_000,
      5,
    );
  }

  get types(): string[] {
    return this.events.map(({ eventType }) => eventType);
  }

  close(): void {
    this.abort.abort();
  }

  private async read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        this.take(decoder.decode(value, { stream: true }));
      }
    } catch {
      // The test closed it.
    }
  }

  private take(text: string): void {
    this.text += text;
    const frames = this.text.split('\r\n\r\n');
    this.text = frames.pop() ?? '';
    for (const frame of frames) {
      const [first = '', second = ''] = frame.trim().split('\r\n');
      if (!second.startsWith('data: ')) throw new Error(`no event: ${JSON.stringify(frame)}`);
      const event = JSON.parse(second.slice('data: '.length)) as SeenEvent;
      if (first !== `event: ${event.eventType}`) throw new Error(`two types: ${first} ${event.eventType}`);
      this.events.push(event);
    }
  }
}
