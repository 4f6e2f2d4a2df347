import { UnavailableError } from '../../src/core/errors';
import { LEADER_KEY } from '../../src/io/election/lease-election';
import { MemoryElection } from '../../src/io/memory/election';
import { MemoryLeases } from '../../src/io/memory/leases';
import { MemoryStore } from '../../src/io/memory/store';
import { FakeClock, silentLogger } from '../support/fakes';
import { describeElection, leaderInfo, TTL_MS } from './election';

describeElection('memory', async () => {
  const store = new MemoryStore();
  const clock = new FakeClock();
  const leases = new MemoryLeases(store, clock);
  return {
    candidate: (id) => {
      let cut = false;
      const faults = {
        before: () => {
          if (cut) throw new UnavailableError('store');
        },
      };
      const election = new MemoryElection(store, leases, leaderInfo(id), clock, silentLogger(), {
        ttlMs: TTL_MS,
        faults,
      });
      return { election, store, me: leaderInfo(id), cutOff: () => (cut = true) };
    },
    until: (condition, _what, limitMs = 30_000) => clock.runUntil(condition, limitMs),
    nowMs: () => clock.monotonicMs(),
    removeLeaderKey: async () => void (await store.commit([{ kind: 'delete', key: LEADER_KEY }])),
    close: async () => undefined,
  };
});
