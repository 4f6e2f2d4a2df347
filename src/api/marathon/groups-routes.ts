import type { Request, Response } from 'express';
import { InvalidError, NotFoundError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { AppSpec } from '../../core/records/app';
import { appIdOf } from '../../core/records/paths';
import { mapInPieces, sendList } from './answers';
import { AppViews, definitionView, listApps } from './app-view';
import type { Handler, MarathonDependencies } from './dependencies';
import { appEmbeds, groupEmbeds } from './embeds';
import { groupView, mustBeGroup, type GroupApp } from './group-view';
import { idOf, isBelow, segmentsAfter } from './ids';
import { queryOf } from './query';

export const GROUPS = '/v2/groups';

/** GET below /v2/groups. Groups are what their apps and records make them; their history is the history of their apps. */
export class GroupsRoutes {
  constructor(private readonly deps: MarathonDependencies) {}

  readonly handle: Handler = async (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET');
      response
        .status(405)
        .json({ message: 'Changes of groups are not supported yet; change their apps (PUT /v2/apps)' });
      return;
    }
    const segments = segmentsAfter(GROUPS, request.originalUrl);
    const last = segments.at(-1);
    if (segments.at(-2) === 'versions') return this.version(response, idOf(segments.slice(0, -2)), last ?? '');
    if (last === 'versions') return this.versions(response, idOf(segments.slice(0, -1)));
    if (last === 'apps') return this.apps(request, response, idOf(segments.slice(0, -1)));
    return this.group(request, response, idOf(segments));
  };

  private async group(request: Request, response: Response, id: string): Promise<void> {
    const { records } = this.deps;
    mustBeGroup(records, id);
    const names = queryOf(request).getAll('embed');
    const embeds = appEmbeds(names.filter((name) => !/^group\.(?:groups|apps|pods)$/.test(name)));
    const views = this.views();
    const listed = listApps(records, (spec) => isBelow(spec.id, id) && spec.id !== id);
    const apps = await mapInPieces(listed, (app): GroupApp => ({
      id: app.record.spec.id,
      version: app.record.spec.version,
      view: views.app(app, embeds),
    }));
    response.json(groupView(records, id, apps, groupEmbeds(names)));
  }

  private async apps(request: Request, response: Response, id: string): Promise<void> {
    mustBeGroup(this.deps.records, id);
    const embeds = appEmbeds(queryOf(request).getAll('embed'), ['counts', 'deployments']);
    const views = this.views();
    const apps = listApps(this.deps.records, (spec) => isBelow(spec.id, id));
    await sendList(response, apps, (app) => [views.app(app, embeds)]);
  }

  /** Newest first, as many as are kept of one app. */
  private versions(response: Response, id: string): void {
    mustBeGroup(this.deps.records, id);
    const versions = new Set(this.history(id).map(({ version }) => version));
    response.json([...versions].sort().reverse().slice(0, LIMITS.versionsPerApp));
  }

  /** Every app below as it was at that time. */
  private version(response: Response, id: string, version: string): void {
    const atMs = Date.parse(version);
    if (Number.isNaN(atMs)) throw new InvalidError([], `Invalid format: "${version}" is no timestamp`);
    mustBeGroup(this.deps.records, id);
    const at = new Date(atMs).toISOString();
    const newest = new Map<string, AppSpec>();
    for (const spec of this.history(id)) {
      if (spec.version <= at && spec.version > (newest.get(spec.id)?.version ?? '')) newest.set(spec.id, spec);
    }
    if (newest.size === 0) throw new NotFoundError('Group', id, `Group '${id}' does not exist in version ${version}`);
    const apps = [...newest.values()]
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map((spec): GroupApp => ({ id: spec.id, version: spec.version, view: definitionView(spec) }));
    response.json(groupView(this.deps.records, id, apps, groupEmbeds([])));
  }

  /** All stored definitions of the apps that are below the group today. */
  private history(id: string): AppSpec[] {
    const { records } = this.deps;
    const current = listApps(records, (spec) => isBelow(spec.id, id));
    const paths = new Set(current.map(({ path }) => path));
    const former = [...records.collection('AppVersion').list()]
      .filter(({ record }) => paths.has(record.spec.id.slice(1)) && isBelow(appIdOf(record.spec.id.slice(1)), id))
      .map(({ record }) => record.spec);
    return [...former, ...current.map(({ record }) => record.spec)];
  }

  private views(): AppViews {
    return new AppViews(this.deps.records, this.deps.clock.nowMs());
  }
}
