import type { Request, Response } from 'express';
import type { AppSpec } from '../../core/records/app';
import { sendList } from './answers';
import type { AppChanges } from './app-changes';
import { AppViews, definitionView, listApps } from './app-view';
import type { MarathonDependencies } from './dependencies';
import { appEmbeds } from './embeds';
import { mustBeGroup } from './group-view';
import { isBelow } from './ids';
import { parseLabelSelector } from './label-selector';
import { queryOf } from './query';
import { sendTasks } from './task-answers';

/** GET below /v2/apps. */
export class AppReads {
  constructor(
    private readonly deps: MarathonDependencies,
    private readonly changes: AppChanges,
  ) {}

  /** `cmd` and `id`: substrings; `label`: selector; counts and deployments are always there. */
  async list(request: Request, response: Response): Promise<void> {
    const query = queryOf(request);
    const embeds = appEmbeds(query.getAll('embed'), ['counts', 'deployments']);
    const views = this.views();
    const apps = listApps(this.deps.records, filterOf(query));
    await sendList(response, apps, (app) => [views.app(app, embeds)], { before: '{"apps":[', after: ']}' });
  }

  async below(request: Request, response: Response, groupId: string): Promise<void> {
    const { records } = this.deps;
    mustBeGroup(records, groupId);
    const embeds = appEmbeds(queryOf(request).getAll('embed'), ['counts', 'deployments']);
    const views = this.views();
    const apps = listApps(records, (spec) => isBelow(spec.id, groupId));
    await sendList(response, apps, (app) => [views.app(app, embeds)], { before: '{"*":[', after: ']}' });
  }

  async one(request: Request, response: Response, id: string): Promise<void> {
    const app = await this.changes.existing(id);
    const embeds = appEmbeds(queryOf(request).getAll('embed'), ['counts', 'tasks', 'lastTaskFailure', 'deployments']);
    response.json({ app: this.views().app(app, embeds) });
  }

  async tasks(request: Request, response: Response, id: string): Promise<void> {
    const { record } = await this.changes.existing(id);
    await sendTasks(request, response, [record.spec], this.views());
  }

  async tasksBelow(request: Request, response: Response, groupId: string): Promise<void> {
    mustBeGroup(this.deps.records, groupId);
    const apps = listApps(this.deps.records, (spec) => isBelow(spec.id, groupId));
    await sendTasks(
      request,
      response,
      apps.map(({ record }) => record.spec),
      this.views(),
    );
  }

  /** Newest first. */
  async versions(response: Response, id: string): Promise<void> {
    const { path, record } = await this.changes.existing(id);
    const stored = this.deps.records.collection('AppVersion').in(path);
    const versions = new Set([record.spec.version, ...stored.map((version) => version.record.spec.version)]);
    response.json({ versions: [...versions].sort().reverse() });
  }

  async version(response: Response, id: string, version: string): Promise<void> {
    response.json(definitionView(await this.changes.version(id, version)));
  }

  private views(): AppViews {
    return new AppViews(this.deps.records, this.deps.clock.nowMs());
  }
}

/** Throws InvalidError for a label selector that cannot be read. */
function filterOf(query: URLSearchParams): (spec: AppSpec) => boolean {
  const cmd = query.get('cmd')?.toLowerCase();
  const id = query.get('id');
  const label = query.get('label');
  const hasLabels = label === null || label === '' ? undefined : parseLabelSelector(label);
  return (spec) =>
    (cmd === undefined || (spec.cmd ?? '').toLowerCase().includes(cmd)) &&
    (id === null || spec.id.includes(id)) &&
    (hasLabels === undefined || hasLabels(spec.labels));
}
