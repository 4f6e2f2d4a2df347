import { countsOf, type InstanceView } from '../../core/lifecycle/views';
import type { AppSpec } from '../../core/records/app';

/** Statistics over the tasks of an app by how new they are (Marathon: taskStats). Groups without tasks are left out. */
export function taskStats(views: readonly InstanceView[], spec: AppSpec, nowMs: number): Record<string, unknown> {
  const withTask = views.filter((view) => view.task !== undefined);
  const scaledAtMs = Date.parse(spec.versionInfo?.lastScalingAt ?? spec.version);
  const configAt = spec.versionInfo?.lastConfigChangeAt ?? spec.version;
  const groups = {
    startedAfterLastScaling: withTask.filter((view) => (view.task?.record.status.stagedAtMs ?? 0) >= scaledAtMs),
    withLatestConfig: withTask.filter((view) => view.instance.record.spec.appVersion >= configAt),
    withOutdatedConfig: withTask.filter((view) => view.instance.record.spec.appVersion < configAt),
    totalSummary: withTask,
  };
  return Object.fromEntries(
    Object.entries(groups)
      .filter(([, group]) => group.length > 0)
      .map(([name, group]) => [name, { stats: statsOf(group, nowMs) }]),
  );
}

function statsOf(views: readonly InstanceView[], nowMs: number) {
  const { tasksStaged, tasksRunning, tasksHealthy, tasksUnhealthy } = countsOf(views);
  const lifeSeconds = views
    .flatMap((view) => view.task?.record.status.startedAtMs ?? [])
    .map((startedAtMs) => Math.max(0, nowMs - startedAtMs) / 1000)
    .sort((a, b) => a - b);
  const counts = { staged: tasksStaged, running: tasksRunning, healthy: tasksHealthy, unhealthy: tasksUnhealthy };
  if (lifeSeconds.length === 0) return { counts };
  const averageSeconds = lifeSeconds.reduce((sum, seconds) => sum + seconds, 0) / lifeSeconds.length;
  return { counts, lifeTime: { averageSeconds, medianSeconds: median(lifeSeconds) } };
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
