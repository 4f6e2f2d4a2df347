import { timestamp } from '../core/records/metadata';
import type { HealthResult } from '../core/records/mesos';

/** What one probe of a health check said. `ignored`: an answer that counts neither way (Marathon: ignoreHttp1xx). */
export type Outcome =
  { readonly kind: 'success' } | { readonly kind: 'failure'; readonly cause: string } | { readonly kind: 'ignored' };

/**
 * The result after one more probe; the same object when nothing is to be told. Failures before the first success do not count while
 * the grace period lasts (Marathon and Mesos). A success after a success is no news.
 */
export function afterProbe(
  previous: HealthResult | undefined,
  outcome: Outcome,
  inGrace: boolean,
  nowMs: number,
): HealthResult | undefined {
  if (outcome.kind === 'ignored') return previous;
  const at = timestamp(nowMs);
  if (outcome.kind === 'success') {
    if (previous?.alive === true) return previous;
    return {
      ...previous,
      alive: true,
      consecutiveFailures: 0,
      firstSuccess: previous?.firstSuccess ?? at,
      lastSuccess: at,
    };
  }
  if (previous?.firstSuccess === undefined && inGrace) return previous;
  return {
    ...previous,
    alive: false,
    consecutiveFailures: (previous?.consecutiveFailures ?? 0) + 1,
    lastFailure: at,
    lastFailureCause: outcome.cause,
  };
}
