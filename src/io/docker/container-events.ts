import { messageOf } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import { sleep, type Clock } from '../../core/ports/clock';
import type { Logger } from '../../core/ports/logger';
import type { DockerEngine } from './engine';
import { withSignal } from './engine';
import { lines } from './line-stream';

/** Replayed at each connect: what happened between the request and the subscription inside the engine. */
const REPLAY_SECONDS = 2;

/** Hears of ended containers from the engine's event stream, which is opened again for as long as the agent lives. */
export class ContainerEvents {
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;

  constructor(
    private readonly engine: DockerEngine,
    /** `name=value`: only containers with this label are heard. */
    private readonly label: string,
    private readonly clock: Clock,
    private readonly log: Logger,
    private readonly listeners: {
      /** The container died or was removed. May be called more than once for one end. */
      ended(containerId: string): void;
      /** The stream is open (again), or LIMITS.dockerResyncMs have passed: look at everything, something may have been missed. */
      resync(): void;
    },
  ) {}

  /** Starts listening. Calling it again is harmless. */
  start(): void {
    this.running ??= Promise.all([this.listen(), this.resyncNowAndThen()]).then(() => undefined);
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await this.running;
  }

  private async listen(): Promise<void> {
    const { signal } = this.stopped;
    let waitMs: number = LIMITS.retryFirstMs;
    while (!signal.aborted) {
      try {
        const stream = await this.open();
        waitMs = LIMITS.retryFirstMs;
        this.listeners.resync();
        for await (const line of lines(stream)) this.hear(line);
        this.log.info('docker event stream ended');
      } catch (error) {
        if (!signal.aborted) this.log.warn('docker event stream lost', { error: messageOf(error), retryMs: waitMs });
      }
      this.engine.renegotiate();
      await sleep(this.clock, waitMs, signal);
      waitMs = Math.min(waitMs * 2, LIMITS.retryLastMs);
    }
  }

  private open(): Promise<NodeJS.ReadableStream> {
    const since = Math.floor(this.clock.nowMs() / 1_000) - REPLAY_SECONDS;
    const filters = { type: ['container'], event: ['die', 'destroy'], label: [this.label] };
    return this.engine.open(
      'events',
      (docker, signal) => docker.getEvents(withSignal({ since, filters: JSON.stringify(filters) }, signal)),
      this.stopped.signal,
    );
  }

  private hear(line: string): void {
    const id = containerIdIn(line);
    if (id !== undefined) this.listeners.ended(id);
  }

  /** A stream can be dead without saying so; one cheap look now and then bounds how long that can hide an exit. */
  private async resyncNowAndThen(): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      await sleep(this.clock, LIMITS.dockerResyncMs, signal);
      if (!signal.aborted) this.listeners.resync();
    }
  }
}

function containerIdIn(line: string): string | undefined {
  try {
    const event: unknown = JSON.parse(line);
    const id: unknown = typeof event === 'object' && event !== null ? Reflect.get(event, 'id') : undefined;
    return typeof id === 'string' ? id : undefined;
  } catch {
    return undefined;
  }
}
