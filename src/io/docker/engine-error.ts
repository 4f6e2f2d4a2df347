import { TimeoutError, UnavailableError, messageOf } from '../../core/errors';

/** An answer of the engine that says no. Never leaves this folder. */
export class EngineRefusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'EngineRefusal';
  }
}

const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'ECONNRESET',
  'EPIPE',
  'EACCES',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ETIMEDOUT',
  'ENOTSOCK',
]);
/** Refusals (500) that speak of the engine's own trouble, not of the request. */
const ENGINE_TROUBLE =
  /transport is closing|shutting down|context deadline exceeded|containerd\.sock|c\.sock|grpc|rpc error: code = Unavailable/i;
/** The engine tells of its own request to a registry: the registry's trouble, whatever the words. */
const ABOUT_REGISTRY = /\b(?:get|head|post) "?https?:\/\//i;

/** Turns whatever dockerode threw into EngineRefusal or UnavailableError. */
export function engineError(error: unknown): Error {
  if (error instanceof EngineRefusal || error instanceof UnavailableError || error instanceof TimeoutError)
    return error;
  const status = numberAt(error, 'statusCode');
  if (status !== undefined) {
    const text = refusalText(error);
    const trouble = status === 503 || (status >= 500 && ENGINE_TROUBLE.test(text) && !ABOUT_REGISTRY.test(text));
    return trouble
      ? new UnavailableError('Docker', { cause: error, detail: text })
      : new EngineRefusal(status, text, { cause: error });
  }
  const message = textOf(error);
  if (CONNECTION_CODES.has(codeOf(error)) || /socket hang up|aborted/i.test(message))
    return new UnavailableError('Docker', { cause: error, detail: message });
  return error instanceof Error ? error : new Error(message, { cause: error });
}

/** `code` of a system error; '' when it has none. */
export function codeOf(error: unknown): string {
  const code = at(error, 'code');
  return typeof code === 'string' ? code : '';
}

export function hasStatus(error: unknown, ...statuses: readonly number[]): boolean {
  return error instanceof EngineRefusal && statuses.includes(error.status);
}

/** The engine's own words, without dockerode's frame `(HTTP code 500) server error - … `. */
function refusalText(error: unknown): string {
  const message = at(at(error, 'json'), 'message');
  if (typeof message === 'string') return message;
  return textOf(error)
    .replace(/^\(HTTP code \d+\) [^-]*- /, '')
    .trim();
}

function textOf(error: unknown): string {
  const message = at(error, 'message');
  return typeof message === 'string' ? message : messageOf(error);
}

function numberAt(error: unknown, key: string): number | undefined {
  const value = at(error, key);
  return typeof value === 'number' ? value : undefined;
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
