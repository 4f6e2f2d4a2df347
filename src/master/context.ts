import { LIMITS } from '../core/limits';
import type { Clock } from '../core/ports/clock';
import type { CrashPoints } from '../core/ports/crash-points';
import type { Term } from '../core/ports/election';
import type { IdSource } from '../core/ports/ids';
import type { Logger } from '../core/ports/logger';
import type { Metrics } from '../core/ports/metrics';
import type { Random } from '../core/ports/random';
import type { Records } from '../core/ports/records';
import type { EventRecorder } from '../core/records/event-recorder';

/** Defaults in brackets; all times in milliseconds. */
export interface MasterOptions {
  /** [3 s] Mesos: --agent_ping_timeout, 15 s. */
  readonly pingIntervalMs: number;
  /** [5] Mesos: --max_agent_ping_timeouts. */
  readonly maxMissedPings: number;
  /** [75 s] How long agents known from before have to come back after a term has begun. Mesos: --agent_reregister_timeout. */
  readonly reregisterTimeoutMs: number;
  /** [30 s] Mesos: --offer_timeout, off there. */
  readonly offerTimeoutMs: number;
  /** [1 ms] How long changes are gathered before a run of the allocator. Mesos waits up to a second. */
  readonly allocationDelayMs: number;
  /** [1 s] How often ended filters are looked for; the shortest filter. Mesos: --allocation_interval. */
  readonly allocationIntervalMs: number;
  /** [30 s] */
  readonly killRetryMs: number;
  /** [15 s] */
  readonly heartbeatIntervalMs: number;
  /** [0.55] Above this share of silent agents nobody is declared unreachable. */
  readonly silentAgentsBrake: number;
  /** [50] Removed frameworks that are remembered, so that their ids cannot be used again. */
  readonly completedFrameworks: number;
  /**
   * [false] The store went back in time: nothing is offered until every agent on record has said what it runs, but no longer
   * than `reregisterTimeoutMs`.
   */
  readonly awaitAgents: boolean;
}

export const MASTER_DEFAULTS: MasterOptions = {
  pingIntervalMs: 3_000,
  maxMissedPings: 5,
  reregisterTimeoutMs: 75_000,
  offerTimeoutMs: LIMITS.offerTimeoutMs,
  allocationDelayMs: 1,
  allocationIntervalMs: 1_000,
  killRetryMs: LIMITS.killRetryMs,
  heartbeatIntervalMs: 15_000,
  silentAgentsBrake: LIMITS.silentAgentsBrake,
  completedFrameworks: 50,
  awaitAgents: false,
};

/** What the composition root gives to a master. One master per term. */
export interface MasterPorts {
  readonly records: Records;
  readonly term: Pick<Term, 'fence' | 'signal'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: IdSource;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly events: EventRecorder;
  /** Default: none. */
  readonly crashPoints?: CrashPoints;
  /** Called when offers begin after `awaitAgents`. */
  readonly onSettled?: () => void;
}

/** What every part of one master shares. */
export interface MasterContext extends MasterPorts {
  readonly options: MasterOptions;
  /** A UUID per term; prefix of the ids it hands out (Mesos: MasterInfo.id). */
  readonly masterId: string;
  readonly crashPoints: CrashPoints;
}
