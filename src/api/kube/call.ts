import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../core/ports/clock';
import { timestamp } from '../../core/records/metadata';
import { type FieldValidation, subjectOf } from './draft';
import { isObject, type JsonObject } from './json';
import type { Author } from './managed-fields';
import type { Representation } from './represent';
import type { Resource, Verb } from './resources';
import type { Served } from './served';
import { badRequest, methodNotAllowed, type Subject } from './status';
import type { Target } from './target';
import { apiVersionOf } from './wire';

/** One request about one resource, read as far as all methods need it. */
export interface Call {
  readonly request: IncomingMessage;
  readonly query: URLSearchParams;
  readonly target: Target;
  readonly served: Served;
  readonly form: Representation;
}

export function subjectOfCall({ target }: Call): Subject {
  return subjectOf(target.resource, target.name);
}

/** Throws 405 when the resource does not have the verb; the text says who writes it or what to do. */
export function checkVerb(resource: Resource, verb: Verb): void {
  if (resource.verbs.includes(verb)) return;
  const why = resource.readOnlyBecause === undefined ? '' : `: ${resource.readOnlyBecause}`;
  throw methodNotAllowed(`${resource.kind} does not support ${verb}${why}`);
}

/** `dryRun=All` (or the same in DeleteOptions). Throws 400 for other values. */
export function dryRunOf(query: URLSearchParams, body?: unknown): boolean {
  const inBody = isObject(body) && Array.isArray(body['dryRun']) ? body['dryRun'].map(String) : [];
  const values = [...query.getAll('dryRun'), ...inBody].filter((value) => value !== '');
  const wrong = values.find((value) => value !== 'All');
  if (wrong !== undefined) throw badRequest(`Invalid value: "${wrong}" for dryRun: supported is "All"`);
  return values.length > 0;
}

/** Kubernetes' default is Warn; kubectl asks for Strict. Throws 400. */
export function validationOf(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation') ?? '';
  if (value === '') return 'Warn';
  if (value === 'Strict' || value === 'Warn' || value === 'Ignore') return value;
  throw badRequest(`Invalid value: "${value}" for fieldValidation: supported are Strict, Warn and Ignore`);
}

/** Characters of a field manager's name (Kubernetes: 128). */
const MANAGER_MAX = 128;

/** Who writes: the fieldManager parameter, or the program of the User-Agent header. */
export function authorOf({ request, query, target }: Call, clock: Clock): Author {
  const agent = (request.headers['user-agent'] ?? '').split('/', 1)[0]?.trim() ?? '';
  const named = query.get('fieldManager') ?? '';
  if (named.length > MANAGER_MAX) throw badRequest(`fieldManager may have ${MANAGER_MAX} characters`);
  const manager = named !== '' ? named : agent !== '' ? agent.slice(0, MANAGER_MAX) : 'unknown';
  return {
    manager,
    apiVersion: apiVersionOf(target.resource.group),
    time: timestamp(clock.nowMs()).replace(/\.\d+Z$/, 'Z'),
    ...(target.subresource === undefined ? {} : { subresource: target.subresource }),
  };
}

/** The object at `metadata`, or an empty one. */
export function metadataOf(object: JsonObject): JsonObject {
  return isObject(object['metadata']) ? object['metadata'] : {};
}
