import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { UnavailableError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { Clock, Timer } from '../../core/ports/clock';
import type { Logger } from '../../core/ports/logger';

/** Emitted on a response when it becomes a stream: from then on it is no request in hand. */
export const STREAMING = 'berth:streaming';

export interface StreamOptions {
  readonly headers: OutgoingHttpHeaders;
  /** Default 200. */
  readonly status?: number;
  /** Sent when nothing else was for `keepAliveMs`. Absent: no keep-alive. */
  readonly keepAlive?: string;
  readonly keepAliveMs?: number;
  /** Unsent chunks and bytes above which the client is cut off. */
  readonly outstandingEvents?: number;
  readonly outstandingBytes?: number;
}

/** An answer that goes on until either side ends it. */
export interface BoundedStream {
  /** Queues one chunk, whole and in order. False: the stream has ended (also: was cut just now for being too slow). */
  send(chunk: string | Uint8Array): boolean;
  /** Sends what is queued, then ends. */
  end(): void;
  readonly isOpen: boolean;
  /** Runs once when the stream has ended for any reason; at once if it already has. */
  onClose(listener: (reason: string) => void): void;
}

/** Opens streams, at most `limit` at once, and ends all of them when the server closes. One per process. */
export class StreamRegistry {
  private readonly open = new Set<HttpStream>();

  constructor(
    private readonly clock: Clock,
    private readonly log: Logger,
    private readonly limit: number = LIMITS.openStreams,
  ) {}

  get size(): number {
    return this.open.size;
  }

  /** Sends the headers at once. Throws UnavailableError when too many streams are open. */
  start(request: IncomingMessage, response: ServerResponse, options: StreamOptions): BoundedStream {
    if (this.open.size >= this.limit)
      throw new UnavailableError('another stream', { detail: `${this.limit} are open already` });
    const stream = new HttpStream(response, this.clock, options);
    this.open.add(stream);
    stream.onClose((reason) => {
      this.open.delete(stream);
      this.log.debug('stream closed', { path: pathOf(request), reason });
    });
    return stream;
  }

  /** Ends every stream. */
  closeAll(): void {
    for (const stream of this.open) stream.end();
  }
}

class HttpStream implements BoundedStream {
  private unsentEvents = 0;
  private unsentBytes = 0;
  private endReason: string | undefined;
  private keepAliveTimer: Timer | undefined;
  private readonly listeners: ((reason: string) => void)[] = [];

  constructor(
    private readonly response: ServerResponse,
    private readonly clock: Clock,
    private readonly options: StreamOptions,
  ) {
    response.writeHead(options.status ?? 200, { 'Cache-Control': 'no-cache', ...options.headers });
    response.flushHeaders();
    response.emit(STREAMING);
    response.on('close', () => this.ended('the client has gone'));
    response.on('error', () => this.ended('the connection failed'));
    if (response.destroyed) this.ended('the client has gone');
    else this.scheduleKeepAlive();
  }

  get isOpen(): boolean {
    return this.endReason === undefined;
  }

  send(chunk: string | Uint8Array): boolean {
    if (!this.isOpen) return false;
    const bytes = typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.length;
    this.unsentEvents += 1;
    this.unsentBytes += bytes;
    if (this.isTooSlow()) {
      this.ended('too slow: unsent events were over the limit');
      this.response.destroy();
      return false;
    }
    this.response.write(chunk, () => {
      this.unsentEvents -= 1;
      this.unsentBytes -= bytes;
    });
    this.scheduleKeepAlive();
    return true;
  }

  end(): void {
    if (!this.isOpen) return;
    this.response.end();
    this.ended('ended by the server');
  }

  onClose(listener: (reason: string) => void): void {
    if (this.endReason === undefined) this.listeners.push(listener);
    else listener(this.endReason);
  }

  private isTooSlow(): boolean {
    const { outstandingEvents = LIMITS.streamOutstandingEvents, outstandingBytes = LIMITS.streamOutstandingBytes } =
      this.options;
    return this.unsentEvents > outstandingEvents || this.unsentBytes > outstandingBytes;
  }

  private scheduleKeepAlive(): void {
    this.keepAliveTimer?.cancel();
    const { keepAlive, keepAliveMs = LIMITS.streamKeepAliveMs } = this.options;
    if (keepAlive !== undefined) this.keepAliveTimer = this.clock.after(keepAliveMs, () => this.send(keepAlive));
  }

  private ended(reason: string): void {
    if (this.endReason !== undefined) return;
    this.endReason = reason;
    this.keepAliveTimer?.cancel();
    for (const listener of this.listeners.splice(0)) listener(reason);
  }
}

/** One server-sent event, with CRLF as Marathon writes it (old pollers split on it). `data` must be one line. */
export function sseFrame(event: string, data: string): string {
  return `event: ${event}\r\ndata: ${data}\r\n\r\n`;
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}
