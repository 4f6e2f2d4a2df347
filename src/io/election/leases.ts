import type { Entry } from '../../core/ports/store';

export interface Lease {
  readonly id: string;
  /** Granted by the store; may be longer than asked for. */
  readonly ttlMs: number;
}

export type Acquired =
  | { readonly won: true; readonly createRevision: number }
  /** Somebody else holds the key, or held it a moment ago. */
  | { readonly won: false; readonly holder: Entry | undefined };

/** Keys that vanish when their owner no longer renews a lease. Every call throws UnavailableError, after `timeoutMs` at the latest. */
export interface Leases {
  grant(ttlMs: number, timeoutMs: number): Promise<Lease>;
  /** Renews; resolves with the milliseconds it lasts from now on, 0 when the lease is gone. */
  renew(leaseId: string, timeoutMs: number): Promise<number>;
  /** Ends the lease and its keys at once. Revoking what is gone is success. */
  revoke(leaseId: string, timeoutMs: number): Promise<void>;
  /** Creates the key under the lease if it does not exist. */
  acquire(key: string, value: string, leaseId: string, timeoutMs: number): Promise<Acquired>;
}
