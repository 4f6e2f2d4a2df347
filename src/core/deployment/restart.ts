import type { UpgradeStrategy } from '../records/app';

/** One instance as the arithmetic sees it. Dead ones are left out. */
export interface Member {
  readonly id: string;
  /** Running, healthy and ready, and nobody has asked it to stop. */
  readonly serving: boolean;
  /** Not serving, and known to be of no use (unhealthy, or never came up); otherwise it may just not have reported yet. */
  readonly broken: boolean;
}

export interface RestartInput {
  readonly wanted: number;
  readonly strategy: UpgradeStrategy;
  /** Instances of former versions, the first to kill first. */
  readonly old: readonly Member[];
  /** Instances of the new version that are wanted, waiting ones included. */
  readonly fresh: readonly Member[];
  /** Instances that are being stopped but still hold their place. */
  readonly stopping: number;
  /** Has persistent volumes: goes below the minimum rather than above the maximum when both are the same. */
  readonly resident: boolean;
}

export interface RestartPlan {
  readonly kill: readonly string[];
  readonly start: number;
}

/** The bounds of a rolling replacement. Marathon: ceil(n * minimumHealthCapacity), floor(n * (1 + maximumOverCapacity)). */
export function capacityBounds(
  wanted: number,
  strategy: UpgradeStrategy,
  serving: number,
  resident: boolean,
): { readonly min: number; readonly max: number } {
  const min = Math.ceil(round(wanted * strategy.minimumHealthCapacity));
  const max = Math.floor(round(wanted * (1 + strategy.maximumOverCapacity)));
  if (min !== max || serving < max) return { min, max };
  return resident ? { min: min - 1, max } : { min, max: max + 1 };
}

/** 3 * 1.1 is 3.3000000000000003 in binary; a bound must not move because of it. */
function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

/**
 * What to kill and to start now. Level-triggered: call it again whenever something changed. At every instant at least `min`
 * instances serve (as far as this plan decides) and at most `max` hold a place. Unhealthy old ones go first and are never
 * missed; a serving one goes only while enough others serve.
 */
export function planRestart(input: RestartInput): RestartPlan {
  const { wanted, old, fresh, stopping } = input;
  const serving = [...old, ...fresh].filter((member) => member.serving).length;
  const { min, max } = capacityBounds(wanted, input.strategy, serving, input.resident);
  const total = old.length + fresh.length + stopping;
  const missing = Math.max(0, wanted - fresh.length);
  const start = Math.min(missing, Math.max(0, max - total));
  const roomWanted = missing - start;
  return { kill: victims(old, serving - min, roomWanted), start };
}

function victims(old: readonly Member[], servingToSpare: number, roomWanted: number): string[] {
  const broken = old.filter((member) => !member.serving && member.broken);
  const doubtful = old.filter((member) => !member.serving && !member.broken);
  const serving = old.filter((member) => member.serving);
  const enough = serving.length <= Math.max(0, servingToSpare);
  // When the last serving old one may go, the doubtful ones are of no use either; before, only as many as room is needed.
  const doubtfulCount = enough ? doubtful.length : Math.max(0, roomWanted - broken.length);
  return [...broken, ...doubtful.slice(0, doubtfulCount), ...serving.slice(0, Math.max(0, servingToSpare))].map(
    (member) => member.id,
  );
}
