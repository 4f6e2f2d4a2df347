import type { Fence } from './store';

/** What the leader tells about itself; stored in the leader key, readable by all. */
export interface LeaderInfo {
  /** Id of the server process (a UUID, new at every start). */
  readonly id: string;
  readonly hostname: string;
  /** `host:port` of the Marathon face, as others reach it. */
  readonly marathonAddress: string;
  /** `host:port` of the Mesos face (agents and frameworks connect here). */
  readonly mesosAddress: string;
  readonly version: string;
}

/** One period of leadership. */
export interface Term {
  /** Goes into every controller write. */
  readonly fence: Fence;
  /** Aborts when the term ends for any reason, before the lease can lapse at the store. */
  readonly signal: AbortSignal;
  /** Judged by this process's monotonic clock alone. False: stop acting now, whatever else you believe. */
  isHeld(): boolean;
}

/** Leader election. Implementations: etcd and memory; one contract suite. */
export interface Election {
  /**
   * Campaigns until `signal` aborts. Each time leadership is won, `lead` runs for that term; its promise is awaited before
   * campaigning again. When `signal` aborts while leading, the lease is revoked so that another takes over at once.
   * Store trouble never rejects: it ends the term and campaigns again.
   */
  run(lead: (term: Term) => Promise<void>, signal: AbortSignal): Promise<void>;
  /** Gives leadership up now, if held. Others come first; with none that can, this one wins the next term a moment later. */
  abdicate(): void;
  /** Who leads as far as this replica knows. */
  leader(): LeaderInfo | undefined;
  /** True while this replica holds a valid term. */
  isLeader(): boolean;
  /** Called on every change of leader(). Returns the unsubscribe function. */
  onChange(listener: (leader: LeaderInfo | undefined) => void): () => void;
}
