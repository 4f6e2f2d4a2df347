import type { HierarchicalAllocator } from '../core/allocator/allocator';
import { messageOf } from '../core/errors';
import type { AgentUpdate } from '../core/ports/agent-link';
import type { Counter } from '../core/ports/metrics';
import { isTerminal, type TaskState, type TaskStatus } from '../core/records/mesos';
import type { AgentEntry, AgentTable } from './agents';
import type { MasterContext } from './context';
import type { FrameworkTable } from './frameworks';
import type { Journal } from './journal';
import type { OfferBook } from './offers';
import { asSeenBy, isKillPending, masterStatus, uuidBase64, withKnownFacts, withStatus } from './task-status';
import { rememberAcknowledged, type PendingUpdate, type TaskEntry, type TaskTable } from './task-table';

/** What the master itself says about a task. */
export interface MasterVerdict {
  readonly state: TaskState;
  readonly reason: string;
  readonly message: string;
}

const OUT_OF_MEMORY = {
  state: 'TASK_FAILED',
  reason: 'REASON_CONTAINER_LIMITATION_MEMORY',
  source: 'SOURCE_EXECUTOR',
};

/**
 * The way of every status: into the task's record first, then to the framework, whose acknowledgement goes on to the agent. A
 * task whose final status is acknowledged leaves the records. Difference from Mesos on purpose: final states that the master
 * itself finds for a task on record (TASK_GONE …) carry a uuid and wait for their acknowledgement too, so that they cannot be
 * lost; the acknowledgement ends here.
 */
export class TaskUpdates {
  private readonly exits: Counter;

  constructor(
    private readonly context: MasterContext,
    private readonly journal: Journal,
    private readonly tasks: TaskTable,
    private readonly agents: AgentTable,
    private readonly frameworks: FrameworkTable,
    private readonly allocator: HierarchicalAllocator,
    private readonly offers: OfferBook,
  ) {
    this.exits = context.metrics.counter({
      name: 'berth_task_exits_total',
      help: 'Tasks that reached a final state.',
      labels: ['state', 'reason', 'source'],
    });
    // A rise from nothing is no rise to Prometheus: the first of these must be seen, too.
    this.exits.inc(OUT_OF_MEMORY, 0);
  }

  /** Updates of one call of an agent, in order. */
  fromAgent(agent: AgentEntry, updates: readonly AgentUpdate[]): void {
    for (const update of updates) this.oneFromAgent(agent, update);
  }

  /**
   * Puts the master's verdict on record and then tells the framework. Resolves when it is durable.
   *
   * @param known the newest status with facts about the container, if it is not the one on record
   */
  byMaster(entry: TaskEntry, verdict: MasterVerdict, known = entry.record.status.latest): Promise<void> {
    const uuid = isTerminal(verdict.state) ? uuidBase64(this.context.ids.uuid()) : undefined;
    const nowMs = this.context.clock.nowMs();
    const made = masterStatus({ taskId: entry.id, agentId: entry.agentId, ...verdict, nowMs, uuid });
    const status = withKnownFacts(made, known);
    if (isTerminal(verdict.state)) this.release(entry);
    return this.record(entry, status, uuid === undefined ? undefined : { uuid, fromAgent: false });
  }

  /** Tells the framework about a task that is on no record. */
  reply(frameworkId: string, taskId: string, agentId: string | undefined, verdict: MasterVerdict): void {
    const status = masterStatus({ taskId, agentId, ...verdict, nowMs: this.context.clock.nowMs() });
    this.forward(frameworkId, status);
  }

  /** Sends a status as the framework may see it. */
  forward(frameworkId: string, status: TaskStatus): boolean {
    const seen = asSeenBy(status, this.frameworks.isPartitionAware(frameworkId));
    return this.frameworks.send(frameworkId, { type: 'UPDATE', update: { status: seen } });
  }

  /** The framework has handled a status. Unknown and old uuids are ignored. */
  async acknowledge(frameworkId: string, agentId: string, taskId: string, uuid: string): Promise<void> {
    const entry = this.tasks.onAgent(agentId, taskId);
    if (entry?.frameworkId !== frameworkId || entry.pending?.uuid !== uuid) return;
    await this.finish(entry, entry.pending);
  }

  /** Sends again what a framework has not acknowledged: it has just subscribed. */
  resend(frameworkId: string): void {
    for (const entry of this.tasks.ofFramework(frameworkId))
      if (entry.pending?.isDurable === true) this.forward(frameworkId, entry.pending.status);
  }

  /** Tasks of a framework that will never come back: what waits for its acknowledgement is acknowledged here. */
  settleCompleted(frameworkId: string): void {
    for (const entry of this.tasks.ofFramework(frameworkId))
      if (entry.pending?.isDurable === true) this.inBackground(this.finish(entry, entry.pending));
  }

  /** Takes the task's resources in the allocator. */
  hold(entry: TaskEntry): void {
    if (entry.holdsResources || !this.allocator.hasAgent(entry.agentId)) return;
    entry.holdsResources = true;
    this.allocator.addAllocated(entry.agentId, entry.frameworkId, entry.role, entry.resources);
  }

  /** Gives them back; once. */
  release(entry: TaskEntry): void {
    if (!entry.holdsResources) return;
    entry.holdsResources = false;
    this.allocator.recover(entry.frameworkId, entry.role, entry.agentId, entry.resources);
    this.offers.request();
  }

  private oneFromAgent(agent: AgentEntry, { status, latestState }: AgentUpdate): void {
    const { uuid } = status;
    const taskId = status.task_id.value;
    if (uuid === undefined) return this.context.log.warn('an update without uuid was dropped', { taskId });
    const entry = this.tasks.onAgent(agent.id, taskId);
    const isOver = entry === undefined || (isTerminal(entry.record.status.state) && !isTerminal(status.state));
    if (isOver || entry.acknowledged.includes(uuid)) return this.agents.acknowledge(agent.id, taskId, uuid);
    if (isTerminal(latestState) || isTerminal(status.state)) this.release(entry);
    if (entry.pending?.uuid === uuid) return this.repeat(entry, entry.pending);
    this.inBackground(this.record(entry, status, { uuid, fromAgent: true }));
  }

  /** The agent repeats an update: the framework has not acknowledged it, so it hears it again. */
  private repeat(entry: TaskEntry, pending: PendingUpdate): void {
    if (pending.isDurable) this.deliver(entry, pending);
  }

  private async record(
    entry: TaskEntry,
    status: TaskStatus,
    origin: { readonly uuid: string; readonly fromAgent: boolean } | undefined,
  ): Promise<void> {
    const wasTerminal = isTerminal(entry.record.status.state);
    entry.record = withStatus(entry.record, status, this.context.clock.nowMs());
    if (!isKillPending(entry.record)) this.tasks.killing.delete(entry);
    const pending = origin === undefined ? undefined : { status, ...origin, isDurable: false };
    entry.pending = pending;
    await this.journal.putTask(entry.path, entry.record);
    if (origin?.fromAgent === true) this.context.crashPoints.reach('master.update-written');
    if (isTerminal(status.state) && !wasTerminal) this.countExit(status);
    if (pending === undefined) return void this.forward(entry.frameworkId, status);
    pending.isDurable = true;
    if (entry.pending === pending) this.deliver(entry, pending);
  }

  private deliver(entry: TaskEntry, pending: PendingUpdate): void {
    if (this.frameworks.isCompleted(entry.frameworkId)) this.inBackground(this.finish(entry, pending));
    else this.forward(entry.frameworkId, pending.status);
  }

  /** The status needs no repeating any more. The record of an ended task goes before the agent forgets the task. */
  private async finish(entry: TaskEntry, pending: PendingUpdate): Promise<void> {
    entry.pending = undefined;
    rememberAcknowledged(entry, pending.uuid);
    if (isTerminal(pending.status.state)) {
      this.tasks.remove(entry);
      await this.journal.deleteTask(entry.path);
      if (pending.fromAgent) this.context.crashPoints.reach('master.task-removed');
    }
    if (pending.fromAgent) this.agents.acknowledge(entry.agentId, entry.id, pending.uuid);
  }

  private countExit(status: TaskStatus): void {
    this.exits.inc({
      state: status.state,
      reason: status.reason ?? 'none',
      source: status.source ?? 'SOURCE_AGENT',
    });
  }

  /** Rejections mean that the term is over (the journal has said so) or that a record cannot be written at all. */
  private inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!this.context.term.signal.aborted)
        this.context.log.error('a task could not be written', { error: messageOf(error) });
    });
  }
}
