import { sleep } from '../../../src/core/ports/clock';
import type { LeaderInfo, Term } from '../../../src/core/ports/election';
import { UnavailableError } from '../../../src/core/errors';
import { LeaseElection } from '../../../src/io/election/lease-election';
import type { Leases } from '../../../src/io/election/leases';
import { MemoryStore } from '../../../src/io/memory/store';
import { FakeClock, RecordingLogger } from '../../support/fakes';

const TTL_MS = 3_000;
const me: LeaderInfo = { id: 'me', hostname: 'me', marathonAddress: 'me:1', mesosAddress: 'me:2', version: '1' };

/** Leases of a store whose writes take their time; renewing one is no write, but waits for those that are under way. */
class SlowLeases implements Leases {
  /** When the lease lapses at the store. */
  private lapsesMs = 0;
  readonly granted: number[] = [];

  constructor(
    private readonly store: MemoryStore,
    private readonly clock: FakeClock,
    /** Of the next write. */
    public writeMs: number,
  ) {}

  async grant(ttlMs: number, timeoutMs: number) {
    await sleep(this.clock, Math.min(this.writeMs, timeoutMs));
    if (this.writeMs > timeoutMs) throw new UnavailableError('store');
    this.granted.push(ttlMs);
    this.lapsesMs = this.clock.monotonicMs() + ttlMs;
    return { id: '1', ttlMs };
  }

  async acquire(key: string, value: string) {
    await sleep(this.clock, this.writeMs);
    if (this.clock.monotonicMs() > this.lapsesMs) throw new Error('lease not found');
    return { won: true as const, createRevision: await this.store.commit([{ kind: 'put', key, value, expect: 0 }]) };
  }

  async renew() {
    await sleep(this.clock, this.writeMs / 2);
    if (this.clock.monotonicMs() > this.lapsesMs) return 0;
    const ttlMs = this.granted.at(-1) ?? 0;
    this.lapsesMs = this.clock.monotonicMs() + ttlMs;
    return ttlMs;
  }

  async revoke() {
    const key = '/berth/leader';
    if (this.store.peek(key) !== undefined) await this.store.commit([{ kind: 'delete', key }]);
  }
}

test.each([
  { writeMs: 10, leaseMs: TTL_MS },
  { writeMs: 400, leaseMs: TTL_MS },
  { writeMs: 1_600, leaseMs: 9_600 },
  { writeMs: 4_000, leaseMs: 24_000 },
])('a store that takes $writeMs ms per write can be led on', async ({ writeMs, leaseMs }) => {
  const clock = new FakeClock();
  const store = new MemoryStore();
  const log = new RecordingLogger();
  const leases = new SlowLeases(store, clock, writeMs);
  const election = new LeaseElection(leases, store, me, clock, log, TTL_MS);
  const terms: Term[] = [];
  const stop = new AbortController();
  const running = election.run((term) => {
    terms.push(term);
    return new Promise((resolve) => term.signal.addEventListener('abort', () => resolve()));
  }, stop.signal);
  await clock.run(120_000);
  expect(terms).toHaveLength(1);
  expect(leases.granted.at(-1)).toBe(leaseMs);
  expect(election.isLeader()).toBe(true);
  stop.abort();
  await clock.run(10_000);
  await running;
});

test('one slow grant alone, as while etcd elects a leader, makes no longer lease', async () => {
  const clock = new FakeClock();
  const store = new MemoryStore();
  const leases = new SlowLeases(store, clock, 2_000);
  const election = new LeaseElection(leases, store, me, clock, new RecordingLogger(), TTL_MS);
  const stop = new AbortController();
  const running = election.run((term) => {
    return new Promise((resolve) => term.signal.addEventListener('abort', () => resolve()));
  }, stop.signal);
  await clock.run(1_000);
  leases.writeMs = 10;
  await clock.run(10_000);
  expect(election.isLeader()).toBe(true);
  expect(leases.granted).toEqual([TTL_MS, TTL_MS]);
  stop.abort();
  await clock.run(10_000);
  await running;
});
