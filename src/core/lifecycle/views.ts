import type { Index, Records, Stored } from '../ports/records';
import { appPath, taskIdOf } from '../records/paths';
import { isTerminal } from '../records/mesos';
import type { Instance, Rollout, Task } from '../records/records';

/** Conditions of an instance (Marathon 1.8). Derived, never stored. */
export const INSTANCE_CONDITIONS = [
  'Scheduled',
  'Provisioned',
  'Staging',
  'Starting',
  'Running',
  'Killing',
  'Unreachable',
  'Finished',
  'Failed',
  'Killed',
  'Error',
  'Gone',
  'Dropped',
  'Unknown',
] as const;
export type InstanceCondition = (typeof INSTANCE_CONDITIONS)[number];

/** An instance joined with the task of its current incarnation, if there is one. */
export interface InstanceView {
  readonly id: string;
  readonly instance: Stored<Instance>;
  readonly task?: Stored<Task>;
  readonly condition: InstanceCondition;
}

/** What the condition of an instance is, given the task of its current incarnation. */
export function conditionOf(task: Task | undefined): InstanceCondition {
  if (task === undefined) return 'Scheduled';
  const { status } = task;
  if (status.killRequested !== undefined && !isTerminal(status.state) && status.state !== 'TASK_UNREACHABLE')
    return 'Killing';
  switch (status.state) {
    case 'TASK_STAGING':
      return status.latest === undefined ? 'Provisioned' : 'Staging';
    case 'TASK_STARTING':
      return 'Starting';
    case 'TASK_RUNNING':
      return 'Running';
    case 'TASK_KILLING':
      return 'Killing';
    case 'TASK_UNREACHABLE':
      return 'Unreachable';
    case 'TASK_FINISHED':
      return 'Finished';
    case 'TASK_FAILED':
    case 'TASK_LOST':
      return 'Failed';
    case 'TASK_KILLED':
      return 'Killed';
    case 'TASK_ERROR':
      return 'Error';
    case 'TASK_GONE':
    case 'TASK_GONE_BY_OPERATOR':
      return 'Gone';
    case 'TASK_DROPPED':
      return 'Dropped';
    case 'TASK_UNKNOWN':
      return 'Unknown';
  }
}

/** What these views read: a mirror, or any other picture of the records at one revision. */
export type RecordView = Pick<Records, 'collection'>;

/** Tasks by task id, over all agents. */
export function tasksById(records: RecordView): Index<Task> {
  return records.collection('Task').index('taskId', (task) => task.spec.taskId);
}

/** Every instance of an app with its task, oldest first (ties by id). */
export function instancesOf(records: RecordView, appId: string): InstanceView[] {
  const byId = tasksById(records);
  return records
    .collection('Instance')
    .in(appPath(appId))
    .map((instance) => viewOf(byId, instance))
    .sort(
      (a, b) =>
        compareText(a.instance.record.metadata.creationTimestamp, b.instance.record.metadata.creationTimestamp) ||
        compareText(a.id, b.id),
    );
}

function viewOf(byId: Index<Task>, instance: Stored<Instance>): InstanceView {
  const id = instance.record.metadata.name;
  const task = byId.get(taskIdOf(id, instance.record.spec.incarnation))[0];
  const condition = conditionOf(task?.record);
  return task === undefined ? { id, instance, condition } : { id, instance, task, condition };
}

/** By code unit: the same order on every machine, and much faster than a locale's. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export interface AppCounts {
  readonly tasksStaged: number;
  readonly tasksRunning: number;
  readonly tasksHealthy: number;
  readonly tasksUnhealthy: number;
}

/** Marathon: running = TASK_RUNNING; staged = not yet; healthy = all checks have results and are alive; unhealthy = any is not. */
export function countsOf(views: readonly InstanceView[]): AppCounts {
  const counts = { tasksStaged: 0, tasksRunning: 0, tasksHealthy: 0, tasksUnhealthy: 0 };
  for (const { task } of views) {
    if (task === undefined) continue;
    const state = task.record.status.state;
    if (state === 'TASK_STAGING' || state === 'TASK_STARTING') counts.tasksStaged++;
    if (state !== 'TASK_RUNNING') continue;
    counts.tasksRunning++;
    const health = healthOf(task.record);
    if (health === 'healthy') counts.tasksHealthy++;
    if (health === 'unhealthy') counts.tasksUnhealthy++;
  }
  return counts;
}

/** `none`: the task has no health checks. `unknown`: some check has not reported and none has failed. */
export function healthOf(task: Task): 'none' | 'unknown' | 'healthy' | 'unhealthy' {
  const checks = task.spec.info.health_checks?.length ?? 0;
  if (checks === 0) {
    const healthy = task.status.latest?.healthy;
    return healthy === undefined ? 'none' : healthy ? 'healthy' : 'unhealthy';
  }
  const results = task.status.latest?.health ?? [];
  if (results.some((result) => result?.alive === false)) return 'unhealthy';
  return results.filter((result) => result?.alive === true).length === checks ? 'healthy' : 'unknown';
}

/** Counts as up for a rollout: running, healthy if it has checks, ready if it has readiness checks. */
export function isServing(view: InstanceView): boolean {
  if (view.condition !== 'Running' || view.task === undefined) return false;
  const task = view.task.record;
  const health = healthOf(task);
  if (health === 'unknown' || health === 'unhealthy') return false;
  const readiness = task.spec.info.readiness_checks ?? [];
  const results = task.status.latest?.readiness ?? [];
  return readiness.every((check) => results.some((result) => result.name === check.name && result.ready));
}

/** Rollouts that change an app, by app id. */
export function rolloutsOf(records: RecordView, appId: string): Stored<Rollout>[] {
  return [...records.collection('Rollout').list()].filter(
    ({ record }) =>
      record.status.state !== 'Succeeded' &&
      record.status.state !== 'Failed' &&
      record.spec.apps.some((app) => app.id === appId),
  );
}
