import type { HierarchicalAllocator } from '../core/allocator/allocator';
import { messageOf } from '../core/errors';
import type { AgentCall, AgentInfo, KnownTask } from '../core/ports/agent-link';
import { isTerminal, type TaskInfo } from '../core/records/mesos';
import { timestamp } from '../core/records/metadata';
import type { Task } from '../core/records/records';
import { ResourceBag, reservationRoleOf } from '../core/records/resources';
import { AgentRecords, registered } from './agent-records';
import type { AgentConnection, AgentEntry, AgentSession, AgentSink, AgentTable } from './agents';
import type { MasterContext } from './context';
import type { FrameworkTable } from './frameworks';
import type { Kills } from './kills';
import type { OfferBook } from './offers';
import type { TaskUpdates } from './task-updates';
import { saysTheSame } from './task-status';
import { taskEntry, type TaskEntry, type TaskTable } from './task-table';
import { isValidId } from './task-validation';

type Subscribe = Extract<AgentCall, { type: 'SUBSCRIBE' }>['subscribe'];

/** Registration and re-registration of agents, and bringing both sides' tasks together. */
export class Registration {
  private count = 0;
  /** Ids given in this term, by run of the agent: one that has not heard its id and asks again is no second agent. */
  private readonly newIds = new Map<string, string>();

  constructor(
    private readonly context: MasterContext,
    private readonly records: AgentRecords,
    private readonly tasks: TaskTable,
    private readonly agents: AgentTable,
    private readonly frameworks: FrameworkTable,
    private readonly allocator: HierarchicalAllocator,
    private readonly updates: TaskUpdates,
    private readonly kills: Kills,
    private readonly offers: OfferBook,
  ) {}

  /** Takes a new stream. SUBSCRIBED follows when the agent is on record; SHUTDOWN if it must not go on under its id. */
  connect(subscribe: Subscribe, sink: AgentSink): AgentConnection {
    const info = subscribe.agent;
    const id = info.id ?? this.newIds.get(info.runId) ?? `${this.context.masterId}-S${this.count++}`;
    const refusal = this.refusalOf(id, info);
    if (refusal !== undefined) return this.refuse(id, sink, refusal);
    const entry = this.agents.get(id) ?? this.agents.add(id, info, 'registering', 0);
    if (isOutdated(entry, subscribe)) return this.ignore(id, sink);
    entry.newest = { runId: info.runId, attempt: subscribe.attempt ?? 0 };
    if (info.id === undefined) this.newIds.set(info.runId, id);
    else this.newIds.delete(info.runId);
    const session: AgentSession = { sink, runId: info.runId, hostname: info.hostname };
    this.agents.closeSession(entry, 'a newer stream of this agent has been opened');
    entry.session = session;
    entry.missedPings = 0;
    entry.awaitsPong = false;
    entry.state = 'registering';
    if (this.allocator.hasAgent(id)) this.suspend(entry);
    void this.agents.inTurn(entry, () => this.tryRegister(entry, session, subscribe));
    return {
      agentId: id,
      receive: (call) => this.receive(entry, session, call),
      closed: (reason) => this.closed(entry, session, reason),
    };
  }

  private refusalOf(id: string, info: AgentInfo): string | undefined {
    if (!isValidId(id)) return `agent id '${id}' is invalid`;
    if (this.records.get(id)?.status.state === 'gone') return `agent ${id} was marked gone and may never come back`;
    const entry = this.agents.get(id);
    const other = entry?.session;
    if (entry === undefined || other === undefined || other.runId === info.runId) return undefined;
    if (other.hostname === info.hostname || entry.missedPings > 0) return undefined;
    return `agent ${id} is registered from host ${other.hostname}, which answers; ${info.hostname} has the same id`;
  }

  private refuse(id: string, sink: AgentSink, message: string): AgentConnection {
    this.context.log.warn('an agent was refused', { agentId: id, error: message });
    this.context.events.record({
      involvedObject: { kind: 'Agent', name: id },
      type: 'Warning',
      reason: 'AgentRefused',
      message,
    });
    sink.send({ type: 'SHUTDOWN', shutdown: { message } });
    sink.close(message);
    return { agentId: id, receive: () => undefined, closed: () => undefined };
  }

  /** The network has kept it back: the agent has asked anew since, and the list of tasks in it is not true any more. */
  private ignore(id: string, sink: AgentSink): AgentConnection {
    this.context.log.info('an outdated stream of an agent was closed', { agentId: id });
    sink.close('a newer stream of this agent was opened before');
    return { agentId: id, receive: () => undefined, closed: () => undefined };
  }

  private receive(entry: AgentEntry, session: AgentSession, call: Exclude<AgentCall, { type: 'SUBSCRIBE' }>): void {
    if (entry.session !== session) return;
    // Whatever it says, it is alive.
    entry.awaitsPong = false;
    entry.missedPings = 0;
    if (call.type === 'UPDATE' && entry.state === 'connected') this.updates.fromAgent(entry, call.update.updates);
  }

  private closed(entry: AgentEntry, session: AgentSession, reason: string): void {
    if (entry.session !== session) return;
    this.context.log.info('an agent has disconnected', { agentId: entry.id, reason });
    entry.session = undefined;
    entry.unsentAcknowledgements = [];
    entry.state = 'disconnected';
    this.suspend(entry);
  }

  /** No offers of it while it is not connected; those that are out are taken back. */
  private suspend(entry: AgentEntry): void {
    this.agents.refreshActive(entry);
    this.offers.rescindAgent(entry.id);
  }

  /** A record that cannot be written ends the stream with the reason; the agent comes again after its pause. */
  private async tryRegister(entry: AgentEntry, session: AgentSession, subscribe: Subscribe): Promise<void> {
    try {
      await this.register(entry, session, subscribe);
    } catch (error) {
      if (entry.session === session && !this.context.term.signal.aborted) {
        this.agents.sendTo(entry, { type: 'ERROR', error: { message: messageOf(error) } });
        this.agents.closeSession(entry, messageOf(error));
        entry.state = 'disconnected';
      }
      throw error;
    }
  }

  private async register(entry: AgentEntry, session: AgentSession, { agent, tasks }: Subscribe): Promise<void> {
    if (entry.session !== session) return;
    const nowMs = this.context.clock.nowMs();
    const isNew = this.records.get(entry.id) === undefined;
    await this.records.update(entry.id, (current) =>
      registered(current, entry.id, agent, { nowMs, uid: this.context.ids.uuid() }),
    );
    this.context.crashPoints.reach('master.agent-written');
    if (entry.session !== session || this.records.get(entry.id)?.status.state === 'gone') return;
    entry.info = agent;
    const known = new Map(tasks.map((task) => [task.info.task_id.value, task]));
    const writes = [...this.adopt(entry, known), ...this.compare(entry, known)];
    this.enterAllocator(entry, known);
    await this.settle(entry, writes);
    if (entry.session !== session) return;
    this.open(entry, known);
    this.announce(entry, isNew);
  }

  /** Tasks the agent runs and nobody has on record: never killed by us, whoever lost the record. */
  private adopt(entry: AgentEntry, known: ReadonlyMap<string, KnownTask>): Promise<void>[] {
    const writes: Promise<void>[] = [];
    for (const [taskId, task] of known) {
      if (isTerminal(task.state) || this.tasks.onAgent(entry.id, taskId) !== undefined) continue;
      const adopted = taskEntry(this.adoptedRecord(entry, task), true);
      this.tasks.add(adopted);
      const message = 'Task was found running on the agent and is on record again';
      const verdict = { state: task.state, reason: 'REASON_AGENT_REREGISTERED', message };
      writes.push(this.updates.byMaster(adopted, verdict, task.latest));
      if (this.frameworks.isCompleted(task.frameworkId)) writes.push(this.kills.request(adopted, undefined));
      this.context.log.warn('a task without record was adopted', { agentId: entry.id, taskId });
      this.context.events.record({
        involvedObject: { kind: 'Task', name: taskId },
        type: 'Warning',
        reason: 'TaskAdopted',
        message: `${message} ${entry.id}`,
      });
    }
    return writes;
  }

  private adoptedRecord(entry: AgentEntry, { info, frameworkId, state }: KnownTask): Task {
    const nowMs = this.context.clock.nowMs();
    const taskId = info.task_id.value;
    return {
      kind: 'Task',
      metadata: { name: taskId, uid: this.context.ids.uuid(), generation: 1, creationTimestamp: timestamp(nowMs) },
      spec: { taskId, agentId: entry.id, frameworkId, role: roleOf(info), info },
      status: { state, stagedAtMs: nowMs, history: [] },
    };
  }

  /** Tasks on record: what the agent says of them is the truth. */
  private compare(entry: AgentEntry, known: ReadonlyMap<string, KnownTask>): Promise<void>[] {
    const writes: Promise<void>[] = [];
    for (const task of this.tasks.ofAgent(entry.id)) {
      const reported = known.get(task.id);
      const write = reported === undefined ? this.compareMissing(task) : this.compareReported(task, reported);
      if (write !== undefined) writes.push(write);
    }
    return writes;
  }

  private compareReported(task: TaskEntry, reported: KnownTask): Promise<void> | undefined {
    if (isTerminal(reported.state)) return undefined; // its final update follows
    const { state, latest } = task.record.status;
    const reason = 'REASON_AGENT_REREGISTERED';
    if (state === 'TASK_UNREACHABLE' || isTerminal(state)) {
      const verdict = { state: reported.state, reason, message: 'Unreachable agent re-reregistered' };
      return this.updates.byMaster(task, verdict, reported.latest ?? latest);
    }
    // What was acknowledged is not told again: a record that does not have it is one of the past.
    if (reported.latest === undefined || saysTheSame(reported.latest, latest)) return undefined;
    const verdict = { state: reported.state, reason, message: 'The record was behind what the agent has told' };
    return this.updates.byMaster(task, verdict, reported.latest);
  }

  /** Never delivered: it is launched when the agent is connected. Otherwise the agent has lost it. */
  private compareMissing(task: TaskEntry): Promise<void> | undefined {
    const { state, killRequested } = task.record.status;
    if (isTerminal(state) || !task.isDurable) return undefined;
    if (!isUndelivered(task)) {
      return this.updates.byMaster(task, {
        state: 'TASK_GONE',
        reason: 'REASON_RECONCILIATION',
        message: 'Reconciliation: Task is unknown to the agent',
      });
    }
    if (killRequested === undefined) return undefined;
    return this.updates.byMaster(task, {
      state: 'TASK_KILLED',
      reason: 'REASON_TASK_KILLED_DURING_LAUNCH',
      message: 'Killed before it was delivered to the agent',
    });
  }

  /** What cannot be written for good is named and left; the term's end shows itself elsewhere. */
  private async settle(entry: AgentEntry, writes: readonly Promise<void>[]): Promise<void> {
    for (const result of await Promise.allSettled(writes)) {
      if (result.status === 'fulfilled' || this.context.term.signal.aborted) continue;
      this.context.log.error('a task of a returning agent could not be written', {
        agentId: entry.id,
        error: messageOf(result.reason),
      });
    }
  }

  private enterAllocator(entry: AgentEntry, known: ReadonlyMap<string, KnownTask>): void {
    const total = ResourceBag.of(entry.info.resources);
    if (this.allocator.hasAgent(entry.id)) this.allocator.updateAgent(entry.id, total);
    else this.allocator.addAgent(entry.id, total);
    for (const task of this.tasks.ofAgent(entry.id)) {
      const reported = known.get(task.id);
      if (isTerminal(reported?.state ?? task.record.status.state)) this.updates.release(task);
      else this.updates.hold(task);
    }
  }

  /** From here on the agent gets what concerns it: first what it has missed. */
  private open(entry: AgentEntry, known: ReadonlyMap<string, KnownTask>): void {
    const { pingIntervalMs, maxMissedPings } = this.context.options;
    const record = this.records.get(entry.id);
    entry.isHeldBack = record?.spec.unschedulable === true || record?.status.state === 'draining';
    entry.state = 'connected';
    this.agents.sendTo(entry, {
      type: 'SUBSCRIBED',
      subscribed: { agentId: entry.id, pingTimeoutMs: pingIntervalMs * maxMissedPings },
    });
    const tasks = this.tasks.ofAgent(entry.id);
    const missed = tasks.filter((task) => task.isDurable && isUndelivered(task) && !known.has(task.id));
    this.agents.launch(
      entry.id,
      missed.map(({ frameworkId, record: { spec } }) => ({ frameworkId, info: spec.info })),
    );
    for (const task of tasks) if (this.tasks.killing.has(task)) this.kills.send(task);
    this.agents.refreshActive(entry);
    this.offers.request();
  }

  private announce(entry: AgentEntry, isNew: boolean): void {
    const { hostname } = entry.info;
    this.context.log.info(isNew ? 'an agent has registered' : 'an agent is back', { agentId: entry.id, hostname });
    this.context.events.record({
      involvedObject: { kind: 'Agent', name: entry.id },
      type: 'Normal',
      reason: isNew ? 'AgentRegistered' : 'AgentReregistered',
      message: isNew ? `Agent on ${hostname} has registered` : `Agent on ${hostname} is connected again`,
    });
  }
}

function isOutdated({ newest }: AgentEntry, { agent, attempt }: Subscribe): boolean {
  return newest !== undefined && newest.runId === agent.runId && (attempt ?? newest.attempt) < newest.attempt;
}

/** No update has ever come: the agent may never have heard of it. Sending it again is harmless. */
function isUndelivered(task: TaskEntry): boolean {
  return task.record.status.state === 'TASK_STAGING' && task.record.status.latest === undefined;
}

/** The master marks every task's resources with the role; a task from elsewhere may only have a reservation. */
function roleOf(info: TaskInfo): string {
  for (const resource of info.resources) {
    const role = resource.allocation_info?.role ?? reservationRoleOf(resource);
    if (role !== undefined) return role;
  }
  return '*';
}
