import { messageOf } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import { sleep, type Clock } from '../../core/ports/clock';
import type { Election, LeaderInfo, Term } from '../../core/ports/election';
import type { Logger } from '../../core/ports/logger';
import type { Store } from '../../core/ports/store';
import { RepeatLimitedLogger } from '../log/repeat-limit';
import { HeldTerm } from './held-term';
import { LeaderView } from './leader-view';
import type { Lease, Leases } from './leases';

/** Holds LeaderInfo as JSON; its create revision is the fence of the term. */
export const LEADER_KEY = '/berth/leader';

/** Part of the lease that is given away, so that the term is over here before it is over at the store. */
const SAFETY_SHARE = 0.1;
/** A lease lasts so many times as long as a write of the store takes: three attempts to renew it, each with time to spare. */
const SLOW_FACTOR = 6;

/**
 * Leader election on a lease. Campaigns by creating LEADER_KEY if it is absent. The holder counts the lease from *before* each
 * renewal was sent, on its own monotonic clock, less SAFETY_SHARE: whatever the network does, it stops before the store lets
 * another one in. Leases and store must be of the same etcd (or memory).
 */
export class LeaseElection implements Election {
  private readonly log: Logger;
  private readonly view: LeaderView;
  private term: HeldTerm | undefined;
  /** A lease that could not be revoked: its key, if any, would keep everybody waiting for the rest of its time. */
  private strayLeaseId: string | undefined;
  /** Milliseconds that the next grant may take. */
  private grantMs: number;
  /** The present term ends because its holder gave it up. */
  private givesWay = false;

  constructor(
    private readonly leases: Leases,
    store: Store,
    private readonly me: LeaderInfo,
    private readonly clock: Clock,
    log: Logger,
    private readonly ttlMs: number = LIMITS.leaderLeaseMs,
    private readonly key: string = LEADER_KEY,
  ) {
    this.log = new RepeatLimitedLogger(log, clock);
    this.grantMs = ttlMs;
    this.view = new LeaderView(store, key, clock, this.log);
  }

  async run(lead: (term: Term) => Promise<void>, signal: AbortSignal): Promise<void> {
    const following = this.view.follow(signal);
    while (!signal.aborted) {
      const term = await this.campaign(signal);
      if (term !== undefined) await this.hold(term, lead, signal);
    }
    // A read that hangs must not hold up the exit.
    const followed = new AbortController();
    await Promise.race([following.then(() => followed.abort()), sleep(this.clock, this.ttlMs / 3, followed.signal)]);
  }

  abdicate(): void {
    if (this.term === undefined) return;
    this.givesWay = true;
    this.term.end();
  }

  leader(): LeaderInfo | undefined {
    return this.view.leader();
  }

  isLeader(): boolean {
    return this.term?.isHeld() ?? false;
  }

  onChange(listener: (leader: LeaderInfo | undefined) => void): () => void {
    return this.view.onChange(listener);
  }

  /** One attempt, once nobody leads; undefined when another was faster, the store is in trouble, or `signal` aborted. */
  private async campaign(signal: AbortSignal): Promise<HeldTerm | undefined> {
    while (!this.view.isVacant() && !signal.aborted) {
      await this.view.news(this.ttlMs, signal);
      await this.dropStrayLease();
    }
    if (signal.aborted) return undefined;
    try {
      return await this.attempt();
    } catch (error) {
      this.log.warn('cannot campaign for leadership', { error: messageOf(error) });
      await sleep(this.clock, LIMITS.campaignRetryMs, signal);
      return undefined;
    }
  }

  private async attempt(): Promise<HeldTerm | undefined> {
    await this.dropStrayLease();
    const { lease, sentMs } = await this.grant();
    const value = JSON.stringify(this.me);
    let deadlineMs = this.deadline(sentMs, lease.ttlMs);
    const acquired = new AbortController();
    void this.keepAlive(lease, sentMs, acquired.signal, (atMs) => (deadlineMs = Math.max(deadlineMs, atMs)));
    const answer = await this.leases
      .acquire(this.key, value, lease.id, Math.max(this.ttlMs, LIMITS.storeCallMs))
      .finally(() => acquired.abort());
    if (!answer.won) {
      if (answer.holder !== undefined) this.view.show(answer.holder);
      await this.dropStrayLease();
      return undefined;
    }
    this.strayLeaseId = undefined;
    const { createRevision } = answer;
    const fence = { key: this.key, createRevision };
    const term = new HeldTerm(fence, lease, this.clock, deadlineMs);
    this.term = term;
    this.view.show({ key: this.key, value, revision: createRevision, createRevision });
    return term;
  }

  /**
   * A lease that this store can keep up with. When granting one takes so long, twice in a row, that renewing it could come too
   * late, a longer one is taken: a leader that is replaced later is better than one that changes all the time.
   */
  private async grant(): Promise<{ readonly lease: Lease; readonly sentMs: number }> {
    let ttlMs = this.ttlMs;
    let quickestMs = Number.POSITIVE_INFINITY;
    for (let tried = 1; ; tried++) {
      const sentMs = this.clock.monotonicMs();
      const lease = await this.leases.grant(ttlMs, this.grantMs).catch((error: unknown) => this.grantFailed(error));
      this.strayLeaseId = lease.id; // until we know that the key is ours; one without a key just runs out
      const tookMs = this.clock.monotonicMs() - sentMs;
      this.grantMs = Math.max(this.ttlMs, 2 * tookMs);
      quickestMs = Math.min(quickestMs, tookMs);
      const neededMs = Math.min(LIMITS.slowLeaderLeaseMs, SLOW_FACTOR * quickestMs);
      if (neededMs <= ttlMs || tried === 3) return { lease, sentMs };
      if (tried === 1) continue;
      ttlMs = neededMs;
      this.log.warn('the store is slow: the lease of the leader is longer than usual', { ttlMs, grantMs: quickestMs });
    }
  }

  /** The next attempt has more patience. */
  private grantFailed(error: unknown): never {
    this.grantMs = Math.min(2 * this.grantMs, Math.max(this.ttlMs, 2 * LIMITS.storeCallMs));
    throw error;
  }

  /** Renews a lease while the key is being created: on a slow store that may take longer than the lease. Never rejects. */
  private async keepAlive(
    lease: Lease,
    grantSentMs: number,
    signal: AbortSignal,
    prolonged: (deadlineMs: number) => void,
  ): Promise<void> {
    const pauseMs = lease.ttlMs / 3;
    const isSlow = this.clock.monotonicMs() - grantSentMs > pauseMs / 2;
    if (!isSlow) await sleep(this.clock, pauseMs, signal);
    while (!signal.aborted) {
      const sentMs = this.clock.monotonicMs();
      const ttlMs = await this.leases.renew(lease.id, pauseMs).catch(() => 0);
      if (ttlMs > 0) prolonged(this.deadline(sentMs, ttlMs));
      await sleep(this.clock, pauseMs, signal);
    }
  }

  /** Leads until the term ends, then gives the lease back; never rejects. */
  private async hold(term: HeldTerm, lead: (term: Term) => Promise<void>, signal: AbortSignal): Promise<void> {
    this.log.info('leadership won', { createRevision: term.fence.createRevision });
    const end = () => term.end();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    const unsubscribe = this.view.onChange(() => this.endIfReplaced(term));
    const leading = this.runLead(lead, term);
    await this.renew(term);
    unsubscribe();
    signal.removeEventListener('abort', end);
    this.strayLeaseId = term.lease.id;
    await this.dropStrayLease();
    this.log.info('leadership ended', { createRevision: term.fence.createRevision });
    const hasFailed = !(await leading);
    this.term = undefined;
    // What failed here may work elsewhere, and who gave leadership up wants another: those campaign at once, so they come first.
    if (hasFailed) await sleep(this.clock, this.ttlMs, signal);
    else if (this.givesWay) await sleep(this.clock, this.ttlMs / 3, signal);
    this.givesWay = false;
  }

  /** False: it ended with an error. */
  private async runLead(lead: (term: Term) => Promise<void>, term: HeldTerm): Promise<boolean> {
    try {
      await lead(term);
      return true;
    } catch (error) {
      this.log.error('the leader stopped on an error', { error: messageOf(error) });
      // A part that fails at once must not win a hundred terms a second.
      await sleep(this.clock, LIMITS.campaignRetryMs, term.signal);
      return false;
    } finally {
      term.end();
    }
  }

  /** Renews at a third of the lease, more often after a failure; returns when the term has ended. */
  private async renew(term: HeldTerm): Promise<void> {
    // Winning on a slow store has used up a part of the lease.
    const usualMs = Math.min(this.ttlMs, term.lease.ttlMs) / 3;
    const allowedMs = term.lease.ttlMs / 3;
    let pauseMs = Math.min(usualMs, Math.max(0, term.leftMs() - term.lease.ttlMs / 2));
    for (;;) {
      await sleep(this.clock, pauseMs, term.signal);
      if (!term.isHeld()) return term.end();
      const sentMs = this.clock.monotonicMs();
      try {
        const ttlMs = await this.leases.renew(term.lease.id, Math.max(1, Math.min(allowedMs, term.leftMs())));
        if (ttlMs === 0) {
          this.log.warn('the lease of the leader is gone');
          return term.end();
        }
        term.prolong(this.deadline(sentMs, ttlMs));
        pauseMs = usualMs;
      } catch (error) {
        this.log.warn('cannot renew the lease of the leader', { error: messageOf(error), leftMs: term.leftMs() });
        pauseMs = this.ttlMs / 12;
      }
    }
  }

  /** Somebody removed the leader key by hand: the fence is void, so stop at once. */
  private endIfReplaced(term: HeldTerm): void {
    if (this.view.holder()?.createRevision !== term.fence.createRevision) term.end();
  }

  private async dropStrayLease(): Promise<void> {
    const leaseId = this.strayLeaseId;
    if (leaseId === undefined) return;
    try {
      await this.leases.revoke(leaseId, this.ttlMs / 3);
      this.strayLeaseId = undefined;
    } catch (error) {
      this.log.warn('cannot revoke a lease', { error: messageOf(error) });
    }
  }

  private deadline(sentMs: number, ttlMs: number): number {
    return sentMs + ttlMs * (1 - SAFETY_SHARE);
  }
}
