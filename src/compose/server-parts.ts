import type { TokenAuth } from '../api/http/auth';
import type { StreamRegistry } from '../api/http/event-stream';
import type { ServerOptions } from '../cli/options';
import type { LeaderInfo } from '../core/ports/election';
import type { EtcdConnection } from '../io/etcd/connection';
import type { EtcdElection } from '../io/etcd/election';
import type { EtcdMaintenance } from '../io/etcd/maintenance';
import type { MirrorRecords } from '../io/mirror/records';
import type { Master } from '../master/master';
import type { GroupManager } from '../orchestrator/group-manager';
import type { Platform } from './platform';
import type { RestoredStore } from './restored-store';

/** Parts of a server that live as long as the process. */
export interface ServerParts {
  readonly options: ServerOptions;
  readonly platform: Platform;
  readonly auth: TokenAuth;
  readonly connection: EtcdConnection;
  readonly maintenance: EtcdMaintenance;
  readonly records: MirrorRecords;
  readonly restored: RestoredStore;
  readonly election: EtcdElection;
  readonly apps: GroupManager;
  /** Of people and tools: event streams, watches. */
  readonly streams: StreamRegistry;
  /** Of agents: thousands of watchers must not keep agents out. */
  readonly agentStreams: StreamRegistry;
  readonly self: LeaderInfo;
  /** The master of the term that this server holds, if it does. */
  readonly leading: { master: Master | undefined };
}
