import type { AppSpec } from '../records/app';

/** What the app's unreachableStrategy says about an instance whose agent has not answered for so long. */
export type UnreachablePhase =
  /** Counts as one of the wanted instances. */
  | 'wait'
  /** A replacement is started; if it comes back, the surplus is killed. */
  | 'inactive'
  /** Forgotten; if it comes back, it is killed. */
  | 'expunge';

export interface UnreachableVerdict {
  readonly phase: UnreachablePhase;
  /** Milliseconds until the phase changes; absent: never. */
  readonly changesInMs?: number;
}

/** Marathon: after inactiveAfterSeconds a replacement, after expungeAfterSeconds forgotten; 0/0 at once. */
export function unreachablePhase(strategy: AppSpec['unreachableStrategy'], forMs: number): UnreachableVerdict {
  if (strategy === 'disabled') return { phase: 'wait' };
  const inactiveMs = strategy.inactiveAfterSeconds * 1000;
  const expungeMs = strategy.expungeAfterSeconds * 1000;
  if (forMs >= expungeMs) return { phase: 'expunge' };
  if (forMs >= inactiveMs) return { phase: 'inactive', changesInMs: expungeMs - forMs };
  return { phase: 'wait', changesInMs: inactiveMs - forMs };
}
