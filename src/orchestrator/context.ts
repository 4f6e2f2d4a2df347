import type { Clock } from '../core/ports/clock';
import type { CrashPoints } from '../core/ports/crash-points';
import type { IdSource } from '../core/ports/ids';
import type { Logger } from '../core/ports/logger';
import type { Random } from '../core/ports/random';
import type { Records, RecordWrite } from '../core/ports/records';
import type { Fence } from '../core/ports/store';
import type { EventRecorder } from '../core/records/event-recorder';
import { LIMITS } from '../core/limits';
import type { OrchestratorMetrics } from './orchestrator-metrics';

export interface OrchestratorOptions {
  /** Host name shown in FrameworkInfo. */
  readonly hostname?: string;
  /** Milliseconds a task may take from launch to running (Marathon: --task_launch_timeout); pulling an image adds its own limit. */
  readonly taskLaunchTimeoutMs?: number;
  /** Milliseconds between full passes, a safety net for wake-ups that were lost. */
  readonly resyncMs?: number;
  /** Seconds for which an offer of no use is declined (Marathon: --decline_offer_duration). */
  readonly declineSeconds?: number;
  /** Marathon: --env_vars_prefix. */
  readonly envVarsPrefix?: string;
}

/** What every part of one term's orchestrator works with. */
export interface OrchestratorContext {
  readonly records: Records;
  readonly fence: Fence;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: IdSource;
  readonly log: Logger;
  readonly metrics: OrchestratorMetrics;
  readonly events: EventRecorder;
  readonly crashPoints: CrashPoints;
  /** False: some task that is on record as running may be over; nothing is surplus yet that nobody asked to stop. */
  readonly agentsAreBack: () => boolean;
  readonly options: OrchestratorOptions;
}

/** Writes in commits of allowed size, each fenced. Not one transaction: every write must be safe on its own. */
export async function writeFenced(context: OrchestratorContext, writes: readonly RecordWrite[]): Promise<void> {
  for (let at = 0; at < writes.length; at += LIMITS.commitWrites) {
    if (context.signal.aborted) return;
    await context.records.write(writes.slice(at, at + LIMITS.commitWrites), context.fence);
  }
}

/** Stable, so that a new term is a fail-over and not a new framework. */
export const FRAMEWORK_ID = 'berth-marathon';
