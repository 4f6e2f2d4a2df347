import { UnavailableError } from '../../core/errors';
import type { Clock, Timer } from '../../core/ports/clock';
import type { Acquired, Lease, Leases } from '../election/leases';
import type { MemoryStore } from './store';

interface Held {
  readonly ttlMs: number;
  /** Keys under the lease and the revision each was created at. */
  readonly keys: Map<string, number>;
  timer: Timer;
}

/** Like StoreFaults: may wait or throw; in `after` the call has taken effect all the same. */
export interface LeaseFaults {
  before?(call: keyof Leases): Promise<void> | void;
  after?(call: keyof Leases): Promise<void> | void;
}

/** The lease side of a MemoryStore: what the etcd servers do. One for all candidates that share the store. */
export class MemoryLeases {
  private readonly held = new Map<string, Held>();
  private granted = 0;

  constructor(
    private readonly store: MemoryStore,
    private readonly clock: Clock,
  ) {}

  /** One client's way to the leases, with the faults of its own network. */
  client(faults: LeaseFaults = {}): Leases {
    const call = async <T>(name: keyof Leases, effect: () => T): Promise<T> => {
      await faults.before?.(name);
      const answer = effect();
      await faults.after?.(name);
      return answer;
    };
    return {
      grant: (ttlMs) => call('grant', () => this.grant(ttlMs)),
      renew: (leaseId) => call('renew', () => this.renew(leaseId)),
      revoke: (leaseId) => call('revoke', () => this.revoke(leaseId)),
      acquire: (key, value, leaseId) => call('acquire', () => this.acquire(key, value, leaseId)),
    };
  }

  /** Takes the lease behind a key away, as an operator can; its keys go with it. */
  revokeHolder(key: string): void {
    const createRevision = this.store.peek(key)?.createRevision;
    if (createRevision === undefined) return;
    for (const [leaseId, { keys }] of this.held) if (keys.get(key) === createRevision) this.revoke(leaseId);
  }

  /** Every lease is gone without a trace, as with the store it was in. */
  forgetAll(): void {
    for (const { timer } of this.held.values()) timer.cancel();
    this.held.clear();
  }

  private grant(ttlMs: number): Lease {
    const id = String(++this.granted);
    this.held.set(id, { ttlMs, keys: new Map(), timer: this.arm(id, ttlMs) });
    return { id, ttlMs };
  }

  private renew(leaseId: string): number {
    const held = this.held.get(leaseId);
    if (held === undefined) return 0;
    held.timer.cancel();
    held.timer = this.arm(leaseId, held.ttlMs);
    return held.ttlMs;
  }

  private revoke(leaseId: string): void {
    const held = this.held.get(leaseId);
    if (held === undefined) return;
    held.timer.cancel();
    this.held.delete(leaseId);
    for (const [key, createRevision] of held.keys)
      if (this.store.peek(key)?.createRevision === createRevision) this.store.serverCommit([{ kind: 'delete', key }]);
  }

  private acquire(key: string, value: string, leaseId: string): Acquired {
    const held = this.held.get(leaseId);
    if (held === undefined) throw new UnavailableError('store', { detail: `lease ${leaseId} is gone` });
    const holder = this.store.peek(key);
    if (holder !== undefined) return { won: false, holder };
    const createRevision = this.store.serverCommit([{ kind: 'put', key, value }]);
    held.keys.set(key, createRevision);
    return { won: true, createRevision };
  }

  private arm(leaseId: string, ttlMs: number): Timer {
    return this.clock.after(ttlMs, () => this.revoke(leaseId));
  }
}
