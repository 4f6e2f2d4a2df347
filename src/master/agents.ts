import type { HierarchicalAllocator } from '../core/allocator/allocator';
import type { AgentCall, AgentEvent, AgentInfo } from '../core/ports/agent-link';
import type { TaskInfo } from '../core/records/mesos';
import { messageOf } from '../core/errors';
import type { MasterContext } from './context';

/** The master's way down to one agent. `send` must not throw for long; `close` ends the stream. */
export interface AgentSink {
  send(event: AgentEvent): void;
  close(reason: string): void;
}

/** One open stream of an agent, as the transport sees it. */
export interface AgentConnection {
  /** Given by the master if the agent had none. */
  readonly agentId: string;
  /** Takes a call; what it causes comes as events. Calls of a closed connection are ignored. */
  receive(call: Exclude<AgentCall, { type: 'SUBSCRIBE' }>): void;
  /** The transport has lost the stream. */
  closed(reason: string): void;
}

/**
 * recovered: known from records, not yet back in this term. registering: its stream is open, its records are being written.
 * disconnected: its stream has ended. unreachable: declared so in its record, its tasks too. gone: never to come back.
 */
export type AgentState = 'recovered' | 'registering' | 'connected' | 'disconnected' | 'unreachable' | 'gone';

export interface AgentSession {
  readonly sink: AgentSink;
  readonly runId: string;
  readonly hostname: string;
}

export interface AgentEntry {
  readonly id: string;
  state: AgentState;
  /** What the agent says of itself; from the record until it is back. */
  info: AgentInfo;
  /** Operator's wish or draining: no offers. */
  isHeldBack: boolean;
  session: AgentSession | undefined;
  /** The newest stream that was asked for, by run of the agent. */
  newest: { readonly runId: string; readonly attempt: number } | undefined;
  missedPings: number;
  awaitsPong: boolean;
  /** Monotonic; a recovered agent that is not back by then counts as lost. */
  deadlineMs: number;
  /** Registration, loss and removal of one agent happen one after the other. */
  chain: Promise<void>;
  unsentAcknowledgements: { readonly taskId: string; readonly uuid: string }[];
}

/** Every agent the master knows, and the way to send to those that are connected. */
export class AgentTable {
  private readonly agents = new Map<string, AgentEntry>();
  private withAcknowledgements: AgentEntry[] = [];

  constructor(
    private readonly context: MasterContext,
    private readonly allocator: HierarchicalAllocator,
  ) {}

  get(id: string): AgentEntry | undefined {
    return this.agents.get(id);
  }

  all(): Iterable<AgentEntry> {
    return this.agents.values();
  }

  get size(): number {
    return this.agents.size;
  }

  add(id: string, info: AgentInfo, state: AgentState, deadlineMs: number): AgentEntry {
    const entry: AgentEntry = {
      id,
      state,
      info,
      isHeldBack: false,
      session: undefined,
      newest: undefined,
      missedPings: 0,
      awaitsPong: false,
      deadlineMs,
      chain: Promise.resolve(),
      unsentAcknowledgements: [],
    };
    this.agents.set(id, entry);
    return entry;
  }

  remove(entry: AgentEntry): void {
    if (this.agents.get(entry.id) === entry) this.agents.delete(entry.id);
  }

  isConnected(id: string): boolean {
    return this.agents.get(id)?.state === 'connected';
  }

  /** Whether its free resources may be offered, brought to the allocator's knowledge. */
  refreshActive(entry: AgentEntry): void {
    this.allocator.setAgentActive(entry.id, entry.state === 'connected' && !entry.isHeldBack);
  }

  /** Runs after whatever is already under way for this agent. A failure ends only this step. */
  inTurn(entry: AgentEntry, step: () => Promise<void>): Promise<void> {
    const run = entry.chain.then(step);
    entry.chain = run.catch((error: unknown) => {
      if (!this.context.term.signal.aborted)
        this.context.log.error('a step for an agent failed', { agentId: entry.id, error: messageOf(error) });
    });
    return entry.chain;
  }

  /** Drops the event when the agent has no open stream: registration brings it up to date. */
  send(id: string, event: AgentEvent): void {
    const entry = this.agents.get(id);
    if (entry?.state === 'connected') this.sendTo(entry, event);
  }

  launch(id: string, tasks: readonly { readonly frameworkId: string; readonly info: TaskInfo }[]): void {
    if (tasks.length > 0) this.send(id, { type: 'LAUNCH', launch: { tasks } });
  }

  kill(id: string, frameworkId: string, taskId: string, graceMs: number | undefined): void {
    const kill = graceMs === undefined ? { taskId, frameworkId } : { taskId, frameworkId, graceMs };
    this.send(id, { type: 'KILL', kill });
  }

  /** Acknowledgements of one turn go out as one event. */
  acknowledge(id: string, taskId: string, uuid: string): void {
    const entry = this.agents.get(id);
    if (entry?.state !== 'connected') return; // it asks again when it is back
    entry.unsentAcknowledgements.push({ taskId, uuid });
    if (entry.unsentAcknowledgements.length > 1) return;
    this.withAcknowledgements.push(entry);
    if (this.withAcknowledgements.length === 1) void Promise.resolve().then(() => this.flushAcknowledgements());
  }

  sendTo(entry: AgentEntry, event: AgentEvent): void {
    try {
      entry.session?.sink.send(event);
    } catch (error) {
      this.context.log.warn('an event could not be sent to an agent', { agentId: entry.id, error: messageOf(error) });
    }
  }

  /** Ends the stream from our side. */
  closeSession(entry: AgentEntry, reason: string): void {
    const { session } = entry;
    entry.session = undefined;
    entry.unsentAcknowledgements = [];
    session?.sink.close(reason);
  }

  private flushAcknowledgements(): void {
    const entries = this.withAcknowledgements;
    this.withAcknowledgements = [];
    for (const entry of entries) {
      const updates = entry.unsentAcknowledgements;
      entry.unsentAcknowledgements = [];
      if (updates.length > 0) this.sendTo(entry, { type: 'ACKNOWLEDGE', acknowledge: { updates } });
    }
  }
}
