import type { Request, Response } from 'express';
import { InvalidError } from '../../core/errors';
import { readBody } from '../http/body';
import { answerRollout, announce, unknownFields, warn } from './answers';
import { AppChanges, type AppUpdate } from './app-changes';
import { parseAppPath, type AppPath } from './app-path';
import { AppReads } from './app-reads';
import { definitionView, NO_TASKS } from './app-view';
import type { Handler, MarathonDependencies } from './dependencies';
import { segmentsAfter } from './ids';
import { parseObject, parseObjects } from './json';
import { flag, queryOf } from './query';
import { killOptions, TaskKills } from './task-kills';
import { readApp } from './wire';

export const APPS = '/v2/apps';

/** Everything below /v2/apps. */
export class AppsRoutes {
  private readonly changes: AppChanges;
  private readonly reads: AppReads;
  private readonly kills: TaskKills;

  constructor(deps: MarathonDependencies) {
    this.changes = new AppChanges(deps.records, deps.apps);
    this.reads = new AppReads(deps, this.changes);
    this.kills = new TaskKills(deps, this.changes);
  }

  readonly handle: Handler = async (request, response) => {
    const path = parseAppPath(segmentsAfter(APPS, request.originalUrl));
    const handlers = this.handlersOf(path);
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const handler = handlers[method];
    if (handler !== undefined) return handler(request, response);
    response.setHeader('Allow', Object.keys(handlers).join(', '));
    response.status(method === 'OPTIONS' ? 204 : 405).end();
  };

  private handlersOf(path: AppPath): Readonly<Record<string, Handler>> {
    const { reads } = this;
    switch (path.kind) {
      case 'all':
        return {
          GET: (request, response) => reads.list(request, response),
          POST: (request, response) => this.post(request, response),
          PUT: (request, response) => this.updateMany(request, response, true),
          PATCH: (request, response) => this.updateMany(request, response, false),
        };
      case 'app':
        return {
          GET: (request, response) => reads.one(request, response, path.id),
          PUT: (request, response) => this.updateOne(request, response, path.id, true),
          PATCH: (request, response) => this.updateOne(request, response, path.id, false),
          DELETE: (request, response) => this.remove(request, response, path.id),
        };
      case 'group':
        return { GET: (request, response) => reads.below(request, response, path.id) };
      case 'groupTasks':
        return { GET: (request, response) => reads.tasksBelow(request, response, path.id) };
      case 'restart':
        return { POST: (request, response) => this.restart(request, response, path.id) };
      case 'tasks':
        return {
          GET: (request, response) => reads.tasks(request, response, path.id),
          DELETE: (request, response) => {
            const query = queryOf(request);
            return this.kills.ofApp(response, path.id, query.get('host'), killOptions(query));
          },
        };
      case 'task':
        return {
          DELETE: (request, response) => this.kills.one(response, path.id, path.taskId, killOptions(queryOf(request))),
        };
      case 'versions':
        return { GET: (_request, response) => reads.versions(response, path.id) };
      case 'version':
        return { GET: (_request, response) => reads.version(response, path.id, path.version) };
    }
  }

  /** Marathon answers the app itself, not a deployment. */
  private async post(request: Request, response: Response): Promise<void> {
    const { id, patch, unknown } = readApp(parseObject(await readBody(request)));
    if (id === undefined) throw new InvalidError([{ path: '/id', message: 'error.path.missing' }], 'Invalid JSON');
    const started = await this.changes.create(id, patch, { force: flag(queryOf(request), 'force') });
    announce(response, started);
    warn(response, unknownFields(unknown));
    const definition = started.apps.find(({ spec }) => spec.id === id)?.spec;
    response
      .status(201)
      .location(APPS + id)
      .json({
        ...(definition === undefined ? { id } : definitionView(definition)),
        ...NO_TASKS,
        deployments: [{ id: started.rolloutId }],
      });
  }

  /** The id of the path counts; one in the body that differs is named in a warning. */
  private async updateOne(request: Request, response: Response, id: string, create: boolean): Promise<void> {
    const wire = readApp(parseObject(await readBody(request)));
    const query = queryOf(request);
    const replace = create && !flag(query, 'partialUpdate', true);
    const started = await this.changes.update([{ id, wire }], { replace, create, force: flag(query, 'force') });
    warn(response, unknownFields(wire.unknown));
    if (wire.id !== undefined && wire.id !== id)
      warn(response, [`the id '${wire.id}' in the body was ignored: the path says '${id}'`]);
    const created = started.apps.some((app) => app.created);
    if (created) response.location(APPS + id);
    answerRollout(response, started, created ? 201 : 200);
  }

  private async updateMany(request: Request, response: Response, create: boolean): Promise<void> {
    const query = queryOf(request);
    const updates = parseObjects(await readBody(request)).map((raw, i): AppUpdate => {
      const wire = readApp(raw, `(${i})`);
      if (wire.id === undefined)
        throw new InvalidError([{ path: `(${i})/id`, message: 'error.path.missing' }], 'Invalid JSON');
      return { id: wire.id, wire };
    });
    checkUnique(updates);
    const replace = create && !flag(query, 'partialUpdate', true);
    const started = await this.changes.update(updates, { replace, create, force: flag(query, 'force') });
    warn(response, unknownFields(updates.flatMap(({ wire }) => wire.unknown)));
    answerRollout(response, started);
  }

  private async remove(request: Request, response: Response, id: string): Promise<void> {
    // Marathon: the one operation that forces unless told otherwise.
    answerRollout(response, await this.changes.remove(id, { force: flag(queryOf(request), 'force', true) }));
  }

  private async restart(request: Request, response: Response, id: string): Promise<void> {
    answerRollout(response, await this.changes.restart(id, { force: flag(queryOf(request), 'force') }));
  }
}

function checkUnique(updates: readonly AppUpdate[]): void {
  const seen = new Set<string>();
  updates.forEach(({ id }, i) => {
    if (seen.has(id)) throw new InvalidError([{ path: `(${i})/id`, message: `'${id}' is in the list more than once` }]);
    seen.add(id);
  });
}
