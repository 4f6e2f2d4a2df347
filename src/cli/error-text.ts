/** The text of anything that was thrown. */
export function textOf(error: unknown): string {
  const message = field(error, 'message');
  return typeof message === 'string' ? message : String(error);
}

/** `ECONNREFUSED`, `ENOENT` …: the code of a system error, if it is one. */
export function codeOf(error: unknown): string | undefined {
  const code = field(error, 'code');
  return typeof code === 'string' ? code : undefined;
}

/** The error at the bottom: fetch hides why a connection failed one or two causes deep, several attempts deep at times. */
export function rootCause(error: unknown): unknown {
  const attempts = field(error, 'errors');
  const deeper: unknown = Array.isArray(attempts) ? attempts[0] : field(error, 'cause');
  return deeper === undefined || deeper === null ? error : rootCause(deeper);
}

/** True for what AbortSignal.timeout() throws. */
export function isTimeout(error: unknown): boolean {
  return field(error, 'name') === 'TimeoutError';
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}
