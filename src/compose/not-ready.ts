import type { RequestHandler, Response } from 'express';
import type { Records } from '../core/ports/records';

/** Until the first list of all records is in memory nothing can be answered truthfully: 503, and when to come again. */
export function notReady(records: Records, deny: (response: Response, message: string) => void): RequestHandler {
  return (_request, response, next) => {
    if (records.revision() > 0) return next();
    response.status(503).setHeader('Retry-After', '1');
    deny(response, 'this server has not read its records from etcd yet; see /readyz');
  };
}
