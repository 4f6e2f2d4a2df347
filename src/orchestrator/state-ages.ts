import type { InstanceView } from '../core/lifecycle/views';

interface Seen {
  readonly state: string;
  readonly sinceMs: number;
}

/**
 * For how long tasks have been on their way to running, or out of reach, as far as this leader has seen. Never judged by the
 * times in the records: they are of the wall clock of whoever wrote them, and a clock that is set right would make every task
 * too old at once. A new leader therefore begins to count anew.
 */
export class StateAges {
  private readonly apps = new Map<string, ReadonlyMap<string, Seen>>();

  /** Milliseconds since the task of an instance was first seen in its state; 0 for others. What is not among `views` is forgotten. */
  observe(appId: string, views: readonly InstanceView[], monotonicMs: number): (view: InstanceView) => number {
    const before = this.apps.get(appId);
    const seen = new Map<string, Seen>();
    for (const view of views) {
      const state = timedState(view);
      if (state === undefined) continue;
      const known = before?.get(view.id);
      seen.set(view.id, known?.state === state ? known : { state, sinceMs: monotonicMs });
    }
    if (seen.size === 0) this.apps.delete(appId);
    else this.apps.set(appId, seen);
    return ({ id }) => monotonicMs - (seen.get(id)?.sinceMs ?? monotonicMs);
  }

  forget(appId: string): void {
    this.apps.delete(appId);
  }
}

/** What time alone changes: a run that does not get to running, and a silence. Another run, another silence: another state. */
function timedState({ condition, task }: InstanceView): string | undefined {
  if (task === undefined) return undefined;
  const { spec, status } = task.record;
  if (condition === 'Unreachable') return `${spec.taskId} silent since ${status.unreachableSinceMs ?? 0}`;
  if (!['Provisioned', 'Staging', 'Starting'].includes(condition)) return undefined;
  // A pull has a time of its own; what comes after it must not be late because of it.
  return status.latest?.phase === undefined ? `${spec.taskId} starting` : `${spec.taskId} preparing`;
}
