import { LIMITS } from '../core/limits';

/**
 * Holds back kills that no user asked for when they are many: an emptied or old store must never end running work. What apps
 * ask for adds up until it is done or no longer wanted, so many small demands brake like one large one.
 */
export class KillBrake {
  private readonly held = new Map<string, number>();
  private readonly recent: { readonly atMs: number; readonly count: number }[] = [];

  /** Kills that are held back now. */
  get heldBack(): number {
    let sum = 0;
    for (const count of this.held.values()) sum += count;
    return sum;
  }

  /**
   * @param count kills the app wants now without a user's write; 0: wants none any more
   * @param instances of all apps together
   * @returns whether it may kill them (all or none)
   */
  allows(appId: string, count: number, instances: number, monotonicMs: number): boolean {
    if (count === 0) {
      this.held.delete(appId);
      return true;
    }
    while (this.recent[0] !== undefined && monotonicMs - this.recent[0].atMs > LIMITS.unaskedKillsWindowMs) {
      this.recent.shift();
    }
    this.held.set(appId, count);
    const done = this.recent.reduce((sum, entry) => sum + entry.count, 0);
    if (this.heldBack + done > this.limit(instances)) return false;
    this.held.delete(appId);
    this.recent.push({ atMs: monotonicMs, count });
    return true;
  }

  limit(instances: number): number {
    return Math.max(LIMITS.unaskedKillsBrake, Math.floor(instances * LIMITS.unaskedKillsBrakeShare));
  }
}
