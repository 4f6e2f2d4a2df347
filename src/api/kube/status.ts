import { BerthError, type ErrorCode, InvalidError, LockedError } from '../../core/errors';

/** One problem of a request, as kubectl prints it below an Invalid or Conflict answer. */
export interface StatusCause {
  readonly reason: string;
  readonly message: string;
  readonly field?: string;
}

/** What an answer is about: the plural and the name of the object. */
export interface Subject {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
  readonly name?: string;
  readonly uid?: string;
}

interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** metav1.Status, the body of every failure and of a deletion. */
export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: Readonly<Record<string, never>>;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: StatusDetails;
  readonly code: number;
}

/** A refusal in Kubernetes' own terms. Everything this face throws on purpose is one of these. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  constructor(
    readonly code: number,
    readonly reason: string,
    message: string,
    readonly details: StatusDetails = {},
    options?: ErrorOptions,
    /** Shown by kubectl at once, also when it goes on to try again by itself (as it does after a Conflict). */
    readonly warning?: string,
  ) {
    super(message, options);
  }

  status(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      details: this.details,
      code: this.code,
    };
  }
}

function about(subject: Subject): StatusDetails {
  return {
    ...(subject.name === undefined ? {} : { name: subject.name }),
    ...(subject.group === '' ? {} : { group: subject.group }),
    kind: subject.plural,
    ...(subject.uid === undefined ? {} : { uid: subject.uid }),
  };
}

/** `apps.apps.berth.dev`, or `events` for the core group. */
export function qualified(subject: Subject): string {
  return subject.group === '' ? subject.plural : `${subject.plural}.${subject.group}`;
}

export function badRequest(message: string): KubeError {
  return new KubeError(400, 'BadRequest', message);
}

export function notFound(subject: Subject): KubeError {
  return new KubeError(404, 'NotFound', `${qualified(subject)} "${subject.name ?? ''}" not found`, about(subject));
}

/** No such path: kubectl then says `the server doesn't have a resource type …`. */
export function noSuchPath(): KubeError {
  return new KubeError(404, 'NotFound', 'the server could not find the requested resource');
}

export function alreadyExists(subject: Subject, isDeleting = false): KubeError {
  const text = `${isDeleting ? 'object is being deleted: ' : ''}${qualified(subject)} "${subject.name ?? ''}" already exists`;
  return new KubeError(409, 'AlreadyExists', text, about(subject));
}

/**
 * Another rollout holds the app. kubectl tries again after a Conflict, for minutes and without a word: the warning says what it
 * waits for.
 */
function locked(subject: Subject, error: LockedError, force: string): KubeError {
  const text = lockedText(error, force);
  const { code, reason, message, details } = conflict(subject, text);
  const warning = `${subject.plural} "${subject.name ?? ''}": ${text}`;
  return new KubeError(code, reason, message, details, { cause: error }, warning);
}

/** @param why after the colon, in words a user can act upon */
export function conflict(subject: Subject, why: string, causes?: readonly StatusCause[]): KubeError {
  const text = `Operation cannot be fulfilled on ${qualified(subject)} "${subject.name ?? ''}": ${why}`;
  return new KubeError(409, 'Conflict', text, { ...about(subject), ...(causes === undefined ? {} : { causes }) });
}

export function staleVersion(subject: Subject): KubeError {
  return conflict(
    subject,
    'the object has been modified; please apply your changes to the latest version and try again',
  );
}

export function invalid(subject: Subject, causes: readonly StatusCause[]): KubeError {
  const lines = causes.map((cause) => (cause.field === undefined ? cause.message : `${cause.field}: ${cause.message}`));
  const text = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`;
  const kind = subject.group === '' ? subject.kind : `${subject.kind}.${subject.group}`;
  const message = `${kind} "${subject.name ?? ''}" is invalid: ${text}`;
  return new KubeError(422, 'Invalid', message, { ...about(subject), kind: subject.kind, causes });
}

/** One cause with a field. */
export function invalidField(subject: Subject, field: string, message: string): KubeError {
  return invalid(subject, [{ reason: 'FieldValueInvalid', message, field }]);
}

export function methodNotAllowed(message: string): KubeError {
  return new KubeError(405, 'MethodNotAllowed', message);
}

export function forbidden(subject: Subject, why: string): KubeError {
  return new KubeError(
    403,
    'Forbidden',
    `${qualified(subject)} "${subject.name ?? ''}" is forbidden: ${why}`,
    about(subject),
  );
}

export function unauthorized(): KubeError {
  return new KubeError(401, 'Unauthorized', 'Unauthorized');
}

export function expired(message: string): KubeError {
  return new KubeError(410, 'Expired', message);
}

export function unsupportedMediaType(message: string): KubeError {
  return new KubeError(415, 'UnsupportedMediaType', message);
}

/** `/container/portMappings(0)/name` (Marathon's way) -> `spec.container.portMappings[0].name`. */
export function fieldOf(violationPath: string): string {
  const segments = violationPath.split('/').filter((segment) => segment !== '');
  return ['spec', ...segments.map((segment) => segment.replaceAll(/\((\d+)\)/g, '[$1]'))].join('.');
}

/** Seconds a client should wait before it asks again when something outside does not answer. */
const RETRY_AFTER_SECONDS = 1;

const REASONS = {
  NOT_FOUND: [404, 'NotFound'],
  ALREADY_EXISTS: [409, 'AlreadyExists'],
  CONFLICT: [409, 'Conflict'],
  LOCKED: [409, 'Conflict'],
  INVALID: [422, 'Invalid'],
  BAD_REQUEST: [400, 'BadRequest'],
  FORBIDDEN: [403, 'Forbidden'],
  TOO_LARGE: [413, 'RequestEntityTooLarge'],
  FENCED: [503, 'ServiceUnavailable'],
  COMPACTED: [410, 'Expired'],
  UNAVAILABLE: [503, 'ServiceUnavailable'],
  TIMEOUT: [504, 'Timeout'],
} as const satisfies Record<ErrorCode, readonly [number, string]>;

/** How a write of this kind gets past a running rollout. */
const FORCE_WRITE = 'replace it: send this write with annotation berth.dev/force="true"';
const FORCE_DELETE = 'replace it: kubectl delete --force --grace-period=0';

/** Says how to get past a running rollout. */
function lockedText(error: LockedError, force: string): string {
  const ids = error.rolloutIds.join(', ');
  return (
    `it is being changed by rollout ${ids}; wait for its end, undo it (kubectl delete rollout ` +
    `${error.rolloutIds[0] ?? ''}), or ${force}`
  );
}

/** The refusal a failed deletion becomes. */
export function deletionErrorOf(error: unknown, subject: Subject): KubeError | undefined {
  return error instanceof LockedError ? locked(subject, error, FORCE_DELETE) : kubeErrorOf(error, subject);
}

/** The refusal a failure becomes. `undefined`: not a failure of operation but a bug. */
export function kubeErrorOf(error: unknown, subject?: Subject): KubeError | undefined {
  if (error instanceof KubeError) return error;
  if (!(error instanceof BerthError)) return undefined;
  const options = { cause: error };
  if (subject !== undefined) {
    if (error instanceof LockedError) return locked(subject, error, FORCE_WRITE);
    if (error.code === 'CONFLICT') return staleVersion(subject);
    if (error.code === 'NOT_FOUND') return notFound(subject);
    if (error.code === 'ALREADY_EXISTS') return alreadyExists(subject);
    if (error instanceof InvalidError)
      return invalid(
        subject,
        error.violations.map(({ path, message }) => ({ reason: 'FieldValueInvalid', message, field: fieldOf(path) })),
      );
  }
  const [code, reason] = REASONS[error.code];
  const message = error instanceof LockedError ? lockedText(error, FORCE_WRITE) : error.message;
  const details = code === 503 ? { retryAfterSeconds: RETRY_AFTER_SECONDS } : {};
  return new KubeError(code, reason, message, details, options);
}

/** The answer to a finished deletion. */
export function deleted(subject: Subject): Status {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details: about(subject), code: 200 };
}
