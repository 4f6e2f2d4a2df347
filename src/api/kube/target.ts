import type { ObjectName } from './names';
import { type Resource, resourceOf } from './resources';
import { noSuchPath } from './status';

/** What a URL below `/api/v1` or `/apis/<group>/<version>` is about. */
export interface Target {
  readonly resource: Resource;
  /** undefined: all namespaces, or a kind without. */
  readonly namespace?: string;
  /** undefined: the collection. */
  readonly name?: string;
  readonly subresource?: string;
}

/** Name and namespace of the object of a target. */
export function nameOf(target: Target): ObjectName {
  const name = target.name ?? '';
  return target.namespace === undefined ? { name } : { namespace: target.namespace, name };
}

/**
 * Reads the segments behind the group version: `[namespaces/NS/]PLURAL[/NAME[/SUB]]`. `namespaces/X` alone is the namespace
 * itself. Throws 404.
 */
export function targetOf(group: string, segments: readonly string[]): Target {
  const [first, namespace, ...rest] = segments;
  if (first === 'namespaces' && namespace !== undefined && rest.length > 0 && !isSubresource(group, rest)) {
    const target = plain(group, rest);
    if (!target.resource.namespaced) throw noSuchPath();
    return { ...target, namespace };
  }
  const target = plain(group, segments);
  // An object of a namespaced kind needs its namespace.
  if (target.resource.namespaced && target.name !== undefined) throw noSuchPath();
  return target;
}

/** `/api/v1/namespaces/X/status` is a part of the namespace X, not a kind inside of it. */
function isSubresource(group: string, rest: readonly string[]): boolean {
  return group === '' && rest.length === 1 && ['status', 'finalize'].includes(rest[0] ?? '');
}

function plain(group: string, segments: readonly string[]): Target {
  const [plural = '', name, subresource, ...more] = segments;
  const resource = resourceOf(group, plural);
  if (resource === undefined || more.length > 0) throw noSuchPath();
  if (subresource !== undefined && !resource.subresources.some((known) => known === subresource)) throw noSuchPath();
  return {
    resource,
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
  };
}

/** The decoded segments of a path, without empty ones. Throws 404 for what cannot be decoded. */
export function segmentsOf(pathname: string): string[] {
  try {
    return pathname
      .split('/')
      .filter((segment) => segment !== '')
      .map(decodeURIComponent);
  } catch {
    throw noSuchPath();
  }
}
