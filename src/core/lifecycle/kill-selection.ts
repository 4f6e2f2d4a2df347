import type { AppSpec } from '../records/app';
import { compareText, isServing, type InstanceCondition, type InstanceView } from './views';

/** Lower goes first. Never launched costs nothing; then Marathon's order. */
const CLASS_BY_CONDITION: Readonly<Partial<Record<InstanceCondition, number>>> = {
  Scheduled: 0,
  Unreachable: 1,
  Provisioned: 2,
  Staging: 3,
  Starting: 4,
  Running: 6,
};

/** Those that serve go last, so that making them fewer costs as little service as can be. */
function classOf(view: InstanceView): number {
  if (isServing(view)) return 7;
  return CLASS_BY_CONDITION[view.condition] ?? 5;
}

function startOf(view: InstanceView): number {
  return view.task?.record.status.startedAtMs ?? view.task?.record.status.stagedAtMs ?? 0;
}

/** Who goes first when instances of an app must go. Ties by id, so that the same input gives the same answer. */
export function killOrder(selection: AppSpec['killSelection']): (a: InstanceView, b: InstanceView) => number {
  const direction = selection === 'OLDEST_FIRST' ? 1 : -1;
  return (a, b) =>
    classOf(a) - classOf(b) ||
    direction * (startOf(a) - startOf(b)) ||
    direction * compareText(created(a), created(b)) ||
    compareText(a.id, b.id);
}

function created(view: InstanceView): string {
  return view.instance.record.metadata.creationTimestamp;
}

/**
 * Chooses `count` instances to remove. Marathon: named ones are the caller's; then those that keep a GROUP_BY spread even;
 * inside of a group Unreachable, Staging, Starting, Running and then by killSelection.
 *
 * @param groupOf value of the first GROUP_BY field for an instance; undefined: not on an agent, or no such constraint
 */
export function selectVictims(
  views: readonly InstanceView[],
  count: number,
  selection: AppSpec['killSelection'],
  groupOf: (view: InstanceView) => string | undefined = () => undefined,
): InstanceView[] {
  const ordered = [...views].sort(killOrder(selection));
  if (count >= ordered.length) return ordered;
  const free = ordered.filter((view) => groupOf(view) === undefined);
  const victims = free.slice(0, Math.max(0, count));
  const groups = groupViews(
    ordered.filter((view) => groupOf(view) !== undefined),
    groupOf,
  );
  while (victims.length < count) {
    const victim = largestOf(groups, ordered).shift();
    if (victim === undefined) break;
    victims.push(victim);
  }
  return victims;
}

/** Of groups that are equally large the one whose next member goes first. */
function largestOf(groups: readonly InstanceView[][], ordered: readonly InstanceView[]): InstanceView[] {
  const rank = (group: readonly InstanceView[]) => ordered.findIndex((view) => view === group[0]);
  return groups.reduce<InstanceView[]>((best, group) => {
    const isSame = group.length === best.length && group.length > 0;
    return group.length > best.length || (isSame && rank(group) < rank(best)) ? group : best;
  }, []);
}

function groupViews(
  views: readonly InstanceView[],
  groupOf: (view: InstanceView) => string | undefined,
): InstanceView[][] {
  const groups = new Map<string, InstanceView[]>();
  for (const view of views) {
    const value = groupOf(view) ?? '';
    const group = groups.get(value);
    if (group === undefined) groups.set(value, [view]);
    else group.push(view);
  }
  return [...groups.values()];
}
