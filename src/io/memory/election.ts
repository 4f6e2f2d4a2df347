import type { Clock } from '../../core/ports/clock';
import type { LeaderInfo } from '../../core/ports/election';
import type { Logger } from '../../core/ports/logger';
import { LeaseElection } from '../election/lease-election';
import { MemoryLeases, type LeaseFaults } from './leases';
import type { MemoryStore } from './store';

/** One candidate of a simulated cluster. All candidates share `store` and `leases`; the fence is a key of that store. */
export class MemoryElection extends LeaseElection {
  constructor(
    store: MemoryStore,
    leases: MemoryLeases,
    me: LeaderInfo,
    clock: Clock,
    log: Logger,
    options: { readonly ttlMs?: number; readonly faults?: LeaseFaults } = {},
  ) {
    super(leases.client(options.faults), store, me, clock, log, options.ttlMs);
  }
}
