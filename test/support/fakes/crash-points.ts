import { CRASH_POINTS, type CrashPoint, type CrashPoints } from '../../../src/core/ports/crash-points';

/** Remembers which points were reached. Survives them, but for the one that it is told to die at: nothing comes after it. */
export class RecordingCrashPoints implements CrashPoints {
  readonly reached: CrashPoint[] = [];
  deadly: CrashPoint | undefined;

  reach(point: CrashPoint): void {
    this.reached.push(point);
    if (point === this.deadly) throw new Error(`dead at ${point}`);
  }

  /** Points of a role that were never reached. */
  missing(role: 'agent' | 'master' | 'orchestrator'): string[] {
    return Object.keys(CRASH_POINTS).filter(
      (point) => point.startsWith(`${role}.`) && !this.reached.some((reached) => reached === point),
    );
  }
}
