import { HierarchicalAllocator } from '../core/allocator/allocator';
import { FencedError, messageOf, UnavailableError } from '../core/errors';
import type { AgentCall } from '../core/ports/agent-link';
import type { Timer } from '../core/ports/clock';
import { NO_CRASH_POINTS } from '../core/ports/crash-points';
import type { SchedulerConnection, SchedulerDriver, SchedulerEvent } from '../core/ports/scheduler-driver';
import { expiredEvents } from '../core/records/event-recorder';
import { isTerminal, type FrameworkInfo } from '../core/records/mesos';
import type { Agent, Task } from '../core/records/records';
import { ResourceBag } from '../core/records/resources';
import { OfferAnswers } from './accept';
import { AgentRecords, infoOf, unknownAgent } from './agent-records';
import { AgentTable, type AgentConnection, type AgentSink } from './agents';
import { MASTER_DEFAULTS, type MasterContext, type MasterOptions, type MasterPorts } from './context';
import { FrameworkSessions } from './framework-sessions';
import { FrameworkTable } from './frameworks';
import { Journal } from './journal';
import { Kills } from './kills';
import { Liveness } from './liveness';
import { MasterMetrics } from './master-metrics';
import { OfferGate } from './offer-gate';
import { OfferBook } from './offers';
import { OperatorWatch } from './operator-watch';
import { Registration } from './registration';
import { uuidBase64 } from './task-status';
import { TaskUpdates } from './task-updates';
import { taskEntry, TaskTable, type TaskEntry } from './task-table';

const EVENT_SWEEP_MS = 60_000;

/**
 * The Mesos master of one term: agents register with it, frameworks (in process: the orchestrator) subscribe to it, and it
 * brings them together. Made anew for every term, from records. It ends by itself when the term's signal aborts or the store
 * says that another leads; `stop` is then harmless.
 */
export class Master implements SchedulerDriver {
  /** A UUID per term (Mesos: MasterInfo.id). */
  readonly id: string;

  private readonly context: MasterContext;
  private readonly tasks = new TaskTable();
  private readonly frameworks: FrameworkTable;
  private readonly allocator: HierarchicalAllocator;
  private readonly agents: AgentTable;
  private readonly agentRecords: AgentRecords;
  private readonly journal: Journal;
  private readonly gate: OfferGate;
  private readonly offers: OfferBook;
  private readonly updates: TaskUpdates;
  private readonly kills: Kills;
  private readonly sessions: FrameworkSessions;
  private readonly registration: Registration;
  private readonly liveness: Liveness;
  private readonly operators: OperatorWatch;
  private readonly metrics: MasterMetrics;
  private readonly timers = new Map<string, Timer>();
  private state: 'new' | 'running' | 'stopped' = 'new';
  private readonly onAbort = () => this.stop('the term is over');

  constructor(ports: MasterPorts, options: Partial<MasterOptions> = {}) {
    this.id = ports.ids.uuid();
    const context = {
      ...ports,
      crashPoints: ports.crashPoints ?? NO_CRASH_POINTS,
      options: { ...MASTER_DEFAULTS, ...options },
      masterId: this.id,
    };
    const onFenced = () => this.stop('another replica leads');
    this.context = context;
    this.frameworks = new FrameworkTable(context);
    this.allocator = new HierarchicalAllocator({ shuffle: (items) => shuffle(items, () => ports.random.next()) });
    this.agents = new AgentTable(context, this.allocator);
    this.agentRecords = new AgentRecords(context, onFenced);
    this.journal = new Journal(context, onFenced);
    this.gate = new OfferGate(context, this.agents);
    this.offers = new OfferBook(context, this.allocator, this.agents, this.frameworks, this.gate);
    const { journal, tasks, agents, frameworks, allocator, offers, agentRecords } = this;
    const updates = new TaskUpdates(context, journal, tasks, agents, frameworks, allocator, offers);
    const kills = new Kills(context, journal, tasks, agents);
    const answers = new OfferAnswers(context, journal, tasks, agents, offers, updates, allocator);
    this.updates = updates;
    this.kills = kills;
    this.sessions = new FrameworkSessions(
      context,
      journal,
      tasks,
      agents,
      frameworks,
      allocator,
      updates,
      kills,
      offers,
      answers,
    );
    this.registration = new Registration(
      context,
      agentRecords,
      tasks,
      agents,
      frameworks,
      allocator,
      updates,
      kills,
      offers,
    );
    this.liveness = new Liveness(context, agentRecords, tasks, agents, frameworks, allocator, updates, offers);
    this.operators = new OperatorWatch(context, agentRecords, tasks, agents, frameworks, allocator, updates, offers);
    this.metrics = new MasterMetrics(context, tasks, agents, frameworks, offers, allocator);
  }

  /**
   * Builds its state from the records (call after `records.sync()`) and begins to act. Agents on record have a while to come
   * back before they count as lost.
   */
  start(): void {
    if (this.state !== 'new') return;
    this.state = 'running';
    this.recoverAgents();
    for (const { record } of this.context.records.collection('Framework').list()) this.sessions.recover(record);
    for (const { record } of this.context.records.collection('Task').list()) this.recoverTask(record);
    this.context.crashPoints.reach('master.term-begun');
    this.operators.start();
    this.liveness.start();
    this.every('allocation', this.context.options.allocationIntervalMs, () => this.tick());
    this.every('heartbeat', this.context.options.heartbeatIntervalMs, () => this.sessions.heartbeat());
    this.every('kills', this.context.options.killRetryMs, () => this.kills.resend());
    this.every('events', EVENT_SWEEP_MS, () => void this.sweepEvents());
    this.context.term.signal.addEventListener('abort', this.onAbort, { once: true });
    if (this.context.term.signal.aborted) return this.stop('the term is over');
    this.context.log.info('master started', { masterId: this.id, agents: this.agents.size, tasks: this.tasks.size });
  }

  /** Ends every session and writes nothing any more. Agents and frameworks look for the next master. */
  stop(reason = 'the master stops'): void {
    if (this.state === 'stopped') return;
    this.state = 'stopped';
    this.context.term.signal.removeEventListener('abort', this.onAbort);
    this.liveness.stop();
    this.operators.stop();
    this.offers.stop();
    for (const timer of this.timers.values()) timer.cancel();
    this.timers.clear();
    this.journal.close();
    this.sessions.closeAll(reason);
    for (const agent of this.agents.all()) this.agents.closeSession(agent, reason);
    this.metrics.stop();
    this.context.log.info('master stopped', { masterId: this.id, reason });
  }

  get isRunning(): boolean {
    return this.state === 'running' && !this.context.term.signal.aborted;
  }

  /**
   * An agent has opened a stream. The sink hears SUBSCRIBED when the agent is on record, or SHUTDOWN. Throws UnavailableError
   * when this master does not act (any more).
   */
  connectAgent(subscribe: Extract<AgentCall, { type: 'SUBSCRIBE' }>['subscribe'], sink: AgentSink): AgentConnection {
    if (!this.isRunning) throw new UnavailableError('the master');
    return this.registration.connect(subscribe, sink);
  }

  async subscribe(
    info: FrameworkInfo,
    onEvent: (event: SchedulerEvent) => void,
    onClosed: (reason: string) => void,
    suppressedRoles: readonly string[] = [],
  ): Promise<SchedulerConnection> {
    if (!this.isRunning) throw new UnavailableError('the master');
    try {
      return await this.sessions.subscribe(info, onEvent, onClosed, suppressedRoles);
    } catch (error) {
      if (error instanceof FencedError) throw new UnavailableError('the master', { cause: error });
      throw error;
    }
  }

  /** Counts for `/metrics/snapshot` and status pages. */
  summary(): {
    readonly agents: { readonly connected: number; readonly known: number };
    readonly tasks: ReadonlyMap<string, number>;
    readonly offers: number;
    readonly capacity: Readonly<Record<string, number>>;
  } {
    const agents = [...this.agents.all()];
    return {
      agents: { connected: agents.filter((agent) => agent.state === 'connected').length, known: agents.length },
      tasks: this.tasks.countByState(),
      offers: this.offers.size,
      capacity: this.allocator.capacity(),
    };
  }

  private recoverAgents(): void {
    const deadlineMs = this.context.clock.monotonicMs() + this.context.options.reregisterTimeoutMs;
    for (const { path, record } of this.context.records.collection('Agent').list())
      this.recoverAgent(path, record, deadlineMs);
  }

  /** Its resources count for shares at once; it is offered when it is back. */
  private recoverAgent(id: string, record: Agent, deadlineMs: number): void {
    const { state } = record.status;
    const isAbsent = state === 'unreachable' || state === 'gone';
    const entry = this.agents.add(id, infoOf(record), isAbsent ? state : 'recovered', deadlineMs);
    entry.isHeldBack = record.spec.unschedulable === true || state === 'draining';
    if (isAbsent) return;
    this.allocator.addAgent(id, ResourceBag.of(record.spec.resources));
    this.agents.refreshActive(entry);
  }

  private recoverTask(record: Task): void {
    const entry = taskEntry(record, true);
    this.tasks.add(entry);
    const { state, latest, killRequested } = record.status;
    if (!isTerminal(state)) {
      if (state !== 'TASK_UNREACHABLE') {
        this.expectAgentOf(entry);
        this.updates.hold(entry);
      }
      if (killRequested !== undefined) this.tasks.killing.add(entry);
    } else if (latest !== undefined) {
      // A final status on record has not been acknowledged: it is told again.
      const uuid = latest.uuid ?? uuidBase64(this.context.ids.uuid());
      const fromAgent = latest.source !== 'SOURCE_MASTER';
      entry.pending = { status: { ...latest, uuid }, uuid, fromAgent, isDurable: true };
    }
  }

  /** An agent without a record is waited for like any other: its tasks must not seem to run for ever when it never comes. */
  private expectAgentOf({ agentId }: TaskEntry): void {
    if (this.agents.get(agentId) !== undefined) return;
    const deadlineMs = this.context.clock.monotonicMs() + this.context.options.reregisterTimeoutMs;
    this.agents.add(agentId, unknownAgent(agentId), 'recovered', deadlineMs);
  }

  /** Every agent on record has said in this term what it runs, or counts as lost: what the records say of tasks is true again. */
  agentsAreBack(): boolean {
    return this.gate.isComplete;
  }

  private tick(): void {
    const nowMs = this.context.clock.monotonicMs();
    this.offers.expire(nowMs);
    this.sessions.expire(nowMs);
    this.allocator.tick(nowMs);
    if (this.gate.opens()) this.context.onSettled?.();
    this.offers.request();
  }

  private every(name: string, ms: number, run: () => void): void {
    const schedule = () => {
      this.timers.set(
        name,
        this.context.clock.after(ms, () => {
          if (!this.isRunning) return;
          run();
          if (this.isRunning) schedule();
        }),
      );
    };
    schedule();
  }

  private async sweepEvents(): Promise<void> {
    const { records, clock, term, log } = this.context;
    const writes = expiredEvents(records.collection('Event').list(), clock.nowMs());
    if (writes.length === 0) return;
    try {
      await records.write(writes, term.fence);
    } catch (error) {
      log.warn('old events could not be removed', { error: messageOf(error) });
    }
  }
}

/** Fisher and Yates. */
function shuffle(items: unknown[], random: () => number): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j], items[i]];
  }
}
