import { Router, type Request, type Response } from 'express';
import type { Election, LeaderInfo } from '../../core/ports/election';
import { AgentEndpoint, refuse, type AgentEndpointDeps } from './agent-endpoint';

export interface MesosFaceDeps extends AgentEndpointDeps {
  readonly election: Pick<Election, 'leader' | 'isLeader'>;
  /** Id of this server, as in its LeaderInfo. */
  readonly selfId: string;
  readonly version: string;
}

/** What Mesos calls the same handlers by its process name too. */
function paths(path: string): string[] {
  return [path, `/master${path}`];
}

/** The Mesos face (port 5050): the agents' stream, and the few un-versioned endpoints that need no framework API. */
export function mesosRouter(deps: MesosFaceDeps): Router {
  const router = Router();
  const agents = new AgentEndpoint(deps);
  router.all('/api/v1/agent', async (request, response) => {
    const master = deps.currentMaster();
    if (master === undefined) toLeader(deps, request, response);
    else await agents.handle(master, request, response);
  });
  router.get(paths('/health'), (_request, response) => void response.status(200).end());
  router.get(paths('/version'), (_request, response) => void response.json({ version: deps.version }));
  router.get(paths('/redirect'), (_request, response) => {
    const leader = deps.election.leader();
    if (leader === undefined) refuse(response, 503, 'No leader elected');
    else redirect(response, leader, '');
  });
  router.get(paths('/metrics/snapshot'), (_request, response) => void response.json(snapshot(deps)));
  return router;
}

/** Mesos: 307 to the leader without a scheme; the leader itself says 503 until its term has begun. */
function toLeader({ election, selfId }: MesosFaceDeps, request: Request, response: Response): void {
  const leader = election.leader();
  if (leader === undefined) refuse(response, 503, 'No leader elected');
  else if (leader.id === selfId) refuse(response, 503, 'Master has not finished recovery');
  else redirect(response, leader, request.originalUrl);
}

function redirect(response: Response, leader: LeaderInfo, path: string): void {
  response.status(307).set('Location', `//${leader.mesosAddress}${path}`);
  if (!response.req.complete) response.setHeader('Connection', 'close');
  response.end();
}

/** Names as in Mesos; the rest of Mesos' metrics comes with its framework API. */
function snapshot({ currentMaster }: MesosFaceDeps): Record<string, number> {
  const master = currentMaster();
  if (master === undefined) return { 'master/elected': 0 };
  const { agents, tasks, offers, capacity } = master.summary();
  const values: Record<string, number> = {
    'master/elected': 1,
    'master/slaves_connected': agents.connected,
    'master/slaves_active': agents.connected,
    'master/slaves_disconnected': agents.known - agents.connected,
    'master/outstanding_offers': offers,
  };
  for (const [state, count] of tasks) values[`master/${state.replace('TASK_', 'tasks_').toLowerCase()}`] = count;
  for (const [name, total] of Object.entries(capacity)) values[`master/${name}_total`] = total;
  return values;
}
