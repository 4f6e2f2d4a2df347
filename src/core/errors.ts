/** Stable codes of every failure a caller may want to tell apart. Each face maps them to its own status codes. */
export type ErrorCode =
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'CONFLICT'
  | 'LOCKED'
  | 'INVALID'
  | 'BAD_REQUEST'
  | 'FORBIDDEN'
  | 'TOO_LARGE'
  | 'FENCED'
  | 'COMPACTED'
  | 'UNAVAILABLE'
  | 'TIMEOUT';

/** Every failure that can happen in operation. Anything else is a bug and is allowed to crash. */
export abstract class BerthError extends Error {
  abstract readonly code: ErrorCode;
  /** True when the same call may succeed later without anyone changing the input. */
  readonly retryable: boolean = false;
  override get name(): string {
    return this.constructor.name;
  }
}

export class NotFoundError extends BerthError {
  readonly code = 'NOT_FOUND';
  /** @param kind the noun as the user knows it ("App"), @param id what was asked for */
  constructor(
    readonly kind: string,
    readonly id: string,
    message = `${kind} '${id}' does not exist`,
  ) {
    super(message);
  }
}

export class AlreadyExistsError extends BerthError {
  readonly code = 'ALREADY_EXISTS';
  constructor(
    readonly kind: string,
    readonly id: string,
    message = `${kind} '${id}' already exists`,
  ) {
    super(message);
  }
}

/** A compare-and-swap lost: the key is not at the revision the writer had read. */
export class ConflictError extends BerthError {
  readonly code = 'CONFLICT';
  override readonly retryable = true;
  constructor(
    readonly key: string,
    readonly expectedRevision: number,
  ) {
    super(`${key} is no longer at revision ${expectedRevision}`);
  }
}

/** Apps are being changed by running rollouts and the caller did not force. */
export class LockedError extends BerthError {
  readonly code = 'LOCKED';
  constructor(readonly rolloutIds: readonly string[]) {
    super(`locked by rollouts ${rolloutIds.join(', ')}`);
  }
}

/** One problem of an input. `path` in Marathon's syntax: `/`, `/cpus`, `/container/portMappings(0)/name`. */
export interface Violation {
  readonly path: string;
  readonly message: string;
}

export class InvalidError extends BerthError {
  readonly code = 'INVALID';
  constructor(
    readonly violations: readonly Violation[],
    message = 'Object is not valid',
  ) {
    super(message);
  }
  override toString(): string {
    return `${this.message}: ${this.violations.map((violation) => `${violation.path} ${violation.message}`).join('; ')}`;
  }
}

/** The request cannot be read at all (syntax), as opposed to InvalidError (meaning). */
export class BadRequestError extends BerthError {
  readonly code = 'BAD_REQUEST';
  constructor(
    message: string,
    readonly details?: string,
  ) {
    super(message);
  }
}

export class ForbiddenError extends BerthError {
  readonly code = 'FORBIDDEN';
}

export class TooLargeError extends BerthError {
  readonly code = 'TOO_LARGE';
}

/** The writer's term is over: another replica leads, or the lease ran out. Nothing was written. */
export class FencedError extends BerthError {
  readonly code = 'FENCED';
  constructor() {
    super('the term of this leader is over; nothing was written');
  }
}

/** The asked revision is older than what the store keeps: list again. */
export class CompactedError extends BerthError {
  readonly code = 'COMPACTED';
  override readonly retryable = true;
  constructor(readonly compactRevision: number) {
    super(`revisions up to ${compactRevision} have been compacted`);
  }
}

/** Something outside (etcd, Docker, the leader) does not answer; try again later. */
export class UnavailableError extends BerthError {
  readonly code = 'UNAVAILABLE';
  override readonly retryable = true;
  constructor(
    readonly what: string,
    options?: ErrorOptions & { readonly detail?: string },
  ) {
    super(
      options?.detail === undefined ? `${what} is unavailable` : `${what} is unavailable: ${options.detail}`,
      options,
    );
  }
}

/** The store answers reads but takes no writes: its database is full. Nothing was written. */
export class StoreFullError extends UnavailableError {}

export class TimeoutError extends BerthError {
  readonly code = 'TIMEOUT';
  override readonly retryable = true;
  constructor(
    readonly what: string,
    readonly timeoutMs: number,
  ) {
    super(`${what} did not finish within ${timeoutMs} ms`);
  }
}

/** Ends an exhaustive switch: reaching it is a bug. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value ${JSON.stringify(value)}`);
}

/** The text of anything that was thrown; of several at once (a name with several addresses, none of which answers) that of each. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}
