import { isServing, type InstanceView } from '../core/lifecycle/views';
import type { Stored } from '../core/ports/records';
import { isTerminal } from '../core/records/mesos';
import { parseTaskId } from '../core/records/paths';
import type { Task } from '../core/records/records';

/**
 * Runs that go on although a later run of their instance is on record: they were taken for gone (their agent came back without them,
 * or an operator said so) and were not. An instance must not run twice, so they are to be killed (Marathon kills what it has
 * expunged); while the later run is just starting they are left, so that nothing is missed.
 *
 * @param tasks of the app
 * @param views of the app's instances
 */
export function supersededRuns(tasks: readonly Stored<Task>[], views: readonly InstanceView[]): Task[] {
  const byId = new Map(views.map((view) => [view.id, view]));
  return tasks.flatMap(({ record }) => {
    const parsed = parseTaskId(record.spec.taskId);
    const view = byId.get(parsed?.instanceId ?? '');
    if (parsed === undefined || view === undefined || isTerminal(record.status.state)) return [];
    if (view.instance.record.spec.incarnation <= parsed.incarnation) return [];
    return view.task === undefined || isTerminal(view.task.record.status.state) || isServing(view) ? [record] : [];
  });
}
