import type { ErrorRequestHandler } from 'express';
import {
  AlreadyExistsError,
  BadRequestError,
  BerthError,
  InvalidError,
  LockedError,
  NotFoundError,
  type ErrorCode,
} from '../../core/errors';
import type { Logger } from '../../core/ports/logger';
import { errorHandler, type ErrorAnswer } from '../http/errors';
import { BadGatewayError } from '../http/proxy';

/** One row per code: forgetting one is a compile error. */
export const HTTP_STATUS = {
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  CONFLICT: 409,
  LOCKED: 409,
  INVALID: 422,
  BAD_REQUEST: 400,
  FORBIDDEN: 403,
  TOO_LARGE: 413,
  FENCED: 503,
  COMPACTED: 503,
  UNAVAILABLE: 503,
  TIMEOUT: 503,
} satisfies Record<ErrorCode, number>;

const LOCKED_TEXT =
  "App is locked by one or more deployments. Override with the option '?force=true'. " +
  "View details at '/v2/deployments/<DEPLOYMENT_ID>'.";

/** The last middleware of everything on the Marathon port: failures in Marathon's words. */
export function marathonErrors(log: Logger): ErrorRequestHandler {
  return errorHandler(log, answerOf, (error) => error instanceof BerthError || error instanceof BadGatewayError);
}

/** @param error undefined: a bug, whose text is nobody's business */
export function answerOf(error: Error | undefined): ErrorAnswer {
  if (error instanceof BadGatewayError) return { status: 502, body: { message: error.message } };
  if (!(error instanceof BerthError))
    return { status: 500, body: { message: 'Internal error; the server log has it' } };
  return { status: HTTP_STATUS[error.code], body: bodyOf(error) };
}

function bodyOf(error: BerthError): Record<string, unknown> {
  if (error instanceof LockedError)
    return { message: LOCKED_TEXT, deployments: error.rolloutIds.map((id) => ({ id })) };
  if (error instanceof InvalidError) return { message: error.message, ...detailsOf(error) };
  if (error instanceof BadRequestError)
    return { message: error.message, ...(error.details === undefined ? {} : { details: error.details }) };
  if (error instanceof NotFoundError) return { message: notFoundText(error) };
  if (error instanceof AlreadyExistsError) return { message: existsText(error) };
  return { message: error.message };
}

/** One entry per path, all messages of that path in it. */
function detailsOf({ violations }: InvalidError): { readonly details?: unknown } {
  if (violations.length === 0) return {};
  const byPath = new Map<string, string[]>();
  for (const { path, message } of violations) byPath.set(path, [...(byPath.get(path) ?? []), message]);
  return { details: [...byPath].map(([path, errors]) => ({ path, errors })) };
}

function notFoundText(error: NotFoundError): string {
  return error.kind === 'Rollout' ? `DeploymentPlan ${error.id} does not exist` : error.message;
}

function existsText(error: AlreadyExistsError): string {
  return error.kind === 'App' ? `An app with id [${error.id}] already exists.` : error.message;
}
