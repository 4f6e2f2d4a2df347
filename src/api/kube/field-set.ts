import { isObject, type JsonObject, UNSAFE_KEYS } from './json';

/**
 * Sets of fields, for server-side apply. A field is a leaf: a scalar, a list (lists are atomic: owned as a whole) or an
 * empty object. Members are the JSON text of the path, so that they can be compared.
 */
export type FieldSet = ReadonlySet<string>;

const METADATA_FIELDS = ['labels', 'annotations', 'finalizers'];

/** The fields of an object that somebody can own: spec, and the metadata that users write. */
export function ownableFields(object: JsonObject): Set<string> {
  const fields = new Set<string>();
  const metadata = object['metadata'];
  if (isObject(metadata))
    for (const key of METADATA_FIELDS)
      if (metadata[key] !== undefined) collect(metadata[key], ['metadata', key], fields);
  if (object['spec'] !== undefined) collect(object['spec'], ['spec'], fields);
  return fields;
}

function collect(value: unknown, path: readonly string[], into: Set<string>): void {
  const entries = isObject(value) ? Object.entries(value).filter(([, entry]) => entry !== undefined) : [];
  if (entries.length === 0) into.add(JSON.stringify(path));
  for (const [key, entry] of entries) collect(entry, [...path, key], into);
}

export function pathOf(field: string): string[] {
  const path: unknown = JSON.parse(field);
  return Array.isArray(path) ? path.map(String) : [];
}

/** `.spec.container.docker.image`: how Kubernetes names a field in a conflict. */
export function textOf(field: string): string {
  return pathOf(field)
    .map((segment) => `.${segment}`)
    .join('');
}

/** Kubernetes' FieldsV1: `{"f:spec": {"f:instances": {}}}`. */
export function encodeFields(fields: FieldSet): JsonObject {
  const root: JsonObject = {};
  for (const field of [...fields].sort()) {
    let node = root;
    for (const segment of pathOf(field)) {
      const key = `f:${segment}`;
      const child = node[key];
      const next: JsonObject = isObject(child) ? child : {};
      node[key] = next;
      node = next;
    }
  }
  return root;
}

/** The inverse of encodeFields. Keys of list items (`k:`, `v:`) are not ours: what is above them counts as the field. */
export function decodeFields(fields: unknown): Set<string> {
  const result = new Set<string>();
  const visit = (node: unknown, path: readonly string[]): void => {
    const children = isObject(node) ? Object.keys(node).filter((key) => key.startsWith('f:')) : [];
    if (children.length === 0 && path.length > 0) result.add(JSON.stringify(path));
    if (isObject(node)) for (const key of children) visit(node[key], [...path, key.slice(2)]);
  };
  visit(fields, []);
  return result;
}

/** The value at a path, or undefined. */
export function valueAt(object: unknown, path: readonly string[]): unknown {
  let value = object;
  for (const segment of path) {
    if (!isObject(value) || !Object.hasOwn(value, segment)) return undefined;
    value = value[segment];
  }
  return value;
}

/** Sets the value at a path, making objects on the way (and replacing what is not one). Changes `object`. */
export function setAt(object: JsonObject, path: readonly string[], value: unknown): void {
  const last = path[path.length - 1];
  if (last === undefined || path.some((segment) => UNSAFE_KEYS.has(segment))) return;
  let node = object;
  for (const segment of path.slice(0, -1)) {
    const child = node[segment];
    const next: JsonObject = isObject(child) ? child : {};
    node[segment] = next;
    node = next;
  }
  node[last] = value;
}

/** Takes the value at a path away. Changes `object`. */
export function deleteAt(object: JsonObject, path: readonly string[]): void {
  const last = path[path.length - 1];
  const parent = valueAt(object, path.slice(0, -1));
  if (last !== undefined && isObject(parent)) delete parent[last];
}

/** Whether some member is at the path or below it. */
export function touches(fields: FieldSet, path: readonly string[]): boolean {
  const exact = JSON.stringify(path);
  if (fields.has(exact)) return true;
  const below = `${exact.slice(0, -1)},`;
  for (const field of fields) if (field.startsWith(below)) return true;
  return false;
}
