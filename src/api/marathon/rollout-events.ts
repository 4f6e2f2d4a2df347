import type { Records } from '../../core/ports/records';
import { appPath, appVersionPath } from '../../core/records/paths';
import type { Rollout } from '../../core/records/records';
import { definitionView } from './app-view';
import { groupEmbeds } from './embeds';
import type { MarathonEvent } from './events';
import { groupView, type GroupApp } from './group-view';
import { isActive } from './rollout-view';

/** The story of a deployment: its change of groups, each step begun and done, its end. */
export function rolloutEvents(
  records: Records,
  previous: Rollout | undefined,
  current: Rollout | undefined,
): MarathonEvent[] {
  const rollout = current ?? previous;
  if (rollout === undefined) return [];
  const teller = new Teller(records, rollout);
  const before = previous?.status;
  const created = previous === undefined ? [teller.changed()] : [];
  if (current === undefined) return before !== undefined && isActive(rollout) ? teller.vanished() : [];
  const wasActive = previous === undefined || isActive(previous);
  const steps = teller.progress(before?.currentStep ?? 0, current.status.currentStep);
  const end = wasActive && !isActive(current) ? teller.ended() : [];
  return [...created, ...steps, ...end];
}

class Teller {
  constructor(
    private readonly records: Records,
    private readonly rollout: Rollout,
  ) {}

  changed(): MarathonEvent {
    return { eventType: 'group_change_success', fields: { groupId: '/', version: this.rollout.spec.version } };
  }

  /** Each new step begins after the one before it is done, also when a watch saw only the last. */
  progress(from: number, to: number): MarathonEvent[] {
    const events: MarathonEvent[] = [];
    for (let step = from + 1; step <= to; step += 1) {
      if (step > 1) events.push(this.step('deployment_step_success', step - 1));
      if (step <= this.rollout.spec.steps.length) events.push(this.step('deployment_info', step));
    }
    return events;
  }

  ended(): MarathonEvent[] {
    const { state, currentStep, reason } = this.rollout.status;
    if (state === 'Succeeded') return this.succeeded(currentStep);
    return [this.failed(reason ?? 'cancelled')];
  }

  /** Removed while it was running: the record's end tells nothing, its last step does. */
  vanished(): MarathonEvent[] {
    const { status, spec } = this.rollout;
    return status.currentStep >= spec.steps.length
      ? this.succeeded(status.currentStep)
      : [this.failed(status.reason ?? 'cancelled')];
  }

  private succeeded(currentStep: number): MarathonEvent[] {
    const last = Math.min(currentStep, this.rollout.spec.steps.length);
    const done = last > 0 && currentStep === last ? [this.step('deployment_step_success', last)] : [];
    return [...done, { eventType: 'deployment_success', fields: { id: this.id }, plan: this.plan() }];
  }

  private failed(reason: string): MarathonEvent {
    return { eventType: 'deployment_failed', fields: { id: this.id, reason }, plan: this.plan() };
  }

  private step(eventType: string, step: number): MarathonEvent {
    const currentStep = this.rollout.spec.steps[step - 1] ?? { actions: [] };
    return { eventType, fields: { currentStep }, plan: this.plan() };
  }

  private get id(): string {
    return this.rollout.metadata.name;
  }

  /** `original` and `target` hold the apps that the deployment changes, not the whole world: an event must stay small. */
  private plan(): Record<string, unknown> {
    const { apps, steps, version } = this.rollout.spec;
    return {
      id: this.id,
      version,
      steps,
      original: this.groups(apps.map(({ id, fromVersion }) => ({ id, version: fromVersion }))),
      target: this.groups(apps.map(({ id, toVersion }) => ({ id, version: toVersion }))),
    };
  }

  private groups(apps: readonly { readonly id: string; readonly version: string | undefined }[]): unknown {
    const shown = apps.flatMap(({ id, version }): GroupApp[] => {
      const spec = version === undefined ? undefined : this.definition(id, version);
      return spec === undefined ? [] : [{ id, version: spec.version, view: definitionView(spec) }];
    });
    return groupView(this.records, '/', shown, groupEmbeds([]));
  }

  private definition(id: string, version: string) {
    const current = this.records.collection('App').get(appPath(id))?.record.spec;
    if (current?.version === version) return current;
    return this.records.collection('AppVersion').get(appVersionPath(id, version))?.record.spec;
  }
}
