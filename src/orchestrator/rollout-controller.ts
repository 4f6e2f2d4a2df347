import { LIMITS } from '../core/limits';
import { appPath, namespacedName } from '../core/records/paths';
import type { Rollout } from '../core/records/records';
import type { Stored } from '../core/ports/records';
import { writeFenced, type OrchestratorContext } from './context';
import { passPauseMs } from './pass-pause';
import { rolloutProgress } from './rollout-progress';

export interface RolloutControllerParts {
  readonly wakeAfter: (rolloutId: string, delayMs: number) => void;
  /** The apps of a rollout may have a new phase. */
  readonly wakeApps: (appIds: readonly string[]) => void;
}

/**
 * Brings rollouts forward: notes the step they are at and why it waits, and clears away those that have ended. What is done
 * in a step is the app controller's part.
 */
export class RolloutController {
  private readonly writtenMs = new Map<string, number>();

  constructor(
    private readonly context: OrchestratorContext,
    private readonly parts: RolloutControllerParts,
  ) {}

  /** Resolves with the pause before the next pass, in milliseconds. */
  async sync(rolloutId: string): Promise<number> {
    const rollout = this.context.records.collection('Rollout').get(rolloutId);
    if (rollout === undefined) {
      this.writtenMs.delete(rolloutId);
      return 0;
    }
    const { state } = rollout.record.status;
    if (state === 'Succeeded' || state === 'Failed') await this.clearAway(rollout);
    else await this.follow(rollout);
    const instances = this.context.records.collection('Instance');
    const count = rollout.record.spec.apps.reduce((sum, { id }) => sum + instances.in(appPath(id)).length, 0);
    return passPauseMs(count);
  }

  private async follow(rollout: Stored<Rollout>): Promise<void> {
    const { state } = rollout.record.status;
    const total = rollout.record.spec.steps.length;
    const { step, reason } = rolloutProgress(this.context.records, rollout.record);
    if (step > total) await this.advance(rollout, { currentStep: total, state: 'Succeeded' });
    else if (step !== rollout.record.status.currentStep || state !== 'Running') {
      await this.advance(rollout, { currentStep: step, state: 'Running', reason });
    } else if (reason !== rollout.record.status.reason) await this.tellReason(rollout, reason);
  }

  private async advance(rollout: Stored<Rollout>, status: Rollout['status']): Promise<void> {
    this.context.crashPoints.reach('orchestrator.step-done');
    await this.write(rollout, status);
    this.context.log.info('rollout advanced', {
      rolloutId: rollout.path,
      currentStep: status.currentStep,
      state: status.state,
    });
    this.parts.wakeApps(rollout.record.spec.apps.map(({ id }) => id));
  }

  /** Reasons change with every instance: they are written now and then. */
  private async tellReason(rollout: Stored<Rollout>, reason: string): Promise<void> {
    const nowMs = this.context.clock.monotonicMs();
    const leftMs = (this.writtenMs.get(rollout.path) ?? Number.NEGATIVE_INFINITY) + LIMITS.statusWriteMs - nowMs;
    if (leftMs > 0) return this.parts.wakeAfter(rollout.path, leftMs);
    await this.write(rollout, { ...rollout.record.status, reason });
  }

  private async write({ record, path, revision }: Stored<Rollout>, status: Rollout['status']): Promise<void> {
    this.writtenMs.set(path, this.context.clock.monotonicMs());
    const written: Rollout = { ...record, status };
    await writeFenced(this.context, [{ op: 'put', kind: 'Rollout', path, record: written, expect: revision }]);
  }

  private async clearAway({ record, path, revision }: Stored<Rollout>): Promise<void> {
    this.context.crashPoints.reach('orchestrator.rollout-done');
    await writeFenced(this.context, [{ op: 'delete', kind: 'Rollout', path, expect: revision }]);
    const hasSucceeded = record.status.state === 'Succeeded';
    this.context.metrics.rollouts.inc({ result: hasSucceeded ? 'succeeded' : 'failed' });
    this.parts.wakeApps(record.spec.apps.map(({ id }) => id));
    for (const { id } of record.spec.apps) {
      const app = this.context.records.collection('App').get(appPath(id))?.record;
      this.context.events.record({
        involvedObject: {
          kind: 'App',
          ...namespacedName(id),
          ...(app === undefined ? {} : { uid: app.metadata.uid }),
        },
        type: hasSucceeded ? 'Normal' : 'Warning',
        reason: hasSucceeded ? 'RolloutSucceeded' : 'RolloutFailed',
        message: hasSucceeded
          ? `rollout ${path} is done`
          : `rollout ${path} ended: ${record.status.reason ?? 'failed'}`,
      });
    }
  }
}
