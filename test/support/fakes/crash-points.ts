import { CRASH_POINTS, type CrashPoint, type CrashPoints } from '../../../src/core/ports/crash-points';

/** Survives everything and remembers which points were reached. */
export class RecordingCrashPoints implements CrashPoints {
  readonly reached: CrashPoint[] = [];

  reach(point: CrashPoint): void {
    this.reached.push(point);
  }

  /** Points of a role that were never reached. */
  missing(role: 'agent' | 'master' | 'orchestrator'): string[] {
    return Object.keys(CRASH_POINTS).filter(
      (point) => point.startsWith(`${role}.`) && !this.reached.some((reached) => reached === point),
    );
  }
}
