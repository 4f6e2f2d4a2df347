import type { RequestHandler } from 'express';
import { UnavailableError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { Clock } from '../../core/ports/clock';
import type { Logger } from '../../core/ports/logger';
import type { Metrics } from '../../core/ports/metrics';
import { STREAMING } from './event-stream';

/**
 * Counts and times the requests of one face and writes a debug line for each: method, path, status, duration. Queries, headers
 * and bodies stay out of the log, they may hold secrets. Streams are counted, not timed.
 */
export function accessLog(face: string, clock: Clock, metrics: Metrics, log: Logger): RequestHandler {
  const requests = metrics.counter({
    name: 'berth_http_requests_total',
    help: 'Requests answered, by face, method and status code.',
    labels: ['face', 'method', 'code'],
  });
  const duration = metrics.histogram({
    name: 'berth_http_request_duration_seconds',
    help: 'Time from a request to the end of its answer, streams left out.',
    labels: ['face', 'method'],
  });
  return (request, response, next) => {
    const startMs = clock.monotonicMs();
    const method = KNOWN_METHODS.has(request.method) ? request.method : 'other';
    const path = request.path;
    let streaming = false;
    response.once(STREAMING, () => {
      streaming = true;
    });
    response.once('close', () => {
      const elapsedMs = clock.monotonicMs() - startMs;
      const code = response.headersSent ? String(response.statusCode) : 'aborted';
      requests.inc({ face, method, code });
      if (!streaming) duration.observe(elapsedMs / 1000, { face, method });
      log.debug('request', { face, method, path, code, elapsedMs: Math.round(elapsedMs) });
    });
    next();
  };
}

/** Refuses with UnavailableError what is above `limit` requests at once; a stream stops counting once it starts. */
export function limitConcurrency(limit: number = LIMITS.concurrentRequests): RequestHandler {
  let inHand = 0;
  return (_request, response, next) => {
    if (inHand >= limit) return next(new UnavailableError('the server', { detail: `${limit} requests are in hand` }));
    inHand += 1;
    let counted = true;
    const done = () => {
      if (counted) inHand -= 1;
      counted = false;
    };
    response.once('close', done);
    response.once(STREAMING, done);
    next();
  };
}

/** Methods shown as labels; others are one series, since a client may invent as many as it likes. */
const KNOWN_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
