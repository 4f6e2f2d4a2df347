import type { HierarchicalAllocator } from '../core/allocator/allocator';
import { assertNever, BadRequestError, InvalidError, messageOf, UnavailableError } from '../core/errors';
import type { SchedulerCall, SchedulerConnection, SchedulerEvent } from '../core/ports/scheduler-driver';
import type { FrameworkInfo } from '../core/records/mesos';
import { timestamp } from '../core/records/metadata';
import type { Framework } from '../core/records/records';
import type { AgentTable } from './agents';
import type { OfferAnswers } from './accept';
import type { MasterContext } from './context';
import { frameworkProblem, minAllocatableOf } from './framework-info';
import { rolesOf, type FrameworkConnection, type FrameworkEntry, type FrameworkTable } from './frameworks';
import type { Journal } from './journal';
import type { Kills } from './kills';
import type { OfferBook } from './offers';
import { LATEST_STATE, verdictOnUnknownTask, type AgentKnowledge } from './reconciliation';
import { masterStatus, withKnownFacts } from './task-status';
import type { TaskUpdates } from './task-updates';
import type { TaskEntry, TaskTable } from './task-table';

type CallOf<T extends SchedulerCall['type']> = Extract<SchedulerCall, { type: T }>;

/** Subscriptions of frameworks and their calls; knows nothing of how they reach us. */
export class FrameworkSessions {
  private count = 0;

  constructor(
    private readonly context: MasterContext,
    private readonly journal: Journal,
    private readonly tasks: TaskTable,
    private readonly agents: AgentTable,
    private readonly frameworks: FrameworkTable,
    private readonly allocator: HierarchicalAllocator,
    private readonly updates: TaskUpdates,
    private readonly kills: Kills,
    private readonly offers: OfferBook,
    private readonly answers: OfferAnswers,
  ) {}

  /** Rejects with InvalidError (nothing was changed) and, at the end of the term, with FencedError. */
  async subscribe(
    info: FrameworkInfo,
    onEvent: (event: SchedulerEvent) => void,
    onClosed: (reason: string) => void,
    suppressedRoles: readonly string[],
  ): Promise<SchedulerConnection> {
    const id = info.id?.value ?? this.nextId();
    const problem = frameworkProblem(info) ?? this.removedProblem(id);
    if (problem !== undefined) throw new InvalidError([{ path: '/', message: problem }], problem);
    const entry = this.frameworks.get(id) ?? this.frameworks.add(id, this.newRecord(id, info));
    this.closeConnection(entry, 'Framework failed over', true);
    const connection: FrameworkConnection = { onEvent, onClosed, isSubscribed: false };
    entry.connection = connection;
    entry.deadlineMs = undefined;
    entry.record = this.subscribedRecord(entry.record, id, info);
    await this.journal.putFramework(id, entry.record);
    if (entry.connection !== connection) throw new UnavailableError('the subscription', { detail: 'failed over' });
    this.open(entry, connection, suppressedRoles);
    return {
      call: (call) => this.call(entry, connection, call),
      close: () => this.disconnect(entry, connection),
    };
  }

  /** Removes frameworks that did not come back in time. */
  expire(nowMs: number): void {
    for (const entry of [...this.frameworks.all()])
      if (entry.deadlineMs !== undefined && entry.deadlineMs <= nowMs)
        this.inBackground(this.removeFramework(entry, 'did not come back within its failover_timeout'));
  }

  heartbeat(): void {
    this.frameworks.sendToAll({ type: 'HEARTBEAT' });
  }

  /** The term is over. */
  closeAll(reason: string): void {
    for (const entry of this.frameworks.all()) this.closeConnection(entry, reason, false);
  }

  /** A framework of earlier terms: it has its time to come back from now on, but never less than agents have. */
  recover(record: Framework): void {
    const entry = this.frameworks.add(record.metadata.name, record);
    if (record.status.state === 'completed') return;
    const timeoutMs = (record.spec.info.failover_timeout ?? 0) * 1000;
    entry.deadlineMs = this.context.clock.monotonicMs() + Math.max(timeoutMs, this.context.options.reregisterTimeoutMs);
  }

  private open(entry: FrameworkEntry, connection: FrameworkConnection, suppressedRoles: readonly string[]): void {
    connection.isSubscribed = true;
    const heartbeat_interval_seconds = this.context.options.heartbeatIntervalMs / 1000;
    const subscribed = { framework_id: { value: entry.id }, heartbeat_interval_seconds };
    this.frameworks.send(entry.id, { type: 'SUBSCRIBED', subscribed });
    this.frameworks.send(entry.id, { type: 'HEARTBEAT' });
    this.updates.resend(entry.id);
    this.shape(entry, suppressedRoles);
    this.context.log.info('a framework has subscribed', { frameworkId: entry.id, name: entry.record.spec.info.name });
  }

  private shape(entry: FrameworkEntry, suppressedRoles: readonly string[]): void {
    const { info } = entry.record.spec;
    this.allocator.setFramework(entry.id, {
      roles: rolesOf(info),
      suppressedRoles,
      capabilities: info.capabilities?.map((capability) => capability.type) ?? [],
      minAllocatable: minAllocatableOf(info),
    });
    this.offers.request();
  }

  private async call(entry: FrameworkEntry, connection: FrameworkConnection, call: SchedulerCall): Promise<void> {
    if (entry.connection !== connection || this.context.term.signal.aborted)
      throw new UnavailableError('the subscription', { detail: 'it is closed' });
    switch (call.type) {
      case 'ACCEPT':
        return this.answers.accept(entry, call.accept);
      case 'DECLINE':
        return this.answers.decline(entry, call.decline);
      case 'REVIVE':
        this.allocator.revive(entry.id, rolesGiven(call.revive?.roles));
        return this.offers.request();
      case 'SUPPRESS':
        return this.allocator.suppress(entry.id, rolesGiven(call.suppress?.roles));
      case 'KILL':
        return this.kill(entry, call.kill);
      case 'ACKNOWLEDGE': {
        const { agent_id, task_id, uuid } = call.acknowledge;
        return this.updates.acknowledge(entry.id, agent_id.value, task_id.value, uuid);
      }
      case 'RECONCILE':
        return this.reconcile(entry, call.reconcile.tasks);
      case 'UPDATE_FRAMEWORK':
        return this.update(entry, call.update_framework);
      case 'TEARDOWN':
        return this.removeFramework(entry, 'asked for its teardown');
      default:
        return assertNever(call);
    }
  }

  private async kill(framework: FrameworkEntry, call: CallOf<'KILL'>['kill']): Promise<void> {
    const taskId = call.task_id.value;
    const task = this.taskOf(framework, taskId, call.agent_id?.value);
    const nanoseconds = call.kill_policy?.grace_period?.nanoseconds;
    if (task !== undefined) return this.kills.request(task, graceMs(nanoseconds));
    const elsewhere = this.taskOf(framework, taskId, undefined);
    if (elsewhere === undefined) return this.reconcile(framework, [call]);
    this.context.log.warn('a kill names another agent than the task has, ignored', {
      taskId,
      agentId: elsewhere.agentId,
      named: call.agent_id?.value,
    });
  }

  private reconcile(framework: FrameworkEntry, tasks: CallOf<'RECONCILE'>['reconcile']['tasks']): void {
    if (tasks.length === 0) for (const task of this.tasks.ofFramework(framework.id)) this.tellLatest(task);
    for (const { task_id, agent_id } of tasks) {
      const task = this.taskOf(framework, task_id.value, agent_id?.value);
      if (task !== undefined) {
        this.tellLatest(task);
        continue;
      }
      const verdict = verdictOnUnknownTask(this.knowledgeOf(agent_id?.value));
      if (verdict !== undefined) this.updates.reply(framework.id, task_id.value, agent_id?.value, verdict);
    }
  }

  /** As it was last told, without uuid: nothing to acknowledge. A status that is still being written follows by itself. */
  private tellLatest(task: TaskEntry): void {
    const { state, latest } = task.record.status;
    if (!task.isDurable || task.pending?.isDurable === false) return;
    const nowMs = this.context.clock.nowMs();
    const made = masterStatus({ taskId: task.id, agentId: task.agentId, state, ...LATEST_STATE, nowMs });
    this.updates.forward(task.frameworkId, withKnownFacts(made, latest));
  }

  private taskOf(framework: FrameworkEntry, taskId: string, agentId: string | undefined): TaskEntry | undefined {
    const task = agentId === undefined ? this.tasks.find(taskId) : this.tasks.onAgent(agentId, taskId);
    return task?.frameworkId === framework.id ? task : undefined;
  }

  private knowledgeOf(agentId: string | undefined): AgentKnowledge {
    if (agentId !== undefined) return this.agents.get(agentId)?.state ?? 'unknown';
    for (const agent of this.agents.all()) if (agent.state === 'recovered') return 'any-recovered';
    return 'any';
  }

  private async update(entry: FrameworkEntry, call: CallOf<'UPDATE_FRAMEWORK'>['update_framework']): Promise<void> {
    const info = call.framework_info;
    const problem = frameworkProblem(info);
    if (problem !== undefined) throw new InvalidError([{ path: '/', message: problem }], problem);
    if (info.id !== undefined && info.id.value !== entry.id)
      throw new BadRequestError("'framework_id' differs from 'update_framework.framework_info.id'");
    const leaves = this.leavesRoles(entry, info);
    entry.record = this.subscribedRecord(entry.record, entry.id, info);
    this.shape(entry, call.suppressed_roles ?? []);
    if (leaves) this.offers.rescindFramework(entry.id);
    await this.journal.putFramework(entry.id, entry.record);
  }

  private leavesRoles(entry: FrameworkEntry, info: FrameworkInfo): boolean {
    const roles = rolesOf(info);
    return rolesOf(entry.record.spec.info).some((role) => !roles.includes(role));
  }

  /** The stream has ended: offers are taken back, tasks keep running, and time runs until the framework is removed. */
  private disconnect(entry: FrameworkEntry, connection: FrameworkConnection): void {
    if (entry.connection !== connection) return;
    entry.connection = undefined;
    this.offers.rescindFramework(entry.id);
    this.allocator.deactivateFramework(entry.id);
    this.offers.request();
    if (this.context.term.signal.aborted || entry.record.status.state === 'completed') return;
    const timeoutMs = (entry.record.spec.info.failover_timeout ?? 0) * 1000;
    entry.deadlineMs = this.context.clock.monotonicMs() + timeoutMs;
    const status = {
      ...entry.record.status,
      state: 'disconnected' as const,
      failoverDeadlineMs: this.context.clock.nowMs() + timeoutMs,
    };
    entry.record = { ...entry.record, status };
    this.inBackground(this.journal.putFramework(entry.id, entry.record));
    this.context.log.info('a framework has disconnected', { frameworkId: entry.id, timeoutMs });
  }

  /** Mesos: tasks are killed, the id may never be used again. */
  private async removeFramework(entry: FrameworkEntry, why: string): Promise<void> {
    if (entry.record.status.state === 'completed') return;
    entry.deadlineMs = undefined;
    entry.record = { ...entry.record, status: { ...entry.record.status, state: 'completed' } };
    const { name } = entry.record.spec.info;
    this.context.log.warn('a framework is removed, its tasks are killed', { frameworkId: entry.id, name, why });
    this.context.events.record({
      involvedObject: { kind: 'Framework', name: entry.id },
      type: 'Warning',
      reason: 'FrameworkRemoved',
      message: `Framework ${name} ${why}; its tasks are killed`,
    });
    this.closeConnection(entry, `Framework ${why}`, false);
    this.offers.rescindFramework(entry.id);
    this.allocator.removeFramework(entry.id);
    this.offers.request();
    this.updates.settleCompleted(entry.id);
    const kills = this.tasks.ofFramework(entry.id).map((task) => this.kills.request(task, undefined));
    await Promise.all([this.journal.putFramework(entry.id, entry.record), ...kills]);
    this.forgetOldest();
  }

  private forgetOldest(): void {
    const completed = [...this.frameworks.all()].filter((entry) => entry.record.status.state === 'completed');
    for (const entry of completed.slice(0, Math.max(0, completed.length - this.context.options.completedFrameworks))) {
      if (this.tasks.ofFramework(entry.id).length > 0) continue;
      this.frameworks.remove(entry.id);
      this.inBackground(this.journal.deleteFramework(entry.id));
    }
  }

  private closeConnection(entry: FrameworkEntry, reason: string, isFailover: boolean): void {
    const { connection } = entry;
    if (connection === undefined) return;
    if (isFailover) {
      this.frameworks.send(entry.id, { type: 'ERROR', error: { message: reason } });
      this.offers.rescindFramework(entry.id);
      this.allocator.deactivateFramework(entry.id);
    }
    entry.connection = undefined;
    try {
      connection.onClosed(reason);
    } catch (error) {
      this.context.log.error('a framework failed at its end', { frameworkId: entry.id, error: messageOf(error) });
    }
  }

  private removedProblem(id: string): string | undefined {
    return this.frameworks.isCompleted(id) ? 'Framework has been removed' : undefined;
  }

  private nextId(): string {
    return `${this.context.masterId}-${String(this.count++).padStart(4, '0')}`;
  }

  private newRecord(id: string, info: FrameworkInfo): Framework {
    const now = timestamp(this.context.clock.nowMs());
    return {
      kind: 'Framework',
      metadata: { name: id, uid: this.context.ids.uuid(), generation: 1, creationTimestamp: now },
      spec: { info },
      status: { state: 'active', registeredAt: now },
    };
  }

  /** Mesos: `user` and `checkpoint` keep their first value silently, everything else is brought up to date. */
  private subscribedRecord(record: Framework, id: string, info: FrameworkInfo): Framework {
    const { user, checkpoint } = record.spec.info;
    const kept = checkpoint === undefined ? { user } : { user, checkpoint };
    const status: Framework['status'] = { ...record.status, state: 'active' };
    delete status.failoverDeadlineMs;
    return { ...record, spec: { ...record.spec, info: { ...info, ...kept, id: { value: id } } }, status };
  }

  private inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!this.context.term.signal.aborted)
        this.context.log.error('a framework could not be written', { error: messageOf(error) });
    });
  }
}

/** No roles, or none given: all of them. */
function rolesGiven(roles: readonly string[] | undefined): readonly string[] | undefined {
  return roles === undefined || roles.length === 0 ? undefined : roles;
}

function graceMs(nanoseconds: number | undefined): number | undefined {
  return nanoseconds === undefined ? undefined : Math.max(0, Math.round(nanoseconds / 1_000_000));
}
