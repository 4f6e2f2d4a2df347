import { BadRequestError, messageOf } from '../../core/errors';
import { LIMITS } from '../../core/limits';

const NO_DATA = 'Please specify data in JSON format';

/** The JSON value of a body. Throws BadRequestError with Marathon's texts; also for nesting over LIMITS.jsonDepth. */
export function parseJson(body: Buffer): unknown {
  const text = body.toString('utf8').replace(/^\uFEFF/, '');
  if (text.trim() === '') throw new BadRequestError(NO_DATA, 'The body is empty');
  try {
    return withoutNulls(JSON.parse(text), 0);
  } catch (error) {
    if (error instanceof BadRequestError) throw error;
    throw new BadRequestError('Invalid JSON', messageOf(error));
  }
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The same, where an object is needed. */
export function parseObject(body: Buffer): JsonObject {
  const value = parseJson(body);
  if (!isObject(value)) throw new BadRequestError(NO_DATA, 'Expected a JSON object');
  return value;
}

/** The same, where a list of objects is needed. */
export function parseObjects(body: Buffer): readonly JsonObject[] {
  const value = parseJson(body);
  if (!Array.isArray(value) || !value.every(isObject))
    throw new BadRequestError(NO_DATA, 'Expected a JSON array of objects');
  return value;
}

/** Marathon: a field that is `null` is a field that is absent. Nulls inside lists stay: there they are wrong. */
function withoutNulls(value: unknown, depth: number): unknown {
  if (depth > LIMITS.jsonDepth) throw new BadRequestError('Invalid JSON', `more than ${LIMITS.jsonDepth} levels deep`);
  if (Array.isArray(value)) return value.map((item) => withoutNulls(item, depth + 1));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== null)
      .map(([name, field]) => [name, withoutNulls(field, depth + 1)]),
  );
}
