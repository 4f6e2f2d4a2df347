import type { Clock } from '../../core/ports/clock';
import type { LeaderInfo } from '../../core/ports/election';
import type { Logger } from '../../core/ports/logger';
import { LeaseElection } from '../election/lease-election';
import type { EtcdConnection } from './connection';
import { EtcdLeases } from './leases';
import type { EtcdStore } from './store';

/** Leader election in etcd. `store` must be on the same etcd as `connection`. */
export class EtcdElection extends LeaseElection {
  constructor(
    connection: EtcdConnection,
    store: EtcdStore,
    me: LeaderInfo,
    clock: Clock,
    log: Logger,
    options: { readonly ttlMs?: number; readonly key?: string } = {},
  ) {
    super(new EtcdLeases(connection, clock), store, me, clock, log, options.ttlMs, options.key);
  }
}
