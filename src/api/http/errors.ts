import type { ErrorRequestHandler, Request } from 'express';
import { BadRequestError, BerthError, messageOf } from '../../core/errors';
import type { Logger } from '../../core/ports/logger';

/** One answer to a failure, in the form of a face. */
export interface ErrorAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * The last middleware of a face. `answer` is its error table, asked for everything that is not a bug; bugs get
 * `answer` too, as undefined, and their text goes to the log only. 503 gets Retry-After; 413 and unread bodies end the connection.
 */
export function errorHandler(
  log: Logger,
  answer: (error: Error | undefined, request: Request) => ErrorAnswer,
  isExpected: (error: unknown) => boolean = (error) => error instanceof BerthError,
): ErrorRequestHandler {
  return (thrown: unknown, request, response, next) => {
    const error = asBadRequest(thrown);
    const known = error instanceof Error && isExpected(error);
    if (!known) log.error('request failed', { method: request.method, path: request.path, error: stackOf(thrown) });
    if (response.headersSent) {
      // The answer has begun: cutting it is the only way left to say that it is not complete.
      response.destroy();
      return;
    }
    const { status, body, headers } = answer(known ? error : undefined, request);
    response.status(status);
    if (status === 503) response.setHeader('Retry-After', '1');
    if (!request.complete) response.setHeader('Connection', 'close');
    for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
    if (body === undefined) response.end();
    else response.json(body);
    void next;
  };
}

/** Express itself refuses what it cannot decode (`%zz` in a path) with errors that carry a 4xx status. */
function asBadRequest(thrown: unknown): unknown {
  if (thrown instanceof BerthError || !(thrown instanceof Error) || !('status' in thrown)) return thrown;
  const { status } = thrown;
  return typeof status === 'number' && status >= 400 && status < 500 ? new BadRequestError(thrown.message) : thrown;
}

function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : messageOf(thrown);
}
