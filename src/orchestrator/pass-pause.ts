import { LIMITS } from '../core/limits';

/**
 * A pass looks at every instance of the app, some microseconds each: with this pause the passes of one large app take a
 * small part of the time, whatever the rate of changes.
 */
export function passPauseMs(instances: number): number {
  return instances < LIMITS.instancesPerPauseMs ? 0 : Math.floor(instances / LIMITS.instancesPerPauseMs);
}
