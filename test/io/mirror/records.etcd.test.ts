import { KVClient } from 'etcd3';
import { UnavailableError } from '../../../src/core/errors';
import type { RecordChange } from '../../../src/core/ports/records';
import { MirrorRecords } from '../../../src/io/mirror/records';
import { SystemClock } from '../../../src/io/system/clock';
import { startEtcd, until, type RealEtcd } from '../../support/etcd';
import { noopMetrics, silentLogger } from '../../support/fakes';
import { Proxy } from '../../support/proxy';
import { Closing } from '../etcd/world';
import { role } from './builders';

jest.setTimeout(60_000);
const closing = new Closing();
let etcd: RealEtcd;
beforeEach(async () => {
  etcd = await startEtcd();
  closing.add(() => etcd.stop());
});
afterEach(() => closing.all());

async function mirror(endpoint: string) {
  const { store, connection } = closing.store([endpoint], { callMs: 2_000 });
  const records = new MirrorRecords(store, new SystemClock(), silentLogger(), noopMetrics());
  const controller = new AbortController();
  closing.add(async () => {
    controller.abort();
    await records.stopped();
  });
  const told: RecordChange[] = [];
  records.onChange((changes) => told.push(...changes));
  await records.start(controller.signal);
  return { records, connection, store, told };
}

const write = (records: MirrorRecords, path: string, weight: number) =>
  records.write([{ op: 'put', kind: 'Role', path, record: role(path, weight) }]);
const weights = (records: MirrorRecords) =>
  Object.fromEntries([...records.collection('Role').list()].map(({ path, record }) => [path, record.spec.weight]));

describe('mirrors of several replicas on a real etcd', () => {
  it('show own writes at once and those of others after sync', async () => {
    const [a, b] = [await mirror(etcd.endpoint), await mirror(etcd.endpoint)];
    for (let round = 1; round <= 20; round++) {
      await write(a.records, 'x', round);
      expect(weights(a.records)).toEqual({ x: round });
      await b.records.sync();
      expect(weights(b.records)).toEqual({ x: round });
    }
  });

  it('agree in the end, and every feed is in order, when all write at once', async () => {
    const mirrors = [await mirror(etcd.endpoint), await mirror(etcd.endpoint), await mirror(etcd.endpoint)];
    await Promise.all(
      mirrors.flatMap(({ records }, m) =>
        Array.from({ length: 150 }, async (_, i) => {
          await write(records, `r${(i * 7 + m) % 40}`, i + 1);
          if (i % 9 === 0) await records.write([{ op: 'delete', kind: 'Role', path: `r${i % 40}` }]);
        }),
      ),
    );
    await Promise.all(mirrors.map(({ records }) => records.sync()));
    const [first, ...rest] = mirrors;
    if (first === undefined) throw new Error('no mirror');
    for (const { records } of rest) expect(weights(records)).toEqual(weights(first.records));
    for (const { told, records } of mirrors) {
      const revisions = told.map((change) => change.revision);
      expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
      expect(replayed(told)).toEqual(weights(records));
    }
  });

  it('survive kill -9 of etcd: reads go on, writes fail, and all is right again after', async () => {
    const { records, told } = await mirror(etcd.endpoint);
    await write(records, 'before', 1);
    await etcd.kill('SIGKILL');
    await until(() => !records.isFresh(), 'it knows that it is stale');
    expect(weights(records)).toEqual({ before: 1 });
    await expect(write(records, 'lost', 1)).rejects.toBeInstanceOf(UnavailableError);
    await expect(records.sync()).rejects.toBeInstanceOf(UnavailableError);
    await etcd.restart();
    await until(() => records.isFresh(), 'it is fresh again');
    await write(records, 'after', 2);
    await records.sync();
    expect(weights(records)).toMatchObject({ before: 1, after: 2 });
    expect(replayed(told)).toEqual(weights(records));
  });

  it('list again when their history was compacted while they were cut off', async () => {
    const proxy = await Proxy.start(etcd.endpoint);
    closing.add(() => proxy.close());
    const [a, b] = [await mirror(proxy.endpoint), await mirror(etcd.endpoint)];
    await write(b.records, 'kept', 1);
    await write(b.records, 'gone', 1);
    await a.records.sync();
    proxy.cut();
    await until(() => !a.records.isFresh(), 'it knows that it is stale');
    await b.records.write([{ op: 'delete', kind: 'Role', path: 'gone' }]);
    const revision = await write(b.records, 'new', 2);
    await new KVClient(b.connection).compact({ revision });
    proxy.heal();
    await until(() => a.records.isFresh(), 'it is fresh again');
    expect(weights(a.records)).toEqual({ kept: 1, new: 2 });
    expect(replayed(a.told)).toEqual(weights(a.records));
  });

  it('notice a network that is half open', async () => {
    const proxy = await Proxy.start(etcd.endpoint);
    closing.add(() => proxy.close());
    const [a, b] = [await mirror(proxy.endpoint), await mirror(etcd.endpoint)];
    proxy.freeze();
    await write(b.records, 'unseen', 1);
    await until(() => !a.records.isFresh(), 'it knows that it is stale', 10_000);
    proxy.heal();
    await until(() => a.records.isFresh(), 'it is fresh again');
    expect(weights(a.records)).toEqual({ unseen: 1 });
  });
});

/** What somebody knows who has only listened. */
function replayed(told: readonly RecordChange[]): Record<string, number> {
  const known: Record<string, number> = {};
  for (const { path, current } of told) {
    if (current === undefined) delete known[path];
    else if (current.record.kind === 'Role') known[path] = current.record.spec.weight;
  }
  return known;
}
