import { KVClient } from 'etcd3';
import { SystemRandom } from '../../src/io/system/chance';
import { SystemClock } from '../../src/io/system/clock';
import { EtcdConnection } from '../../src/io/etcd/connection';
import { EtcdStore } from '../../src/io/etcd/store';
import { startEtcd, type RealEtcd } from '../support/etcd';
import { noopMetrics } from '../support/fakes';
import { describeStore } from './store';

let etcd: RealEtcd;
beforeAll(async () => {
  etcd = await startEtcd();
}, 30_000);
afterAll(() => etcd.stop());

describeStore('etcd', async () => {
  const connection = new EtcdConnection({ endpoints: [etcd.endpoint] }, new SystemRandom());
  const store = new EtcdStore(connection, new SystemClock(), noopMetrics());
  for (const prefix of ['/t', '/s', '/leader']) await clear(store, prefix);
  return {
    store,
    compact: async (revision) => void (await new KVClient(connection).compact({ revision })),
    close: async () => connection.close(),
  };
});

async function clear(store: EtcdStore, prefix: string): Promise<void> {
  for await (const page of store.list(prefix, { pageSize: 100 })) {
    const writes = page.entries.map(({ key }) => ({ kind: 'delete' as const, key }));
    if (writes.length > 0) await store.commit(writes);
  }
}
