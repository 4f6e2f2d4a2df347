/** How ids become keys, names and namespaces. Key = `/berth/v1/<plural>/<path>`. */

export const KEY_ROOT = '/berth/v1/';
/** Written by whoever puts records of the past back; the next leader acts with care and removes it. No record. */
export const RESTORED_KEY = '/berth/restored';

/** `/prod/web` -> `prod/web` (the path of the record under its plural). */
export function appPath(appId: string): string {
  return appId.slice(1);
}

/** `prod/web` -> `/prod/web`. */
export function appIdOf(path: string): string {
  return `/${path}`;
}

/**
 * App `/prod/eu/web` is name `web` in namespace `prod_eu` (`_` cannot occur in an id, so this can be undone); `/web` is in `default`. The app `/default/web` is in namespace `default_`.
 */
export function namespacedName(appId: string): { readonly namespace: string; readonly name: string } {
  const segments = appPath(appId).split('/');
  const name = segments[segments.length - 1] ?? '';
  const group = segments.slice(0, -1).join('_');
  if (group === '') return { namespace: 'default', name };
  return { namespace: group === 'default' ? 'default_' : group, name };
}

/** The inverse of namespacedName. */
export function appIdFrom(namespace: string, name: string): string {
  if (namespace === 'default') return `/${name}`;
  const group = namespace === 'default_' ? 'default' : namespace;
  return `/${group.replaceAll('_', '/')}/${name}`;
}

/** Last segment of a path: the task id of `tasks/<agent>/<task>`. */
export function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Everything before the last segment: the agent id of `tasks/<agent>/<task>`; '' at the top. */
export function parentOf(path: string): string {
  const cut = path.lastIndexOf('/');
  return cut === -1 ? '' : path.slice(0, cut);
}

/** Marathon 1.8+: `<app path, / as _>.instance-<uuid>`. */
export function instanceId(appId: string, uuid: string): string {
  return `${appPath(appId).replaceAll('/', '_')}.instance-${uuid}`;
}

/** Marathon 1.8+: `<instance id>._app.<incarnation>`; the incarnation counts runs of the instance from 1. */
export function taskIdOf(instance: string, incarnation: number): string {
  return `${instance}._app.${incarnation}`;
}

/** The instance a task id belongs to and its run, or undefined if the id is not of our orchestrator. */
export function parseTaskId(taskId: string): { readonly instanceId: string; readonly incarnation: number } | undefined {
  const match = /^(.+\.instance-[^._]+)\._app\.(\d+)$/.exec(taskId);
  return match?.[1] === undefined ? undefined : { instanceId: match[1], incarnation: Number(match[2]) };
}

/** The app of an instance id: `prod_web.instance-…` -> `/prod/web`. */
export function appIdOfInstance(instance: string): string {
  const cut = instance.lastIndexOf('.instance-');
  return `/${instance.slice(0, cut).replaceAll('_', '/')}`;
}

/** Path of an instance record: `<app path>/<instance id>`. */
export function instancePath(instance: string): string {
  return `${appPath(appIdOfInstance(instance))}/${instance}`;
}

/** Path of a task record: `<agent id>/<task id>`. */
export function taskPath(agentId: string, taskId: string): string {
  return `${agentId}/${taskId}`;
}

/** Path of an app version record: `<app path>/<version>`. */
export function appVersionPath(appId: string, version: string): string {
  return `${appPath(appId)}/${version}`;
}
