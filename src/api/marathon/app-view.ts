import { countsOf, instancesOf, type AppCounts, type InstanceView } from '../../core/lifecycle/views';
import type { Records, Stored } from '../../core/ports/records';
import type { App, AppSpec } from '../../core/records/app';
import { appPath, appVersionPath } from '../../core/records/paths';
import { servicePortsOf } from '../../core/records/service-ports';
import type { AppEmbeds } from './embeds';
import { taskStats } from './task-stats';
import { taskView, type TaskView } from './task-view';

export const NO_TASKS: AppCounts = { tasksStaged: 0, tasksRunning: 0, tasksHealthy: 0, tasksUnhealthy: 0 };
/** Left out when empty, as Marathon 1.5 and later do; the other lists and maps are always there for old clients. */
const OMIT_EMPTY: ReadonlySet<string> = new Set(['args', 'secrets', 'readinessChecks', 'executor']);

/** A definition as Marathon prints it: today's form, and `ports` (service ports) as clients of before 1.5 read them. */
export function definitionView(spec: AppSpec): Record<string, unknown> {
  const fields = Object.entries(spec).filter(([name, value]) => !(OMIT_EMPTY.has(name) && isEmpty(value)));
  return { ...Object.fromEntries(fields), ports: servicePortsOf(spec) };
}

function isEmpty(value: unknown): boolean {
  return value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}

/** The app of this id as the Marathon face sees it: one that is being deleted is gone. */
export function findApp(records: Records, id: string): Stored<App> | undefined {
  const found = records.collection('App').get(appPath(id));
  return found?.record.metadata.deletionTimestamp === undefined ? found : undefined;
}

/** Every app that is not being deleted, by id. */
export function listApps(records: Records, wanted: (spec: AppSpec) => boolean = () => true): Stored<App>[] {
  return [...records.collection('App').list()]
    .filter(({ record }) => record.metadata.deletionTimestamp === undefined && wanted(record.spec))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Answers about apps from one replica's mirror, for the time of one request: rollouts are looked up once for all apps. */
export class AppViews {
  private readonly rollouts: ReadonlyMap<string, readonly string[]>;

  constructor(
    private readonly records: Records,
    private readonly nowMs: number,
  ) {
    this.rollouts = activeRollouts(records);
  }

  /** Marathon's AppInfo: the definition and what `embeds` asks for. */
  app({ record }: Stored<App>, embeds: AppEmbeds): Record<string, unknown> {
    const { spec, status } = record;
    const needsViews = ['tasks', 'counts', 'readiness', 'taskStats'].some((embed) =>
      (embeds as Set<string>).has(embed),
    );
    const views = needsViews ? instancesOf(this.records, spec.id) : [];
    const failure = status?.lastTaskFailure;
    return {
      ...definitionView(spec),
      ...(embeds.has('counts') ? countsOf(views) : {}),
      ...(embeds.has('deployments') ? { deployments: this.deployments(spec.id) } : {}),
      ...(embeds.has('tasks') ? { tasks: this.tasksOf(views, spec) } : {}),
      ...(embeds.has('lastTaskFailure') && failure !== undefined ? { lastTaskFailure: failure } : {}),
      ...(embeds.has('readiness') ? { readinessCheckResults: readinessResults(views) } : {}),
      ...(embeds.has('taskStats') ? { taskStats: taskStats(views, spec, this.nowMs) } : {}),
    };
  }

  tasks(spec: AppSpec): TaskView[] {
    return this.tasksOf(instancesOf(this.records, spec.id), spec);
  }

  private deployments(appId: string): { readonly id: string }[] {
    return (this.rollouts.get(appId) ?? []).map((id) => ({ id }));
  }

  private tasksOf(views: readonly InstanceView[], current: AppSpec): TaskView[] {
    return views.flatMap((view) => {
      const agentId = view.task?.record.spec.agentId;
      const agent = agentId === undefined ? undefined : this.records.collection('Agent').get(agentId)?.record;
      return taskView(view, this.specOf(view, current), agent) ?? [];
    });
  }

  private specOf(view: InstanceView, current: AppSpec): AppSpec {
    const { appId, appVersion } = view.instance.record.spec;
    if (appVersion === current.version) return current;
    return this.records.collection('AppVersion').get(appVersionPath(appId, appVersion))?.record.spec ?? current;
  }
}

/** Results of readiness checks of the tasks that have reported any (Marathon: readinessCheckResults). */
export function readinessResults(views: readonly InstanceView[]): Record<string, unknown>[] {
  return views.flatMap(({ task }) =>
    (task?.record.status.latest?.readiness ?? []).map((result) => ({ ...result, taskId: task?.record.spec.taskId })),
  );
}

function activeRollouts(records: Records): Map<string, string[]> {
  const byApp = new Map<string, string[]>();
  for (const { record } of records.collection('Rollout').list()) {
    if (record.status.state === 'Succeeded' || record.status.state === 'Failed') continue;
    for (const { id } of record.spec.apps) byApp.set(id, [...(byApp.get(id) ?? []), record.metadata.name]);
  }
  return byApp;
}
