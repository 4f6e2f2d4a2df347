import { UnavailableError } from '../../src/core/errors';
import type { AgentCall, AgentEvent, AgentLink, AgentSession, AgentUpdate } from '../../src/core/ports/agent-link';
import type { TaskInfo, TaskState, TaskStatus } from '../../src/core/records/mesos';

type Subscribe = Extract<AgentCall, { type: 'SUBSCRIBE' }>['subscribe'];

/** The master's end of the link, in memory: registers every agent, keeps what it is told and acknowledges it unless told not to. */
export class FakeMaster implements AgentLink {
  readonly subscriptions: Subscribe[] = [];
  /** Updates as they came, repeats included. */
  readonly received: AgentUpdate[] = [];
  readonly pongs: string[] = [];
  acknowledges = true;
  /** Every agent is sent away with these words. */
  sendsAway: string | undefined;
  /** Nobody leads: connect() rejects. */
  away = false;
  /** Whoever leads does not answer: connect() stays open. */
  silent = false;
  /** What the other servers say. */
  otherLeads = false;
  /** Attempts that the agent has given up. */
  abandoned = 0;
  /** Calls are refused with UnavailableError. */
  refuses = false;
  pingTimeoutMs = 15_000;
  agentId = 'S1';
  private open: { onEvent: (event: AgentEvent) => void; onClosed: (reason: string) => void } | undefined;

  connect(
    call: Extract<AgentCall, { type: 'SUBSCRIBE' }>,
    onEvent: (event: AgentEvent) => void,
    onClosed: (reason: string) => void,
    signal?: AbortSignal,
  ): Promise<AgentSession> {
    if (this.away) return Promise.reject(new UnavailableError('master', { detail: 'nobody leads' }));
    this.subscriptions.push(call.subscribe);
    signal?.addEventListener('abort', () => void this.abandoned++, { once: true });
    if (this.silent) return new Promise(() => undefined);
    this.open = { onEvent, onClosed };
    const mine = this.open;
    if (this.sendsAway !== undefined) onEvent({ type: 'SHUTDOWN', shutdown: { message: this.sendsAway } });
    else
      onEvent({
        type: 'SUBSCRIBED',
        subscribed: { agentId: call.subscribe.agent.id ?? this.agentId, pingTimeoutMs: this.pingTimeoutMs },
      });
    return Promise.resolve({
      send: (sent) => this.take(sent),
      close: () => {
        if (this.open === mine) this.open = undefined;
      },
    });
  }

  hasOtherLeader(): Promise<boolean> {
    return Promise.resolve(this.otherLeads);
  }

  get isConnected(): boolean {
    return this.open !== undefined;
  }

  launch(...tasks: TaskInfo[]): void {
    this.tell({ type: 'LAUNCH', launch: { tasks: tasks.map((info) => ({ frameworkId: 'F1', info })) } });
  }

  kill(taskId: string, graceMs?: number): void {
    const kill = graceMs === undefined ? { taskId, frameworkId: 'F1' } : { taskId, frameworkId: 'F1', graceMs };
    this.tell({ type: 'KILL', kill });
  }

  tell(event: AgentEvent): void {
    if (this.open === undefined) throw new Error('no agent is connected');
    this.open.onEvent(event);
  }

  hangUp(reason = 'the master is gone'): void {
    const { open } = this;
    this.open = undefined;
    open?.onClosed(reason);
  }

  acknowledge({ status }: AgentUpdate): void {
    this.tell({
      type: 'ACKNOWLEDGE',
      acknowledge: { updates: [{ taskId: status.task_id.value, uuid: status.uuid ?? '' }] },
    });
  }

  /** Statuses of a task in order, repeats left out. */
  statuses(taskId: string): TaskStatus[] {
    const byUuid = new Map<string | undefined, TaskStatus>();
    for (const { status } of this.received)
      if (status.task_id.value === taskId && !byUuid.has(status.uuid)) byUuid.set(status.uuid, status);
    return [...byUuid.values()];
  }

  states(taskId: string): TaskState[] {
    return this.statuses(taskId).map((status) => status.state);
  }

  /** The newest status of a task. */
  last(taskId: string): TaskStatus | undefined {
    return this.statuses(taskId).at(-1);
  }

  private take(call: Exclude<AgentCall, { type: 'SUBSCRIBE' }>): Promise<void> {
    if (this.refuses) return Promise.reject(new UnavailableError('master'));
    if (call.type === 'PONG') this.pongs.push(call.agentId);
    if (call.type === 'UPDATE') {
      this.received.push(...call.update.updates);
      if (this.acknowledges) for (const update of call.update.updates) this.acknowledge(update);
    }
    return Promise.resolve();
  }
}
