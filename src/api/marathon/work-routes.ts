import { Router, type Request, type Response } from 'express';
import { InvalidError, NotFoundError } from '../../core/errors';
import type { Stored } from '../../core/ports/records';
import type { App } from '../../core/records/app';
import { appIdOf, appPath } from '../../core/records/paths';
import { readBody } from '../http/body';
import { answerRollout, sendList } from './answers';
import { AppChanges } from './app-changes';
import { AppViews, findApp, listApps } from './app-view';
import type { MarathonDependencies } from './dependencies';
import { segmentsAfter } from './ids';
import { parseObject } from './json';
import { flag, queryOf } from './query';
import { queueView } from './queue-view';
import { activeRollouts, deploymentView } from './rollout-view';
import { sendTasks } from './task-answers';
import { killOptions, TaskKills } from './task-kills';

/** /v2/tasks, /v2/deployments, /v2/queue: what runs, what changes, what waits. */
export function workRoutes(deps: MarathonDependencies): Router {
  const router = Router();
  const kills = new TaskKills(deps, new AppChanges(deps.records, deps.apps));
  router.get('/v2/tasks', (request, response) => listTasks(deps, request, response));
  router.post('/v2/tasks/delete', async (request, response) => {
    const options = killOptions(queryOf(request));
    await kills.byId(response, idsOf(parseObject(await readBody(request))), options);
  });
  router.get('/v2/deployments', (_request, response) =>
    sendList(response, activeRollouts(deps.records), ({ record }) => [deploymentView(deps.records, record)]),
  );
  router.delete('/v2/deployments/:id', (request, response) =>
    cancelDeployment(deps, request.params.id, flag(queryOf(request), 'force'), response),
  );
  router.get('/v2/queue', (request, response) => listQueue(deps, request, response));
  router.delete('/v2/queue/*path', (request, response) => resetDelay(deps, request, response));
  return router;
}

const STATES: Readonly<Record<string, readonly string[]>> = {
  running: ['TASK_RUNNING'],
  staging: ['TASK_STAGING', 'TASK_STARTING'],
};

/** `status` once or as `status[]` repeated; other values than running and staging are ignored. */
async function listTasks(deps: MarathonDependencies, request: Request, response: Response): Promise<void> {
  const query = queryOf(request);
  const states = [...query.getAll('status'), ...query.getAll('status[]')].flatMap(
    (status) => STATES[status.toLowerCase()] ?? [],
  );
  const views = new AppViews(deps.records, deps.clock.nowMs());
  const apps = listApps(deps.records).map(({ record }) => record.spec);
  await sendTasks(request, response, apps, views, ({ state }) => states.length === 0 || states.includes(state));
}

function idsOf(body: Readonly<Record<string, unknown>>): string[] {
  const { ids } = body;
  if (ids === undefined) throw new InvalidError([{ path: '/ids', message: 'error.path.missing' }], 'Invalid JSON');
  if (!Array.isArray(ids))
    throw new InvalidError([{ path: '/ids', message: 'error.expected.jsarray' }], 'Invalid JSON');
  return ids.map((id: unknown, i) => {
    if (typeof id === 'string') return id;
    throw new InvalidError([{ path: `/ids(${i})`, message: 'error.expected.jsstring' }], 'Invalid JSON');
  });
}

/** Default: a new deployment that restores what was before. `force`: only stops it, 202 without a body. */
async function cancelDeployment(
  { records, apps }: MarathonDependencies,
  id: string,
  force: boolean,
  response: Response,
): Promise<void> {
  const known = () => activeRollouts(records).some(({ record }) => record.metadata.name === id);
  if (!known()) await records.sync();
  if (!known()) throw new NotFoundError('Rollout', id);
  const started = await apps.cancelRollout(id, force);
  if (started === undefined) response.status(202).end();
  else answerRollout(response, started);
}

async function listQueue(
  { records, clock }: MarathonDependencies,
  request: Request,
  response: Response,
): Promise<void> {
  const withOffers = queryOf(request).getAll('embed').includes('lastUnusedOffers');
  const viewsOf = ({ record }: Stored<App>) => {
    const item = queueView(record, withOffers, clock.nowMs());
    return item === undefined ? [] : [item];
  };
  await sendList(response, listApps(records), viewsOf, { before: '{"queue":[', after: ']}' });
}

/** DELETE /v2/queue/{id}/delay. */
async function resetDelay(
  { records, apps }: MarathonDependencies,
  request: Request,
  response: Response,
): Promise<void> {
  const segments = segmentsAfter('/v2/queue', request.originalUrl);
  if (segments.at(-1) !== 'delay') throw new NotFoundError('URI', request.path, 'URI not found');
  const id = appIdOf(segments.slice(0, -1).join('/'));
  const waiting = new NotFoundError('App', id, `Application ${id} not found in tasks queue.`);
  if (findApp(records, id) === undefined) await records.sync();
  if (findApp(records, id) === undefined || appPath(id) === '') throw waiting;
  try {
    await apps.resetDelay(id);
  } catch (error) {
    throw error instanceof NotFoundError ? waiting : error;
  }
  response.status(204).end();
}
