import type { IncomingMessage } from 'node:http';
import { valueAt } from './field-set';
import { isObject } from './json';
import { type Resource, isRecordResource } from './resources';
import { parseFieldSelector, parseLabelSelector } from './selectors';
import type { Item } from './source';
import { badRequest, KubeError } from './status';

/** Decides whether an object belongs to the answer. */
export type Filter = (item: Item) => boolean;

/** Fields that can be selected beside metadata.name and metadata.namespace. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  App: ['spec.role', 'spec.id'],
  AppVersion: ['spec.id', 'spec.version'],
  Rollout: ['status.state'],
  Instance: ['spec.appId', 'spec.appVersion', 'spec.goal', 'status.condition', 'status.host', 'status.agentId'],
  Task: ['spec.taskId', 'spec.agentId', 'spec.frameworkId', 'spec.role', 'status.state'],
  Agent: ['spec.hostname', 'spec.unschedulable', 'status.state'],
  Framework: ['spec.info.name', 'status.state'],
  Event: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'type',
    'source',
    'reportingComponent',
  ],
  Namespace: ['status.phase'],
};

/** The filter of labelSelector, fieldSelector, name and namespace. Throws 400 on a selector that cannot be read. */
export function filterOf(resource: Resource, query: URLSearchParams, namespace?: string, name?: string): Filter {
  const supported = new Set(['metadata.name', 'metadata.namespace', ...(FIELDS[resource.kind] ?? [])]);
  const byLabel = parseLabelSelector(query.get('labelSelector') ?? '');
  const byField = parseFieldSelector(query.get('fieldSelector') ?? '', supported);
  return (item) =>
    (namespace === undefined || item.name.namespace === namespace) &&
    (name === undefined || item.name.name === name) &&
    byLabel(labelsOf(item)) &&
    byField((path) => fieldText(item, path));
}

function labelsOf(item: Item): Readonly<Record<string, string>> {
  const labels = item.object.metadata['labels'];
  return isObject(labels) ? Object.fromEntries(Object.entries(labels).map(([key, value]) => [key, String(value)])) : {};
}

function fieldText(item: Item, path: string): string {
  const segments = path === 'source' ? ['source', 'component'] : path.split('.');
  const value = valueAt(item.object, segments) ?? (path === 'source' ? item.object['source'] : undefined);
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | boolean);
}

/** A non-negative whole number of a query, or undefined when it is not given. Throws 400. */
export function numberOf(query: URLSearchParams, key: string): number | undefined {
  const text = query.get(key);
  if (text === null || text === '') return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw badRequest(`query parameter ${key}: "${text}" is not a number of zero or more`);
  return value;
}

/** A truth value of a query: as in Kubernetes `1`, `true` and the bare name are true. */
export function flagOf(query: URLSearchParams, key: string): boolean {
  const text = query.get(key);
  return text === '' || text === '1' || text?.toLowerCase() === 'true';
}

/** Where a list goes on. */
export interface Continue {
  readonly revision: number;
  readonly after: string;
}

/** The opaque `continue` of a list: the revision that all pages share, and the last path that was looked at. */
export function encodeContinue({ revision, after }: Continue): string {
  return Buffer.from(JSON.stringify({ v: 1, revision, after })).toString('base64url');
}

/** The inverse; throws 400 for what we have not made. */
export function decodeContinue(token: string): Continue {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    if (
      isObject(value) &&
      value['v'] === 1 &&
      typeof value['revision'] === 'number' &&
      typeof value['after'] === 'string'
    )
      return { revision: value['revision'], after: value['after'] };
  } catch {
    // Falls through to the refusal: what does not parse is as foreign as what has other fields.
  }
  throw badRequest('continue key is not valid');
}

/** The base of the URL of a request is of no interest, only path and query are. */
export function urlOf(request: IncomingMessage): URL {
  try {
    return new URL(request.url ?? '/', 'http://localhost');
  } catch (cause) {
    throw new KubeError(400, 'BadRequest', 'the request URL cannot be read', {}, { cause });
  }
}

/** Kinds that have records can be paged. */
export function isPaged(resource: Resource): boolean {
  return isRecordResource(resource);
}
