/** Launch back-off of one app. Pure: the caller owns the clock. Milliseconds of one clock, whichever. */
export interface BackoffPolicy {
  readonly backoffSeconds: number;
  readonly backoffFactor: number;
  readonly maxLaunchDelaySeconds: number;
}

export interface Backoff {
  /** Marathon: the back-off belongs to app and config version; a config change or restart starts anew, scaling does not. */
  readonly configVersion: string;
  readonly delayMs: number;
  /** No launch before. */
  readonly untilMs: number;
}

/** After one more failure. FAILED, ERROR, FINISHED, DROPPED … count; KILLED does not: the caller leaves it out. */
export function raiseBackoff(
  previous: Backoff | undefined,
  policy: BackoffPolicy,
  configVersion: string,
  nowMs: number,
): Backoff {
  const before = currentBackoff(previous, policy, configVersion, nowMs);
  const wanted = before === undefined ? policy.backoffSeconds * 1000 : before.delayMs * policy.backoffFactor;
  const delayMs = Math.min(wanted, policy.maxLaunchDelaySeconds * 1000);
  return { configVersion, delayMs, untilMs: nowMs + delayMs };
}

/** The back-off that still counts: of this config version, and not older than the longest delay since it ran out. */
export function currentBackoff(
  backoff: Backoff | undefined,
  policy: BackoffPolicy,
  configVersion: string,
  nowMs: number,
): Backoff | undefined {
  if (backoff === undefined || backoff.configVersion !== configVersion) return undefined;
  return nowMs - backoff.untilMs >= policy.maxLaunchDelaySeconds * 1000 ? undefined : backoff;
}
