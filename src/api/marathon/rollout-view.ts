import { instancesOf } from '../../core/lifecycle/views';
import type { Records, Stored } from '../../core/ports/records';
import type { Rollout } from '../../core/records/records';
import { readinessResults } from './app-view';

/** Rollouts that are not over, oldest first. */
export function activeRollouts(records: Records): Stored<Rollout>[] {
  return [...records.collection('Rollout').list()]
    .filter(({ record }) => isActive(record))
    .sort((a, b) => (a.record.spec.version < b.record.spec.version ? -1 : 1));
}

export function isActive({ status }: Rollout): boolean {
  return status.state === 'Waiting' || status.state === 'Running';
}

/** Marathon's deployment. `reason` is ours: why it waits, in one sentence. */
export function deploymentView(records: Records, { metadata, spec, status }: Rollout): Record<string, unknown> {
  const current = spec.steps[status.currentStep - 1]?.actions ?? [];
  return {
    id: metadata.name,
    version: spec.version,
    affectedApps: spec.apps.map(({ id }) => id),
    affectedPods: [],
    steps: spec.steps,
    currentActions: current.map((action) => ({
      ...action,
      readinessCheckResults: readinessResults(instancesOf(records, action.app)),
    })),
    currentStep: status.currentStep,
    totalSteps: spec.steps.length,
    ...(status.reason === undefined ? {} : { reason: status.reason }),
  };
}
