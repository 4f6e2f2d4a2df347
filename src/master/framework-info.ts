import type { MinAllocatable } from '../core/allocator/allocator';
import type { FrameworkInfo } from '../core/records/mesos';
import { hasCapability } from './frameworks';
import { isValidId } from './task-validation';

/** Why a FrameworkInfo cannot be accepted, in words; undefined: it can (Mesos' checks of a subscription). */
export function frameworkProblem(info: FrameworkInfo): string | undefined {
  if (info.id !== undefined && !isValidId(info.id.value)) return `Framework id '${info.id.value}' is invalid`;
  const isMultiRole = hasCapability(info, 'MULTI_ROLE');
  if (isMultiRole && info.role !== undefined)
    return "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable";
  if (!isMultiRole && (info.roles?.length ?? 0) > 0)
    return "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable";
  const roles = info.roles ?? [];
  if (new Set(roles).size !== roles.length) return "'FrameworkInfo.roles' contains duplicate items";
  for (const role of info.role === undefined ? roles : [info.role]) {
    const problem = roleProblem(role);
    if (problem !== undefined) return `Role '${role}' is invalid: ${problem}`;
  }
  const timeout = info.failover_timeout;
  return timeout !== undefined && !(timeout >= 0 && Number.isFinite(timeout))
    ? `The framework failover_timeout (${timeout}) is invalid`
    : undefined;
}

/** Mesos' rules for the name of a role. */
export function roleProblem(role: string): string | undefined {
  if (role === '*') return undefined;
  if (role === '') return 'it is empty';
  if (role.startsWith('-') || role.startsWith('/') || role.endsWith('/'))
    return "it starts with '-' or '/' or ends with '/'";
  // oxlint-disable-next-line no-control-regex -- backspace is one of the characters that Mesos refuses
  if (/[\s\u0008]/.test(role)) return 'it contains whitespace or a backspace';
  for (const part of role.split('/')) {
    if (part === '') return "it contains '//'";
    if (part === '.' || part === '..' || part === '*') return `'${part}' is not a name`;
  }
  return undefined;
}

/** FrameworkInfo.offer_filters: the least a framework wants to be offered, by role; an empty list: anything. */
export function minAllocatableOf(info: FrameworkInfo): Readonly<Record<string, readonly MinAllocatable[]>> {
  const byRole: Record<string, readonly MinAllocatable[]> = {};
  for (const [role, filter] of entriesOf(info['offer_filters'])) {
    const minimum = field(filter, 'min_allocatable_resources');
    if (minimum === undefined) continue;
    const alternatives = field(minimum, 'quantities');
    byRole[role] = Array.isArray(alternatives) ? alternatives.map(quantitiesOf) : [];
  }
  return byRole;
}

function quantitiesOf(alternative: unknown): MinAllocatable {
  const amounts: Record<string, number> = {};
  for (const [name, amount] of entriesOf(field(alternative, 'quantities'))) {
    const value = field(amount, 'value');
    if (typeof value === 'number') amounts[name] = value;
  }
  return amounts;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}
