import { LIMITS } from '../core/limits';
import type { MesosHealthCheck, Resource, TaskInfo } from '../core/records/mesos';
import { formatResources, fromThousandths, mayUse, ResourceBag, reservationRoleOf } from '../core/records/resources';

/** What one task of an ACCEPT is checked against. */
export interface TaskSite {
  readonly agentId: string;
  readonly role: string;
  /** What the offers still hold after the tasks before this one. */
  readonly available: ResourceBag;
  isIdInUse(taskId: string): boolean;
}

export type TaskVerdict =
  { readonly ok: true; readonly resources: ResourceBag } | { readonly ok: false; readonly message: string };

/** The checks Mesos makes of a task before it launches it, in its order and words as far as frameworks show them. */
export function validateTask(info: TaskInfo, site: TaskSite): TaskVerdict {
  const problem =
    idProblem(info.task_id.value, site) ??
    agentProblem(info, site) ??
    commandProblem(info) ??
    resourcesProblem(info.resources, site.role) ??
    limitsProblem(info) ??
    killPolicyProblem(info) ??
    checksProblem(info) ??
    sizeProblem(info);
  if (problem !== undefined) return { ok: false, message: problem };
  const resources = ResourceBag.of(info.resources);
  if (resources.isEmpty) return { ok: false, message: 'Task uses no resources' };
  if (!site.available.contains(resources)) {
    const needed = formatResources(resources.toResources());
    const available = formatResources(site.available.toResources());
    return {
      ok: false,
      message: `Total resources ${needed} required by task and its executor is more than available ${available}`,
    };
  }
  return { ok: true, resources };
}

/** Mesos: ids are not empty, at most 255 characters, without `/`, `\` and control characters, and not `.` or `..`. */
export function isValidId(id: string): boolean {
  if (id === '' || id.length > 255 || id === '.' || id === '..') return false;
  for (let i = 0; i < id.length; i++) {
    const code = id.charCodeAt(i);
    if (code < 32 || code === 127 || code === 47 || code === 92) return false;
  }
  return true;
}

function idProblem(taskId: string, site: TaskSite): string | undefined {
  if (!isValidId(taskId)) return `Task ID '${taskId}' is invalid`;
  return site.isIdInUse(taskId) ? `Task has duplicate ID: ${taskId}` : undefined;
}

function agentProblem(info: TaskInfo, site: TaskSite): string | undefined {
  const { value } = info.agent_id;
  return value === site.agentId
    ? undefined
    : `Task uses invalid agent ${value} while agent ${site.agentId} is expected`;
}

/** A task of a docker image may go without a command: the image has its own (Mesos wants an empty CommandInfo). */
function commandProblem(info: TaskInfo): string | undefined {
  if (info.executor !== undefined) {
    return info.command === undefined
      ? 'Custom executors are not supported yet: use a command or a docker container'
      : 'Task should have at least one (but not both) of CommandInfo or ExecutorInfo present';
  }
  if (info.command === undefined && info.container?.docker === undefined)
    return 'Task should have at least one (but not both) of CommandInfo or ExecutorInfo present';
  const isShellWithoutValue =
    info.command !== undefined && info.command.shell !== false && info.command.value === undefined;
  return isShellWithoutValue ? 'Shell command of the task has no value' : undefined;
}

function resourcesProblem(resources: readonly Resource[], role: string): string | undefined {
  let revocable = 0;
  for (const resource of resources) {
    const bad = resourceProblem(resource);
    if (bad !== undefined) return `Task uses invalid resources: ${bad}`;
    const reservedFor = reservationRoleOf(resource);
    if (!mayUse(role, reservedFor)) return `Task uses resources reserved for role ${reservedFor} in role ${role}`;
    const allocatedTo = resource.allocation_info?.role;
    if (allocatedTo !== undefined && allocatedTo !== role)
      return `Task uses resources allocated to role ${allocatedTo} while the offer is for role ${role}`;
    if (resource['revocable'] !== undefined && resource['revocable'] !== null) revocable += 1;
  }
  return revocable > 0 && revocable < resources.length
    ? 'Task uses both revocable and non-revocable resources'
    : undefined;
}

function resourceProblem({ name, type, scalar, ranges, set }: Resource): string | undefined {
  if (type === 'SCALAR') {
    if (scalar === undefined || !Number.isFinite(scalar.value)) return `scalar '${name}' has no value`;
    return scalar.value < 0 ? `scalar '${name}' is negative` : undefined;
  }
  if (type === 'SET') return set === undefined ? `set '${name}' has no items` : undefined;
  if (ranges === undefined) return `ranges '${name}' have no value`;
  return ranges.range.some((range) => range.end < range.begin) ? `ranges '${name}' end before they begin` : undefined;
}

function limitsProblem(info: TaskInfo): string | undefined {
  const requests = ResourceBag.of(info.resources);
  for (const [name, limit] of Object.entries(info.limits ?? {})) {
    if (name !== 'cpus' && name !== 'mem') return `Resource limits are not supported for ${name}`;
    const value = limitValue(limit);
    if (value === undefined) return `Resource limit of ${name} is not a number`;
    if (value < fromThousandths(requests.scalar(name))) return `Resource limit of ${name} is less than its request`;
  }
  return undefined;
}

/** `{value: n}` as Mesos writes it, or the number itself; "Infinity" as text means no limit. */
function limitValue(limit: unknown): number | undefined {
  const inner: unknown = typeof limit === 'object' && limit !== null && 'value' in limit ? limit.value : limit;
  const value = typeof inner === 'string' && inner !== '' ? Number(inner) : inner;
  return typeof value === 'number' && !Number.isNaN(value) ? value : undefined;
}

function killPolicyProblem(info: TaskInfo): string | undefined {
  const nanoseconds = info.kill_policy?.grace_period?.nanoseconds;
  return nanoseconds !== undefined && !(nanoseconds >= 0) ? "Task's 'kill_policy.grace_period' is negative" : undefined;
}

function checksProblem(info: TaskInfo): string | undefined {
  const checks = [...(info.health_check === undefined ? [] : [info.health_check]), ...(info.health_checks ?? [])];
  for (const check of checks) {
    const problem = checkProblem(check);
    if (problem !== undefined) return `Task uses invalid health check: ${problem}`;
  }
  return undefined;
}

function checkProblem(check: MesosHealthCheck): string | undefined {
  const times = [check.delay_seconds, check.interval_seconds, check.timeout_seconds, check.grace_period_seconds];
  if (times.some((seconds) => !(seconds >= 0))) return 'a time is negative';
  if (check.type === 'COMMAND' && check.command?.value === undefined) return "expecting 'command' to be set";
  if (check.type === 'HTTP' && check.http === undefined) return "expecting 'http' to be set";
  if (check.type === 'TCP' && check.tcp === undefined) return "expecting 'tcp' to be set";
  return undefined;
}

/** The record holds the task beside its status and history: half of a record is left to those. */
function sizeProblem(info: TaskInfo): string | undefined {
  const characters = JSON.stringify(info).length;
  const allowed = LIMITS.recordBytes / 2;
  return characters > allowed
    ? `Task is too large: ${characters} characters, at most ${allowed} are allowed`
    : undefined;
}
