import { DependencyGraph } from '../core/deployment/dependency-graph';
import { InvalidError } from '../core/errors';
import type { Records } from '../core/ports/records';
import type { AppSpec } from '../core/records/app';
import { appPath } from '../core/records/paths';
import { ancestorsOf, type Draft } from './change-draft';

/**
 * The dependency graph as it will be after the drafts, for their steps. Throws InvalidError when it has a cycle. When none of
 * the changed apps waits for anything, the rest of the tree is not looked at.
 */
export function graphAfter(records: Records, drafts: readonly Draft[]): DependencyGraph {
  const changed = new Map(drafts.map((draft) => [draft.id, draft.spec]));
  const waits = drafts.some(({ spec }) => spec !== undefined && dependenciesOf(records, spec).length > 0);
  const graph = new DependencyGraph(waits ? allDependencies(records, changed) : new Map());
  for (const { id, spec } of drafts) {
    if (spec === undefined || graph.depthOf(id) !== undefined) continue;
    throw new InvalidError([{ path: '/', message: 'Dependency graph has cyclic dependencies.' }]);
  }
  return graph;
}

function allDependencies(
  records: Records,
  changed: ReadonlyMap<string, AppSpec | undefined>,
): Map<string, readonly string[]> {
  const all = new Map<string, readonly string[]>();
  for (const { record } of records.collection('App').list()) {
    const isGoing = record.metadata.deletionTimestamp !== undefined;
    if (!isGoing && !changed.has(record.spec.id)) all.set(record.spec.id, dependenciesOf(records, record.spec));
  }
  for (const [id, spec] of changed) if (spec !== undefined) all.set(id, dependenciesOf(records, spec));
  return all;
}

/** Its own and those of the groups it is in. */
function dependenciesOf(records: Records, spec: AppSpec): readonly string[] {
  const groups = records.collection('Group');
  if (groups.size === 0) return spec.dependencies;
  const inherited = ancestorsOf(spec.id).flatMap((id) => groups.get(appPath(id))?.record.spec.dependencies ?? []);
  return [...spec.dependencies, ...inherited];
}
