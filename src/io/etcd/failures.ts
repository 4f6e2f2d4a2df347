import { status, type ServiceError } from '@grpc/grpc-js';
import { CompactedError, messageOf, StoreFullError, TooLargeError, UnavailableError } from '../../core/errors';

/** A failed call as grpc-js reports it. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}

/** The one place where etcd's failures become ours. `askedRevision`: of a read of the past. */
export function failureOf(error: unknown, askedRevision = 0): Error {
  if (!isServiceError(error)) return new UnavailableError('etcd', { cause: error, detail: messageOf(error) });
  const { code, details } = error;
  if (code === status.OUT_OF_RANGE) return new CompactedError(askedRevision); // compacted, or never reached by this etcd
  if (code === status.INVALID_ARGUMENT && /too large/.test(details)) return new TooLargeError(`etcd: ${details}`);
  if (code === status.INVALID_ARGUMENT && !/auth|user name/.test(details))
    return new Error(`etcd refuses the request: ${details}`, { cause: error }); // our bug
  const failure = { cause: error, detail: explain(code, details) };
  return isFull(code, details) ? new StoreFullError('etcd', failure) : new UnavailableError('etcd', failure);
}

function isFull(code: status, details: string): boolean {
  return code === status.RESOURCE_EXHAUSTED && /space exceeded/.test(details);
}

/** The login is no longer good, and the call was refused before it could have any effect. */
export function isStaleLogin(error: unknown): boolean {
  return isServiceError(error) && /invalid auth token|revision of auth store is old/.test(error.details);
}

/** The member does not serve: another one may. */
export function isMemberTrouble(error: unknown): boolean {
  return (
    isServiceError(error) &&
    (error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED || error.code === status.CANCELLED)
  );
}

/** The answer was larger than LIMITS.grpcReceiveBytes. */
export function isAnswerTooLarge(error: unknown): boolean {
  return isServiceError(error) && error.code === status.RESOURCE_EXHAUSTED && /larger than max/.test(error.details);
}

/** The lease has run out or was revoked. */
export function isLeaseGone(error: unknown): boolean {
  return isServiceError(error) && error.code === status.NOT_FOUND && /lease not found/.test(error.details);
}

function explain(code: status, details: string): string {
  if (code === status.DEADLINE_EXCEEDED) return 'it did not answer in time';
  if (isFull(code, details))
    return 'its database is full: compact and defragment it, raise --quota-backend-bytes, then `etcdctl alarm disarm`';
  const refused = [status.UNAUTHENTICATED, status.PERMISSION_DENIED, status.INVALID_ARGUMENT].includes(code);
  return refused ? `it refuses our login: ${details}` : details;
}
