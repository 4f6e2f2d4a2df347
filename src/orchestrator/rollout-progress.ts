import { instancesOf, isServing, type InstanceView } from '../core/lifecycle/views';
import type { Records } from '../core/ports/records';
import type { App } from '../core/records/app';
import { appPath } from '../core/records/paths';
import type { Rollout, RolloutActionName } from '../core/records/records';

/** Where an app stands in its rollout. */
export type AppPhase =
  /** No rollout, or its part is done: the definition holds as it is. */
  | { readonly kind: 'settled' }
  /** Its step has not come yet: the version before goes on. Without one there is nothing to run. */
  | { readonly kind: 'before'; readonly fromVersion: string | undefined }
  | { readonly kind: 'now'; readonly action: RolloutActionName };

export interface ActionProgress {
  readonly done: boolean;
  /** What it waits for, in words. */
  readonly reason: string;
}

/** True when the instance runs what the app's definition says; scaling makes a new version but no new configuration. */
export function isCurrent(app: App, view: InstanceView): boolean {
  const { version, versionInfo } = app.spec;
  return view.instance.record.spec.appVersion >= (versionInfo?.lastConfigChangeAt ?? version);
}

/** Whether one action of a step has reached its goal, judged by the records alone. */
export function progressOf(records: Records, action: RolloutActionName, appId: string): ActionProgress {
  if (action === 'StartApplication') return { done: true, reason: '' };
  const app = records.collection('App').get(appPath(appId))?.record;
  const views = instancesOf(records, appId);
  if (action === 'StopApplication') {
    const left = views.length;
    return { done: left === 0, reason: `${left} ${plural(left)} of ${appId} must stop` };
  }
  if (app === undefined) return { done: false, reason: `${appId} has no record` };
  return upProgress(app, views, action === 'RestartApplication');
}

function upProgress(app: App, views: readonly InstanceView[], restart: boolean): ActionProgress {
  const present = views.filter(({ condition }) => condition !== 'Unreachable');
  const fresh = restart ? present.filter((view) => isCurrent(app, view)) : present;
  const serving = fresh.filter((view) => view.instance.record.spec.goal === 'Running' && isServing(view)).length;
  const wanted = app.spec.instances;
  const surplus = present.length - wanted;
  if (serving < wanted) return { done: false, reason: `${serving} of ${wanted} instances of ${app.spec.id} serve` };
  const reason = `${surplus} ${plural(surplus)} of ${app.spec.id} must still stop`;
  return { done: surplus <= 0 && fresh.length === present.length, reason };
}

function plural(count: number): string {
  return count === 1 ? 'instance' : 'instances';
}

export interface RolloutProgress {
  /** Counts from 1; one more than there are steps: finished. */
  readonly step: number;
  /** Why the step waits. */
  readonly reason: string;
}

/** How far the rollout has come. Never goes back behind the step that is on record. */
export function rolloutProgress(records: Records, rollout: Rollout): RolloutProgress {
  const { steps } = rollout.spec;
  for (let step = Math.max(1, rollout.status.currentStep); step <= steps.length; step++) {
    const open = (steps[step - 1]?.actions ?? [])
      .map(({ action, app }) => progressOf(records, action, app))
      .filter(({ done }) => !done);
    if (open.length > 0) return { step, reason: open.map(({ reason }) => reason).join('; ') };
  }
  return { step: steps.length + 1, reason: '' };
}

export function phaseIn(records: Records, rollout: Rollout, appId: string): AppPhase {
  const { steps } = rollout.spec;
  const at = steps.findIndex(({ actions }) =>
    actions.some(({ action, app }) => app === appId && action !== 'StartApplication'),
  );
  const action = steps[at]?.actions.find(({ app }) => app === appId)?.action;
  if (at === -1 || action === undefined) return { kind: 'settled' };
  const { step } = rolloutProgress(records, rollout);
  if (at + 1 === step) return { kind: 'now', action };
  if (at + 1 < step) return { kind: 'settled' };
  return { kind: 'before', fromVersion: rollout.spec.apps.find(({ id }) => id === appId)?.fromVersion };
}
