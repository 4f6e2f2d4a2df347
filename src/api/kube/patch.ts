import { applyPatch, type Operation } from 'fast-json-patch';
import { messageOf } from '../../core/errors';
import { copyJson, copyObject, isObject, type JsonObject, UNSAFE_KEYS } from './json';
import { badRequest, KubeError } from './status';

/** JSON merge patch (RFC 7396): `null` takes a field away, objects merge, everything else replaces. */
export function mergePatch(target: JsonObject, patch: unknown): JsonObject {
  if (!isObject(patch)) throw badRequest('a merge patch must be a JSON object');
  const result = copyObject(target);
  for (const [key, value] of Object.entries(patch)) {
    if (UNSAFE_KEYS.has(key)) throw badRequest(`field name "${key}" is not allowed`);
    const current = result[key];
    if (value === null) delete result[key];
    else if (isObject(value)) result[key] = mergePatch(isObject(current) ? current : {}, value);
    else result[key] = copyJson(value);
  }
  return result;
}

/** Operations of one JSON patch (Kubernetes: 10,000). */
const OPERATIONS_MAX = 10_000;

/**
 * JSON patch (RFC 6902). 400: not a patch at all; 422: an operation cannot be done on this object, or a `test` fails.
 */
export function jsonPatch(target: JsonObject, patch: unknown): JsonObject {
  if (!Array.isArray(patch) || !patch.every(isOperation))
    throw badRequest('a JSON patch must be an array of operations with "op" and "path"');
  if (patch.length > OPERATIONS_MAX)
    throw new KubeError(
      413,
      'RequestEntityTooLarge',
      `a JSON patch may have ${OPERATIONS_MAX} operations, not ${patch.length}`,
    );
  let result: unknown;
  try {
    result = applyPatch(copyObject(target), patch, true, true, true).newDocument;
  } catch (error) {
    const text = messageOf(error).split('\n')[0] ?? '';
    throw new KubeError(422, 'Invalid', `the JSON patch cannot be applied: ${text}`, {}, { cause: error });
  }
  if (!isObject(result)) throw new KubeError(422, 'Invalid', 'the JSON patch leaves no object');
  return result;
}

function isOperation(value: unknown): value is Operation {
  return isObject(value) && typeof value['op'] === 'string' && typeof value['path'] === 'string';
}
