import { messageOf } from '../core/errors';
import { LIMITS } from '../core/limits';
import type { AgentCall, AgentEvent, AgentLink, AgentSession } from '../core/ports/agent-link';
import { sleep, type Clock, type Timer } from '../core/ports/clock';
import type { Logger } from '../core/ports/logger';
import type { Random } from '../core/ports/random';

export type SubscribeCall = Extract<AgentCall, { type: 'SUBSCRIBE' }>;
export type SessionEvent = Exclude<AgentEvent, { type: 'PING' }>;

export interface SessionListener {
  /** What to say when (re-)registering, asked anew each time. */
  subscribe(): SubscribeCall;
  /** '' before the first registration. */
  agentId(): string;
  event(event: SessionEvent): void;
  closed(reason: string): void;
}

/** Ping time-out until the master has named its own. */
const FIRST_PING_TIMEOUT_MS = 15_000;

/**
 * Shares of the ping time-out: after so long without a ping the other servers are asked whether another one leads by now, and again
 * every so often. Pings come five to a time-out; more questions would be many with ten thousand agents.
 */
const FIRST_DOUBT = 1 / 3;
const NEXT_DOUBT = 1 / 6;

/** Milliseconds: the bound of the pause right after a session was lost, and its cap for as long as a fail-over may take. */
const SOON_MS = 50;
const FAILOVER_PAUSE_MS = 400;
const FAILOVER_MS = 20_000;

/**
 * Keeps a session with the leading master: connects, answers pings, connects again when the stream ends or no ping comes. Between
 * attempts it waits a random time below a bound that doubles (Mesos: registration_backoff_factor), so that the agents of a large
 * cluster do not all come at once. While a fail-over may be under way the bound stays low: a new leader can place nothing before its
 * agents are back.
 */
export class MasterSession {
  /** Resolves when the stream is open: events may come, and be answered, a little earlier. */
  private session: Promise<AgentSession> | undefined;
  private pingTimeoutMs = FIRST_PING_TIMEOUT_MS;
  private watchdog: Timer | undefined;
  private doubt: Timer | undefined;
  private boundMs: number = LIMITS.retryFirstMs;
  /** Monotonic; until then a fail-over is assumed. */
  private failoverUntilMs = 0;

  constructor(
    private readonly link: AgentLink,
    private readonly listener: SessionListener,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly log: Logger,
  ) {}

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const reason = await this.once(signal);
      if (signal.aborted) return;
      this.log.warn('no session with a master', { reason });
      this.listener.closed(reason);
      await sleep(this.clock, this.random.next() * this.boundMs, signal);
      const capMs = this.clock.monotonicMs() < this.failoverUntilMs ? FAILOVER_PAUSE_MS : LIMITS.retryLastMs;
      this.boundMs = Math.min(this.boundMs * 2, capMs);
    }
  }

  /** Rejects when there is no session or the master does not take the call. */
  async send(call: Exclude<AgentCall, { type: 'SUBSCRIBE' }>): Promise<void> {
    if (this.session === undefined) throw new Error('there is no session with a master');
    await (await this.session).send(call);
  }

  /** One session from connect to its end; answers with why it ended. */
  private async once(signal: AbortSignal): Promise<string> {
    let finish: (reason: string) => void = () => undefined;
    const ended = new Promise<string>((resolve) => (finish = resolve));
    const stop = () => finish('the agent stops');
    signal.addEventListener('abort', stop, { once: true });
    const attempt = new AbortController();
    this.watch(finish);
    // connect() runs a moment later, so that `session` is there for whatever its first events make us send.
    const opening = Promise.resolve().then(() =>
      this.link.connect(this.listener.subscribe(), (event) => this.hear(event, finish), finish, attempt.signal),
    );
    this.session = opening;
    try {
      const reason = await Promise.race([opening.then(() => ended), ended]);
      opening.then(
        (session) => session.close(),
        () => undefined,
      );
      return reason;
    } catch (error) {
      return messageOf(error);
    } finally {
      this.session = undefined;
      this.watchdog?.cancel();
      this.watchdog = undefined;
      this.doubt?.cancel();
      // What still looks for a leader would bring it a list of tasks that is no longer true.
      attempt.abort();
      signal.removeEventListener('abort', stop);
    }
  }

  private hear(event: AgentEvent, finish: (reason: string) => void): void {
    if (event.type === 'SUBSCRIBED') {
      this.pingTimeoutMs = event.subscribed.pingTimeoutMs;
      this.boundMs = SOON_MS;
    }
    this.failoverUntilMs = this.clock.monotonicMs() + FAILOVER_MS;
    this.watch(finish);
    if (event.type === 'PING') this.pong();
    else this.listener.event(event);
  }

  private pong(): void {
    this.send({ type: 'PONG', agentId: this.listener.agentId() }).catch((error: unknown) =>
      this.log.debug('pong not taken', { error: messageOf(error) }),
    );
  }

  private watch(finish: (reason: string) => void): void {
    this.watchdog?.cancel();
    this.watchdog = this.clock.after(this.pingTimeoutMs, () => finish(`no ping for ${this.pingTimeoutMs} ms`));
    this.lookAroundLater(finish, FIRST_DOUBT);
  }

  private lookAroundLater(finish: (reason: string) => void, share: number): void {
    this.doubt?.cancel();
    this.doubt = this.clock.after(this.pingTimeoutMs * share, () => void this.lookAround(finish));
  }

  /** A leader whose machine is gone closes no stream: without this, agents would be away for as long as they wait for a ping. */
  private async lookAround(finish: (reason: string) => void): Promise<void> {
    const { watchdog } = this;
    const isOther = await (this.link.hasOtherLeader?.() ?? Promise.resolve(false));
    if (this.watchdog !== watchdog) return; // the leader has been heard, or another attempt is under way
    if (isOther) finish('another server leads');
    else this.lookAroundLater(finish, NEXT_DOUBT);
  }
}
