import { Router, type RequestHandler } from 'express';
import { NotFoundError } from '../../core/errors';
import { AppsRoutes, APPS } from './apps-routes';
import type { MarathonDependencies } from './dependencies';
import { marathonErrors } from './error-answers';
import { EventsRoutes } from './events-routes';
import { GROUPS, GroupsRoutes } from './groups-routes';
import { infoRoutes } from './info-routes';
import { sendTargets } from './prometheus-discovery';
import { workRoutes } from './work-routes';

/**
 * The Marathon face: `/v2/…` and `/ping`, and Prometheus' view of it, `/v1/sd/prometheus`. Every replica answers everything from its own mirror and writes through the
 * AppService; only DELETE /v2/leader goes to the leader. Other paths pass through to what is mounted behind it.
 */
export function marathonRouter(deps: MarathonDependencies): Router {
  const router = Router();
  const events = new EventsRoutes(deps);
  router.use(['/v2', '/ping'], standardHeaders(deps));
  router.use(APPS, new AppsRoutes(deps).handle);
  router.use(GROUPS, new GroupsRoutes(deps).handle);
  router.get('/v2/events', (request, response) => events.open(request, response));
  router.use(workRoutes(deps));
  router.use(infoRoutes(deps));
  router.get('/v1/sd/prometheus', (request, response) => sendTargets(deps, request, response));
  router.use('/v2', uriNotFound);
  router.use(marathonErrors(deps.log));
  return router;
}

/** The answer of the Marathon port to a path that nobody knows. */
export const uriNotFound: RequestHandler = (request) => {
  throw new NotFoundError('URI', request.path, 'URI not found');
};

function standardHeaders({ records, election, info }: MarathonDependencies): RequestHandler {
  return (_request, response, next) => {
    const leader = election.leader();
    response.set({
      'X-Frame-Options': 'DENY',
      'X-XSS-Protection': '1; mode=block',
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-cache, no-store, must-revalidate',
      Pragma: 'no-cache',
      Expires: '0',
    });
    if (leader !== undefined) response.set('X-Marathon-Leader', `${info.scheme}://${leader.marathonAddress}`);
    // The store does not answer: reads go on from the mirror and say so (RFC 7234 section 5.5.1).
    if (!records.isFresh()) response.set('Warning', ['110 berth "Response is Stale"']);
    next();
  };
}
