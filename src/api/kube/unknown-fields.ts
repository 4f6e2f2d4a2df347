import { isObject, type JsonObject } from './json';
import type { Schema } from './schemas';

const TOP = new Set(['apiVersion', 'kind', 'metadata']);
/** Fields of ObjectMeta (Kubernetes 1.32). */
const METADATA = new Set([
  'name',
  'generateName',
  'namespace',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'managedFields',
]);

/**
 * Paths of fields that the schema does not know, each as segments: object keys, and indices as `[0]`. Objects without
 * declared fields are free; so is whatever already was an unknown field of `live` (a newer version may have written it).
 */
export function unknownFields(
  object: JsonObject,
  parts: Readonly<Record<string, Schema>>,
  live: JsonObject | undefined,
): string[][] {
  const found: string[][] = [];
  for (const [key, value] of Object.entries(object)) {
    if (TOP.has(key)) continue;
    const schema = parts[key];
    // What the server writes is ignored when it is sent, known or not.
    if (key === 'status') continue;
    if (schema === undefined) found.push([key]);
    else visit(value, schema, [key], found);
  }
  const metadata = object['metadata'];
  if (isObject(metadata))
    for (const key of Object.keys(metadata)) if (!METADATA.has(key)) found.push(['metadata', key]);
  return live === undefined ? found : found.filter((path) => !exists(live, path));
}

function visit(value: unknown, schema: Schema, path: readonly string[], found: string[][]): void {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (isObject(items)) value.forEach((entry, index) => visit(entry, items, [...path, `[${index}]`], found));
    return;
  }
  if (!isObject(value)) return;
  const { properties, additionalProperties, anyOf } = schema;
  if (isObject(properties)) {
    for (const [key, entry] of Object.entries(value)) {
      const child = properties[key];
      if (!isObject(child)) found.push([...path, key]);
      else visit(entry, child, [...path, key], found);
    }
  } else if (isObject(additionalProperties)) {
    for (const [key, entry] of Object.entries(value)) visit(entry, additionalProperties, [...path, key], found);
  } else if (Array.isArray(anyOf)) {
    const object = anyOf.find((member: unknown) => isObject(member) && member['type'] === 'object');
    if (isObject(object)) visit(value, object, path, found);
  }
}

function exists(live: JsonObject, path: readonly string[]): boolean {
  return step(live, path) !== undefined;
}

function step(object: unknown, path: readonly string[]): unknown {
  let value = object;
  for (const segment of path) {
    const index = /^\[(\d+)\]$/.exec(segment)?.[1];
    if (index !== undefined && Array.isArray(value)) value = value[Number(index)];
    else if (isObject(value) && Object.hasOwn(value, segment)) value = value[segment];
    else return undefined;
  }
  return value;
}

/** `spec.container.portMappings[0].nam`. */
export function fieldText(path: readonly string[]): string {
  return path.reduce((text, part) => (part.startsWith('[') || text === '' ? text + part : `${text}.${part}`), '');
}

/** Takes these fields away. Changes `object`. */
export function prune(object: JsonObject, paths: readonly (readonly string[])[]): void {
  for (const path of paths) {
    const parent = step(object, path.slice(0, -1));
    const last = path[path.length - 1];
    if (isObject(parent) && last !== undefined) delete parent[last];
  }
}
