import type { IncomingMessage } from 'node:http';
import { parse as parseYaml } from 'yaml';
import { messageOf } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import { readBody } from '../http/body';
import { isObject, type JsonObject } from './json';
import { decodeProtobuf } from './protobuf';
import { badRequest, unsupportedMediaType } from './status';

/** Media type of a request without its parameters, in lower case; '' when there is none. */
export function mediaTypeOf(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** The body of a request as JSON value: JSON, YAML, or one of the known protobuf kinds; undefined when there is none. */
export async function readValue(request: IncomingMessage): Promise<unknown> {
  const bytes = await readBody(request, LIMITS.requestBytes);
  if (bytes.length === 0) return undefined;
  const type = mediaTypeOf(request);
  if (type === 'application/vnd.kubernetes.protobuf') return decodeProtobuf(bytes);
  const isYaml = type.endsWith('yaml');
  if (!isYaml && type !== '' && !type.endsWith('json'))
    throw unsupportedMediaType(
      `the body of the request was in an unknown format: ${type}; send application/json or application/yaml`,
    );
  const value = isYaml ? yaml(bytes.toString('utf8')) : json(bytes.toString('utf8'));
  checkDepth(value, 0);
  return value;
}

/** The body as an object. Throws 400 when it is something else or missing. */
export async function readObject(request: IncomingMessage): Promise<JsonObject> {
  const value = await readValue(request);
  if (!isObject(value)) throw badRequest('the request needs a body with an object');
  return value;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`couldn't parse the body as JSON: ${messageOf(error)}`);
  }
}

function yaml(text: string): unknown {
  try {
    return parseYaml(text, { maxAliasCount: 100 });
  } catch (error) {
    throw badRequest(`couldn't parse the body as YAML: ${messageOf(error).split('\n')[0] ?? ''}`);
  }
}

function checkDepth(value: unknown, depth: number): void {
  if (depth > LIMITS.jsonDepth) throw badRequest(`the body is nested deeper than ${LIMITS.jsonDepth} levels`);
  if (Array.isArray(value)) for (const entry of value) checkDepth(entry, depth + 1);
  else if (isObject(value)) for (const entry of Object.values(value)) checkDepth(entry, depth + 1);
}
