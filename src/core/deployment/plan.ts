import type { AppSpec } from '../records/app';
import type { RolloutStep } from '../records/records';
import type { DependencyGraph } from './dependency-graph';

/** One app of a change: before and after. Absent before: new. Absent after: removed. */
export interface AppTransition {
  readonly id: string;
  readonly from?: AppSpec;
  readonly to?: AppSpec;
  /** Restart although nothing differs. */
  readonly restart?: boolean;
}

/** Fields the server sets; they are no difference. */
const SERVER_FIELDS: ReadonlySet<string> = new Set(['version', 'versionInfo']);

export type Difference = 'none' | 'scale' | 'config';

/** Marathon: everything but `instances` and the version is configuration, labels and upgradeStrategy included. */
export function differenceOf(from: AppSpec, to: AppSpec): Difference {
  if (canonicalText(from, true) !== canonicalText(to, true)) return 'config';
  return from.instances === to.instances ? 'none' : 'scale';
}

function canonicalText(spec: AppSpec, withoutInstances: boolean): string {
  const entries = Object.entries(spec).filter(
    ([name]) => !SERVER_FIELDS.has(name) && !(withoutInstances && name === 'instances'),
  );
  return JSON.stringify(sorted(Object.fromEntries(entries)));
}

/** The same content gives the same text: keys in order, undefined left out by JSON. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

/**
 * Steps from old to new, as in Marathon: what vanishes is stopped; what is new is announced with 0 instances; then by
 * dependency depth, what others depend on first. Empty steps are left out.
 */
export function planSteps(changes: readonly AppTransition[], graph: DependencyGraph): RolloutStep[] {
  const stops = changes.filter(({ to }) => to === undefined).map(({ id }) => ({ action: 'StopApplication', app: id }));
  const starts = changes
    .filter(({ from, to }) => from === undefined && to !== undefined)
    .map(({ id }) => ({ action: 'StartApplication', app: id }));
  const byDepth = new Map<number, { action: string; app: string }[]>();
  for (const change of changes) {
    const action = actionOf(change);
    if (action === undefined) continue;
    const depth = graph.depthOf(change.id) ?? 0;
    byDepth.set(depth, [...(byDepth.get(depth) ?? []), { action, app: change.id }]);
  }
  const deep = [...byDepth].sort(([a], [b]) => a - b).map(([, actions]) => actions);
  return [stops, starts, ...deep]
    .filter((actions) => actions.length > 0)
    .map((actions) => ({ actions })) as RolloutStep[];
}

function actionOf({ from, to, restart }: AppTransition): 'ScaleApplication' | 'RestartApplication' | undefined {
  if (to === undefined) return undefined;
  if (from === undefined) return 'ScaleApplication';
  const difference = differenceOf(from, to);
  if (restart === true || difference === 'config')
    return to.instances === 0 ? 'ScaleApplication' : 'RestartApplication';
  return difference === 'scale' ? 'ScaleApplication' : undefined;
}
