import { EtcdConnection } from '../../src/io/etcd/connection';
import { EtcdElection } from '../../src/io/etcd/election';
import { EtcdStore } from '../../src/io/etcd/store';
import { LEADER_KEY } from '../../src/io/election/lease-election';
import { SystemRandom } from '../../src/io/system/chance';
import { SystemClock } from '../../src/io/system/clock';
import { startEtcd, until, type RealEtcd } from '../support/etcd';
import { noopMetrics, silentLogger } from '../support/fakes';
import { Proxy } from '../support/proxy';
import { describeElection, leaderInfo, TTL_MS } from './election';

let etcd: RealEtcd;
beforeAll(async () => {
  etcd = await startEtcd();
}, 30_000);
afterAll(() => etcd.stop());
jest.setTimeout(30_000);

describeElection('etcd', async () => {
  const clock = new SystemClock();
  const closers: (() => unknown)[] = [];
  const connect = (endpoint: string) => {
    const connection = new EtcdConnection({ endpoints: [endpoint] }, new SystemRandom());
    closers.push(() => connection.close());
    return { connection, store: new EtcdStore(connection, clock, noopMetrics()) };
  };
  const { store: direct } = connect(etcd.endpoint);
  const proxies = await Promise.all(['a', 'b', 'c'].map(() => Proxy.start(etcd.endpoint)));
  closers.push(() => Promise.all(proxies.map((proxy) => proxy.close())));
  await direct.commit([{ kind: 'delete', key: LEADER_KEY }]);
  return {
    candidate: (id) => {
      const proxy = proxies['abc'.indexOf(id)];
      if (proxy === undefined) throw new Error(`candidate ${id}?`);
      const { connection, store } = connect(proxy.endpoint);
      const election = new EtcdElection(connection, store, leaderInfo(id), clock, silentLogger(), { ttlMs: TTL_MS });
      return { election, store, me: leaderInfo(id), cutOff: () => proxy.freeze() };
    },
    until: (condition, what, limitMs = 15_000) => until(condition, what, limitMs),
    nowMs: () => clock.monotonicMs(),
    removeLeaderKey: async () => void (await direct.commit([{ kind: 'delete', key: LEADER_KEY }])),
    close: async () => {
      for (const close of closers.toReversed()) await close();
    },
  };
});
