import { Router, type Request, type Response } from 'express';
import { NotFoundError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import { forwardToLeader } from '../http/proxy';
import type { MarathonDependencies } from './dependencies';

/** The Marathon whose behaviour this is. Clients switch on it (1.5 and later: today's network model). */
const COMPATIBLE_VERSION = '1.11.24';
/** Marathon: the answer to an abdication goes out before its effect. */
const ABDICATION_DELAY_MS = 500;

/** /ping, /v2/info, /v2/leader, /v2/plugins. */
export function infoRoutes(deps: MarathonDependencies): Router {
  const router = Router();
  router.get('/ping', ping);
  router.get('/v2/info', (_request, response) => void response.json(infoView(deps)));
  router.get('/v2/plugins', (_request, response) => void response.json({ plugins: [] }));
  router.get('/v2/leader', (_request, response) => {
    const leader = deps.election.leader();
    if (leader === undefined) throw new NotFoundError('Leader', '', 'There is no leader');
    response.json({ leader: leader.marathonAddress });
  });
  router.delete('/v2/leader', (request, response) => abdicate(deps, request, response));
  return router;
}

function ping(request: Request, response: Response): void {
  const type = request.accepts(['text/plain', 'application/json']);
  if (type === 'text/plain') response.type('text/plain').send('pong');
  else if (type === 'application/json') response.json('pong');
  else response.status(204).end();
}

/** Only the leader can give leadership up, so a standby passes the wish on. */
async function abdicate(deps: MarathonDependencies, request: Request, response: Response): Promise<void> {
  const { election, info, clock } = deps;
  if (election.isLeader()) {
    response.json({ message: 'Leadership abdicated' });
    clock.after(ABDICATION_DELAY_MS, () => election.abdicate());
    return;
  }
  await forwardToLeader(request, response, {
    leader: election.leader()?.marathonAddress,
    self: info.self,
    ...(info.scheme === 'https' ? { tls: info.ca === undefined ? {} : { ca: info.ca } } : {}),
  });
}

function infoView({ election, info }: MarathonDependencies): Record<string, unknown> {
  const port = Number(info.self.slice(info.self.lastIndexOf(':') + 1));
  return {
    name: 'marathon',
    version: COMPATIBLE_VERSION,
    buildref: `berth-${info.version}`,
    elected: election.isLeader(),
    leader: election.leader()?.marathonAddress ?? null,
    frameworkId: info.frameworkId() ?? null,
    marathon_config: {
      hostname: info.hostname,
      ha: true,
      features: [],
      framework_name: 'marathon',
      master: election.leader()?.mesosAddress ?? null,
      mesos_leader_ui_url: info.mesosUrl() ?? null,
      local_port_min: info.localPortMin,
      local_port_max: info.localPortMax,
      max_running_deployments: LIMITS.runningRollouts,
      event_stream_max_outstanding_messages: LIMITS.streamOutstandingEvents,
    },
    /** Client libraries read these keys; the store is etcd. */
    zookeeper_config: {
      zk: info.storeEndpoints.join(','),
      zk_timeout: LIMITS.storeCallMs,
      zk_connection_timeout: LIMITS.storeCallMs,
      zk_session_timeout: LIMITS.storeCallMs,
      zk_max_versions: LIMITS.versionsPerApp,
      zk_max_node_size: LIMITS.recordBytes,
      zk_compression: false,
      zk_compression_threshold: 0,
    },
    http_config: { http_port: info.scheme === 'http' ? port : null, https_port: info.scheme === 'https' ? port : null },
    berth: { version: info.version },
  };
}
