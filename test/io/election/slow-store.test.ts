import { sleep } from '../../../src/core/ports/clock';
import type { LeaderInfo, Term } from '../../../src/core/ports/election';
import { LeaseElection } from '../../../src/io/election/lease-election';
import type { Leases } from '../../../src/io/election/leases';
import { MemoryStore } from '../../../src/io/memory/store';
import { FakeClock, RecordingLogger } from '../../support/fakes';

const TTL_MS = 3_000;
const me: LeaderInfo = { id: 'me', hostname: 'me', marathonAddress: 'me:1', mesosAddress: 'me:2', version: '1' };

/** Leases of a store whose writes take their time; renewing one is no write. */
class SlowLeases implements Leases {
  /** When the lease lapses at the store. */
  private lapsesMs = 0;

  constructor(
    private readonly store: MemoryStore,
    private readonly clock: FakeClock,
    private readonly writeMs: number,
  ) {}

  async grant(ttlMs: number) {
    await sleep(this.clock, this.writeMs);
    this.lapsesMs = this.clock.monotonicMs() + ttlMs;
    return { id: '1', ttlMs };
  }

  async acquire(key: string, value: string) {
    await sleep(this.clock, this.writeMs);
    if (this.clock.monotonicMs() > this.lapsesMs) throw new Error('lease not found');
    return { won: true as const, createRevision: await this.store.commit([{ kind: 'put', key, value, expect: 0 }]) };
  }

  async renew() {
    await sleep(this.clock, 10);
    if (this.clock.monotonicMs() > this.lapsesMs) return 0;
    this.lapsesMs = this.clock.monotonicMs() + TTL_MS;
    return TTL_MS;
  }

  async revoke() {
    const key = '/berth/leader';
    if (this.store.peek(key) !== undefined) await this.store.commit([{ kind: 'delete', key }]);
  }
}

test.each([10, 1_600, 4_000])('a store that takes %i ms per write can be led on', async (writeMs) => {
  const clock = new FakeClock();
  const store = new MemoryStore();
  const log = new RecordingLogger();
  const election = new LeaseElection(new SlowLeases(store, clock, writeMs), store, me, clock, log, TTL_MS);
  const terms: Term[] = [];
  const stop = new AbortController();
  const running = election.run((term) => {
    terms.push(term);
    return new Promise((resolve) => term.signal.addEventListener('abort', () => resolve()));
  }, stop.signal);
  await clock.run(60_000);
  expect(terms).toHaveLength(1);
  expect(election.isLeader()).toBe(true);
  stop.abort();
  await clock.run(10_000);
  await running;
});
