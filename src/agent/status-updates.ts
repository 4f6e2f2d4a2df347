import { messageOf } from '../core/errors';
import { LIMITS } from '../core/limits';
import type { AgentUpdate } from '../core/ports/agent-link';
import type { Clock, Timer } from '../core/ports/clock';
import type { Logger } from '../core/ports/logger';
import type { TaskState, TaskStatus } from '../core/records/mesos';

interface Entry {
  readonly status: TaskStatus;
  readonly uuid: string;
  /** Durable: may be sent. */
  ready: boolean;
}

interface Stream {
  readonly frameworkId: string;
  readonly entries: Entry[];
  latestState: TaskState;
  /** Monotonic milliseconds from which the first entry may be sent (again). */
  dueMs: number;
  /** The pause after the next sending. */
  pauseMs: number;
}

export type SendUpdates = (updates: readonly AgentUpdate[]) => Promise<void>;

/**
 * Reliable updates (Mesos: the agent's task status update manager): one stream per task, in order, at least once. The oldest
 * unacknowledged update of a task is sent, again after 10 s, doubling to 10 min, until it is acknowledged; then comes the next.
 * What is due at the same time goes in one call, one call at a time.
 */
export class StatusUpdates {
  private readonly streams = new Map<string, Stream>();
  private send: SendUpdates | undefined;
  private sending = false;
  private timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  /** Adds an update; it is sent once markReady() has been called for it. Its uuid must be set. */
  add(taskId: string, frameworkId: string, status: TaskStatus, ready = false): void {
    const stream = this.streams.get(taskId) ?? newStream(frameworkId, status.state);
    this.streams.set(taskId, stream);
    const last = stream.entries.at(-1);
    // Health reports pile up while the master is away; of those that were never sent only the newest tells anything.
    if (stream.entries.length > 1 && last !== undefined && isReport(last.status) && isReport(status))
      stream.entries.pop();
    stream.entries.push({ status, uuid: status.uuid ?? '', ready });
    stream.latestState = status.state;
    if (ready) this.flush();
  }

  /** The update is durable. */
  markReady(taskId: string, uuid: string): void {
    const entry = this.streams.get(taskId)?.entries.find((candidate) => candidate.uuid === uuid);
    if (entry === undefined) return;
    entry.ready = true;
    this.flush();
  }

  /** Unacknowledged updates of a task, oldest first. */
  pending(taskId: string): TaskStatus[] {
    return this.streams.get(taskId)?.entries.map((entry) => entry.status) ?? [];
  }

  /** Tasks with updates that are not acknowledged. */
  get size(): number {
    return this.streams.size;
  }

  /** False: this is not the update that waits for it (a repeat). */
  acknowledge(taskId: string, uuid: string): boolean {
    const stream = this.streams.get(taskId);
    if (stream?.entries[0]?.uuid !== uuid) return false;
    stream.entries.shift();
    stream.dueMs = 0;
    stream.pauseMs = LIMITS.updateRetryFirstMs;
    if (stream.entries.length === 0) this.streams.delete(taskId);
    else this.flush();
    return true;
  }

  /** A session with the master is open: everything unacknowledged is sent again. */
  connected(send: SendUpdates): void {
    this.send = send;
    for (const stream of this.streams.values()) {
      stream.dueMs = 0;
      stream.pauseMs = LIMITS.updateRetryFirstMs;
    }
    this.flush();
  }

  disconnected(): void {
    this.send = undefined;
    this.timer?.cancel();
  }

  private flush(): void {
    if (this.send === undefined || this.sending) return;
    const nowMs = this.clock.monotonicMs();
    const due = [...this.streams].filter(([, stream]) => stream.entries[0]?.ready === true && stream.dueMs <= nowMs);
    if (due.length === 0) return this.arm(nowMs);
    const batch = due.slice(0, LIMITS.updatesPerCall).map(([, stream]) => stream);
    this.sending = true;
    this.transmit(this.send, batch)
      .catch((error: unknown) => this.log.error('sending updates went wrong', { error: messageOf(error) }))
      .finally(() => {
        this.sending = false;
        this.flush();
      });
  }

  private async transmit(send: SendUpdates, batch: readonly Stream[]): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    for (const stream of batch) {
      stream.dueMs = nowMs + stream.pauseMs;
      stream.pauseMs = Math.min(stream.pauseMs * 2, LIMITS.updateRetryLastMs);
    }
    try {
      await send(
        batch.flatMap(({ frameworkId, latestState, entries: [first] }) =>
          first === undefined ? [] : [{ frameworkId, latestState, status: first.status }],
        ),
      );
    } catch (error) {
      this.log.debug('updates not taken', { error: messageOf(error), updateCount: batch.length });
      // The master said no or is away; with a new session they are due at once.
      for (const stream of batch) stream.dueMs = Math.min(stream.dueMs, nowMs + LIMITS.retryLastMs);
    }
  }

  private arm(nowMs: number): void {
    this.timer?.cancel();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const stream of this.streams.values())
      if (stream.entries[0]?.ready === true) nextMs = Math.min(nextMs, stream.dueMs);
    if (nextMs !== Number.POSITIVE_INFINITY)
      this.timer = this.clock.after(Math.max(1, nextMs - nowMs), () => this.flush());
  }
}

function newStream(frameworkId: string, latestState: TaskState): Stream {
  return { frameworkId, entries: [], latestState, dueMs: 0, pauseMs: LIMITS.updateRetryFirstMs };
}

/** An update that only reports health, readiness or the phase of a launch. */
function isReport(status: TaskStatus): boolean {
  return status.phase !== undefined || status.reason === 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED';
}
