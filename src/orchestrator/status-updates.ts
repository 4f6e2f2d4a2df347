import { tasksById } from '../core/lifecycle/views';
import { isTerminal, type TaskStatus } from '../core/records/mesos';
import { appIdOfInstance, instancePath, parseTaskId } from '../core/records/paths';
import type { OrchestratorContext } from './context';
import type { MasterLink } from './master-link';

/** Runs whose end was noted; a bound, since the same end may be told several times but not for long. */
const REMEMBERED_ENDS = 10_000;

/**
 * Status updates from the master, at least once each. An update that ends a run is acknowledged only after the instance record
 * shows it: if we die in between, it comes again.
 */
export class StatusUpdates {
  private readonly pending = new Map<string, Map<string, TaskStatus>>();
  private readonly refusals = new Map<string, TaskStatus>();
  private readonly noted = new Set<string>();

  constructor(
    private readonly context: OrchestratorContext,
    private readonly link: MasterLink,
    private readonly wake: (appId: string) => void,
  ) {}

  /** One update. What it means is read from the records, which the master has written before. */
  receive(status: TaskStatus): void {
    const taskId = status.task_id.value;
    const parsed = parseTaskId(taskId);
    if (parsed === undefined) return this.acknowledge(status);
    const appId = appIdOfInstance(parsed.instanceId);
    if (!isTerminal(status.state)) {
      this.acknowledge(status);
      return this.wake(appId);
    }
    const task = tasksById(this.context.records).get(taskId)[0];
    // The record tells the truth: a refusal of a second launch must not end the run of the first.
    if (task !== undefined && !isTerminal(task.record.status.state)) return this.acknowledge(status);
    if (task === undefined) this.refusals.set(taskId, status);
    const ends = this.pending.get(appId) ?? new Map<string, TaskStatus>();
    ends.set(taskId, status);
    this.pending.set(appId, ends);
    this.wake(appId);
  }

  /** Why a launch of this run was refused, if it was and no task record tells. */
  refusalOf(instanceId: string, incarnation: number): TaskStatus | undefined {
    return this.refusals.get(`${instanceId}._app.${incarnation}`);
  }

  /** Instances of an app whose present run was refused. */
  refusedInstances(appId: string): ReadonlySet<string> {
    const instances = this.context.records.collection('Instance');
    const refused = [...(this.pending.get(appId)?.keys() ?? [])].flatMap((taskId) => {
      const parsed = this.refusals.has(taskId) ? parseTaskId(taskId) : undefined;
      if (parsed === undefined) return [];
      const current = instances.get(instancePath(parsed.instanceId))?.record.spec.incarnation;
      return current === parsed.incarnation ? [parsed.instanceId] : [];
    });
    return new Set(refused);
  }

  /** True the first time it is called for a run. */
  noteOnce(taskId: string): boolean {
    if (this.noted.has(taskId)) return false;
    this.noted.add(taskId);
    for (const oldest of this.noted) {
      if (this.noted.size <= REMEMBERED_ENDS) break;
      this.noted.delete(oldest);
    }
    return true;
  }

  /** Acknowledges the ends of an app's runs that its instance records show. */
  settle(appId: string): void {
    const ends = this.pending.get(appId);
    if (ends === undefined) return;
    for (const [taskId, status] of ends) {
      if (!this.isDurable(taskId)) continue;
      ends.delete(taskId);
      this.refusals.delete(taskId);
      this.context.crashPoints.reach('orchestrator.end-recorded');
      this.acknowledge(status);
    }
    if (ends.size === 0) this.pending.delete(appId);
  }

  private isDurable(taskId: string): boolean {
    const parsed = parseTaskId(taskId);
    if (parsed === undefined) return true;
    const instance = this.context.records.collection('Instance').get(instancePath(parsed.instanceId));
    return instance === undefined || instance.record.spec.incarnation > parsed.incarnation;
  }

  /** An update without uuid was made by the master and wants no answer. */
  private acknowledge(status: TaskStatus): void {
    if (status.uuid === undefined || status.agent_id === undefined) return;
    const acknowledge = { agent_id: status.agent_id, task_id: status.task_id, uuid: status.uuid };
    void this.link.call({ type: 'ACKNOWLEDGE', acknowledge });
  }
}
