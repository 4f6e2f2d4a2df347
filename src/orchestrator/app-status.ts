import { countsOf, isServing, type InstanceView } from '../core/lifecycle/views';
import type { App, AppStatus, LaunchQueueItem, TaskFailure } from '../core/records/app';
import { timestamp, type Condition } from '../core/records/metadata';

export interface AppStatusInput {
  readonly app: App;
  readonly views: readonly InstanceView[];
  readonly launchQueue: LaunchQueueItem | undefined;
  readonly lastTaskFailure: TaskFailure | undefined;
  /** Ids of running rollouts of the app. */
  readonly rollouts: readonly string[];
  readonly nowMs: number;
}

/**
 * What the orchestrator has to say about an app. The same input gives the same status, so that nothing new is not written. Fields
 * of the present status that this version does not know are kept: a newer one has written them.
 */
export function appStatus(input: AppStatusInput): AppStatus {
  const { app, views, launchQueue, nowMs } = input;
  const wanted = app.metadata.deletionTimestamp === undefined ? app.spec.instances : 0;
  const active = views.filter(({ instance }) => instance.record.spec.goal === 'Running');
  const serving = active.filter(isServing).length;
  const lastTaskFailure = input.lastTaskFailure ?? app.status?.lastTaskFailure;
  const conditions = [available(app, serving, wanted), progressing(input, serving, wanted)];
  const { launchQueue: _before, ...present } = app.status ?? {};
  return {
    ...present,
    observedGeneration: app.metadata.generation,
    instances: active.length,
    ...countsOf(views),
    ...(lastTaskFailure === undefined ? {} : { lastTaskFailure }),
    ...(launchQueue === undefined ? {} : { launchQueue }),
    conditions: conditions.map((condition) => withTransition(condition, app.status?.conditions ?? [], nowMs)),
  };
}

type Untimed = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** Kubernetes: enough instances serve, by the app's own minimumHealthCapacity. */
function available(app: App, serving: number, wanted: number): Untimed {
  const min = Math.ceil(wanted * app.spec.upgradeStrategy.minimumHealthCapacity);
  const isAvailable = serving >= min;
  return {
    type: 'Available',
    status: isAvailable ? 'True' : 'False',
    reason: isAvailable ? 'MinimumInstancesServe' : 'MinimumInstancesMissing',
    message: `${serving} of ${wanted} ${wanted === 1 ? 'instance serves' : 'instances serve'}, at least ${min} must`,
  };
}

function progressing({ app, views, rollouts, launchQueue }: AppStatusInput, serving: number, wanted: number): Untimed {
  const base = { type: 'Progressing' };
  if (app.metadata.deletionTimestamp !== undefined) {
    return { ...base, status: 'True', reason: 'Deleting', message: `${views.length} instances must still stop` };
  }
  if (launchQueue !== undefined) {
    return { ...base, status: 'True', reason: 'WaitingForPlacement', message: launchQueue.message };
  }
  if (rollouts.length > 0) {
    const message = `rollout ${rollouts.join(', ')} is on its way`;
    return { ...base, status: 'True', reason: 'RolloutRunning', message };
  }
  if (serving < wanted) {
    const message = `${wanted - serving} of ${wanted} instances do not serve yet`;
    return { ...base, status: 'True', reason: 'InstancesStarting', message };
  }
  return { ...base, status: 'False', reason: 'Settled', message: `${serving} of ${wanted} instances serve` };
}

function withTransition(condition: Untimed, known: readonly Condition[], nowMs: number): Condition {
  const before = known.find(({ type }) => type === condition.type);
  const isSame = before !== undefined && before.status === condition.status;
  return {
    type: condition.type,
    status: condition.status,
    reason: condition.reason,
    message: condition.message,
    lastTransitionTime: isSame ? before.lastTransitionTime : timestamp(nowMs),
  };
}

/** True when writing `next` would tell nothing new. Compares content; the order of keys is the same by construction. */
export function sameStatus(a: AppStatus | undefined, b: AppStatus): boolean {
  return a !== undefined && JSON.stringify(ordered(a)) === JSON.stringify(ordered(b));
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, ordered(inner)]),
  );
}
