import { CompactedError, UnavailableError } from '../../../src/core/errors';
import { EtcdMaintenance } from '../../../src/io/etcd/maintenance';
import { startEtcd } from '../../support/etcd';
import { Closing } from './world';

jest.setTimeout(60_000);
const closing = new Closing();
afterEach(() => closing.all());

describe('EtcdMaintenance', () => {
  it('tells the state of etcd, compacts, and takes a compaction that was made already for success', async () => {
    const etcd = await startEtcd();
    closing.add(() => etcd.stop());
    const { store, connection } = closing.store([etcd.endpoint], { callMs: 1_000 });
    const maintenance = new EtcdMaintenance(connection);
    const first = await store.commit([{ kind: 'put', key: '/t/a', value: '1' }]);
    const second = await store.commit([{ kind: 'put', key: '/t/a', value: '2' }]);
    const status = await maintenance.status();
    expect(status).toMatchObject({ revision: second, hasLeader: true, alarms: [] });
    expect(status.version).toMatch(/^3\.\d+\.\d+/);
    expect(status.databaseBytes).toBeGreaterThanOrEqual(status.databaseUsedBytes);

    await maintenance.compact(second);
    await maintenance.compact(second);
    await maintenance.compact(first);
    const past = store.list('/t/', { revision: first })[Symbol.asyncIterator]();
    await expect(past.next()).rejects.toBeInstanceOf(CompactedError);
    await etcd.kill('SIGKILL');
    await expect(maintenance.status()).rejects.toBeInstanceOf(UnavailableError);
    await expect(maintenance.compact(second)).rejects.toBeInstanceOf(UnavailableError);
  });

  it('tells the alarm of a full database', async () => {
    const etcd = await startEtcd({ args: ['--quota-backend-bytes', '200000'] });
    closing.add(() => etcd.stop());
    const { store, connection } = closing.store([etcd.endpoint]);
    const fill = async () => {
      for (;;) await store.commit([{ kind: 'put', key: '/t/a', value: 'x'.repeat(100_000) }]);
    };
    await expect(fill()).rejects.toBeInstanceOf(UnavailableError);
    expect((await new EtcdMaintenance(connection).status()).alarms).toEqual(['NOSPACE']);
  });
});
