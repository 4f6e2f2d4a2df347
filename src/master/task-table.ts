import { ResourceBag } from '../core/records/resources';
import { isTerminal, type TaskState, type TaskStatus } from '../core/records/mesos';
import { taskPath } from '../core/records/paths';
import type { Task } from '../core/records/records';

/** A task as the master knows it now; `record` may be ahead of the store. */
export interface TaskEntry {
  readonly id: string;
  readonly path: string;
  readonly agentId: string;
  readonly frameworkId: string;
  readonly role: string;
  readonly resources: ResourceBag;
  record: Task;
  /** Its resources are taken in the allocator. */
  holdsResources: boolean;
  /** False until the first write is durable: the agent must not hear of it before. */
  isDurable: boolean;
  /** The update that waits for the framework's acknowledgement. */
  pending: PendingUpdate | undefined;
  /** Uuids acknowledged in this term, newest last: the agent may repeat them. */
  acknowledged: string[];
}

export interface PendingUpdate {
  readonly status: TaskStatus;
  readonly uuid: string;
  /** False: made by the master, the agent knows nothing of it. */
  readonly fromAgent: boolean;
  /** The record holds it, so the framework may hear it. */
  isDurable: boolean;
}

/** An agent repeats at most the last few updates that were acknowledged. */
const REMEMBERED_ACKNOWLEDGEMENTS = 4;

export function taskEntry(record: Task, isDurable: boolean): TaskEntry {
  const { taskId, agentId, frameworkId, role, info } = record.spec;
  return {
    id: taskId,
    path: taskPath(agentId, taskId),
    agentId,
    frameworkId,
    role,
    resources: ResourceBag.of(info.resources),
    record,
    holdsResources: false,
    isDurable,
    pending: undefined,
    acknowledged: [],
  };
}

export function rememberAcknowledged(entry: TaskEntry, uuid: string): void {
  entry.acknowledged = [...entry.acknowledged, uuid].slice(-REMEMBERED_ACKNOWLEDGEMENTS);
}

/** All tasks of the cluster, found by id, agent and framework. */
export class TaskTable {
  private readonly byPath = new Map<string, TaskEntry>();
  private readonly byId = new Map<string, TaskEntry>();
  private readonly byAgent = new Map<string, Set<TaskEntry>>();
  private readonly byFramework = new Map<string, Set<TaskEntry>>();
  /** Asked to be killed and not known to have ended. */
  readonly killing = new Set<TaskEntry>();

  get size(): number {
    return this.byPath.size;
  }

  add(entry: TaskEntry): void {
    this.byPath.set(entry.path, entry);
    if (!this.byId.has(entry.id)) this.byId.set(entry.id, entry);
    into(this.byAgent, entry.agentId, entry);
    into(this.byFramework, entry.frameworkId, entry);
  }

  remove(entry: TaskEntry): void {
    if (this.byPath.get(entry.path) !== entry) return;
    this.byPath.delete(entry.path);
    if (this.byId.get(entry.id) === entry) this.byId.delete(entry.id);
    outOf(this.byAgent, entry.agentId, entry);
    outOf(this.byFramework, entry.frameworkId, entry);
    this.killing.delete(entry);
  }

  /** By its id alone. Ids are unique in the cluster, but for what agents bring back. */
  find(taskId: string): TaskEntry | undefined {
    return this.byId.get(taskId);
  }

  onAgent(agentId: string, taskId: string): TaskEntry | undefined {
    return this.byPath.get(taskPath(agentId, taskId));
  }

  ofAgent(agentId: string): TaskEntry[] {
    return [...(this.byAgent.get(agentId) ?? [])];
  }

  ofFramework(frameworkId: string): TaskEntry[] {
    return [...(this.byFramework.get(frameworkId) ?? [])];
  }

  countByState(): Map<TaskState, number> {
    const counts = new Map<TaskState, number>();
    for (const { record } of this.byPath.values())
      counts.set(record.status.state, (counts.get(record.status.state) ?? 0) + 1);
    return counts;
  }

  /** Whether anything of the framework may still run. */
  isLive(entry: TaskEntry): boolean {
    return !isTerminal(entry.record.status.state);
  }
}

function into(index: Map<string, Set<TaskEntry>>, key: string, entry: TaskEntry): void {
  const set = index.get(key);
  if (set === undefined) index.set(key, new Set([entry]));
  else set.add(entry);
}

function outOf(index: Map<string, Set<TaskEntry>>, key: string, entry: TaskEntry): void {
  const set = index.get(key);
  set?.delete(entry);
  if (set?.size === 0) index.delete(key);
}
