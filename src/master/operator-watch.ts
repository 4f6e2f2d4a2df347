import type { HierarchicalAllocator } from '../core/allocator/allocator';
import type { RecordChange } from '../core/ports/records';
import { isTerminal } from '../core/records/mesos';
import type { Agent, Role } from '../core/records/records';
import { AgentRecords, registered } from './agent-records';
import type { AgentEntry, AgentTable } from './agents';
import type { MasterContext } from './context';
import type { FrameworkTable } from './frameworks';
import type { OfferBook } from './offers';
import type { TaskUpdates } from './task-updates';
import type { TaskTable } from './task-table';

const MARKED_GONE = 'Agent was marked gone';

/** What operators change in records behind the master's back: roles, cordoned agents, agents that are gone for good. */
export class OperatorWatch {
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly context: MasterContext,
    private readonly records: AgentRecords,
    private readonly tasks: TaskTable,
    private readonly agents: AgentTable,
    private readonly frameworks: FrameworkTable,
    private readonly allocator: HierarchicalAllocator,
    private readonly updates: TaskUpdates,
    private readonly offers: OfferBook,
  ) {}

  start(): void {
    for (const { record } of this.context.records.collection('Role').list()) this.applyRole(record.spec.name, record);
    this.finishRemovals();
    this.unsubscribe = this.context.records.onChange((changes) => {
      for (const change of changes) this.apply(change);
    });
  }

  stop(): void {
    this.unsubscribe?.();
  }

  /** Agents that were marked gone while nobody led, or whose removal a former leader did not live to finish. */
  private finishRemovals(): void {
    for (const entry of this.agents.all())
      if (entry.state === 'gone' && this.tasks.ofAgent(entry.id).some((task) => this.tasks.isLive(task)))
        void this.agents.inTurn(entry, () => this.remove(entry, MARKED_GONE));
  }

  private apply(change: RecordChange): void {
    if (change.kind === 'Role') {
      const record = this.context.records.collection('Role').get(change.path)?.record;
      this.applyRole(change.path, record);
    } else if (change.kind === 'Agent') {
      const entry = this.agents.get(change.path);
      if (entry !== undefined) this.applyAgent(entry, this.records.get(change.path));
    }
  }

  private applyRole(name: string, record: Role | undefined): void {
    this.allocator.setWeight(name, record?.spec.weight ?? 1);
    if (name.includes('/')) return; // quota is for top-level roles (Mesos)
    this.allocator.setQuota(name, record?.spec.quota);
    if (record?.spec.quota !== undefined) this.offers.rescindRole(name);
    this.offers.request();
  }

  private applyAgent(entry: AgentEntry, record: Agent | undefined): void {
    if (record === undefined) return this.recordDeleted(entry);
    if (record.status.state === 'gone') return this.removeForGood(entry, MARKED_GONE);
    const isHeldBack = record.spec.unschedulable === true || record.status.state === 'draining';
    if (entry.isHeldBack === isHeldBack) return;
    entry.isHeldBack = isHeldBack;
    this.agents.refreshActive(entry);
    if (isHeldBack) this.offers.rescindAgent(entry.id);
    this.offers.request();
  }

  /** Of an agent that is there, the record is written again; of one that is not, deletion says that it will not come back. */
  private recordDeleted(entry: AgentEntry): void {
    if (entry.state === 'gone' || entry.state === 'registering') return;
    const isSilent = entry.missedPings >= this.context.options.maxMissedPings; // the brake keeps it, its stream hangs
    if (entry.session === undefined || isSilent) return this.removeForGood(entry, 'Record of the agent was deleted');
    void this.agents.inTurn(entry, () =>
      this.records.update(entry.id, (current) =>
        current === undefined
          ? registered(current, entry.id, entry.info, {
              nowMs: this.context.clock.nowMs(),
              uid: this.context.ids.uuid(),
            })
          : undefined,
      ),
    );
  }

  private removeForGood(entry: AgentEntry, message: string): void {
    if (entry.state === 'gone') return;
    entry.state = 'gone';
    void this.agents.inTurn(entry, () => this.remove(entry, message));
  }

  private async remove(entry: AgentEntry, message: string): Promise<void> {
    entry.state = 'gone'; // a registration may have been under way
    this.agents.sendTo(entry, { type: 'SHUTDOWN', shutdown: { message } });
    this.agents.closeSession(entry, message);
    this.offers.rescindAgent(entry.id);
    const writes = this.tasks
      .ofAgent(entry.id)
      .filter((task) => !isTerminal(task.record.status.state))
      .map((task) =>
        this.updates.byMaster(task, {
          state: 'TASK_GONE_BY_OPERATOR',
          reason: 'REASON_AGENT_REMOVED_BY_OPERATOR',
          message,
        }),
      );
    for (const task of this.tasks.ofAgent(entry.id)) this.updates.release(task);
    this.allocator.removeAgent(entry.id);
    await Promise.all(writes);
    this.frameworks.sendToAll({ type: 'FAILURE', failure: { agent_id: { value: entry.id } } });
    if (this.records.get(entry.id) === undefined) this.agents.remove(entry);
    this.context.events.record({
      involvedObject: { kind: 'Agent', name: entry.id },
      type: 'Warning',
      reason: 'AgentGone',
      message: `${message}; its tasks are gone`,
    });
  }
}
