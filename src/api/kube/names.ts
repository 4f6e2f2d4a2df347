import { appIdFrom, appPath, lastSegment, namespacedName, parentOf } from '../../core/records/paths';
import { ABSOLUTE_ID_PATTERN } from '../../core/records/app';

/** What kubectl calls an object: one path segment, and the namespace if its kind has one. */
export interface ObjectName {
  readonly namespace?: string;
  readonly name: string;
}

/** App `prod/eu/web` is `web` in `prod_eu`. */
export function appName(path: string): ObjectName {
  return namespacedName(`/${path}`);
}

/** The inverse of appName; undefined when no app can have this name. */
export function appPathOf({ namespace, name }: ObjectName): string | undefined {
  const id = appIdFrom(namespace ?? 'default', name);
  if (!ABSOLUTE_ID_PATTERN.test(id)) return undefined;
  const back = namespacedName(id);
  return back.name === name && back.namespace === (namespace ?? 'default') ? appPath(id) : undefined;
}

/** Version `2026-01-02T03:04:05.678Z` of `prod/web` is `web-2026-01-02t03-04-05-678z` in `prod`. */
export function appVersionName(path: string): ObjectName {
  const app = appName(parentOf(path));
  const version = lastSegment(path).toLowerCase().replaceAll(/[:.]/g, '-');
  return { ...app, name: `${app.name}-${version}` };
}

const VERSION_NAME = /^(.+)-(\d{4}-\d\d-\d\d)t(\d\d)-(\d\d)-(\d\d)-(\d{3})z$/;

/** The inverse of appVersionName. */
export function appVersionPathOf({ namespace, name }: ObjectName): string | undefined {
  const match = VERSION_NAME.exec(name);
  if (match === null) return undefined;
  const [, app, day, hours, minutes, seconds, millis] = match;
  const path = appPathOf({ namespace: namespace ?? 'default', name: app ?? '' });
  return path === undefined ? undefined : `${path}/${day}T${hours}:${minutes}:${seconds}.${millis}Z`;
}

/** Instance `prod/web/<id>` is `<id>` in the namespace of its app. */
export function instanceName(path: string): ObjectName {
  return { ...appName(parentOf(path)), name: lastSegment(path) };
}

/** Event `<namespace>/<name>`. */
export function eventName(path: string): ObjectName {
  return { namespace: parentOf(path), name: lastSegment(path) };
}

/** A group's path, with `_` for `/` as in namespaces (`_` cannot occur in a group id); the root group is `_`. */
export function groupName(path: string): ObjectName {
  return { name: path === '' ? '_' : path.replaceAll('/', '_') };
}

/** The inverse of groupName. */
export function groupPathOf({ name }: ObjectName): string | undefined {
  if (name === '_') return '';
  const path = name.replaceAll('_', '/');
  return ABSOLUTE_ID_PATTERN.test(`/${path}`) ? path : undefined;
}

/** A role's name, with `:` for `/` (hierarchical roles): Kubernetes names are one path segment. */
export function roleName(path: string): ObjectName {
  return { name: path.replaceAll('/', ':') };
}

const ROLE_SEGMENT = /^(?!-)(?!\.{1,2}$)[^\s/:%]+$/;

/** The inverse of roleName. Mesos: a segment may not start with `-`, be `.` or `..`, or hold white space. */
export function rolePathOf({ name }: ObjectName): string | undefined {
  const segments = name.split(':');
  return segments.every((segment) => ROLE_SEGMENT.test(segment)) ? segments.join('/') : undefined;
}
